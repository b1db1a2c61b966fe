//! The same Dockerfiles through Onggi, Docker's BuildKit and buildah: config, history and files of the results.
//!
//! All three begin with the same base image, by ID. What differs becomes one line each, and a line that does not begin
//! as one in [`KNOWN`] fails the test. docs/compatibility.md says the same in words.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::checker::{self, CheckedImage, Tree};
use testkit::peers::{self, LIMITS};
use testkit::{Dockerd, TarWriter};

use crate::project::Project;

/// What is compared of `config` in an image's config.
const FIELDS: [&str; 13] = [
    "Env",
    "Cmd",
    "Entrypoint",
    "WorkingDir",
    "User",
    "ExposedPorts",
    "Volumes",
    "Labels",
    "Healthcheck",
    "OnBuild",
    "Shell",
    "StopSignal",
    "ArgsEscaped",
];

/// Paths that tools leave behind from what they mount into a container. No Dockerfile asked for them.
const MOUNT_POINTS: [&str; 9] =
    ["dev", "proc", "sys", "run", "etc", "etc/hosts", "etc/resolv.conf", "etc/hostname", ".dockerenv"];

const CASES: &[(&str, &str)] = &[
    (
        "metadata",
        "FROM busybox\nMAINTAINER somebody\nENV NAME=dojin\nLABEL maintainer=\"your-email@example.com\"\nEXPOSE 80 53/udp\n\
         VOLUME /data /logs\nVOLUME [\"/more\"]\nUSER node:node\nWORKDIR /srv\nSTOPSIGNAL SIGQUIT\n\
         ENTRYPOINT [\"sh\", \"-c\"]\nCMD [\"echo a\", \"b\"]\n",
    ),
    ("shell forms", "FROM busybox\nENTRYPOINT exec top -b\nCMD echo \"a b\" > /x\n"),
    ("shell", "FROM busybox\nSHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN echo \"$0\" > /x\nCMD echo hi\n"),
    (
        "health",
        "FROM busybox\nHEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=3 CMD wget -q localhost\n",
    ),
    ("no health", "FROM busybox\nHEALTHCHECK CMD [\"true\"]\nHEALTHCHECK NONE\n"),
    ("onbuild", "FROM busybox\nONBUILD RUN echo x > /x\nONBUILD COPY . /src\n"),
    (
        "copy",
        "FROM busybox\nCOPY a.txt /one/two\nCOPY a.txt script.sh /many/\nCOPY *.txt /wild/\nCOPY folder /folder\n\
         COPY folder/ /tmp/\nCOPY link /linked\nCOPY --chown=1000:1000 folder /owned/deep\nCOPY --chown=node a.txt /by-name\n\
         COPY --chmod=640 script.sh /chmod\nCOPY . /all\n",
    ),
    (
        "copy over",
        "FROM busybox\nRUN mkdir -p /real /target && chmod 700 /real && ln -s real /link && echo old > /target/a.txt\n\
         COPY a.txt /link/\nCOPY folder /link\nCOPY folder /target\nCOPY a.txt /target\nCOPY a.txt /bin/../up\n",
    ),
    (
        "add",
        "FROM busybox\nADD a.txt /plain/\nADD archive.tar /unpacked/\nCOPY archive.tar /kept\nADD archive.tar.gz /zipped\n",
    ),
    (
        "run",
        "FROM busybox\nRUN mkdir -p /w/sub && echo a > /w/a && ln /w/a /w/hard && ln -s a /w/soft && mkfifo /w/pipe\n\
         RUN chmod 4750 /w/a && chown 1000:1 /w/sub && rm /etc/passwd && rm -r /home\n\
         RUN rm -r /w/sub && mkdir /w/sub && echo again > /w/sub/file\n\
         RUN mkdir /home && true | cat && echo done\n",
    ),
    (
        "workdir",
        "FROM busybox\nWORKDIR /a\nWORKDIR b\nUSER node\nWORKDIR c/../d\nRUN pwd > /tmp/pwd\nENV D=/var\nWORKDIR $D/x\n\
         WORKDIR .\nCOPY a.txt .\n",
    ),
    (
        "arg and env",
        "ARG TAG=latest\nFROM busybox:$TAG\nARG VERSION=1.0\nARG EMPTY\nENV NAME=${VERSION:-x} ALT=${EMPTY:-alt} \
         SET=${VERSION:+set} ESCAPED=\\$VERSION\nRUN echo $VERSION $NAME > /x\nLABEL v=$VERSION single='$VERSION'\nENV VERSION=2\n\
         RUN echo $VERSION >> /x\n",
    ),
    (
        "quotes",
        "FROM busybox\nENV A=\"b c\" D=e\\ f G='h \"i\"' J=\"\"\nENV OLD form of it\nENV A=${A}x\nLABEL a=\"1 2\" \"b c\"=3 \\\n  d=4\n\
         CMD [ \"echo\", \"a\\\"b\", \"\\u00e9\" ]\n",
    ),
    (
        "stages",
        "FROM busybox AS one\nRUN mkdir /out && echo 1 > /out/1 && chown 1000 /out/1 && ln -s 1 /out/s\nENV LOST=yes\n\
         FROM one AS two\nRUN echo 2 > /out/2\nFROM busybox\nCOPY --from=two /out /out\nCOPY --from=0 /out/1 /single\n\
         COPY --from=one /out/s /followed\n",
    ),
    (
        "user",
        "FROM busybox\nUSER node\nRUN id -un > /tmp/id && echo \"$HOME\" > /tmp/home\nCOPY a.txt /tmp/a\nRUN touch /tmp/x\n",
    ),
    ("volume", "FROM busybox\nRUN mkdir /v\nVOLUME /v\nRUN echo kept > /v/x\n"),
    ("entrypoint", "FROM busybox\nENTRYPOINT [\"top\"]\n"),
    ("scratch", "FROM scratch\nCOPY a.txt /\nCMD [\"/a.txt\"]\n"),
    (
        "sources",
        "FROM busybox\nENV D=/from-env\nCOPY folder-link /a/\nCOPY folder-link/ /b/\nCOPY link folder /c/\n\
         COPY [\"with space.txt\", \"/dest dir/\"]\nCOPY [ab].txt /d/\nCOPY folder/* /e/\nCOPY folder/../a.txt /f\n\
         COPY /a.txt /g\nCOPY ./folder/. $D/h\nCOPY ?.txt script.sh ${D}/i/\nCOPY folder/inner /j/\nCOPY logs /k\n",
    ),
    (
        "from",
        "FROM busybox AS one\nWORKDIR /out\nRUN mkdir -p d/e && echo x > d/e/x && ln -s d dl && ln -s /out/d/e/x abs && \
         echo h > h1 && ln h1 h2 && chmod 2770 d && mkfifo p\nFROM busybox\nCOPY --from=one /out/. /dot/\n\
         COPY --from=one /out/dl /dl\nCOPY --from=one /out/dl/ /dl2/\nCOPY --from=one /out/abs /abs\n\
         COPY --from=one /out/*/e /wild/\nCOPY --from=busybox /bin/true /copied/\n\
         COPY --from=one --chown=1000 /out /owned\n",
    ),
    (
        "wildcards",
        "FROM busybox\nWORKDIR /w\nCOPY odd/? three/\nCOPY fold*r/top four/\n\
         COPY odd/.* five/\nCOPY odd/s*/* six/\nCOPY [ab].txt seven/\nCOPY odd/[^a-z]* eight/\nCOPY folder/inn?r/f* nine\n",
    ),
    (
        "modes",
        "FROM busybox\nARG M=64\nENV U=1234\nCOPY --chmod=${M}0 odd /odd\nCOPY --chmod=4755 script.sh /setuid\n\
         COPY --chown=${U}:$U odd /owned/\nCOPY --chown=node:1 a.txt /by-name\nCOPY --chown=0:node a.txt /by-group\n\
         COPY --chown=root a.txt /roots\nCOPY odd/links /links\nADD odd/links/one odd/links/two /apart/\n",
    ),
    (
        "archives",
        "FROM busybox\nADD archive.tar.bz2 /bz2\nADD archive.tar.xz /xz/\nADD torn.gz /torn/\nADD named.tar /named/\n\
         RUN mkdir -p /over/in && echo old > /over/in/file && ln -s / /over/in/soft && chmod 700 /over\nADD archive.tar /over\n\
         ADD archive.tar a.txt folder /several/\n",
    ),
    (
        "add owned",
        "FROM busybox\nADD --chown=1000:1000 archive.tar /owned/\nADD --chown=1000:1000 a.txt folder /plain/\n\
         RUN mkdir -p /in-place/in && chmod 700 /in-place /in-place/in\nADD archive.tar /in-place\n",
    ),
    (
        "replaced",
        "FROM busybox\nRUN mkdir -p /a/b /c && echo 1 > /a/b/f && echo 2 > /d && echo 3 > /c/g && ln -s /c /l\n\
         RUN rm -r /a && echo now-a-file > /a && rm /d && mkdir /d && rm /l && mkdir /l && mv /c /moved\n\
         RUN chmod 700 /root && chown 1000 /tmp && touch /bin/busybox && chmod 4755 /moved/g && rm -rf /var\n\
         RUN mkdir -m 2775 /setgid && mkdir -m 1777 /sticky && touch \"/tmp/$(printf 'n%.0s' $(seq 200))\" /tmp/\u{e9}\n",
    ),
    ("nothing", "FROM busybox\nRUN true\nRUN rm -f /not-there\nWORKDIR /\nRUN touch /x && rm /x\n"),
    (
        "triggers",
        "FROM busybox AS base\nONBUILD COPY a.txt /from-trigger\nONBUILD ENV SET=by-trigger\nFROM base\n\
         RUN echo $SET > /seen\n",
    ),
    (
        "inherited",
        "FROM busybox AS base\nENV A=1 B=2\nLABEL l=1\nEXPOSE 80\nVOLUME /v\nWORKDIR /base\nUSER node\n\
         HEALTHCHECK CMD true\nSTOPSIGNAL 9\nENTRYPOINT [\"base\"]\nCMD [\"base\"]\nFROM base\nENV B=3 C=4\n\
         LABEL m=2\nEXPOSE 81/tcp 80\nENTRYPOINT [\"derived\"]\n",
    ),
];

/// Differences that stay: how their lines begin, and why. Debian 12 has BuildKit 0.8 (docker 20.10) and buildah 1.28.
const KNOWN: &[(&str, &str)] = &[
    ("buildkit add owned: history `layer ADD --chown", "0.8 leaves the flags out of the row, newer ones do not"),
    ("buildkit copy: history `layer COPY --ch", "the same"),
    ("buildkit from: history `layer COPY --chown", "the same"),
    ("buildkit add owned: owned/in", "since 0.23 --chown holds for what a tar brings (moby/buildkit#1547)"),
    ("buildkit from: dot/p: Some", "0.8 leaves named pipes out"),
    ("buildkit from: owned/p: Some", "the same"),
    ("buildkit health: history `empty HEALTHCHECK", "0.8 knows no --start-interval, which newer rows show"),
    ("buildkit no health: history `empty HEALTHCHECK", "the same"),
    ("buildkit inherited: history `empty HEALTHCHECK", "the same"),
    ("buildkit modes: history `layer COPY --ch", "0.8 leaves the flags out of the row, newer ones do not"),
    ("buildkit modes: odd", "0.8 takes --chmod and does nothing"),
    ("buildkit modes: setuid: Some", "the same"),
    ("buildkit onbuild: history has 4 rows / 2", "S167: every instruction has its row, ONBUILD too"),
    ("buildkit triggers: history", "the same: all rows behind it are moved"),
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

/// The context of all cases.
fn write_context(folder: &Path) {
    let write = |name: &str, mode: u32, content: &[u8]| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("a.txt", 0o644, b"a\n");
    write("b.txt", 0o600, b"b\n");
    write("script.sh", 0o755, b"#!/bin/sh\n");
    write("with space.txt", 0o644, b"space\n");
    write("folder/inner/file", 0o640, b"inner\n");
    write("folder/top", 0o644, b"top\n");
    write("ignored/x", 0o644, b"x");
    write("odd/ab", 0o640, b"ab");
    write("odd/.hidden", 0o644, b"hidden");
    write("odd/X", 0o755, b"X");
    write("odd/sub/f", 0o4711, b"f");
    write("odd/links/one", 0o644, b"linked");
    fs::hard_link(folder.join("odd/links/one"), folder.join("odd/links/two")).unwrap();
    write("torn.gz", 0o644, b"\x1f\x8b\x08 torn");
    write("named.tar", 0o644, b"no archive");
    write("logs/1.log", 0o644, b"1");
    write("logs/keep.log", 0o644, b"2");
    write(".dockerignore", 0o644, b"# comment\nignored\n**/*.log\n!logs/keep.log\n");
    symlink("a.txt", folder.join("link")).unwrap();
    symlink("folder", folder.join("folder-link")).unwrap();
    let mut tar = TarWriter::default();
    tar.folder("in", 0o750).file("in/file", 0o444, b"in the tar").symlink("in/soft", "file");
    let tar = tar.finish();
    write("archive.tar", 0o644, &tar);
    for (program, flags) in [("gzip", "-nk"), ("bzip2", "-k"), ("xz", "-k")] {
        let done = Command::new(program).args([flags, "archive.tar"]).current_dir(folder).status().unwrap();
        assert!(done.success());
    }
}

#[track_caller]
fn ask(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

fn only_image(archive: &Path) -> CheckedImage {
    let mut images = checker::check_archive(archive).unwrap();
    assert_eq!(images.len(), 1);
    images.remove(0)
}

const NAME: &str = "localhost/case:v1";

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

/// A field that is not there, null and empty mean the same.
fn field(image: &CheckedImage, name: &str) -> Option<Value> {
    let value = &image.config["config"][name];
    let is_empty = match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(_) => false,
    };
    let mut value = (!is_empty).then(|| value.clone())?;
    // buildah puts its own version into every image.
    if let Value::Object(map) = &mut value
        && map.remove("io.buildah.version").is_some()
        && map.is_empty()
    {
        return None;
    }
    Some(value)
}

fn history(image: &CheckedImage) -> Vec<String> {
    let rows = image.config["history"].as_array().unwrap().iter();
    rows.map(|row| {
        let kind = if row["empty_layer"] == true { "empty" } else { "layer" };
        format!("{kind} {}", row["created_by"].as_str().unwrap_or_default())
    })
    .collect()
}

fn relevant(tree: &Tree) -> Tree {
    let is_relevant = |path: &str| !MOUNT_POINTS.contains(&path);
    tree.iter().filter(|(path, _)| is_relevant(path)).map(|(path, node)| (path.clone(), node.clone())).collect()
}

/// One line for each thing in which `theirs` differs from `ours`. buildah words its history in a way of its own.
fn differences(tool: &str, case: &str, ours: &CheckedImage, theirs: &CheckedImage) -> Vec<String> {
    let mut found = Vec::new();
    for name in FIELDS {
        let (our, their) = (field(ours, name), field(theirs, name));
        if our != their {
            let show = |value: Option<Value>| value.map_or("none".to_owned(), |value| value.to_string());
            found.push(format!("{name} {} / {}", show(our), show(their)));
        }
    }
    if tool == "buildkit" {
        let (our, their) = (history(ours), history(theirs));
        if our.len() != their.len() {
            found.push(format!("history has {} rows / {}", our.len(), their.len()));
        }
        let rows = our.iter().zip(&their).filter(|(our, their)| our != their);
        found.extend(rows.map(|(our, their)| format!("history `{our}` / `{their}`")));
    }
    found.extend(checker::differences(&relevant(&ours.tree), &relevant(&theirs.tree), 20));
    found.into_iter().map(|text| format!("{tool} {case}: {text}")).collect()
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
    let is_known = |line: &str| KNOWN.iter().any(|(beginning, _)| line.starts_with(beginning));
    let new: Vec<&String> = found.iter().filter(|line| !is_known(line)).collect();
    assert!(new.is_empty(), "new differences: {new:#?}");
    // Other versions of the tools have fewer of them.
    for (beginning, reason) in KNOWN.iter().filter(|known| !found.iter().any(|line| line.starts_with(known.0))) {
        eprintln!("no longer different: {beginning} ({reason})");
    }
}
