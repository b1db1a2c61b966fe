//! Options of a tmpfs, as mount(8) has them: `size=64m,mode=0700,exec`.

use runtime::TmpfsOptions;

use super::MountRequest;
use super::bind_text::invalid;
use crate::Error;

/// What Docker sets when nothing else is said.
const DEFAULTS: [&str; 3] = ["noexec", "nosuid", "nodev"];
/// Options of the file system, all with a value.
const VALUES: [&str; 7] = ["mode", "uid", "gid", "nr_inodes", "nr_blocks", "size", "mpol"];
/// Switches of the mount that change nothing here.
const IGNORED: [&str; 14] = [
    "defaults",
    "rw",
    "async",
    "sync",
    "atime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "diratime",
    "nodiratime",
    "rprivate",
    "private",
    "bind",
];

/// Reads the options; the first that is wrong is an error.
pub(super) fn parse(text: &str) -> Result<TmpfsOptions, Error> {
    let mut options = TmpfsOptions {
        source: "tmpfs".to_owned(),
        options: Vec::new(),
        no_exec: false,
        suid: true,
        devices: true,
        read_only: false,
        no_atime: false,
    };
    for word in DEFAULTS.into_iter().chain(text.split(',').filter(|word| !word.is_empty())) {
        match word {
            "noexec" | "exec" => options.no_exec = word == "noexec",
            "nosuid" | "suid" => options.suid = word == "suid",
            "nodev" | "dev" => options.devices = word == "dev",
            "ro" => options.read_only = true,
            "noatime" => options.no_atime = true,
            word if IGNORED.contains(&word) => options.read_only &= word != "rw",
            word => match word.split_once('=') {
                Some((name, value)) if VALUES.contains(&name) && !value.is_empty() => {
                    options.options.retain(|(known, _)| known != name);
                    options.options.push((name.to_owned(), Some(value.to_owned())));
                }
                _ => return Err(invalid(format!("invalid tmpfs option \"{word}\""))),
            },
        }
    }
    Ok(options)
}

/// The same for `--mount type=tmpfs`.
pub(super) fn of_request(request: &MountRequest) -> String {
    let mut words = Vec::new();
    words.extend(request.tmpfs_size.filter(|size| *size > 0).map(|size| format!("size={size}")));
    words.extend(request.tmpfs_mode.map(|mode| format!("mode={mode:o}")));
    words.extend(request.read_only.then(|| "ro".to_owned()));
    words.join(",")
}

/// The options of a volume in memory: nothing is set unless it is said.
pub(super) fn parse_volume(text: &str) -> Result<TmpfsOptions, Error> {
    parse(&format!("exec,suid,dev,{text}"))
}
