//! Values of secrets are kept nowhere (D105, B014, B015): canaries by every route, and everything searched for them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use testkit::{Command, Output, checker};

use crate::build_project::{Project, runtimes};
use crate::run_secrets::{Agent, ssh_project};

/// Values that are found wherever they are written: as they are, or as their digest.
struct Canaries {
    folder: PathBuf,
    values: Vec<String>,
    /// By their first bytes, so that a file is gone through once.
    needles: HashMap<[u8; 8], Vec<(usize, Vec<u8>)>>,
}

/// Length of each value.
const LENGTH: usize = 40;

/// How many there are.
const COUNT: usize = 20;

impl Canaries {
    fn new(project: &Project) -> Self {
        let folder = project.sandbox.path().join("secrets");
        fs::create_dir(&folder).unwrap();
        let value = |number: usize| {
            let digest = checker::digest(format!("canary {number} {}", std::process::id()).as_bytes());
            format!("{}-canary-{number:02}-{}", &digest[7..20], &digest[20..])[..LENGTH].to_owned()
        };
        let values: Vec<String> = (0..COUNT).map(value).collect();
        for (number, value) in values.iter().enumerate() {
            fs::write(folder.join(number.to_string()), value).unwrap();
        }
        Self::of(folder, values)
    }

    fn of(folder: PathBuf, values: Vec<String>) -> Self {
        let mut needles: HashMap<[u8; 8], Vec<(usize, Vec<u8>)>> = HashMap::new();
        for (number, value) in values.iter().enumerate() {
            let digest = checker::digest(value.as_bytes())["sha256:".len()..].to_owned();
            let raw = (0..32).map(|place| u8::from_str_radix(&digest[2 * place..2 * place + 2], 16).unwrap()).collect();
            // Half of a value is as bad as all of it.
            for needle in [value.as_bytes()[..20].to_vec(), digest.into_bytes(), raw] {
                needles.entry(needle[..8].try_into().unwrap()).or_default().push((number, needle));
            }
        }
        Self { folder, values, needles }
    }

    /// Numbers of all values that are in these bytes.
    fn within(&self, bytes: &[u8]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for (place, first) in bytes.windows(8).enumerate() {
            for (number, needle) in self.needles.get(first).into_iter().flatten() {
                if bytes[place..].starts_with(needle) {
                    found.insert(*number);
                }
            }
        }
        found
    }

    /// Every file below a folder, byte by byte, and its name.
    fn below(&self, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let mut text = path.as_os_str().as_encoded_bytes().to_vec();
            if path == self.folder {
                continue;
            } else if kind.is_dir() {
                self.below(&path, found);
            } else if kind.is_file() {
                text.extend(fs::read(&path).unwrap_or_default());
            } else if kind.is_symlink() {
                text.extend(fs::read_link(&path).unwrap_or_default().into_os_string().into_encoded_bytes());
            }
            found.extend(self.within(&text).into_iter().map(|number| format!("{number} in {}", path.display())));
        }
    }

    /// Fails if a canary is in the sandbox, or where a runtime keeps its state.
    #[track_caller]
    fn are_nowhere(&self, project: &Project) {
        let mut found = Vec::new();
        for folder in [project.sandbox.path(), Path::new("/run/onggi"), Path::new("/run/runc")] {
            self.below(folder, &mut found);
        }
        assert_eq!(found, [""; 0]);
    }

    /// Fails if a process shows a canary in its command line or name.
    #[track_caller]
    fn are_in_no_listing(&self) {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            for file in ["cmdline", "comm", "stat"] {
                let text = fs::read(process.path().join(file)).unwrap_or_default();
                let numbers = self.within(&text);
                assert!(numbers.is_empty(), "{numbers:?} in {}: {}", file, String::from_utf8_lossy(&text));
            }
        }
    }

    #[track_caller]
    fn are_not_said(&self, said: &Output) {
        for text in [&said.stdout, &said.stderr] {
            let numbers = self.within(text.as_bytes());
            assert!(numbers.is_empty(), "{numbers:?} in {text}");
        }
    }

    /// The command with all canaries: those with even numbers in files, the others in variables.
    fn given(&self, project: &Project, flags: &[&str]) -> Command {
        let mut words: Vec<String> = ["-D", "build", "--progress", "plain"].map(str::to_owned).to_vec();
        for number in 0..COUNT {
            let path = self.folder.join(number.to_string());
            let source = match number % 4 {
                0 => format!("id=c{number},src={}", path.display()),
                1 => format!("id=c{number},env=C{number}"),
                2 => format!("type=file,id=c{number},source={}", path.display()),
                _ => format!("id=C{number}"),
            };
            words.extend(["--secret".to_owned(), source]);
        }
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        words.push(".".to_owned());
        let odd = (1..COUNT).step_by(2);
        odd.fold(project.onggi(&words), |command, number| command.env(format!("C{number}"), &self.values[number]))
    }
}

/// Name under which a canary is given.
fn id(number: usize) -> String {
    if number % 4 == 3 { format!("C{number}") } else { format!("c{number}") }
}

/// Shell words that fail unless a file holds a whole canary, and say it.
fn seen(path: &str) -> String {
    format!("[ $(wc -c < {path}) = {LENGTH} ] && cat {path} && echo && cat {path} >&2")
}

fn file(number: usize, options: &str, path: &str) -> String {
    format!("--mount=type=secret,id={},required{options} {}", id(number), seen(path))
}

fn variable(number: usize, name: &str) -> String {
    format!(
        "--mount=type=secret,id={},required,env={name} [ ${{#{name}}} = {LENGTH} ] && echo \"it is ${name}\"",
        id(number)
    )
}

/// What every route to a step looks like: files and variables, of all forms of RUN.
fn dockerfile() -> String {
    let own = |number: usize| format!("/run/secrets/{}", id(number));
    let mut text = "FROM busybox AS other\n".to_owned();
    for line in [
        format!("RUN {}", file(0, "", &own(0))),
        format!("RUN {}", variable(1, "TOKEN")),
        "FROM parent".to_owned(),
        "ENV KEEP=1".to_owned(),
        format!("RUN {}", file(3, ",target=/deep/er/token", "/deep/er/token")),
        format!("RUN {}", file(4, ",target=/etc/passwd", "/etc/passwd")),
        format!("RUN {} && test \"$B\"", file(5, ",env=B,target=/t", "/t")),
        format!("RUN --mount=type=secret,id={},required <<EOF\n{}\nEOF", id(6), seen(&own(6))),
        format!("RUN --mount=type=secret,id={},required <<EOF\n#!/bin/sh\n{}\nEOF", id(7), seen(&own(7))),
        format!("RUN --mount=type=secret,id={},required [\"cat\", \"{}\"]", id(8), own(8)),
        format!("RUN --network=none {}", variable(9, "TOKEN")),
        // To memory, to a mount that is thrown away, and to a process of its own.
        format!("RUN --mount=type=tmpfs,target=/m {} && cp {} /m/copy", file(10, "", &own(10)), own(10)),
        format!(
            "RUN --mount=type=secret,id={},required,env=V --mount=target=/c,rw sh -c 'echo \"$V\" > /c/copy; cat /c/copy'",
            id(11)
        ),
        "USER node".to_owned(),
        format!("RUN {}", file(12, ",uid=1000,mode=0400", &own(12))),
        format!("RUN {}", variable(13, "TOKEN")),
        "USER root".to_owned(),
        "COPY --from=other /etc/group /group".to_owned(),
        format!("RUN {}", file(14, ",mode=0444,gid=5", &own(14))),
    ] {
        text += &line;
        text += "\n";
    }
    text
}

#[test]
#[ignore = "requires root"]
fn d105_b014_twenty_canaries_are_kept_nowhere_requires_root() {
    let project = Project::new();
    let canaries = Canaries::new(&project);
    let mut control = Vec::new();
    let moved = Canaries::of(PathBuf::new(), canaries.values.clone());
    moved.below(&canaries.folder, &mut control);
    assert_eq!(control.len(), COUNT, "the search finds what is there: {control:?}");

    let parent = format!("FROM busybox\nONBUILD RUN {}\n", file(2, "", "/run/secrets/c2"));
    project.dockerfile(&parent).build(&["-t", "parent"]).run().success();
    for runtime in runtimes("d105_b014_twenty_canaries_are_kept_nowhere") {
        project.dockerfile(&dockerfile());
        let built =
            canaries.given(&project, &[&["-t", "app", "--no-cache", "--explain"], runtime].concat()).run().success();
        canaries.are_not_said(&built);
        canaries.are_nowhere(&project);
        // Again, now that everything is taken from the cache; and what tells about an image.
        canaries.are_not_said(&canaries.given(&project, &["-t", "app", "--explain"]).run().success());
        for words in [&["history", "--no-trunc", "app"][..], &["image", "inspect", "app"], &["build", "logs"]] {
            canaries.are_not_said(&project.onggi(words).run());
        }
        project.ask(&["save", "-o", "app.tar", "app"]);
        canaries.are_nowhere(&project);
        fs::remove_file(project.sandbox.work().join("app.tar")).unwrap();

        // Steps that fail: by themselves, by a signal, and because there is no such program.
        for (number, rest) in [
            (15, format!("RUN {}; exit 3", variable(15, "TOKEN"))),
            (16, format!("RUN {}; exit 3", file(16, "", "/run/secrets/c16"))),
            (17, format!("RUN {}; sh -c 'kill -9 $$'; exit $?", file(17, "", "/run/secrets/c17"))),
            (18, format!("RUN --mount=type=secret,id={},required,env=T [\"/no/such\", \"$T\"]", id(18))),
        ] {
            project.dockerfile(&format!("FROM busybox\n{rest}\n"));
            let failed = canaries.given(&project, &[&["--no-cache"], runtime].concat()).run().exits(1);
            canaries.are_not_said(&failed);
            canaries.are_nowhere(&project);
            let debug = canaries.given(&project, &[]).run();
            canaries.are_not_said(&debug);
            let variable = format!("C{number}");
            let shell =
                project.onggi(["build", "debug"]).stdin("ls /run/secrets").env(variable, &canaries.values[number]);
            drop(shell.run());
            canaries.are_nowhere(&project);
        }
        running(&project, &canaries, runtime);
    }
    project.nothing_runs();
}

/// While a step has its secrets, no process shows them; when the build is killed, nothing of them is left.
fn running(project: &Project, canaries: &Canaries, runtime: &[&str]) {
    let text = format!(
        "FROM busybox\nRUN --mount=type=secret,id={},required --mount=type=secret,id={},required,env=T \
         [ ${{#T}} = {LENGTH} ] && echo ready && while true; do usleep 9000; done\n",
        id(18),
        id(19)
    );
    project.dockerfile(&text);
    let mut child = canaries.given(project, &[&["--no-cache"], runtime].concat()).spawn();
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = said.map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with(" ready")), "the step runs");
    canaries.are_in_no_listing();
    canaries.are_nowhere(project);
    if runtime.is_empty() {
        child.kill().unwrap();
    } else {
        // Its program is another process, which would have to be killed too.
        let ended = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(ended.unwrap().success());
    }
    child.wait().unwrap();
    drop(lines);
    project.nothing_runs();
    // The next command tidies what a killed one left.
    project.dockerfile("FROM busybox\nRUN true\n").build(&["--no-cache"]).run().success();
    canaries.are_nowhere(project);
}

#[test]
#[ignore = "requires root"]
fn d106_b015_an_agents_key_is_kept_nowhere_requires_root() {
    let project = ssh_project();
    let canaries = Canaries::new(&project);
    let Some(agent) = Agent::start(&canaries.folder, &canaries.values[0]) else {
        eprintln!("skipped: requires ssh-agent: d106_b015_an_agents_key_is_kept_nowhere");
        return;
    };
    for runtime in runtimes("d106_b015_an_agents_key_is_kept_nowhere") {
        project.dockerfile(&format!(
            "FROM ssh\nRUN --mount=type=ssh,required ssh-add -l | grep -q -e {}\n",
            &canaries.values[0][20..24]
        ));
        let build = project.build(&[&["-t", "app", "--no-cache", "--ssh", "default"], runtime].concat());
        canaries.are_not_said(&build.env("SSH_AUTH_SOCK", &agent.socket).run().success());
        let public = fs::read_to_string(canaries.folder.join("key.pub")).unwrap();
        let public = public.split(' ').nth(1).unwrap();
        let key = Canaries::of(canaries.folder.clone(), vec![public[40..].to_owned()]);
        canaries.are_nowhere(&project);
        key.are_nowhere(&project);
    }
    drop(agent);
    project.nothing_runs();
}
