//! One adapter per tool: how it imports, builds, runs, commits and exports. All of them do the same with their words.
//!
//! What made the peers work on odd machines is in `testkit::peers`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::meter::Daemon;
use super::options::Options;
use super::{Work, inputs};
use crate::ordinary_user::OrdinaryUser;
use crate::{Result, process, say};
use testkit::Dockerd;
use testkit::peers::{self, LIMITS, external_runtime};

/// Which tool, and for docker which of its two builders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Onggi,
    /// Onggi as a user without root; only when asked for.
    Rootless,
    Classic,
    BuildKit,
    Buildah,
    Podman,
    Skopeo,
}

/// A tool that has been tried and works here.
#[derive(Debug)]
pub(super) struct Tool<'a> {
    pub(super) kind: Kind,
    pub(super) version: String,
    onggi: &'a Path,
    dockerd: Option<&'a Dockerd>,
    user: Option<OrdinaryUser>,
    folder: PathBuf,
}

impl Kind {
    /// The name in options and tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Onggi => "onggi",
            Self::Rootless => "rootless",
            Self::Classic => "classic",
            Self::BuildKit => "buildkit",
            Self::Buildah => "buildah",
            Self::Podman => "podman",
            Self::Skopeo => "skopeo",
        }
    }

    fn is_docker(self) -> bool {
        matches!(self, Self::Classic | Self::BuildKit)
    }
}

/// The tools that work here; those that do not are named with the reason.
pub(super) fn all<'a>(
    onggi: &'a Path,
    dockerd: Option<&'a Dockerd>,
    work: &Work,
    options: &Options,
) -> Result<Vec<Tool<'a>>> {
    let base = work.path("base.tar");
    std::fs::write(&base, testkit::busybox_root_tar()).map_err(|error| format!("{}: {error}", base.display()))?;
    let mut tools = Vec::new();
    for kind in [Kind::Onggi, Kind::Rootless, Kind::Classic, Kind::BuildKit, Kind::Buildah, Kind::Podman, Kind::Skopeo]
    {
        if !options.wants(kind.name()) || kind == Kind::Rootless && options.tools.is_empty() {
            continue;
        }
        match Tool::start(kind, onggi, dockerd, work, &base) {
            Ok(tool) => {
                say::line(&format!("    {:9} {}", kind.name(), tool.version));
                tools.push(tool);
            }
            Err(problem) => say::line(&format!("    {:9} is left out: {problem}", kind.name())),
        }
    }
    if tools.is_empty() { Err("no tool works here".to_owned()) } else { Ok(tools) }
}

impl<'a> Tool<'a> {
    fn start(kind: Kind, onggi: &'a Path, dockerd: Option<&'a Dockerd>, work: &Work, base: &Path) -> Result<Self> {
        let folder = work.path(kind.name());
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let user = (kind == Kind::Rootless).then(|| OrdinaryUser::prepare(onggi, &folder)).transpose()?;
        let mut tool = Self { kind, version: String::new(), onggi, dockerd, user, folder };
        tool.version = tool.ask_version()?;
        if kind != Kind::Skopeo {
            tool.import(base, inputs::BASE)?;
            tool.try_out(work)?;
        }
        Ok(tool)
    }

    fn ask_version(&self) -> Result<String> {
        let mut command = self.command()?;
        if self.kind.is_docker() {
            command.args(["version", "--format", "client {{.Client.Version}}, server {{.Server.Version}}"]);
        } else {
            command.arg("--version");
        }
        let text = process::output(&mut command)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// A build with one RUN step, and what it made: a tool that cannot do that takes no part.
    fn try_out(&self, work: &Work) -> Result<()> {
        let context = work.path("try");
        inputs::write(&context.join("Dockerfile"), &format!("FROM {}\nRUN echo works > /proof\n", inputs::BASE))?;
        process::output(&mut self.build(&context, "localhost/onggi-bench/try")?)?;
        if let Some(mut run) = self.run("localhost/onggi-bench/try", &["cat", "/proof"], false)? {
            let text = process::output(&mut run)?;
            if text != "works" {
                return Err(format!("`run` printed {text:?}"));
            }
        }
        Ok(())
    }

    /// The program with the flags that keep it in its own folder.
    fn command(&self) -> Result<Command> {
        let command = match self.kind {
            Kind::Onggi => {
                let mut command = Command::new(self.onggi);
                command.env("ONGGI_ROOT", self.folder.join("root"));
                Some(command)
            }
            Kind::Rootless => self.user.as_ref().map(|user| user.command(&self.folder)),
            Kind::Classic | Kind::BuildKit => self.dockerd.map(|daemon| {
                let mut command = daemon.docker();
                command.env("DOCKER_BUILDKIT", if self.kind == Kind::BuildKit { "1" } else { "0" });
                command
            }),
            Kind::Buildah => peers::buildah(&self.folder),
            Kind::Podman => peers::podman(&self.folder),
            Kind::Skopeo => {
                let mut command = Command::new("skopeo");
                command.arg("--insecure-policy");
                Some(command)
            }
        };
        command.ok_or_else(|| "it is not installed".to_owned())
    }

    /// The daemon that runs besides, and whether it is this tool's.
    pub(super) fn daemon(&self) -> Option<Daemon> {
        self.dockerd.map(|dockerd| Daemon { pid: dockerd.pid(), is_counted: self.kind.is_docker() })
    }

    /// `-t` and the name that the peers would give to it themselves.
    pub(super) fn build(&self, context: &Path, tag: &str) -> Result<Command> {
        let mut command = self.command()?;
        command.arg("build");
        if matches!(self.kind, Kind::Buildah | Kind::Podman) {
            command.arg("--layers").args(LIMITS);
        }
        if self.kind == Kind::Buildah {
            command.args(external_runtime());
        }
        command.args(["-t", tag]).arg(context);
        Ok(command)
    }

    /// `run --rm`; buildah has no such command.
    pub(super) fn run(&self, tag: &str, words: &[&str], without_network: bool) -> Result<Option<Command>> {
        let mut command = self.command()?;
        command.args(["run", "--rm"]);
        if without_network {
            command.args(["--network", "none"]);
        }
        match self.kind {
            Kind::Buildah => return Ok(None),
            Kind::Podman => drop(command.args(LIMITS)),
            _ => {}
        }
        command.arg(tag).args(words);
        Ok(Some(command))
    }

    /// Makes an image of one layer from a tar.
    pub(super) fn import(&self, tar: &Path, name: &str) -> Result<()> {
        if self.kind == Kind::Skopeo {
            let archive = self.archive(name);
            let layer = std::fs::read(tar).map_err(|error| format!("{}: {error}", tar.display()))?;
            return std::fs::write(&archive, testkit::docker_archive(name, &layer))
                .map_err(|error| format!("{}: {error}", archive.display()));
        }
        if let Some(mut command) = self.import_command(tar, name)? {
            return process::output(&mut command).map(drop);
        }
        let container = process::output(self.command()?.args(["from", "scratch"]))?;
        process::output(self.command()?.args(["add", "--quiet", &container]).arg(tar))?;
        process::output(self.command()?.args(["commit", "--quiet", "--rm", &container, name])).map(drop)
    }

    /// The one command that imports; buildah has none.
    pub(super) fn import_command(&self, tar: &Path, name: &str) -> Result<Option<Command>> {
        let mut command = self.command()?;
        command.arg("import").arg(tar).arg(name);
        Ok((self.kind != Kind::Buildah).then_some(command))
    }

    /// A stopped container in which `script` has run, and the command that commits it.
    pub(super) fn commit(&self, container: &str, script: &str, tag: &str) -> Result<Command> {
        let words = ["sh", "-c", script];
        let mut commit = self.command()?;
        if self.kind == Kind::Buildah {
            process::output(self.command()?.args(["from", "--name", container, inputs::BASE]))?;
            let mut run = self.command()?;
            run.arg("run").args(external_runtime()).arg(container).arg("--").args(words);
            process::output(&mut run)?;
            commit.args(["commit", "--quiet"]);
        } else {
            let mut run = self.command()?;
            run.args(["run", "--name", container]);
            if self.kind == Kind::Podman {
                run.args(LIMITS);
            }
            process::output(run.arg(inputs::BASE).args(words))?;
            commit.arg("commit");
        }
        commit.args([container, tag]);
        Ok(commit)
    }

    /// Removes a container.
    pub(super) fn remove(&self, container: &str) -> Result<()> {
        process::output(self.command()?.args(["rm", container])).map(drop)
    }

    /// Writes an image as Docker's archive.
    pub(super) fn save(&self, tag: &str, file: &Path) -> Result<()> {
        process::output(&mut self.save_command(tag, file)?).map(drop)
    }

    /// The command that does.
    pub(super) fn save_command(&self, tag: &str, file: &Path) -> Result<Command> {
        let mut command = self.command()?;
        match self.kind {
            Kind::Buildah => drop(command.args(["push", tag, &format!("docker-archive:{}:{tag}", file.display())])),
            Kind::Podman => {
                command.args(["save", "--format", "docker-archive", "-o"]).arg(file).arg(tag);
            }
            Kind::Skopeo => {
                command.args(["copy", &self.layout(tag), &format!("docker-archive:{}:{tag}", file.display())]);
            }
            _ => drop(command.args(["save", "-o"]).arg(file).arg(tag)),
        }
        Ok(command)
    }

    /// Reads what `save` of docker has written.
    pub(super) fn load(&self, file: &Path) -> Result<Command> {
        let mut command = self.command()?;
        match self.kind {
            Kind::Buildah => drop(command.args(["pull", "--quiet", &format!("docker-archive:{}", file.display())])),
            _ => drop(command.args(["load", "-i"]).arg(file)),
        }
        Ok(command)
    }

    /// Sends an image to the registry in its name, which has no TLS.
    pub(super) fn push(&self, tag: &str) -> Result<Command> {
        let mut command = self.command()?;
        match self.kind {
            Kind::Buildah | Kind::Podman => drop(command.args(["push", "--quiet", "--tls-verify=false", tag])),
            Kind::Skopeo => {
                let archive = format!("docker-archive:{}", self.archive(tag).display());
                command.args(["copy", "--dest-tls-verify=false", &archive, &format!("docker://{tag}")]);
            }
            _ => drop(command.args(["push", "--quiet", tag])),
        }
        Ok(command)
    }

    /// Brings an image from the registry in its name, which has no TLS. skopeo unpacks nothing.
    pub(super) fn pull(&self, tag: &str) -> Result<Command> {
        let mut command = self.command()?;
        match self.kind {
            Kind::Buildah | Kind::Podman => drop(command.args(["pull", "--quiet", "--tls-verify=false", tag])),
            Kind::Skopeo => {
                command.args(["copy", "--src-tls-verify=false", &format!("docker://{tag}"), &self.layout(tag)]);
            }
            _ => drop(command.args(["pull", "--quiet", tag])),
        }
        Ok(command)
    }

    /// Removes all that is not in use.
    pub(super) fn prune(&self) -> Result<Command> {
        let mut command = self.command()?;
        match self.kind {
            Kind::Buildah => drop(command.args(["rmi", "--all", "--force"])),
            _ => drop(command.args(["system", "prune", "--all", "--force"])),
        }
        Ok(command)
    }

    /// IDs of the images that are there.
    pub(super) fn images(&self) -> Result<String> {
        process::output(self.command()?.args(["images", "--quiet"]))
    }

    /// Where skopeo, which has no store, keeps what it pulls.
    fn layout(&self, tag: &str) -> String {
        format!("oci:{}:image", self.folder.join(file_name(tag)).display())
    }

    /// Where it takes what it pushes from.
    fn archive(&self, tag: &str) -> PathBuf {
        self.folder.join(format!("{}.tar", file_name(tag)))
    }

    /// An empty store with the base image in it, as at the beginning.
    pub(super) fn reset(&self, base: &Path) -> Result<()> {
        match self.kind {
            Kind::Onggi | Kind::Rootless => {
                let root = self.folder.join("root");
                std::fs::remove_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
            }
            Kind::Classic | Kind::BuildKit => {
                process::output(self.command()?.args(["system", "prune", "--all", "--force"]))?;
                process::output(self.command()?.args(["builder", "prune", "--all", "--force"]))?;
            }
            Kind::Buildah | Kind::Podman => {
                process::output(self.command()?.args(["rmi", "--all", "--force"]))?;
            }
            Kind::Skopeo => return Ok(()),
        }
        self.import(base, inputs::BASE)
    }

    /// Undoes what would keep the folder from being removed.
    pub(super) fn clean(&self) {
        peers::release_storage(&self.folder);
    }
}

fn file_name(tag: &str) -> String {
    tag.replace(['/', ':'], "-")
}
