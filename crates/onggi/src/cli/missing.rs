//! What Docker has and this version has not: an honest answer instead of "unknown".

/// Commands that are not here yet, and what to do meanwhile.
const COMMANDS: &[(&str, Option<&str>)] = &[
    ("checkpoint", None),
    ("compose", None),
    ("context", Some("`--root DIR` chooses another store of this machine")),
    ("manifest", None),
    // Docker Hub alone answers it, by an interface of its own that no other registry has.
    ("search", None),
];

/// Commands that will not come (C332).
const NOT_PLANNED: [&str; 7] = ["swarm", "service", "stack", "node", "secret", "plugin", "trust"];

/// Docker's commands about the configs of a swarm; `onggi config` has others.
const CONFIG_COMMANDS: [&str; 6] = ["create", "inspect", "ls", "list", "rm", "remove"];

/// Flags that are not here yet, by the commands that have them in Docker.
const FLAGS: &[(&[&str], &[&str])] = &[
    (
        &["run", "create"],
        &[
            "--blkio-weight-device",
            "--cpu-rt-period",
            "--cpu-rt-runtime",
            "--device-read-bps",
            "--device-read-iops",
            "--device-write-bps",
            "--device-write-iops",
            "--disable-content-trust",
            "--gpus",
            "--ip6",
            "--isolation",
            "--link-local-ip",
            "--storage-opt",
            "--use-api-socket",
        ],
    ),
    (&["build"], &["--attest", "--builder", "--provenance", "--sbom"]),
    (&["images", "image ls", "image list"], &["--tree"]),
];

/// Why there is no such command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It will come; until then this may help.
    NotYet(Option<&'static str>),
    /// It will not.
    NotPlanned,
}

/// What is known of a command that is not here; `None` for a word that Docker does not know either.
pub(crate) fn command(name: &str) -> Option<Reason> {
    if NOT_PLANNED.contains(&name) {
        return Some(Reason::NotPlanned);
    }
    COMMANDS.iter().find(|(missing, _)| *missing == name).map(|(_, instead)| Reason::NotYet(*instead))
}

/// The same for a command below `onggi config`.
pub(crate) fn config_command(name: &str) -> Option<Reason> {
    CONFIG_COMMANDS.contains(&name).then_some(Reason::NotPlanned)
}

/// Whether Docker has this flag in `command` (`image ls`, `run`).
pub(crate) fn has_flag(command: &str, flag: &str) -> bool {
    let last = command.rsplit(' ').next().unwrap_or(command);
    let applies = |commands: &[&str]| commands.contains(&command) || (commands.contains(&last) && last != "ls");
    FLAGS.iter().any(|(commands, flags)| applies(commands) && flags.contains(&flag))
}
