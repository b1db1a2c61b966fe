//! The workloads, each as: what is made before, what is done before each round, what is timed, what is checked.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use testkit::Registry;

use super::options::Options;
use super::player::Player;
use super::report::{Entry, RowResult};
use super::tool::{Kind, Tool};
use super::{Work, inputs, verify};
use crate::{Result, process, say};

/// A row of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    rounds: usize,
    pub(super) body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    NoOp,
    LastCopy,
    Cold,
    ManyCold,
    ManyNoOp,
    ManyOne,
    Commit,
    AddTar,
    Import,
    PushCold,
    PushAgain,
    Pull,
    Save,
    Load,
    Prune,
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
    row("7a", "push of a Debian root, cold", 5, Body::PushCold),
    row("7b", "push of the same again", 15, Body::PushAgain),
    row("8a", "pull of a Debian root, gzip", 5, Body::Pull),
    row("9a", "save of a Debian root", 5, Body::Save),
    row("9b", "load of a Debian root", 5, Body::Load),
    row("10a", "run --rm true", 15, Body::Run { at_once: 1, without_network: false }),
    row("10b", "ten of them at once", 5, Body::Run { at_once: 10, without_network: false }),
    row("10c", "run --rm --network none true", 15, Body::Run { at_once: 1, without_network: true }),
    row("13", "prune of an image of many files and its cache", 3, Body::Prune),
];

/// What a row needs to know.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) options: &'a Options,
    pub(super) work: &'a Work,
}

/// A row while it is measured.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) row: &'a Row,
    pub(super) context: &'a Context<'a>,
    /// Where all tools pull from.
    pub(super) registry: Option<Registry>,
}

/// Measures one row on all tools, in turns.
pub(super) fn run(row: &Row, tools: &[Tool<'_>], context: &Context<'_>) -> Result<RowResult> {
    let scene = Scene::new(row, context)?;
    for tool in tools {
        tool.reset(&context.work.path("base.tar"))?;
    }
    scene.prepare()?;
    let mut players: Vec<Player<'_>> =
        tools.iter().filter(|tool| takes_part(tool, row)).map(|tool| Player::new(tool, row)).collect();
    for player in &mut players {
        player.out = player.prepare(&scene).err();
    }
    let rounds = context.options.rounds.unwrap_or(row.rounds);
    for round in 0..rounds {
        scene.before_round(round)?;
        let count = players.len();
        for turn in 0..count {
            let player = &mut players[(turn + round) % count];
            if player.out.is_none() {
                player.out = player.play(&scene, round).err();
            }
        }
        if round == 0 || round + 1 == rounds {
            check(&scene, &mut players, round)?;
        }
    }
    Ok(result(row, players))
}

/// docker's two builders differ in building only, buildah has neither `run --rm` nor `import`, and skopeo only moves
/// images.
fn takes_part(tool: &Tool<'_>, row: &Row) -> bool {
    let moves = matches!(row.body, Body::PushCold | Body::PushAgain | Body::Pull);
    match row.body {
        _ if tool.kind == Kind::Skopeo => moves,
        Body::Run { .. } | Body::Import => !matches!(tool.kind, Kind::BuildKit | Kind::Buildah),
        Body::Commit | Body::Save | Body::Load => tool.kind != Kind::BuildKit,
        _ => !moves || tool.kind != Kind::BuildKit,
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

impl<'a> Scene<'a> {
    fn new(row: &'a Row, context: &'a Context<'a>) -> Result<Self> {
        let mut scene = Self { row, context, registry: None };
        if row.body == Body::Pull {
            scene.registry = Some(registry()?);
        }
        Ok(scene)
    }

    /// Cold rows get new content each round: nothing of an earlier one can be used again, and nothing has to be removed
    /// in between. (ext4 is many times slower at creating files just after as many were removed.)
    pub(super) fn folder(&self, round: usize) -> PathBuf {
        let is_cold = !matches!(
            self.row.body,
            Body::NoOp | Body::LastCopy | Body::ManyNoOp | Body::ManyOne | Body::PushAgain | Body::Save
        );
        self.context.work.path(&format!("row-{}/{}", self.row.name, if is_cold { round } else { 0 }))
    }

    fn prepare(&self) -> Result<()> {
        let folder = self.folder(0);
        match self.row.body {
            Body::NoOp | Body::LastCopy => inputs::eight_runs(&folder, "same"),
            Body::ManyNoOp | Body::ManyOne => inputs::many_files(&folder, self.context.options.files, 1),
            Body::PushAgain | Body::Save => self.debian_tar(0).map(drop),
            _ => Ok(()),
        }
    }

    fn before_round(&self, round: usize) -> Result<()> {
        let folder = self.folder(round);
        match self.row.body {
            Body::LastCopy => inputs::change_line(&folder, round),
            Body::ManyOne => inputs::change_file(&folder, round),
            Body::Cold => inputs::eight_runs(&folder, &format!("round-{round}")),
            Body::ManyCold | Body::Prune => {
                inputs::many_files(&folder, self.context.options.files, 1000 + round as u64)
            }
            Body::AddTar | Body::Import => {
                inputs::write(&folder.join("Dockerfile"), "FROM scratch\nADD root.tar /\n")?;
                self.debian_tar(round).map(drop)
            }
            Body::PushCold => self.debian_tar(round).map(drop),
            Body::Load => self.debian_archive(round, &self.name(round)).map(drop),
            Body::Pull => self.fill_registry(round),
            Body::NoOp | Body::ManyNoOp | Body::Commit | Body::PushAgain | Body::Save | Body::Run { .. } => Ok(()),
        }
    }

    fn debian_tar(&self, round: usize) -> Result<PathBuf> {
        let name = format!("row-{}/{round}/root.tar", self.row.name);
        inputs::debian_tar(self.context.work, &name, &format!("row {} round {round}", self.row.name))
    }

    /// What `docker save` would have written of it; the file is `image.tar` in the round's folder.
    fn debian_archive(&self, round: usize, name: &str) -> Result<PathBuf> {
        let tar = self.debian_tar(round)?;
        let path = self.folder(round).join("image.tar");
        let problem = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::read(&tar)
            .and_then(|layer| std::fs::write(&path, testkit::docker_archive(name, &layer)))
            .map_err(problem)?;
        Ok(path)
    }

    /// skopeo brings the round's image to the registry that all pull from, compressed as it does that by itself.
    fn fill_registry(&self, round: usize) -> Result<()> {
        let name = self.name(round);
        let archive = self.debian_archive(round, &name)?;
        let mut copy = std::process::Command::new("skopeo");
        copy.args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]);
        copy.arg(format!("docker-archive:{}", archive.display())).arg(format!("docker://{name}"));
        process::output(&mut copy).map(drop)
    }

    /// What the image of a round is called where all tools take it from.
    pub(super) fn name(&self, round: usize) -> String {
        match &self.registry {
            Some(registry) => format!("{}/onggi-bench/debian:round-{round}", registry.host()),
            None => format!("localhost/onggi-bench/debian:round-{round}"),
        }
    }
}

/// An empty registry on loopback.
pub(super) fn registry() -> Result<Registry> {
    Registry::start().ok_or_else(|| "no registry: install the package `docker-registry`".to_owned())
}

/// Whoever's image differs from that of the first peer is out; whoever's cannot be read is too.
fn check(scene: &Scene<'_>, players: &mut [Player<'_>], round: usize) -> Result<()> {
    let folder = scene.context.work.path("export");
    // Tools may be run by other users.
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o1777)))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut reference: Option<(&'static str, testkit::checker::Tree)> = None;
    // The peers first, so that one of them is what the others, Onggi among them, are compared with.
    for player in players.iter_mut().rev().filter(|player| player.out.is_none()) {
        let name = player.tool.kind.name();
        let tree = match player.result(scene, round, &folder) {
            Ok(tree) => tree,
            Err(problem) => {
                player.out = Some(problem);
                continue;
            }
        };
        match (&reference, tree) {
            (_, None) => {}
            (None, Some(tree)) => reference = Some((name, tree)),
            (Some((other_name, other)), Some(tree)) => {
                player.out = verify::compare(name, &tree, other_name, other).err();
            }
        }
    }
    Ok(())
}
