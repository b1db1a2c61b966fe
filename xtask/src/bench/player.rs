//! One tool in one row: what it is given before, what is timed, what came of it.

use std::path::Path;
use std::process::Command;

use testkit::Registry;
use testkit::checker::{Kind as FileKind, Tree};

use super::meter::{self, Sample};
use super::rows::{self, Body, Row, Scene};
use super::tool::Tool;
use super::{inputs, verify};
use crate::{Result, process};

/// A tool in one row, and why it is out, if it is.
pub(super) struct Player<'a> {
    pub(super) tool: &'a Tool<'a>,
    pub(super) samples: Vec<Sample>,
    pub(super) out: Option<String>,
    tag: String,
    /// What it pushes to: one of its own, so that nothing of another tool is there already.
    registry: Option<Registry>,
}

impl<'a> Player<'a> {
    pub(super) fn new(tool: &'a Tool<'a>, row: &Row) -> Self {
        let tag = format!("localhost/onggi-bench/{}-{}", tool.kind.name(), row.name);
        Self { tool, tag, samples: Vec::new(), out: None, registry: None }
    }

    /// Once, before the first round.
    pub(super) fn prepare(&mut self, scene: &Scene<'_>) -> Result<()> {
        match scene.row.body {
            // Rows about rebuilding start from something built, twice, so that indexes of files are no longer fresh.
            Body::NoOp | Body::LastCopy | Body::ManyNoOp | Body::ManyOne => {
                (0..2).try_for_each(|_| process::output(&mut self.tool.build(&scene.folder(0), &self.tag)?).map(drop))
            }
            Body::PushCold => {
                self.registry = Some(rows::registry()?);
                Ok(())
            }
            Body::PushAgain => {
                self.registry = Some(rows::registry()?);
                self.tool.import(&scene.folder(0).join("root.tar"), &self.pushed_name(0))?;
                process::output(&mut self.tool.push(&self.pushed_name(0))?).map(drop)
            }
            Body::Save => self.tool.import(&scene.folder(0).join("root.tar"), &self.tag),
            _ => Ok(()),
        }
    }

    pub(super) fn play(&mut self, scene: &Scene<'_>, round: usize) -> Result<()> {
        self.before(scene, round)?;
        let mut commands = self.commands(scene, round)?;
        let sample = meter::measure(&mut commands, self.tool.daemon(), scene.context.options.sync)?;
        self.samples.push(sample);
        if scene.row.body == Body::Commit { self.tool.remove(&container(round)) } else { Ok(()) }
    }

    /// In each round, not timed.
    fn before(&self, scene: &Scene<'_>, round: usize) -> Result<()> {
        match scene.row.body {
            Body::PushCold => self.tool.import(&scene.folder(round).join("root.tar"), &self.pushed_name(round)),
            Body::Prune => {
                self.tool.reset(&scene.context.work.path("base.tar"))?;
                process::output(&mut self.tool.build(&scene.folder(round), &self.tag)?).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn commands(&self, scene: &Scene<'_>, round: usize) -> Result<Vec<Command>> {
        match scene.row.body {
            Body::Run { at_once, without_network } => {
                let command = || self.tool.run(inputs::BASE, &["true"], without_network);
                (0..at_once).map(|_| command()?.ok_or_else(|| "it has no `run --rm`".to_owned())).collect()
            }
            Body::Import => {
                let command = self.tool.import_command(&scene.folder(round).join("root.tar"), &self.tag)?;
                Ok(vec![command.ok_or("it imports in three commands only")?])
            }
            Body::Commit => {
                let script = "dd if=/dev/urandom of=/big bs=1048576 count=180 2>/dev/null";
                Ok(vec![self.tool.commit(&container(round), script, &self.tag)?])
            }
            Body::PushCold => Ok(vec![self.tool.push(&self.pushed_name(round))?]),
            Body::PushAgain => Ok(vec![self.tool.push(&self.pushed_name(0))?]),
            Body::Pull => Ok(vec![self.tool.pull(&scene.name(round))?]),
            Body::Save => Ok(vec![self.tool.save_command(&self.tag, &scene.folder(0).join(self.file(round)))?]),
            Body::Load => Ok(vec![self.tool.load(&scene.folder(round).join("image.tar"))?]),
            Body::Prune => Ok(vec![self.tool.prune()?]),
            _ => Ok(vec![self.tool.build(&scene.folder(round), &self.tag)?]),
        }
    }

    /// The tree that came of a round, read by the checker; none where the row leaves none to compare.
    pub(super) fn result(&self, scene: &Scene<'_>, round: usize, folder: &Path) -> Result<Option<Tree>> {
        match scene.row.body {
            // `true` says nothing and leaves nothing; that containers work was tried at the start.
            Body::Run { .. } => Ok(None),
            Body::Commit => {
                let image = verify::export(self.tool, &self.tag, folder)?;
                let is_big = |kind: &FileKind| matches!(kind, FileKind::File { size, .. } if *size == 180 << 20);
                let found = image.tree.get("big").is_some_and(|node| is_big(&node.kind));
                if found { Ok(None) } else { Err("the image lacks what was committed".to_owned()) }
            }
            Body::PushCold => verify::fetch(self.tool, &self.pushed_name(round), folder).map(Some),
            Body::PushAgain => verify::fetch(self.tool, &self.pushed_name(0), folder).map(Some),
            Body::Pull | Body::Load => Ok(Some(verify::export(self.tool, &scene.name(round), folder)?.tree)),
            Body::Save => {
                let file = scene.folder(0).join(self.file(round));
                Ok(Some(verify::read(self.tool, &file)?.tree))
            }
            Body::Prune => match self.tool.images()?.as_str() {
                "" => Ok(None),
                left => Err(format!("these images are left: {left}")),
            },
            _ => Ok(Some(verify::export(self.tool, &self.tag, folder)?.tree)),
        }
    }

    fn pushed_name(&self, round: usize) -> String {
        let address = self.registry.as_ref().map_or_else(String::new, Registry::host);
        format!("{address}/onggi-bench/debian:round-{round}")
    }

    /// Each round writes a new file: what replaces one has to free its blocks first.
    fn file(&self, round: usize) -> String {
        format!("{}-{round}.tar", self.tool.kind.name())
    }
}

fn container(round: usize) -> String {
    format!("onggi-bench-{round}")
}
