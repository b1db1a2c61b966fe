//! `--security-opt`, `--sysctl` and their like: from words to the engine's settings.

use std::collections::BTreeMap;

use engine::Security;

use crate::cli::create::SecurityFlags;
use crate::failure::Failure;
use crate::render::problem::Problem;

/// The engine's settings; a profile of system calls is read here, where files of the user are.
pub(in crate::commands) fn security(flags: &SecurityFlags) -> Result<Security, Failure> {
    Ok(Security {
        cap_add: flags.cap_add.clone(),
        cap_drop: flags.cap_drop.clone(),
        privileged: flags.privileged,
        options: flags.options.clone(),
        seccomp_profile: seccomp_profile(&flags.options)?,
        devices: flags.devices.clone(),
        device_rules: flags.device_rules.clone(),
        groups: flags.groups.clone(),
        pid: flags.pid.clone(),
        ipc: flags.ipc.clone(),
        uts: flags.uts.clone(),
        userns: flags.userns.clone(),
        sysctls: pairs("--sysctl", &flags.sysctls)?,
        init: flags.init,
        annotations: pairs("--annotation", &flags.annotations)?,
    })
}

fn seccomp_profile(options: &[String]) -> Result<Option<String>, Failure> {
    let mut files =
        options.iter().filter_map(|text| text.strip_prefix("seccomp=").or_else(|| text.strip_prefix("seccomp:")));
    // The last one counts.
    let Some(file) = files.next_back().filter(|file| !matches!(*file, "unconfined" | "builtin" | "")) else {
        return Ok(None);
    };
    std::fs::read_to_string(file).map(Some).map_err(|error| {
        let problem = Problem::error(format!("opening seccomp profile ({file}) failed"));
        Failure::new(Problem { causes: vec![error.to_string()], ..problem })
    })
}

fn pairs(flag: &str, texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => {
            let problem = Problem::error(format!("`{flag} {text}` has no value"));
            Err(Failure::new(problem.with_hint(format!("write it as `{flag} NAME=VALUE`"))))
        }
    };
    texts.iter().map(pair).collect()
}
