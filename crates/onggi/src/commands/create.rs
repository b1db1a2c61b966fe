//! What `run` and `create` share: from flags to the engine's options.

use engine::{CreateOptions, ExposeSpec, Lifetime, MountSettings, NetworkSettings, PortSpec};

use crate::cli::create::{CreateFlags, MountFlags, NetworkFlags, parse_mount};
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
        mounts: mounts(&flags.mounts)?,
        network: network(&flags.network)?,
    })
}

fn mounts(flags: &MountFlags) -> Result<MountSettings, Failure> {
    let wrong = |flag: &str, value: &str, reason: &str| {
        Failure::new(Problem::error(format!("invalid argument \"{value}\" for \"{flag}\" flag: {reason}")))
    };
    let mount = |text: &String| parse_mount(text).map_err(|reason| wrong("--mount", text, &reason));
    let shm_size = flags.shm_size.as_deref().map(|text| {
        let size = engine::parse_memory_size(text);
        size.ok_or_else(|| wrong("--shm-size", text, &format!("invalid size: '{text}'")))
    });
    let tmpfs = flags.tmpfs.iter().map(|text| {
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        (target.to_owned(), options.to_owned())
    });
    Ok(MountSettings {
        binds: flags.volumes.clone(),
        mounts: flags.mounts.iter().map(mount).collect::<Result<_, _>>()?,
        tmpfs: tmpfs.collect(),
        volumes_from: flags.volumes_from.clone(),
        driver: flags.volume_driver.clone().unwrap_or_default(),
        read_only: flags.read_only,
        shm_size: shm_size.transpose()?,
        ..MountSettings::default()
    })
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
