//! The tools of Debian 12: docker 20.10 with BuildKit 0.8, and buildah 1.28.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::Dockerd;
use testkit::checker::CheckedImage;
use testkit::peers::{self, LIMITS};

use super::cases::CASES;
use super::{NAME, ask, differences, judge, only_image, write_context};
use crate::project::Project;

/// Differences that stay: how their lines begin, and why.
const KNOWN: &[(&str, &str)] = &[
    ("buildkit add owned: history `layer ADD --chown", "0.8 leaves the flags out of the row, newer ones do not"),
    ("buildkit copy: history `layer COPY --ch", "the same"),
    ("buildkit from: history `layer COPY --chown", "the same"),
    ("buildkit add owned: owned/in", "since 0.23 --chown holds for what a tar brings (moby/buildkit#1547)"),
    ("buildkit from: dot/p: Some", "0.8 leaves named pipes out"),
    ("buildkit from: owned/p: Some", "the same"),
    ("buildkit inherited: history `empty EXPOSE", "newer rows have a list: `EXPOSE [80/tcp]`"),
    ("buildkit metadata: history `empty EXPOSE", "the same"),
    ("buildkit health: history `empty HEALTHCHECK", "0.8 knows no --start-interval, which newer rows show"),
    ("buildkit no health: history `empty HEALTHCHECK", "the same"),
    ("buildkit inherited: history `empty HEALTHCHECK", "the same"),
    ("buildkit modes: history `layer COPY --ch", "0.8 leaves the flags out of the row, newer ones do not"),
    ("buildkit modes: odd", "0.8 takes --chmod and does nothing"),
    ("buildkit modes: setuid: Some", "the same"),
    ("buildah add owned: owned/in", "buildah leaves the owners of what a tar brings"),
    (
        "buildah copy: all/odd/sub/f: Some",
        "buildah loses set-ID bits of files of the context when it gives them to root",
    ),
    ("buildah modes: owned/sub/f: Some", "the same"),
    ("buildah wildcards: w/six/f: Some", "the same"),
    ("buildah inherited: base: Some", "buildah makes a WORKDIR when it is used, not before"),
    ("buildah metadata: srv: Some", "the same"),
    ("buildah workdir: ", "S149: WORKDIR belongs to the USER at its line; buildah 1.28 gives it to another"),
    ("buildah scratch: ArgsEscaped", "BuildKit's"),
    ("buildah scratch: WorkingDir", "BuildKit's: `/` when there is no other"),
    ("buildah shell: Cmd", "SHELL holds for CMD too, which buildah 1.28 forgets"),
    ("buildah volume: v/x: Some", "a RUN below VOLUME keeps what it writes there, as with BuildKit"),
];

struct Tools {
    // Ends before the folder goes in which it works.
    daemon: Dockerd,
    project: Project,
}

impl Tools {
    fn start() -> Self {
        let project = Project::new();
        let base = project.sandbox.path().join("base.tar");
        project.ask(&["tag", "busybox", "localhost/busybox"]);
        project.ask(&["save", "-o", base.to_str().unwrap(), "busybox", "localhost/busybox"]);
        let daemon = Dockerd::start(&project.sandbox.path().join("docker")).unwrap().unwrap();
        ask(daemon.docker().arg("load").arg("-i").arg(&base));
        let tools = Self { project, daemon };
        ask(tools
            .buildah()
            .args(["pull", "-q"])
            .arg(format!("docker-archive:{}:docker.io/library/busybox:latest", base.display())));
        tools
    }

    fn buildah(&self) -> Command {
        peers::buildah(&self.project.sandbox.path().join("buildah")).unwrap()
    }

    /// The image that each tool makes of this context, all at the same time: one waits more than it works.
    fn build(&self, context: &Path) -> [CheckedImage; 3] {
        std::thread::scope(|scope| {
            let tools = [Self::by_onggi, Self::by_buildkit, Self::by_buildah];
            let running = tools.map(|build| {
                scope.spawn(move || {
                    let archive =
                        tempfile::NamedTempFile::new_in(self.project.sandbox.path()).unwrap().into_temp_path();
                    fs::remove_file(&archive).unwrap();
                    build(self, context, &archive);
                    only_image(&archive)
                })
            });
            running.map(|thread| thread.join().unwrap())
        })
    }

    fn by_onggi(&self, context: &Path, archive: &Path) {
        self.project.onggi(["build", "-t", NAME, context.to_str().unwrap()]).run().success();
        self.project.ask(&["save", "-o", archive.to_str().unwrap(), NAME]);
    }

    fn by_buildkit(&self, context: &Path, archive: &Path) {
        let mut build = self.daemon.docker();
        ask(build.env("DOCKER_BUILDKIT", "1").args(["build", "-t", NAME]).arg(context));
        ask(self.daemon.docker().args(["save", "-o"]).arg(archive).arg(NAME));
    }

    fn by_buildah(&self, context: &Path, archive: &Path) {
        let mut build = self.buildah();
        build.args(["build", "--layers", "--format", "docker", "--pull-never", "-t", NAME]).args(LIMITS);
        ask(build.args(peers::external_runtime()).arg(context));
        ask(self.buildah().args(["push", "-q", NAME]).arg(format!("docker-archive:{}:{NAME}", archive.display())));
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        peers::release_storage(&self.project.sandbox.path().join("buildah"));
    }
}

#[test]
#[ignore = "requires root, docker, buildah"]
fn s140_to_s167_s213_s214_the_same_as_buildkit_and_buildah_requires_root() {
    let tools = Tools::start();
    let context = tools.project.sandbox.work().join("context");
    write_context(&context);
    let mut found = BTreeSet::new();
    for &(name, dockerfile) in CASES {
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let [ours, buildkit, buildah] = tools.build(&context);
        found.extend(differences("buildkit", name, &ours, &buildkit));
        found.extend(differences("buildah", name, &ours, &buildah));
    }
    judge(&found, KNOWN);
}
