//! What a program asks of the kernel, by strace: for claims such as "a no-op rebuild opens nothing for writing".

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::command::Command;

/// One system call as strace prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemCall {
    /// The name, for instance `openat`.
    pub name: String,
    /// Everything between the brackets.
    pub arguments: String,
    /// Everything after the equals sign.
    pub result: String,
}

impl Command {
    /// Runs the command and all its children under strace and returns the calls of these names.
    ///
    /// # Panics
    /// If strace is not installed or the command fails.
    #[must_use]
    pub fn trace(&self, names: &[&str]) -> Vec<SystemCall> {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        // Whoever runs it.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).expect("the folder is ours");
        let log: PathBuf = folder.path().join("trace");
        let filter = format!("trace={}", names.join(","));
        let options = ["-f".into(), "-qq".into(), "-s".into(), "4096".into(), "-e".into(), filter.into(), "-o".into()];
        let options = options.into_iter().chain([log.clone().into_os_string(), "--".into()]);
        self.clone().wrapped("strace", options).run().success();
        let text = std::fs::read(&log).expect("strace has written its log");
        String::from_utf8_lossy(&text).lines().filter_map(parse).collect()
    }
}

/// `1234 openat(AT_FDCWD, "x", O_RDONLY) = 3`. A call that is cut in two by another thread's has no result and
/// counts as having succeeded.
fn parse(line: &str) -> Option<SystemCall> {
    let line = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let (name, rest) = line.split_once('(')?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, ""));
    let arguments = arguments.trim_end().trim_end_matches(')');
    is_name.then(|| SystemCall { name: name.into(), arguments: arguments.into(), result: result.into() })
}

/// The calls that succeeded and could change a file: opens for writing, and everything that makes, moves or removes.
/// `/dev/null`, terminals and the process's own /proc entries are not files in that sense.
#[must_use]
pub fn written_paths(calls: &[SystemCall]) -> Vec<String> {
    let changes = ["mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "linkat", "symlinkat"];
    let opens = ["open", "openat", "openat2", "creat"];
    calls
        .iter()
        .filter(|call| !call.result.starts_with('-'))
        .filter(|call| {
            let writes =
                ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_TMPFILE"].iter().any(|f| call.arguments.contains(f));
            let harmless = ["\"/dev/", "\"/proc/"].iter().any(|prefix| call.arguments.contains(prefix));
            changes.contains(&call.name.as_str()) || (opens.contains(&call.name.as_str()) && writes && !harmless)
        })
        .map(|call| format!("{}({})", call.name, call.arguments))
        .collect()
}
