//! A docker of today with its BuildKit, where `cargo xtask test` could fetch one: the whole language and builder.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::checker::CheckedImage;
use testkit::{Dockerd, GitServer, HOST_NETWORK, HttpServer, NewerDocker, Response};

use super::cases::CASES;
use super::newer_cases::{self as cases, Case};
use super::refused::REFUSED;
use super::{ask, differences, judge, only_image, write_context};
use crate::project::Project;

/// Differences that stay: how their lines begin, and why.
const KNOWN: &[(&str, &str)] = &[
    (
        "buildkit modes: odd: Some",
        "D076: folders on the way have 0755; with an octal --chmod BuildKit gives them that mode",
    ),
    ("buildkit attributes: a/d: ", "D077: all attributes are kept; docker's graph drivers keep capabilities alone"),
    ("buildkit attributes: f/d: ", "the same"),
    ("buildkit attributes: f/d/noted: ", "the same"),
    ("buildkit attributes: g: ", "the same"),
    ("buildkit link: modes: Some", "D076, as above"),
    (
        "buildkit link: real: Some",
        "D082: a linked layer brings its own folders; docker's graph drivers copy it instead",
    ),
    ("buildkit link: real/", "the same, which also follows links"),
    ("buildkit link: linked", "the same"),
    ("buildkit env and arg: ", "S147: ENV always wins, as Docker's reference says; an ARG below it does in BuildKit"),
    (
        "buildkit unclean workdir: ",
        "BuildKit keeps `..` and slashes at the end in the config, and makes what `..` leaves again",
    ),
];

/// Extended attributes of files in an archive: those of the context's own BuildKit does not send. The capability is
/// `cap_net_bind_service+ep`, as setcap(8) writes it.
const ATTRIBUTES: [(&str, &str, &[u8]); 3] = [
    ("d/server", "security.capability", &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ("d/noted", "user.note", b"kept"),
    ("d", "user.of-a-folder", b"kept too"),
];

/// Packs files that have them into `attributes.tar`.
fn write_attributes(work: &Path, context: &Path) {
    let folder = tempfile::tempdir_in(work).unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    for name in ["d/server", "d/noted"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    for (file, name, value) in ATTRIBUTES {
        rustix::fs::setxattr(folder.path().join(file), name, value, rustix::fs::XattrFlags::empty()).unwrap();
    }
    let mut tar = Command::new("tar");
    tar.args(["--xattrs", "--xattrs-include=*", "-cf"]).arg(context.join("attributes.tar"));
    ask(tar.arg("-C").arg(folder.path()).arg("d"));
}

struct Newer {
    // Ends before the folder goes in which it works.
    daemon: Dockerd,
    project: Project,
    address: String,
    builds: AtomicUsize,
    _repositories: GitServer,
    _agent: UnixListener,
}

impl Newer {
    /// Docker of the version whose differences are known; says that a test is skipped where there is none.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
    fn start(test: &str) -> Option<Self> {
        let newer = NewerDocker::find().and_then(|newer| match newer.version().starts_with("28.") {
            true => Ok(newer),
            false => Err(format!("docker 28, and {} was fetched", newer.version())),
        });
        let project = Project::new();
        let started = newer.map_err(|missing| format!("requires {missing}"));
        let started = started.and_then(|newer| Dockerd::start_newer(&newer, &project.sandbox.path().join("docker")));
        let daemon = match started {
            Ok(daemon) => daemon,
            Err(reason) => {
                eprintln!("skipped: {}: {test}", reason.replace(": ", ", "));
                return None;
            }
        };
        let base = project.sandbox.path().join("base.tar");
        project.ask(&["tag", "busybox", "localhost/busybox"]);
        project.ask(&["save", "-o", base.to_str().unwrap(), "busybox", "localhost/busybox"]);
        ask(daemon.docker().arg("load").arg("-i").arg(&base));
        let repositories = repositories();
        let address = serve(&repositories).url("");
        fs::write(project.sandbox.path().join("secret"), "hidden\n").unwrap();
        fs::create_dir(project.sandbox.path().join("other")).unwrap();
        fs::write(project.sandbox.path().join("other/o.txt"), "other\n").unwrap();
        fs::write(project.sandbox.path().join("other/p.txt"), "ignored\n").unwrap();
        fs::write(project.sandbox.path().join("other/.dockerignore"), "p*\n").unwrap();
        let agent = UnixListener::bind(project.sandbox.path().join("agent")).unwrap();
        Some(Self { daemon, project, address, builds: AtomicUsize::new(0), _repositories: repositories, _agent: agent })
    }

    fn fill_in(&self, text: &str) -> String {
        let work = self.project.sandbox.path().display().to_string();
        text.replace("@HTTP@", &self.address).replace("@WORK@", &work)
    }

    /// Writes the context of this case into a new folder.
    fn write(&self, case: &Case, context: &Path) {
        fs::create_dir_all(context).unwrap();
        write_context(context);
        fs::write(context.join("Dockerfile"), self.fill_in(case.dockerfile)).unwrap();
        for (name, content) in case.files {
            fs::write(context.join(name), content).unwrap();
        }
        if case.dockerfile.contains("attributes.tar") {
            write_attributes(&self.project.sandbox.work(), context);
        }
    }

    fn flags(&self, case: &Case) -> Vec<String> {
        case.flags.iter().map(|flag| self.fill_in(flag)).collect()
    }

    fn by_onggi(&self, case: &Case, folder: &Path, name: &str) -> Result<CheckedImage, String> {
        let build = self.project.onggi(["build", "-t", name]).arguments(self.flags(case));
        let output = build.arguments([folder.join("context")]).run();
        if output.code != 0 {
            return Err(output.stderr);
        }
        let archive = folder.join("onggi.tar");
        self.project.ask(&["save", "-o", archive.to_str().unwrap(), name]);
        Ok(only_image(&archive))
    }

    fn by_buildkit(&self, case: &Case, folder: &Path, name: &str) -> Result<CheckedImage, String> {
        let mut build = self.daemon.docker();
        build.env("HOME", self.project.sandbox.home()).args(["build", "-t", name]).args(HOST_NETWORK);
        let output = build.args(self.flags(case)).arg(folder.join("context")).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let archive = folder.join("buildkit.tar");
        ask(self.daemon.docker().args(["save", "-o"]).arg(&archive).arg(name));
        Ok(only_image(&archive))
    }

    /// What both make of a case, at the same time.
    fn both(&self, case: &Case) -> [Result<CheckedImage, String>; 2] {
        let number = self.builds.fetch_add(1, Ordering::Relaxed);
        let (folder, name) = (self.project.sandbox.work().join(number.to_string()), format!("localhost/case:{number}"));
        self.write(case, &folder.join("context"));
        let both = std::thread::scope(|scope| {
            let theirs = scope.spawn(|| self.by_buildkit(case, &folder, &name));
            [self.by_onggi(case, &folder, &name), theirs.join().unwrap()]
        });
        fs::remove_dir_all(&folder).unwrap();
        both
    }

    /// The lines in which the two differ, for each of these cases.
    fn compare(&self, cases: &[Case]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for case in cases {
            match self.both(case) {
                [Ok(ours), Ok(theirs)] => found.extend(differences("buildkit", case.name, &ours, &theirs)),
                [Err(ours), Ok(_)] => drop(found.insert(format!("{}: onggi fails: {ours}", case.name))),
                [_, Err(theirs)] => drop(found.insert(format!("{}: buildkit fails: {theirs}", case.name))),
            }
        }
        found
    }
}

fn repositories() -> GitServer {
    let repositories = GitServer::new();
    repositories.init("repo").write("repo", "README.md", "read me\n").write("repo", "sub/file", "in sub\n");
    repositories.commit("repo");
    repositories.git("repo", &["tag", "v1"]);
    repositories.write("repo", "later", "later\n");
    repositories.commit("repo");
    repositories
}

fn serve(repositories: &GitServer) -> HttpServer {
    let folder = repositories.folder();
    let mut tar = testkit::TarWriter::default();
    tar.folder("in", 0o750).file("in/file", 0o444, b"in the tar");
    let tar = tar.finish();
    HttpServer::serving(move |request| match request.path.split('?').next().unwrap_or_default() {
        "/plain.txt" | "/x/y/plain.txt" => Response::ok("plain\n"),
        "/archive.tar" => Response::ok(tar.clone()),
        "/named" => Response::ok("named\n").header("Content-Disposition", "attachment; filename=\"by-header\""),
        _ => GitServer::answer(&folder, request),
    })
}

fn check(test: &str, cases: &[Case]) {
    if let Some(newer) = Newer::start(test) {
        let is_of_these = |line: &str| cases.iter().any(|case| line.starts_with(&format!("buildkit {}: ", case.name)));
        let known: Vec<_> = KNOWN.iter().copied().filter(|(line, _)| is_of_these(line)).collect();
        judge(&newer.compare(cases), &known);
    }
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d020_to_d143_what_every_tool_builds_is_as_with_a_newer_docker_requires_root() {
    let plain: Vec<Case> =
        CASES.iter().map(|&(name, dockerfile)| Case { name, dockerfile, flags: &[], files: &[] }).collect();
    check("d020_to_d143_what_every_tool_builds_is_as_with_a_newer_docker", &plain);
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d102_to_d108_mounts_are_as_with_a_newer_docker_requires_root() {
    check("d102_to_d108_mounts_are_as_with_a_newer_docker", cases::MOUNTS);
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d120_to_d125_documents_are_as_with_a_newer_docker_requires_root() {
    check("d120_to_d125_documents_are_as_with_a_newer_docker", cases::DOCUMENTS);
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d070_to_d084_copies_are_as_with_a_newer_docker_requires_root() {
    check("d070_to_d084_copies_are_as_with_a_newer_docker", cases::COPIES);
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d085_to_d091_sources_are_as_with_a_newer_docker_requires_root() {
    check("d085_to_d091_sources_are_as_with_a_newer_docker", cases::SOURCES);
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d050_to_d060_d100_d101_d130_to_d142_language_is_as_with_a_newer_docker_requires_root() {
    check("d050_to_d060_d100_d101_d130_to_d142_language_is_as_with_a_newer_docker", cases::LANGUAGE);
}

/// What both refuse, onggi with a cause that is its own.
#[test]
#[ignore = "requires root, a newer docker"]
fn d013_mistakes_are_refused_as_with_a_newer_docker_requires_root() {
    let Some(newer) = Newer::start("d013_mistakes_are_refused_as_with_a_newer_docker") else { return };
    let mut taken = Vec::new();
    for dockerfile in REFUSED {
        let case = Case { name: "refused", dockerfile, flags: &[], files: &[] };
        let tools = ["onggi", "buildkit"].into_iter().zip(newer.both(&case));
        for (tool, result) in tools {
            match result {
                Ok(_) => taken.push(format!("{tool} takes {dockerfile:?}")),
                Err(said) if tool == "onggi" && !said.contains("error: ") => {
                    taken.push(format!("{dockerfile:?}: {said}"))
                }
                Err(_) => {}
            }
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
}

/// Times of an image and of the rows of its history.
fn moments(image: &CheckedImage) -> Vec<&str> {
    let rows = image.config["history"].as_array().unwrap().iter();
    let created = std::iter::once(&image.config).chain(rows).map(|of| of["created"].as_str().unwrap_or_default());
    created.collect()
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d035_b093_moments_are_as_with_a_newer_docker_requires_root() {
    let Some(newer) = Newer::start("d035_b093_moments_are_as_with_a_newer_docker") else { return };
    for case in cases::MOMENTS {
        let [Ok(ours), Ok(theirs)] = newer.both(case) else { panic!("{} fails", case.name) };
        assert_eq!(differences("buildkit", case.name, &ours, &theirs), [""; 0]);
        assert_eq!(moments(&ours), moments(&theirs), "{}", case.name);
    }
}

#[test]
#[ignore = "requires root, a newer docker"]
fn d112_renames_whiteouts_and_links_are_as_with_a_newer_docker_requires_root() {
    check("d112_renames_whiteouts_and_links_are_as_with_a_newer_docker", cases::TREES);
}
