use std::ffi::OsString;

use super::Usage;
use crate::cli::parse;
use crate::render::problem;

fn usage(line: &str) -> Usage {
    let words: Vec<OsString> = std::iter::once("onggi").chain(line.split_whitespace()).map(OsString::from).collect();
    match parse(&words) {
        Ok(cli) => panic!("{line}: {cli:?}"),
        Err(usage) => usage,
    }
}

/// What is printed, and the exit status.
fn mistake(line: &str) -> String {
    match usage(line) {
        Usage::Mistake { problem, usage, status } => {
            let usage = usage.unwrap_or_default();
            format!("{}[{status}] {usage}", problem::render(&[*problem], false))
        }
        other => panic!("{line}: {other:?}"),
    }
}

const MISTAKES: &[&str] = &[
    "run --bogus img",
    "run --nmae x img",
    "run",
    "run --env",
    "run -Z img",
    "run --gpus all img",
    "--root /x build --provenance x .",
    "image ls --tree",
    "images --bogus",
    "build --progress=fancy .",
    "build --progress=plian .",
    "build a b",
    "build --no-cache=maybe .",
    "tag a",
    "rmi",
    "inspect --type plugin x",
    "stop -t soon x",
    "buidl .",
    "image lss",
    "bogus",
    "image search node",
    "search x",
    "swarm init",
    "config create x -",
    "config ls",
    "config bogus",
    "--root images",
    "build logs -a 3f2a",
];

#[test]
#[expect(clippy::too_many_lines, reason = "one snapshot")]
fn mistakes_say_what_to_type() {
    let text: Vec<_> = MISTAKES.iter().map(|line| format!("$ onggi {line}\n{}\n", mistake(line))).collect();
    insta::assert_snapshot!(text.join("\n"), @"
    $ onggi run --bogus img
    error: unknown flag `--bogus`
    [125] Usage: onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]

    $ onggi run --nmae x img
    error: unknown flag `--nmae`
    hint: did you mean `--name`?
    [125] Usage: onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]

    $ onggi run
    error: missing `IMAGE`
    [1] Usage: onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]

    $ onggi run --env
    error: flag `--env` needs a value
    [125] 

    $ onggi run -Z img
    error: unknown flag `-Z`
    [125] Usage: onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]

    $ onggi run --gpus all img
    error: flag `--gpus` of `onggi run` is not there yet
    [125] Usage: onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]

    $ onggi --root /x build --provenance x .
    error: flag `--provenance` of `onggi build` is not there yet
    [125] Usage: onggi build [OPTIONS] [PATH]

    $ onggi image ls --tree
    error: flag `--tree` of `onggi image ls` is not there yet
    [125] Usage: onggi images [OPTIONS] [REPOSITORY[:TAG]]

    $ onggi images --bogus
    error: unknown flag `--bogus`
    [125] Usage: onggi images [OPTIONS] [REPOSITORY[:TAG]]

    $ onggi build --progress=fancy .
    error: `fancy` is not a value of `--progress`
    hint: use one of `auto`, `tty`, `plain`, `quiet`, `rawjson`, `classic`
    [125] 

    $ onggi build --progress=plian .
    error: `plian` is not a value of `--progress`
    hint: did you mean `plain`?
    [125] 

    $ onggi build a b
    error: unexpected argument `b`
    [1] Usage: onggi build [OPTIONS] [PATH]

    $ onggi build --no-cache=maybe .
    error: flag `--no-cache` does not take the value `maybe`
    [125] Usage: onggi build [OPTIONS] [PATH]

    $ onggi tag a
    error: missing `TARGET_IMAGE[:TAG]`
    [1] Usage: onggi tag <SOURCE_IMAGE[:TAG]> <TARGET_IMAGE[:TAG]>

    $ onggi rmi
    error: missing `IMAGE`
    [1] Usage: onggi rmi <IMAGE>...

    $ onggi inspect --type plugin x
    error: `plugin` is not a value of `--type`
    hint: use one of `image`, `container`, `network`, `volume`
    [125] 

    $ onggi stop -t soon x
    error: `soon` is not a value of `--timeout`
    [125] 

    $ onggi buidl .
    error: unknown command `onggi buidl`
    hint: did you mean `onggi build`?
    [1] Usage: onggi [OPTIONS] <COMMAND>

    $ onggi image lss
    error: unknown command `onggi image lss`
    hint: did you mean `onggi image ls`?
    [1] Usage: onggi image <COMMAND>

    $ onggi bogus
    error: unknown command `onggi bogus`
    hint: did you mean `onggi logs`?
    [1] Usage: onggi [OPTIONS] <COMMAND>

    $ onggi image search node
    error: `onggi image search` is not there yet
    [1] Usage: onggi image <COMMAND>

    $ onggi search x
    error: `onggi search` is not there yet
    [1] Usage: onggi [OPTIONS] <COMMAND>

    $ onggi swarm init
    error: `onggi swarm` is not planned: onggi is not a cluster manager
    [1] Usage: onggi [OPTIONS] <COMMAND>

    $ onggi config create x -
    error: `onggi config create` is not planned: onggi is not a cluster manager
    [1] Usage: onggi config <COMMAND>

    $ onggi config ls
    error: `onggi config ls` is not planned: onggi is not a cluster manager
    [1] Usage: onggi config <COMMAND>

    $ onggi config bogus
    error: unknown command `onggi config bogus`
    hint: see all commands with `onggi config --help`
    [1] Usage: onggi config <COMMAND>

    $ onggi --root images
    error: missing command
    hint: see all commands with `onggi --help`
    [1] Usage: onggi [OPTIONS] <COMMAND>

    $ onggi build logs -a 3f2a
    error: `--all` cannot be used with `BUILD`
    [125] Usage: onggi build logs --all [BUILD] [STEP]
    ");
}

/// C210 and what Docker 28.2 does.
#[test]
fn exit_codes_are_dockers() {
    for (line, expected) in [
        ("run --bogus img", 125),
        ("run -e", 125),
        ("images --bogus", 125),
        ("build --progress=x .", 125),
        ("run", 1),
        ("tag a", 1),
        ("tag a b c", 1),
        ("bogus", 1),
        ("image bogus", 1),
    ] {
        match usage(line) {
            Usage::Mistake { status, .. } => assert_eq!(status, expected, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn help_and_version_are_not_mistakes() {
    for line in ["--help", "build --help", "run --help", "image --help", "help build", "--version", "-v", "", "image"] {
        assert!(matches!(usage(line), Usage::Asked(_)), "{line}");
    }
    let Usage::Asked(version) = usage("--version") else { panic!() };
    assert_eq!(version, format!("onggi version {}\n", env!("CARGO_PKG_VERSION")));
    let Usage::Asked(help) = usage("image --help") else { panic!() };
    assert!(help.contains("  ls       List images [alias: list]"), "{help}");
    let Usage::Asked(help) = usage("run --help") else { panic!() };
    assert!(help.contains("Usage: onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]"), "{help}");
}
