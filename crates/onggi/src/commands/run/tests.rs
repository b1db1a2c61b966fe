use std::ffi::OsString;

use engine::{NetworkMode, RunOptions};

use super::options;
use crate::cli::{Command, parse};
use crate::failure::Failure;

fn run(line: &str) -> Result<RunOptions, Failure> {
    let words: Vec<OsString> =
        ["onggi", "run"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect();
    let Command::Run(args) = parse(&words).unwrap().command else { panic!("{line}") };
    options(&args, &|name| (name == "HOME").then(|| "/root".to_owned()))
}

/// S041 to S044, S047, S049, S054, S057, C201.
#[test]
fn options_are_those_that_were_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    std::fs::write(&file, "FILE=1\nA=file\nUNSET\n").unwrap();
    let options = run(&format!(
        "-d --rm -i -t --name web --env A=1 -e HOME -e UNSET --env-file {} -w /src -u 1:2 --entrypoint sh \
         -v /a:/b:ro --network none -h host --runtime runc img --version -d",
        file.display()
    ))
    .unwrap();
    assert!(options.detach);
    let options = options.create;
    assert_eq!((options.image.as_str(), options.command), ("img", vec!["--version".to_owned(), "-d".to_owned()]));
    assert!(options.lifetime.auto_remove && options.interactive && options.tty);
    assert_eq!(
        options.env,
        ["FILE=1", "A=file", "A=1", "HOME=/root", "UNSET"],
        "files first, then flags; a name alone takes a variable away"
    );
    assert_eq!((options.name.as_deref(), options.network.hostname.as_deref()), (Some("web"), Some("host")));
    assert_eq!((options.working_dir.as_deref(), options.user.as_deref()), (Some("/src"), Some("1:2")));
    assert_eq!((options.entrypoint.as_deref(), options.runtime.as_deref()), (Some("sh"), Some("runc")));
    assert_eq!((options.mounts.binds, options.network.mode), (vec!["/a:/b:ro".to_owned()], NetworkMode::None));
    assert_eq!(run("img").unwrap().create.network.mode, NetworkMode::Bridge);
}

#[test]
fn mistakes_are_told() {
    for line in ["-e =x img", "--env-file /nonexistent img", "--network host --network nope img"] {
        assert!(run(line).is_err(), "{line}");
    }
}
