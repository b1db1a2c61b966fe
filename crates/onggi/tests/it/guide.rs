//! `docs/guide`: every command in it is run, in both languages, and answers as it says there.
//!
//! A block of `sh` is run; a block of `text` behind it is what it prints, line by line, where `…` stands for anything (a line
//! of its own for any number of lines). Spaces at the ends of lines and their number between words do not count.

use std::fs;
use std::path::Path;

use testkit::RegistryOptions;

use crate::build_project::Project;

/// Commands, and what they print where the guide says so.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    commands: String,
    answer: Option<String>,
}

fn blocks(language: &str) -> Vec<Block> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(language).join("README.md");
    let text = fs::read_to_string(guide).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some((kind.to_owned(), String::new())),
            (None, None) => {}
            (Some((_, content)), None) => content.extend([line, "\n"]),
            (Some(_), Some(_)) => {
                let (kind, content) = open.take().unwrap();
                match kind.as_str() {
                    "sh" => blocks.push(Block { commands: content, answer: None }),
                    "text" => blocks.last_mut().unwrap().answer = Some(content),
                    other => panic!("{language}: a block of `{other}`"),
                }
            }
        }
    }
    assert!(open.is_none() && !blocks.is_empty());
    blocks
}

/// Whether a line is as the guide says; `…` stands for anything.
fn is_like(shown: &str, said: &str) -> bool {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, said) = (words(shown), words(said));
    let mut parts = said.split('…');
    let Some(mut rest) = parts.next().and_then(|first| shown.strip_prefix(first)) else { return false };
    let parts: Vec<_> = parts.collect();
    for (place, part) in parts.iter().enumerate() {
        let is_last = place + 1 == parts.len();
        let found = if is_last { rest.ends_with(part).then(|| rest.len() - part.len()) } else { rest.find(part) };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// Whether all lines are; a line that is `…` alone stands for any number of them.
fn are_like(shown: &[&str], said: &[&str]) -> bool {
    match said.split_first() {
        None => shown.is_empty(),
        Some((&"…", said)) => (0..=shown.len()).any(|skipped| are_like(&shown[skipped..], said)),
        Some((line, said)) => shown.first().is_some_and(|first| is_like(first, line)) && are_like(&shown[1..], said),
    }
}

#[test]
fn the_guide_says_the_same_in_both_languages() {
    assert_eq!(blocks(""), blocks("ko"));
}

#[test]
#[ignore = "requires root, docker-registry, htpasswd"]
fn every_command_of_the_guide_runs_requires_root() {
    let project = Project::new();
    let registry = testkit::Registry::start().unwrap();
    let users = vec![("me".to_owned(), "secret".to_owned())];
    let closed = testkit::Registry::start_with(&RegistryOptions { users, ..RegistryOptions::default() }).unwrap();
    // The guide's registries have the usual port and the next; a test's have whichever is free.
    let place = |text: String| {
        let text = text.replace("localhost:5000", &format!("localhost:{}", registry.port()));
        text.replace("localhost:5001", &format!("localhost:{}", closed.port()))
    };
    let blocks = blocks("")
        .into_iter()
        .map(|Block { commands, answer }| Block { commands: place(commands), answer: answer.map(place) });
    let blocks: Vec<_> = blocks.collect();
    let binary = testkit::binary();
    let mut script = format!("set -e\nPATH={}:$PATH\n", binary.parent().unwrap().display());
    let output = |number: usize| project.sandbox.path().join(format!("block-{number}"));
    for (number, block) in blocks.iter().enumerate() {
        script += &format!("{{\n{}}} > {} 2>&1 3>&-\n", block.commands, output(number).display());
    }
    let script = project.sandbox.write("../guide.sh", script);
    let done = project.sandbox.command("bash").arguments([script.to_str().unwrap()]).run();
    for (number, block) in blocks.iter().enumerate() {
        let shown = fs::read_to_string(output(number)).unwrap_or_default();
        assert!(
            done.code == 0 || output(number + 1).exists(),
            "this fails:\n{}\n{shown}\n{}",
            block.commands,
            done.stderr
        );
        let Some(said) = &block.answer else { continue };
        // What builds tell of their steps is no answer.
        let is_step = |line: &&str| line.starts_with('#') && !line.contains("not cached");
        let shown: Vec<_> = shown.lines().filter(|line| !line.is_empty() && !is_step(line)).collect();
        let said: Vec<_> = said.lines().collect();
        assert!(are_like(&shown, &said), "{}\nprints\n{}\nnot\n{}", block.commands, shown.join("\n"), said.join("\n"));
    }
    project.nothing_runs();
}
