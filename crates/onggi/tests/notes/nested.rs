//! What works in a container of another tool (N050): the table of `docs/reference/rootless.md`, row by row.
//!
//! The container has the programs of this machine, by a mount of its `/usr`, and the binary under test; the store is in the
//! container, on its overlayfs. What comes out is compared with what the same words give outside.

use std::process::Command;

use testkit::peers::{self, LIMITS};
use testkit::{Dockerd, Registry};

use crate::project::Project;

const DOCKERFILE: &str = "FROM busybox\nWORKDIR /app\nCOPY file .\n";

const RUN: &str = "RUN echo new >/new && rm /etc/group && chown 7:8 file && id -u >/who\n\
    RUN (sleep 1000 &) ; touch /app/later && test ! -e /etc/group\n\
    USER 65534\nRUN --mount=type=secret,id=s,uid=65534 --mount=type=cache,target=/tmp/cache,mode=1777 \
    cat /run/secrets/s >/dev/null && id -u >/tmp/who\n";

/// An outer container engine, with an image that is nothing but links into `/usr`.
struct Outer {
    command: Box<dyn Fn() -> Command>,
    /// What its `run` wants besides.
    limits: &'static [&'static str],
    _daemon: Option<Dockerd>,
}

impl Outer {
    fn docker(project: &Project) -> Self {
        let daemon = Dockerd::start_without_network(&project.sandbox.path().join("docker")).unwrap().unwrap();
        let import = daemon.docker().args(["import", &image(project), "nest"]).output().unwrap();
        assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
        let host = daemon.docker();
        let words: Vec<_> = host.get_args().map(ToOwned::to_owned).collect();
        let program = host.get_program().to_owned();
        let command = move || {
            let mut command = Command::new(&program);
            command.args(&words);
            command
        };
        Self { command: Box::new(command), limits: &[], _daemon: Some(daemon) }
    }

    fn podman(project: &Project) -> Self {
        let folder = project.sandbox.path().join("podman");
        let import = peers::podman(&folder).unwrap().args(["import", &image(project), "nest"]).output().unwrap();
        assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
        Self { command: Box::new(move || peers::podman(&folder).unwrap()), limits: &LIMITS, _daemon: None }
    }

    fn onggi(project: &Project) -> Self {
        project.ask(&["import", &image(project), "nest"]);
        let root = project.sandbox.root();
        let command = move || {
            let mut command = Command::new(testkit::binary());
            command.arg("--root").arg(&root);
            command
        };
        Self { command: Box::new(command), limits: &[], _daemon: None }
    }

    /// Runs the script in a container with these flags; what it wrote to both streams, one after the other.
    #[track_caller]
    fn run(&self, project: &Project, flags: &[&str]) -> String {
        let mount = |from: &str, to: &str| format!("{from}:{to}:ro");
        let binary = mount(&testkit::binary().display().to_string(), "/onggi");
        let work = mount(&project.sandbox.work().display().to_string(), "/work");
        let mut command = (self.command)();
        command.args(["run", "--rm", "--network", "host", "-v", &mount("/usr", "/usr"), "-v", &binary, "-v", &work]);
        command.args(["-w", "/work"]).args(self.limits).args(flags).args(["nest", "sh", "script"]);
        let output = command.output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

/// A root that has all its programs from a mount on `/usr`.
fn image(project: &Project) -> String {
    let script = "mkdir -p nest/etc nest/tmp nest/proc nest/sys nest/dev nest/usr nest/root nest/var; cd nest; \
                  for name in bin lib lib64 sbin; do ln -s usr/$name $name; done; chmod 1777 tmp; \
                  echo root:x:0:0::/root:/bin/sh >etc/passwd; echo root:x:0: >etc/group; tar -cf ../nest.tar .";
    project.sandbox.command("sh").arguments(["-c", script]).cwd(project.sandbox.path()).run().success();
    project.sandbox.path().join("nest.tar").display().to_string()
}

/// Writes the words that every container gets; what the answers show is one line for each.
fn write_script(project: &Project, registry: &str) {
    project.file("file", "of the context").file("secret", "hidden").file("Plain", DOCKERFILE);
    project.file("Full", format!("{DOCKERFILE}{RUN}"));
    let build = "SOURCE_DATE_EPOCH=1700000000 $O build -q --no-cache --secret id=s,src=secret";
    project.ask(&["save", "-o", project.sandbox.work().join("busybox.tar").to_str().unwrap(), "busybox"]);
    let text = format!(
        "export HOME=/tmp ONGGI_ROOT=/tmp/store; O=/onggi; say() {{ echo \"$1: $(tail -n 1 /tmp/out | sed 's/^hint: .*/hint/')\"; }}\n\
         $O load -q -i busybox.tar >/dev/null || exit 1\n\
         echo \"layers: $($O info -f '{{{{(index (index .DriverStatus 0) 1)}}}}')\"\n\
         {build} -t plain -f Plain . >/tmp/out 2>&1; say plain\n\
         {build} -t full -f Full . >/tmp/out 2>&1; say full\n\
         $O run --rm --network none busybox sh -c 'echo in; (sleep 1000 &)' >/tmp/out 2>&1; say run\n\
         $O save -o /tmp/saved plain && $O load -q -i /tmp/saved >/tmp/out 2>&1; say load\n\
         name={registry}/plain; $O tag plain $name && $O push -q $name >/tmp/out 2>&1 && $O rmi $name >/dev/null && \
         $O pull -q $name >/tmp/out 2>&1; say pull\n\
         echo \"left: $(ps -eo args | grep -c '[s]leep 1000')\"\n"
    );
    project.file("script", text);
}

/// What the same builds give outside.
fn expected(project: &Project, name: &str) -> String {
    let build = ["build", "-q", "--no-cache", "--secret", "id=s,src=secret", "-f", name, "."];
    let built = project.onggi(build).env("SOURCE_DATE_EPOCH", "1700000000").run().success();
    built.stdout.trim_end().to_owned()
}

const UNCONFINED: [&str; 2] = ["--security-opt", "seccomp=unconfined"];

/// Flags, how roots are made with them, and whether RUN and containers work.
type Row<'a> = (&'a [&'a str], &'a str, bool, bool);

/// Containers that may make no user namespace unless told otherwise.
const STRICT: [Row<'_>; 3] =
    [(&[], "folder", true, false), (&["--user", "1000"], "none", false, false), (&UNCONFINED, "copied", true, true)];

#[track_caller]
fn check(outer: &Outer, project: &Project, rows: &[Row<'_>]) {
    let registry = Registry::start().unwrap();
    write_script(project, &registry.host());
    let (plain, full) = (expected(project, "Plain"), expected(project, "Full"));
    let load = "Loaded image: plain:latest";
    for (flags, layers, builds, runs) in rows {
        let (full, run) = (if *builds { &full } else { "hint" }, if *runs { "in" } else { "hint" });
        let found = outer.run(project, flags);
        let built = format!("layers: {layers}\nplain: {plain}\nfull: {full}\nrun: {run}\n");
        let expected = format!("{built}load: {load}\npull: {}/plain:latest\nleft: 0\n", registry.host());
        assert_eq!(found, expected, "{flags:?}");
    }
}

#[test]
#[ignore = "requires root: starts dockerd"]
fn n050_in_a_container_of_docker_requires_root() {
    let project = Project::new();
    check(&Outer::docker(&project), &project, &STRICT);
}

#[test]
#[ignore = "requires root: starts containers"]
fn n050_in_a_container_of_our_own_requires_root() {
    let project = Project::new();
    check(&Outer::onggi(&project), &project, &STRICT);
}

/// Its filter lets user namespaces pass.
#[test]
#[ignore = "requires root: starts podman"]
fn n050_in_a_container_of_podman_requires_root() {
    let project = Project::new();
    let outer = Outer::podman(&project);
    check(&outer, &project, &[(&[], "copied", true, true), (&UNCONFINED, "copied", true, true)]);
    peers::release_storage(&project.sandbox.path().join("podman"));
}
