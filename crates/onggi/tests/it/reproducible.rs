//! The same tree gives the same image: `SOURCE_DATE_EPOCH` and `--reproducible` (B093, B094, N006).

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use testkit::Command;

use crate::build_project::Project;

const EPOCH: &str = "1700000000";

#[test]
fn b093_the_variable_of_the_environment_is_an_argument_of_the_build() {
    let project = Project::with("FROM busybox\nCMD [\"x\"]\n");
    let created = |command: Command| {
        command.run().success();
        project.inspect("app")["Created"].as_str().unwrap().to_owned()
    };
    let build = |flags: &[&str]| project.build(&[&["-t", "app"], flags].concat());
    assert_eq!(created(build(&[]).env("SOURCE_DATE_EPOCH", EPOCH)), "2023-11-14T22:13:20Z");
    let given = build(&["--build-arg", "SOURCE_DATE_EPOCH=0"]).env("SOURCE_DATE_EPOCH", EPOCH);
    assert_eq!(created(given), "1970-01-01T00:00:00Z", "the flag wins");
    let asked = build(&["--build-arg", "SOURCE_DATE_EPOCH"]).env("SOURCE_DATE_EPOCH", EPOCH);
    assert_eq!(created(asked), "2023-11-14T22:13:20Z");
    assert_eq!(created(build(&["--reproducible"])), "1970-01-01T00:00:00Z");
    assert_eq!(created(build(&["--reproducible"]).env("SOURCE_DATE_EPOCH", EPOCH)), "2023-11-14T22:13:20Z");
    assert_ne!(created(build(&[]).env("SOURCE_DATE_EPOCH", "")), "1970-01-01T00:00:00Z");
}

#[test]
fn d035_a_wrong_value_is_told_with_a_hint() {
    let project = Project::with("FROM busybox\n");
    let wrong = project.build(&[]).env("SOURCE_DATE_EPOCH", "today").run().exits(1);
    assert_eq!(
        wrong.stderr,
        "error: `today` is not a value of SOURCE_DATE_EPOCH\n\
         hint: give seconds since 1970, as in `SOURCE_DATE_EPOCH=$(git log -1 --pretty=%ct)`\n"
    );
}

/// Everything that a machine could leak into an image, a thing a time.
struct Machine<'a> {
    umask: &'a str,
    /// Of processors: with one there are no further threads.
    processors: &'a str,
    /// In which the files of the context are made, and what they are of.
    backwards: bool,
    checked_out: u64,
    /// The date by the clock of the commands.
    today: &'a str,
    /// The layers cannot be mounted where they lie, and are extracted.
    extracted: bool,
}

const USUAL: Machine<'_> = Machine {
    umask: "022",
    processors: "0-1023",
    backwards: false,
    checked_out: 1_750_000_000,
    today: "1760000000",
    extracted: false,
};

const DOCKERFILE: &str = "FROM busybox AS made\nRUN mkdir -p /made/deep && echo x >/made/deep/x && touch -d @$HTTP_PROXY /made /made/*\n\
     FROM busybox\nWORKDIR /app\nCOPY . .\nADD tool.tar /opt/tool\nRUN find . | sort >/list && touch -d @$HTTP_PROXY /list . && ln /list /linked\n\
     COPY --from=made --chown=node /made /srv/made/\nRUN rm /list && rm -r /app/folder-7 && mv /app/folder-8 /app/folder-7\n\
     USER node\nWORKDIR /home/node/new\nRUN umask >mask && touch -d @$HTTP_PROXY mask\n";

/// Builds on a machine of its own and gives the image's ID.
fn build_on(machine: &Machine<'_>, base: &Path) -> String {
    let project = Project::without_base();
    let memory = tempfile::Builder::new().prefix("onggi-test-").tempdir_in("/dev/shm").unwrap();
    let root = if machine.extracted { memory.path().join("root") } else { project.sandbox.root() };
    let onggi = |words: &[&str]| {
        let umask = format!("umask {}; exec taskset -c {} \"$@\"", machine.umask, machine.processors);
        project.onggi(words).env("ONGGI_ROOT", &root).wrapped("sh", ["-c", &umask, "sh"])
    };
    onggi(&["load", "-i", base.to_str().unwrap()]).run().success();
    let backend = if machine.extracted { "extracted" } else { "erofs" };
    let info = onggi(&["info"]).run().success().stdout;
    assert!(info.contains(backend), "{backend} is not in use:\n{info}");
    make_context(&project, machine);
    let flags = ["--build-arg", &format!("HTTP_PROXY={}", machine.today)];
    let built = onggi(&[&["build", "-q"], &flags[..], &["."]].concat()).env("SOURCE_DATE_EPOCH", EPOCH).run().success();
    testkit::checker::check_store(&root).unwrap();
    assert_eq!(root.join("extracted").read_dir().unwrap().count() > 0, machine.extracted);
    built.stdout.trim_end().to_owned()
}

fn make_context(project: &Project, machine: &Machine<'_>) {
    let mut names: Vec<String> = (0..40).map(|number| format!("folder-{number}/{}/file", number % 3)).collect();
    names.push("top".to_owned());
    if machine.backwards {
        names.reverse();
    }
    for name in &names {
        project.file(name, name);
    }
    let mut tar = testkit::TarWriter::default();
    tar.folder("bin", 0o755).file("bin/tool", 0o755, b"tool");
    project.file("tool.tar", tar.finish());
    project.dockerfile(DOCKERFILE);
    let mut folders = vec![project.sandbox.work()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            let time = UNIX_EPOCH + Duration::from_secs(machine.checked_out);
            File::open(path).unwrap().set_modified(time).unwrap();
        }
    }
}

#[test]
#[ignore = "requires root"]
fn b093_b094_n006_one_image_on_every_machine_requires_root() {
    let base = Project::new();
    let archive = base.sandbox.work().join("base.tar");
    base.ask(&["save", "-o", archive.to_str().unwrap(), "busybox"]);
    let usual = build_on(&USUAL, &archive);
    for (what, machine) in [
        ("again", USUAL),
        ("another umask", Machine { umask: "077", ..USUAL }),
        ("one processor", Machine { processors: "0", ..USUAL }),
        ("another order of files", Machine { backwards: true, ..USUAL }),
        ("checked out long ago", Machine { checked_out: 1_000_000_000, ..USUAL }),
        ("another date", Machine { today: "1860000000", ..USUAL }),
        ("extracted layers", Machine { extracted: true, ..USUAL }),
        (
            "all of that",
            Machine {
                umask: "077",
                processors: "0",
                backwards: true,
                checked_out: 1_900_000_000,
                today: "1860000000",
                extracted: true,
            },
        ),
    ] {
        assert_eq!(build_on(&machine, &archive), usual, "{what}");
    }
}
