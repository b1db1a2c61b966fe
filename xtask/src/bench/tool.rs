//! One adapter per tool: how it imports, builds, runs, commits and exports. All of them do the same with their words.
//!
//! What made the peers work on machines with cgroup v1 beside v2 and low limits: podman and buildah are given runc
//! (crun refuses to start there) and explicit `--ulimit` (they ask for more than the hard limit otherwise). docker's
//! client is Debian's own where there are several: BuildKit is built into it, newer ones need a plugin for that.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::daemon::Dockerd;
use super::options::Options;
use super::{Work, inputs};
use crate::{Result, machine, process, say};

/// Which tool, and for docker which of its two builders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Onggi,
    Classic,
    BuildKit,
    Buildah,
    Podman,
}

/// A tool that has been tried and works here.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) kind: Kind,
    pub(super) version: String,
    program: PathBuf,
    folder: PathBuf,
    host: String,
}

impl Kind {
    /// The name in options and tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Onggi => "onggi",
            Self::Classic => "classic",
            Self::BuildKit => "buildkit",
            Self::Buildah => "buildah",
            Self::Podman => "podman",
        }
    }

    fn is_docker(self) -> bool {
        matches!(self, Self::Classic | Self::BuildKit)
    }
}

/// The tools that work here; those that do not are named with the reason.
pub(super) fn all(onggi: &Path, dockerd: Option<&Dockerd>, work: &Work, options: &Options) -> Result<Vec<Tool>> {
    let base = work.path("base.tar");
    std::fs::write(&base, testkit::busybox_root_tar()).map_err(|error| format!("{}: {error}", base.display()))?;
    let mut tools = Vec::new();
    for kind in [Kind::Onggi, Kind::Classic, Kind::BuildKit, Kind::Buildah, Kind::Podman] {
        if !options.wants(kind.name()) {
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

impl Tool {
    fn start(kind: Kind, onggi: &Path, dockerd: Option<&Dockerd>, work: &Work, base: &Path) -> Result<Self> {
        let program = match kind {
            Kind::Onggi => onggi.to_owned(),
            Kind::Classic | Kind::BuildKit => debians_docker().ok_or("docker is not installed")?,
            Kind::Buildah => machine::find("buildah").ok_or("not installed")?,
            Kind::Podman => machine::find("podman").ok_or("not installed")?,
        };
        let host = match (kind.is_docker(), dockerd) {
            (true, None) => return Err("no dockerd is running".to_owned()),
            (true, Some(daemon)) => daemon.host(),
            (false, _) => String::new(),
        };
        let folder = work.path(kind.name());
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut tool = Self { kind, version: String::new(), program, folder, host };
        tool.version = tool.ask_version()?;
        tool.import(base, inputs::BASE)?;
        tool.try_out(work)?;
        Ok(tool)
    }

    fn ask_version(&self) -> Result<String> {
        let mut command = self.command();
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
        process::output(&mut self.build(&context, "localhost/onggi-bench/try"))?;
        if let Some(mut run) = self.run("localhost/onggi-bench/try", &["cat", "/proof"], false) {
            let text = process::output(&mut run)?;
            if text != "works" {
                return Err(format!("`run` printed {text:?}"));
            }
        }
        Ok(())
    }

    /// The program with the flags that keep it in its own folder.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let (root, run) = (self.folder.join("root"), self.folder.join("run"));
        match self.kind {
            Kind::Onggi => drop(command.env("ONGGI_ROOT", root)),
            Kind::Classic | Kind::BuildKit => {
                let buildkit = if self.kind == Kind::BuildKit { "1" } else { "0" };
                command.arg("--host").arg(&self.host).env("DOCKER_BUILDKIT", buildkit);
                command.env("DOCKER_CONFIG", &self.folder);
            }
            Kind::Buildah | Kind::Podman => {
                command.arg("--root").arg(root).arg("--runroot").arg(run).args(["--storage-driver", "overlay"]);
                if self.kind == Kind::Podman {
                    command.args(["--cgroup-manager", "cgroupfs"]);
                    command.args(external_runtime());
                }
            }
        }
        command
    }

    /// `-t` and the name that the peers would give to it themselves.
    pub(super) fn build(&self, context: &Path, tag: &str) -> Command {
        let mut command = self.command();
        command.arg("build");
        if matches!(self.kind, Kind::Buildah | Kind::Podman) {
            command.arg("--layers").args(LIMITS);
        }
        if self.kind == Kind::Buildah {
            command.args(external_runtime());
        }
        command.args(["-t", tag]).arg(context);
        command
    }

    /// `run --rm`; buildah has no such command.
    pub(super) fn run(&self, tag: &str, words: &[&str], without_network: bool) -> Option<Command> {
        let mut command = self.command();
        command.args(["run", "--rm"]);
        if without_network {
            command.args(["--network", "none"]);
        }
        match self.kind {
            Kind::Buildah => return None,
            Kind::Podman => drop(command.args(LIMITS)),
            _ => {}
        }
        command.arg(tag).args(words);
        Some(command)
    }

    /// Makes an image of one layer from a tar.
    pub(super) fn import(&self, tar: &Path, name: &str) -> Result<()> {
        if let Some(mut command) = self.import_command(tar, name) {
            return process::output(&mut command).map(drop);
        }
        let container = process::output(self.command().args(["from", "scratch"]))?;
        process::output(self.command().args(["add", "--quiet", &container]).arg(tar))?;
        process::output(self.command().args(["commit", "--quiet", "--rm", &container, name])).map(drop)
    }

    /// The one command that imports; buildah has none.
    pub(super) fn import_command(&self, tar: &Path, name: &str) -> Option<Command> {
        let mut command = self.command();
        command.arg("import").arg(tar).arg(name);
        (self.kind != Kind::Buildah).then_some(command)
    }

    /// A stopped container in which `script` has run, and the command that commits it.
    pub(super) fn commit(&self, container: &str, script: &str, tag: &str) -> Result<Command> {
        let words = ["sh", "-c", script];
        let mut commit = self.command();
        if self.kind == Kind::Buildah {
            process::output(self.command().args(["from", "--name", container, inputs::BASE]))?;
            let mut run = self.command();
            run.arg("run").args(external_runtime()).arg(container).arg("--").args(words);
            process::output(&mut run)?;
            commit.args(["commit", "--quiet"]);
        } else {
            let mut run = self.command();
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
        process::output(self.command().args(["rm", container])).map(drop)
    }

    /// Writes an image as Docker's archive.
    pub(super) fn save(&self, tag: &str, file: &Path) -> Result<()> {
        let mut command = self.command();
        match self.kind {
            Kind::Buildah => drop(command.args(["push", tag, &format!("docker-archive:{}:{tag}", file.display())])),
            Kind::Podman => {
                command.args(["save", "--format", "docker-archive", "-o"]).arg(file).arg(tag);
            }
            _ => drop(command.args(["save", "-o"]).arg(file).arg(tag)),
        }
        process::output(&mut command).map(drop)
    }

    /// An empty store with the base image in it, as at the beginning.
    pub(super) fn reset(&self, base: &Path) -> Result<()> {
        match self.kind {
            Kind::Onggi => {
                let root = self.folder.join("root");
                std::fs::remove_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
            }
            Kind::Classic | Kind::BuildKit => {
                process::output(self.command().args(["system", "prune", "--all", "--force"]))?;
                process::output(self.command().args(["builder", "prune", "--all", "--force"]))?;
            }
            Kind::Buildah | Kind::Podman => {
                process::output(self.command().args(["rmi", "--all", "--force"]))?;
            }
        }
        self.import(base, inputs::BASE)
    }

    /// Undoes what would keep the folder from being removed: containers/storage mounts its own folder.
    pub(super) fn clean(&self) {
        let overlay = self.folder.join("root/overlay");
        // EINVAL: it is no mount point, which is as good.
        if overlay.exists()
            && let Err(error) = rustix::mount::unmount(&overlay, rustix::mount::UnmountFlags::DETACH)
            && error != rustix::io::Errno::INVAL
        {
            say::line(&format!("warning: {} stays mounted: {error}", overlay.display()));
        }
    }
}

const LIMITS: [&str; 4] = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

/// crun, their default, refuses machines that mount cgroup v1 beside v2.
fn external_runtime() -> &'static [&'static str] {
    if machine::has_cgroup_v1() { &["--runtime", "runc"] } else { &[] }
}

fn debians_docker() -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/bin/docker");
    if debian.exists() { Some(debian) } else { machine::find("docker") }
}
