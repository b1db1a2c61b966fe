//! The arguments of `cargo xtask bench`.

use std::path::PathBuf;

use crate::Result;

/// What was asked for.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) rows: Vec<String>,
    pub(super) tools: Vec<String>,
    pub(super) rounds: Option<usize>,
    pub(super) files: usize,
    pub(super) json: Option<PathBuf>,
    pub(super) onggi: Option<PathBuf>,
    pub(super) sync: bool,
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options =
            Self { rows: vec![], tools: vec![], rounds: None, files: 10_000, json: None, onggi: None, sync: false };
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            if flag == "--sync" {
                options.sync = true;
                continue;
            }
            let (flag, value) = match flag.split_once('=') {
                Some((flag, value)) => (flag, value.to_owned()),
                None => (flag.as_str(), rest.next().ok_or_else(|| format!("`{flag}` needs a value"))?.clone()),
            };
            match flag {
                "--rows" => options.rows = list(&value),
                "--tools" => options.tools = list(&value),
                "--rounds" => options.rounds = Some(number(flag, &value)?),
                "--files" => options.files = number(flag, &value)?,
                "--json" => options.json = Some(value.into()),
                "--onggi" => options.onggi = Some(value.into()),
                _ => return Err(format!("`{flag}` is not an option of bench")),
            }
        }
        Ok(options)
    }

    /// `5` means the rows `5a` and `5b`; `1` does not mean `10a`.
    pub(super) fn wants_row(&self, name: &str) -> bool {
        let number = name.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        self.rows.is_empty() || self.rows.iter().any(|row| row == name || row == number)
    }

    /// Onggi itself is always wanted.
    pub(super) fn wants(&self, tool: &str) -> bool {
        self.tools.is_empty() || tool == "onggi" || self.tools.iter().any(|name| name == tool)
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

fn number(flag: &str, value: &str) -> Result<usize> {
    value.parse().ok().filter(|&number| number > 0).ok_or_else(|| format!("`{flag} {value}`: not a number above 0"))
}
