//! `cargo xtask fuzz`: looks for a text that the parser or the ignore matcher cannot cope with.
//!
//! It begins with the Dockerfiles of the tests. What it finds stays in `fuzz/artifacts`; each finding becomes a test.
//! The compiler is the stable one, told to take the flags that count which lines an input reached.

use std::path::Path;

use crate::{Result, corpus, machine, process, say};

const TARGETS: [&str; 2] = ["dockerfile", "ignore_file"];

/// How long each target runs unless it is said.
const SECONDS: u32 = 600;

/// Runs one target or all of them: `[TARGET] [--seconds N]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (targets, seconds) = options(arguments)?;
    if process::output(process::cargo().args(["fuzz", "--version"])).is_err() {
        return Err("cargo-fuzz is missing: `cargo install cargo-fuzz --locked`".to_owned());
    }
    for target in targets {
        let seeds = write_seeds(target)?;
        say::step(&format!("{target}: {seconds} s, beginning with {seeds} texts"));
        let mut fuzz = process::cargo();
        fuzz.current_dir(machine::repository()).env("RUSTC_BOOTSTRAP", "1");
        // There is no unsafe code in what is tested, so that nothing is left for a sanitizer to see.
        fuzz.args(["fuzz", "run", "--sanitizer", "none", "--debug-assertions", target, "--"]);
        fuzz.arg(format!("-max_total_time={seconds}"));
        process::show(fuzz.args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=8192", "-print_final_stats=1"]))?;
    }
    Ok(())
}

fn options(arguments: &[String]) -> Result<(Vec<&'static str>, u32)> {
    let (mut targets, mut seconds) = (TARGETS.to_vec(), SECONDS);
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match TARGETS.iter().find(|target| **target == word) {
            Some(target) => targets = vec![target],
            None if word == "--seconds" => {
                let number = words.next().and_then(|number| number.parse().ok());
                seconds = number.ok_or("`--seconds` needs a number")?;
            }
            None => return Err(format!("`{word}` is no target; there are {}", TARGETS.join(" and "))),
        }
    }
    Ok((targets, seconds))
}

/// Puts the texts to begin with where cargo-fuzz looks for them; tells how many.
fn write_seeds(target: &str) -> Result<usize> {
    let folder = machine::repository().join("fuzz/corpus").join(target);
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let seeds: Vec<Vec<u8>> = match target {
        "dockerfile" => corpus::dockerfiles().into_iter().map(|found| found.text.into_bytes()).collect(),
        _ => IGNORE_FILES.iter().map(|text| text.as_bytes().to_vec()).collect(),
    };
    for (number, seed) in seeds.iter().enumerate() {
        write(&folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(seeds.len())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A path, and the ignore file over it.
const IGNORE_FILES: [&str; 12] = [
    "node_modules/left-pad/index.js\nnode_modules\n.git\n*.md\n",
    "docs/README.md\n*.md\n!docs/README.md\n",
    "a/b/c.txt\n**/*.txt\n!a/**\n",
    "src/deep/x\n*\n!src/**/x\n",
    "a\n# comment\n\n  a  \n",
    "a/b\n/a/\n./b\n../c\n",
    "x[1].o\n[!a-z]*\nx[[]1].o\n\\*\n",
    "a/b/c/d\na/**/d\n!a/b/**\na/b/c\n",
    "target/debug/x\n**/target\n!**/debug\n**/debug/?\n",
    "가/나\n가/*\n!**/나\n",
    "a-b_c.d\n**\n!a-b_c.d\n",
    "a\n\u{feff}a\r\n!b\r\n",
];

#[cfg(test)]
mod tests;
