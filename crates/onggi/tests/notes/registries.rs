//! Registries between the real binary and the other tools: what one has pushed the others pull, run and know by the same
//! digests and IDs, and the lines of `pull` and `push` are docker's (S020 to S029, S260 to S265, C010, C020).

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::checker::{self, CheckedImage};
use testkit::peers::{self, LIMITS};
use testkit::{Dockerd, Registry, RegistryOptions};

use crate::project::Project;

/// Two layers above the base, one with a whiteout and an opaque folder, and all that a config can say.
const DOCKERFILE: &str = "FROM busybox\nENV NAME=dojin\nCOPY folder /folder/\n\
                          RUN rm /folder/gone && rm -r /folder/inner && mkdir /folder/inner && echo new > /folder/inner/new\n\
                          HEALTHCHECK --interval=5s --retries=2 CMD true\nLABEL a=b\nWORKDIR /folder\n\
                          CMD [\"sh\", \"-c\", \"echo Hello $NAME; find . | sort\"]\n";

const SAYS: &str = "Hello dojin\n.\n./inner\n./inner/new\n./kept\n";

/// A registry, or a line that says what is missing.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
fn registry(test: &str, options: &RegistryOptions) -> Option<Registry> {
    let registry = Registry::start_with(options);
    if registry.is_none() {
        eprintln!("skipped: requires docker-registry and htpasswd: {test}");
    }
    registry
}

#[track_caller]
fn ask(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn skopeo(words: &[&str]) -> Command {
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy"]).args(words);
    command
}

/// The image that is built and pushed as `HOST/team/app:v1`.
fn pushed(registry: &Registry) -> (Project, String) {
    let project = Project::with(DOCKERFILE);
    for name in ["kept", "gone", "inner/old", "inner/older"] {
        project.file(&format!("folder/{name}"), name);
    }
    let name = format!("{}/team/app:v1", registry.host());
    project.build(&["-t", &name]).run().success();
    project.ask(&["push", &name]);
    (project, name)
}

fn id(project: &Project, name: &str) -> String {
    project.inspect(name)["Id"].as_str().unwrap().to_owned()
}

/// The digest that a name is known by: `RepoDigests` of one name.
fn known_as(project: &Project, name: &str) -> String {
    let repository = name.rsplit_once(':').unwrap().0;
    let inspected = project.inspect(name);
    let all = inspected["RepoDigests"].as_array().unwrap();
    let of = |one: &Value| one.as_str()?.strip_prefix(repository)?.strip_prefix('@').map(str::to_owned);
    all.iter().find_map(of).unwrap_or_else(|| panic!("{inspected}"))
}

/// Pulls into an empty store and gives the ID.
#[track_caller]
fn pulls(name: &str) -> (Project, String) {
    let project = Project::without_base();
    project.ask(&["pull", "-q", name]);
    let id = id(&project, name);
    (project, id)
}

fn only_image(archive: &Path) -> CheckedImage {
    let mut images = checker::check_archive(archive).unwrap();
    assert_eq!(images.len(), 1);
    images.remove(0)
}

#[test]
#[ignore = "requires root, skopeo"]
fn c020_skopeo_requires_root() {
    let Some(registry) = registry("c020_skopeo", &RegistryOptions::default()) else { return };
    let (project, name) = pushed(&registry);
    let id = id(&project, &name);
    let source = format!("docker://{name}");
    let described: Value =
        serde_json::from_str(&ask(&mut skopeo(&["inspect", "--tls-verify=false", &source]))).unwrap();
    assert_eq!(described["Digest"], *known_as(&project, &name));
    assert_eq!((&described["Labels"]["a"], described["RepoTags"].to_string()), (&"b".into(), "[\"v1\"]".to_owned()));
    let config = ask(&mut skopeo(&["inspect", "--tls-verify=false", "--raw", "--config", &source]));
    assert_eq!(checker::digest(config.as_bytes()), id);
    let raw = ask(&mut skopeo(&["inspect", "--tls-verify=false", "--raw", &source]));
    assert_eq!(checker::digest(raw.as_bytes()), known_as(&project, &name));

    // What skopeo copies out of the registry is checked by its bytes, and is the same image.
    let archive = project.sandbox.path().join("copied.tar");
    let target = format!("docker-archive:{}:{name}", archive.display());
    ask(&mut skopeo(&["copy", "-q", "--src-tls-verify=false", &source, &target]));
    let read = only_image(&archive);
    assert_eq!((&read.id, read.tree), (&id, project.image(&name).tree));

    // What skopeo pushes in every form is pulled: an ID is the digest of the config that it has sent.
    let raw_of = |name: &str| {
        let source = format!("docker://{name}");
        let config = ask(&mut skopeo(&["inspect", "--tls-verify=false", "--raw", "--config", &source]));
        let manifest = ask(&mut skopeo(&["inspect", "--tls-verify=false", "--raw", &source]));
        (checker::digest(config.as_bytes()), manifest)
    };
    for (tag, words) in [
        ("v2s2", &["--format", "v2s2"][..]),
        ("oci", &["--format", "oci"]),
        ("zstd", &["--format", "oci", "--dest-compress-format", "zstd", "--dest-compress"]),
    ] {
        // One that has no blob: what is there would be used as it is.
        let Some(empty) = self::registry("c020_skopeo", &RegistryOptions::default()) else { return };
        let copied = format!("{}/team/copied:{tag}", empty.host());
        let target = format!("docker://{copied}");
        let from = format!("docker-archive:{}", archive.display());
        let all = [&["copy", "-q", "--dest-tls-verify=false"][..], words, &[&from, &target]].concat();
        ask(&mut skopeo(&all));
        let (config, manifest) = raw_of(&copied);
        assert_eq!(manifest.contains("zstd"), tag == "zstd", "{manifest}");
        assert_eq!(manifest.contains("vnd.oci."), tag != "v2s2", "{manifest}");
        let (other, pulled) = pulls(&copied);
        assert_eq!(pulled, config, "{tag}");
        assert_eq!(known_as(&other, &copied), checker::digest(manifest.as_bytes()));
        assert_eq!(other.image(&copied).tree, project.image(&name).tree, "{tag}");
        assert_eq!(other.onggi(["run", "--rm", &copied]).run().success().stdout, SAYS, "{tag}");
        // What was pulled keeps its digest wherever it is pushed.
        let again = format!("{}/again/{tag}:v1", empty.host());
        other.ask(&["tag", &copied, &again]);
        other.ask(&["push", "-q", &again]);
        assert_eq!(raw_of(&again), (config, manifest), "{tag}");
        assert_eq!(known_as(&other, &again), known_as(&other, &copied));
    }
}

#[test]
#[ignore = "requires root, podman"]
fn c010_c020_podman_requires_root() {
    let Some(registry) = registry("c010_c020_podman", &RegistryOptions::default()) else { return };
    let (project, name) = pushed(&registry);
    let home = project.sandbox.path().join("podman");
    let podman = || peers::podman(&home).unwrap();
    ask(podman().args(["pull", "-q", "--tls-verify=false", &name]));
    let theirs = ask(podman().args(["image", "inspect", "-f", "{{.Id}} {{.Digest}}", &name]));
    let ours = format!("{} {}", id(&project, &name).trim_start_matches("sha256:"), known_as(&project, &name));
    assert_eq!(theirs.trim(), ours);
    let ran = ask(podman().args(["run", "--rm", "--network", "none"]).args(LIMITS).arg(&name));
    assert_eq!(ran, SAYS);
    for (tag, words) in [
        ("v2s2", &["--format", "v2s2"][..]),
        ("oci", &["--format", "oci"]),
        ("zstd", &["--format", "oci", "--compression-format", "zstd"]),
    ] {
        // One that has no blob: what is there would be used as it is.
        let Some(empty) = self::registry("c010_c020_podman", &RegistryOptions::default()) else { return };
        let target = format!("{}/podman/app:{tag}", empty.host());
        let file = project.sandbox.path().join(format!("digest-{tag}"));
        let mut push = podman();
        push.args(["push", "-q", "--tls-verify=false", "--digestfile"]).arg(&file).args(words).args([&name, &target]);
        ask(&mut push);
        let source = format!("docker://{target}");
        let config = ask(&mut skopeo(&["inspect", "--tls-verify=false", "--raw", "--config", &source]));
        let manifest = ask(&mut skopeo(&["inspect", "--tls-verify=false", "--raw", &source]));
        assert_eq!(manifest.contains("tar+zstd"), tag == "zstd", "{manifest}");
        let (other, pulled) = pulls(&target);
        assert_eq!(pulled, checker::digest(config.as_bytes()), "{tag}");
        assert_eq!(known_as(&other, &target), std::fs::read_to_string(file).unwrap().trim(), "{tag}");
        assert_eq!(other.image(&target).tree, project.image(&name).tree, "{tag}");
    }
    peers::release_storage(&home);
}

/// Lines in one order, without those that docker leaves out when much happens at once.
fn lines(text: &str, host: &str) -> Vec<String> {
    let is_sure = |line: &&str| {
        ![": Waiting", ": Verifying Checksum", ": Download complete"].iter().any(|end| line.ends_with(end))
    };
    let mut lines: Vec<String> = text.lines().filter(is_sure).map(|line| line.replace(host, "HOST")).collect();
    lines.sort();
    lines
}

fn docker(daemon: &Dockerd, words: &[&str]) -> Command {
    let mut command = daemon.docker();
    command.args(words);
    command
}

#[test]
#[ignore = "requires root, docker"]
fn s020_s024_c010_docker_pulls_the_same_requires_root() {
    let Some(registry) = registry("s020_s024_c010_docker", &RegistryOptions::default()) else { return };
    let (project, name) = pushed(&registry);
    let daemon = Dockerd::start(&project.sandbox.path().join("docker")).unwrap().unwrap();
    let docker = |words: &[&str]| docker(&daemon, words);
    let host = registry.host();
    // Both pull what we have pushed into an empty store, and say the same.
    let theirs = ask(&mut docker(&["pull", &name]));
    let other = Project::without_base();
    let ours = other.ask(&["pull", &name]);
    assert_eq!(lines(&ours, &host), lines(&theirs, &host));
    assert_eq!(ours.lines().last(), theirs.lines().last());
    let theirs = ask(&mut docker(&["image", "inspect", "-f", "{{.Id}} {{json .RepoDigests}}", &name]));
    assert_eq!(other.ask(&["image", "inspect", "-f", "{{.Id}} {{json .RepoDigests}}", &name]), theirs);
    assert!(theirs.starts_with(&id(&project, &name)));
    assert_eq!(ask(&mut docker(&["run", "--rm", "--network", "none", &name])), SAYS);
    assert_eq!(other.ask(&["run", "--rm", &name]), SAYS);
    // Again, by digest, of all tags, quietly, and what is not there.
    let by_digest = format!("{}@{}", name.trim_end_matches(":v1"), known_as(&project, &name));
    let repository = name.trim_end_matches(":v1");
    project.ask(&["tag", &name, &format!("{repository}:v2")]);
    project.ask(&["push", "-q", &format!("{repository}:v2")]);
    for words in [
        &["pull", &name][..],
        &["pull", "-q", &name],
        &["pull", &by_digest],
        &["pull", "-a", repository],
        &["pull", repository],
        &["pull", &format!("{repository}:nothing")],
        &["pull", "-a", &name],
    ] {
        let theirs = docker(words).output().unwrap();
        let ours = other.onggi(words).run();
        let (their_lines, our_lines) = (String::from_utf8_lossy(&theirs.stdout), &ours.stdout);
        let said = String::from_utf8_lossy(&theirs.stderr);
        assert_eq!(ours.code == 0, theirs.status.success(), "{words:?}: {}\n{said}", ours.stderr);
        assert_eq!(our_lines.lines().collect::<Vec<_>>(), their_lines.lines().collect::<Vec<_>>(), "{words:?}");
    }
}

#[test]
#[ignore = "requires root, docker"]
fn s264_c020_docker_pushes_the_same_requires_root() {
    let Some(registry) = registry("s264_c020_docker", &RegistryOptions::default()) else { return };
    let (project, name) = pushed(&registry);
    let daemon = Dockerd::start(&project.sandbox.path().join("docker")).unwrap().unwrap();
    let docker = |words: &[&str]| docker(&daemon, words);
    let host = registry.host();
    ask(&mut docker(&["pull", "-q", &name]));
    // What docker has built on top is pushed by docker and pulled by us, with the same ID and digest.
    let file = project.sandbox.write("derived/Dockerfile", format!("FROM {name}\nRUN echo more > more\nUSER 1000\n"));
    let derived = format!("{host}/docker/derived:v1");
    let folder = file.parent().unwrap().to_str().unwrap();
    let mut build = docker(&["build", "-q", "--network", "none", "-t", &derived, folder]);
    build.env("DOCKER_BUILDKIT", "1");
    let built = ask(&mut build);
    let said = ask(&mut docker(&["push", &derived]));
    let (third, pulled) = pulls(&derived);
    assert_eq!(pulled, built.trim());
    let last = said.lines().last().unwrap();
    assert!(last.starts_with(&format!("v1: digest: {} size: ", known_as(&third, &derived))), "{last}");
    assert_eq!(third.ask(&["run", "--rm", &derived, "cat", "more"]), "more\n");
    // Pushed elsewhere by us, and by docker: the same digest and size, the same lines.
    let says = |ours: bool, project: &Project, target: &str| {
        if ours {
            project.ask(&["tag", &derived, target]);
            return project.ask(&["push", target]);
        }
        ask(&mut docker(&["tag", &derived, target]));
        ask(&mut docker(&["push", target]))
    };
    let target = format!("{host}/elsewhere/derived:v1");
    let first = says(true, &third, &target);
    assert_eq!(first.lines().last(), said.lines().last());
    let theirs = says(false, &third, &target);
    let again = says(true, &third, &target);
    assert_eq!(lines(&again, &host), lines(&theirs, &host), "all of it exists already");
    // A registry that has nothing of it: each layer is prepared and pushed, or waits before that.
    let Some(empty) = self::registry("s264_docker", &RegistryOptions::default()) else { return };
    let to_empty = |repository: &str| format!("{}/{repository}:v1", empty.host());
    let theirs = says(false, &third, &to_empty("one"));
    let Some(empty) = self::registry("s264_docker", &RegistryOptions::default()) else { return };
    let to_empty = |repository: &str| format!("{}/{repository}:v1", empty.host());
    let ours = says(true, &third, &to_empty("one"));
    let kept = |text: &str| -> Vec<String> {
        let all = text.lines().filter(|line| line.ends_with(": Preparing") || line.ends_with(": Pushed"));
        let mut all: Vec<String> = all.map(str::to_owned).collect();
        all.sort();
        all
    };
    assert_eq!(kept(&ours), kept(&theirs));
    // Docker compresses anew, so that its digest is another one each time; ours stays what it was when we pulled it.
    assert_eq!(ours.lines().last(), said.lines().last());
}

/// Notes 2 and 4: a token from standard input, a name with the registry's host and port, there and back.
#[test]
#[ignore = "requires root"]
fn s005_s006_s029_s260_to_s265_the_scene_of_the_private_registry_requires_root() {
    let users = vec![("AWS".to_owned(), "a-token".to_owned())];
    let options = RegistryOptions { users, ..RegistryOptions::default() };
    let Some(registry) = registry("s260_to_s265", &options) else { return };
    let (project, host) = (Project::new(), registry.host());
    project.ask(&["tag", "busybox", "nginx:latest"]);
    let name = format!("{host}/mzdtest:latest");
    assert_eq!(project.ask(&["tag", "nginx:latest", &name]), "");
    let rows = project.ask(&["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]);
    let ids: Vec<&str> = rows.lines().map(|row| row.split_once(' ').unwrap().1).collect();
    assert!(rows.contains(&format!("{name} ")) && ids.windows(2).all(|pair| pair[0] == pair[1]), "{rows}");

    let denied = project.onggi(["push", &name]).run().exits(1);
    let hint = format!("hint: log in with `onggi login {host}`\n");
    assert!(
        denied.stderr.contains("denied: requested access to") && denied.stderr.ends_with(&hint),
        "{}",
        denied.stderr
    );
    let login = |project: &Project| {
        let words = ["login", "--username", "AWS", "--password-stdin", &host];
        project.onggi(words).stdin("a-token\n").run().success()
    };
    assert_eq!(login(&project).stdout, "Login Succeeded\n");
    let pushed = project.ask(&["push", &name]);
    let lines: Vec<&str> = pushed.lines().collect();
    assert_eq!(lines[0], format!("The push refers to repository [{host}/mzdtest]"));
    assert!(lines.iter().any(|line| line.ends_with(": Pushed")));
    assert!(lines.last().unwrap().starts_with("latest: digest: sha256:"), "{pushed}");
    // The hub's form: a user's name and the image's, with the host before it.
    let named = format!("{host}/voyagerwoo/simple-express:alpine");
    project.ask(&["tag", "nginx:latest", &named]);
    assert!(project.ask(&["push", &named]).lines().last().unwrap().starts_with("alpine: digest: sha256:"));

    let other = Project::without_base();
    let denied = other.onggi(["pull", &name]).run().exits(1);
    assert!(denied.stderr.contains("pull access denied for") && denied.stderr.ends_with(&hint), "{}", denied.stderr);
    login(&other);
    let pulled = other.ask(&["pull", &name]);
    assert!(pulled.contains(&format!("Status: Downloaded newer image for {name}\n")), "{pulled}");
    assert_eq!(id(&other, &name), id(&project, &name));
    assert_eq!(other.ask(&["run", "--rm", &named, "echo", "hello"]), "hello\n");
    other.ask(&["logout", &host]);
    other.ask(&["rmi", "-f", &name]);
    other.onggi(["pull", &name]).run().exits(1);
}
