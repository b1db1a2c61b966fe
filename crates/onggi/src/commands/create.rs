//! What `run` and `create` share: from flags to the engine's options.

use engine::{CreateOptions, ExposeSpec, Lifetime, MountSettings, NetworkSettings, PortSpec};

use crate::cli::create::{CreateFlags, MountFlags, NetworkFlags};
use crate::cli::env_list;
use crate::failure::Failure;
use crate::render::problem::Problem;

/// The engine's options; `lookup` gives the environment's variables.
pub(super) fn options(flags: &CreateFlags, lookup: &dyn Fn(&str) -> Option<String>) -> Result<CreateOptions, Failure> {
    let mut words = flags.words.iter().cloned();
    Ok(CreateOptions {
        image: words.next().unwrap_or_default(),
        command: words.collect(),
        interactive: flags.interactive,
        tty: flags.tty,
        name: flags.name.clone(),
        env: environment(&flags.env_files, &flags.env, lookup)?,
        working_dir: flags.workdir.clone(),
        user: flags.user.clone(),
        entrypoint: flags.entrypoint.clone(),
        runtime: flags.runtime.clone(),
        lifetime: Lifetime { auto_remove: flags.rm, ..Lifetime::default() },
        mounts: mounts(&flags.mounts),
        network: network(&flags.network)?,
    })
}

fn mounts(flags: &MountFlags) -> MountSettings {
    MountSettings { binds: flags.volumes.clone() }
}

fn network(flags: &NetworkFlags) -> Result<NetworkSettings, Failure> {
    let mut settings = NetworkSettings {
        mode: flags.network.as_deref().unwrap_or_default().parse()?,
        hostname: flags.hostname.clone(),
        publish_all: flags.publish_all,
        ..NetworkSettings::default()
    };
    for text in &flags.publish {
        settings.ports.extend(text.parse::<PortSpec>()?.0);
    }
    for text in &flags.expose {
        settings.exposed.extend(text.parse::<ExposeSpec>()?.0);
    }
    Ok(settings)
}

/// Files first, so that `--env` wins over them.
pub(super) fn environment(
    files: &[std::path::PathBuf],
    env: &[String],
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<String>, Failure> {
    let wrong = |error: env_list::EnvError| Failure::new(Problem::error(error.to_string()));
    let mut variables = Vec::new();
    for path in files {
        let bytes = std::fs::read(path).map_err(|error| {
            let problem = Problem::error(format!("cannot read the variables in {}", path.display()));
            Failure::new(Problem { causes: vec![error.to_string()], ..problem })
        })?;
        let lines = env_list::file(path, &bytes, lookup).map_err(wrong)?;
        variables.extend(lines.into_iter().map(|(name, value)| format!("{name}={value}")));
    }
    for text in env {
        match env_list::variable(text, lookup).map_err(wrong)? {
            Some((name, value)) => variables.push(format!("{name}={value}")),
            // Not set here: the container does not get the image's either.
            None => variables.push(text.clone()),
        }
    }
    Ok(variables)
}
