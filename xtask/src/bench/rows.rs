//! The workloads, each as: what is made before, what is done before each round, what is timed, what is checked.

use std::path::PathBuf;
use std::process::Command;

use testkit::checker::Kind as FileKind;

use super::meter::{self, Sample};
use super::options::Options;
use super::report::{Entry, RowResult};
use super::tool::{Kind, Tool};
use super::{Work, inputs, verify};
use crate::{Result, say};

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    rounds: usize,
    body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    NoOp,
    LastCopy,
    Cold,
    ManyCold,
    ManyNoOp,
    ManyOne,
    Commit,
    AddTar,
    Import,
    Run { at_once: usize, without_network: bool },
}

const fn row(name: &'static str, title: &'static str, rounds: usize, body: Body) -> Row {
    Row { name, title, rounds, body }
}

/// All rows, in the order in which they are run.
pub(super) const ALL: &[Row] = &[
    row("1", "no-op rebuild, 8 RUN + COPY", 15, Body::NoOp),
    row("2", "one-line change in the last COPY", 15, Body::LastCopy),
    row("3", "cold build, 8 small RUN steps", 7, Body::Cold),
    row("4", "COPY of many files, cold", 3, Body::ManyCold),
    row("5a", "the same, nothing changed", 5, Body::ManyNoOp),
    row("5b", "the same, one file changed", 3, Body::ManyOne),
    row("6a", "commit of 180 MB", 3, Body::Commit),
    row("6b", "ADD of a Debian root as tar", 5, Body::AddTar),
    row("6c", "import of a Debian root", 5, Body::Import),
    row("10a", "run --rm true", 15, Body::Run { at_once: 1, without_network: false }),
    row("10b", "ten of them at once", 5, Body::Run { at_once: 10, without_network: false }),
    row("10c", "run --rm --network none true", 15, Body::Run { at_once: 1, without_network: true }),
];

/// What a row needs to know.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) options: &'a Options,
    pub(super) work: &'a Work,
}

/// Measures one row on all tools, in turns.
pub(super) fn run(row: &Row, tools: &[Tool<'_>], context: &Context<'_>) -> Result<RowResult> {
    let base = context.work.path("base.tar");
    for tool in tools {
        tool.reset(&base)?;
    }
    prepare(row, context)?;
    let mut players: Vec<Player<'_>> =
        tools.iter().filter(|tool| takes_part(tool, row)).map(|tool| Player::new(tool, row)).collect();
    for player in &mut players {
        let problem = player.build_before(row, context).err();
        player.out = problem;
    }
    let rounds = context.options.rounds.unwrap_or(row.rounds);
    for round in 0..rounds {
        before_round(row, context, round)?;
        let count = players.len();
        for turn in 0..count {
            let player = &mut players[(turn + round) % count];
            if player.out.is_none() {
                player.out = player.play(row, context, round).err();
            }
        }
        if round == 0 || round + 1 == rounds {
            check(row, &mut players, context)?;
        }
    }
    Ok(result(row, players))
}

/// docker's two builders differ in building only, and buildah has neither `run --rm` nor `import`.
fn takes_part(tool: &Tool<'_>, row: &Row) -> bool {
    match row.body {
        Body::Run { .. } | Body::Import => !matches!(tool.kind, Kind::BuildKit | Kind::Buildah),
        Body::Commit => tool.kind != Kind::BuildKit,
        _ => true,
    }
}

fn result(row: &Row, players: Vec<Player<'_>>) -> RowResult {
    let mut entries = Vec::new();
    for player in players {
        match player.out {
            Some(problem) => say::line(&format!("    {} is left out: {problem}", player.tool.kind.name())),
            None => entries.push(Entry { tool: player.tool.kind.name(), samples: player.samples }),
        }
    }
    RowResult { name: row.name, title: row.title, entries }
}

/// A tool in one row, and why it is out, if it is.
struct Player<'a> {
    tool: &'a Tool<'a>,
    tag: String,
    samples: Vec<Sample>,
    out: Option<String>,
}

impl<'a> Player<'a> {
    fn new(tool: &'a Tool<'a>, row: &Row) -> Self {
        let tag = format!("localhost/onggi-bench/{}-{}", tool.kind.name(), row.name);
        Self { tool, tag, samples: Vec::new(), out: None }
    }

    /// Rows about rebuilding start from something built, twice, so that indexes of files are no longer fresh.
    fn build_before(&self, row: &Row, context: &Context<'_>) -> Result<()> {
        if matches!(row.body, Body::NoOp | Body::LastCopy | Body::ManyNoOp | Body::ManyOne) {
            for _ in 0..2 {
                crate::process::output(&mut self.tool.build(&folder(row, context, 0), &self.tag)?)?;
            }
        }
        Ok(())
    }

    fn play(&mut self, row: &Row, context: &Context<'_>, round: usize) -> Result<()> {
        let mut commands = self.commands(row, context, round)?;
        let sample = meter::measure(&mut commands, self.tool.daemon(), context.options.sync)?;
        self.samples.push(sample);
        if row.body == Body::Commit { self.tool.remove(&container(round)) } else { Ok(()) }
    }

    fn commands(&self, row: &Row, context: &Context<'_>, round: usize) -> Result<Vec<Command>> {
        match row.body {
            Body::Run { at_once, without_network } => {
                let command = || self.tool.run(inputs::BASE, &["true"], without_network);
                (0..at_once).map(|_| command()?.ok_or_else(|| "it has no `run --rm`".to_owned())).collect()
            }
            Body::Import => {
                let tar = folder(row, context, round).join("root.tar");
                let command = self.tool.import_command(&tar, &self.tag)?;
                Ok(vec![command.ok_or("it imports in three commands only")?])
            }
            Body::Commit => {
                let script = "dd if=/dev/urandom of=/big bs=1048576 count=180 2>/dev/null";
                Ok(vec![self.tool.commit(&container(round), script, &self.tag)?])
            }
            _ => Ok(vec![self.tool.build(&folder(row, context, round), &self.tag)?]),
        }
    }
}

fn container(round: usize) -> String {
    format!("onggi-bench-{round}")
}

/// Cold rows get a new context each round: nothing of an earlier one can be used again, and nothing has to be removed
/// in between. (ext4 is many times slower at creating files just after as many were removed.)
fn folder(row: &Row, context: &Context<'_>, round: usize) -> PathBuf {
    let round = if matches!(row.body, Body::Cold | Body::ManyCold | Body::AddTar | Body::Import) { round } else { 0 };
    context.work.path(&format!("row-{}/{round}", row.name))
}

fn prepare(row: &Row, context: &Context<'_>) -> Result<()> {
    let folder = folder(row, context, 0);
    match row.body {
        Body::NoOp | Body::LastCopy => inputs::eight_runs(&folder, "same"),
        Body::ManyNoOp | Body::ManyOne => inputs::many_files(&folder, context.options.files, 1),
        _ => Ok(()),
    }
}

fn before_round(row: &Row, context: &Context<'_>, round: usize) -> Result<()> {
    let folder = folder(row, context, round);
    match row.body {
        Body::LastCopy => inputs::change_line(&folder, round),
        Body::ManyOne => inputs::change_file(&folder, round),
        Body::Cold => inputs::eight_runs(&folder, &format!("round-{round}")),
        Body::ManyCold => inputs::many_files(&folder, context.options.files, 1000 + round as u64),
        Body::AddTar | Body::Import => {
            inputs::write(&folder.join("Dockerfile"), "FROM scratch\nADD root.tar /\n")?;
            let name = format!("row-{}/{round}/root.tar", row.name);
            inputs::debian_tar(context.work, &name, &format!("round {round}")).map(drop)
        }
        Body::NoOp | Body::ManyNoOp | Body::Commit | Body::Run { .. } => Ok(()),
    }
}

/// Whoever's image differs from that of the first peer is out; whoever's cannot be read is too.
fn check(row: &Row, players: &mut [Player<'_>], context: &Context<'_>) -> Result<()> {
    if matches!(row.body, Body::Run { .. }) {
        // `true` says nothing and leaves nothing; that containers work was tried at the start.
        return Ok(());
    }
    let export_folder = context.work.path("export");
    std::fs::create_dir_all(&export_folder).map_err(|error| format!("{}: {error}", export_folder.display()))?;
    let mut reference: Option<(&'static str, testkit::checker::Tree)> = None;
    // The peers first, so that one of them is what the others, Onggi among them, are compared with.
    for player in players.iter_mut().rev().filter(|player| player.out.is_none()) {
        let name = player.tool.kind.name();
        let image = match verify::export(player.tool, &player.tag, &export_folder) {
            Ok(image) => image,
            Err(problem) => {
                player.out = Some(problem);
                continue;
            }
        };
        if row.body == Body::Commit {
            let is_big = |kind: &FileKind| matches!(kind, FileKind::File { size, .. } if *size == 180 << 20);
            let found = image.tree.get("big").is_some_and(|node| is_big(&node.kind));
            player.out = (!found).then(|| "the image lacks what was committed".to_owned());
            continue;
        }
        match &reference {
            None => reference = Some((name, image.tree)),
            Some((other_name, other)) => player.out = verify::compare(name, &image.tree, other_name, other).err(),
        }
    }
    Ok(())
}
