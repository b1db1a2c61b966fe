use std::ffi::OsString;

use engine::ImagesOptions;

use super::options;
use crate::cli::{Command, parse};
use crate::failure::Failure;

fn images(line: &str) -> Result<ImagesOptions, Failure> {
    let words: Vec<OsString> = std::iter::once("onggi").chain(line.split_whitespace()).map(OsString::from).collect();
    let Command::Images(args) = parse(&words).unwrap().command else { panic!("{line}") };
    options(&args)
}

fn hint(line: &str) -> String {
    match images(line) {
        Err(Failure::Problems { problems, .. }) => problems[0].hint.clone().unwrap(),
        other => panic!("{line}: {other:?}"),
    }
}

/// S234.
#[test]
fn images_with_a_command_is_a_slip() {
    assert_eq!(hint("images inspect nginx:latest"), "use `onggi image inspect nginx:latest`");
    assert_eq!(hint("image ls rm a b"), "use `onggi image rm a b`");
    assert_eq!(hint("images a b"), "use `--filter reference=NAME` for each");
}

/// S201, C002.
#[test]
fn options_are_those_that_were_typed() {
    let options = images("images -a -f dangling=true --filter label=x w*").unwrap();
    assert!(options.all);
    assert_eq!((options.filters.len(), options.name.as_deref()), (2, Some("w*")));
    assert!(images("images -f nonsense").is_err());
}
