//! `pull` against Debian's `docker-registry` (S020 to S029, C010, C011, N041).

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use testkit::{Fault, FaultProxy, Output, Registry, RegistryOptions};

use crate::build_project::Project;

/// A registry, or a line that says what is missing.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
pub(crate) fn registry(test: &str, options: &RegistryOptions) -> Option<Registry> {
    let registry = Registry::start_with(options);
    if registry.is_none() {
        eprintln!("skipped: requires docker-registry, htpasswd and openssl: {test}");
    }
    registry
}

/// Bytes that no compression makes smaller, the same for the same seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A project that has pushed an image of layers of these sizes as `HOST/team/app:latest` and `:v1`.
pub(crate) fn published(registry: &Registry, sizes: &[usize]) -> Project {
    let project = Project::without_base();
    let mut text = "FROM scratch\n".to_owned();
    for (number, size) in sizes.iter().enumerate() {
        project.file(&format!("file{number}"), noise(number as u64 + 1, *size));
        text.push_str(&format!("COPY file{number} /\n"));
    }
    project.dockerfile(&text);
    let name = format!("{}/team/app", registry.host());
    project.build(&["-t", &name, "-t", &format!("{name}:v1")]).run().success();
    project.ask(&["push", "-q", "-a", &name]);
    project
}

/// Short digests of the layers' blobs, bottom first, as the registry has them.
pub(crate) fn layers(project: &Project, name: &str) -> Vec<String> {
    blobs(project, name).into_iter().map(|(digest, _)| digest[7..19].to_owned()).collect()
}

/// Digests and sizes of the layers' blobs, bottom first, from the manifest that is kept.
pub(crate) fn blobs(project: &Project, name: &str) -> Vec<(String, u64)> {
    let known = digest(project, name);
    let path = project.sandbox.root().join("blobs").join(known.trim_start_matches("sha256:"));
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let layer =
        |layer: &serde_json::Value| (layer["digest"].as_str().unwrap().to_owned(), layer["size"].as_u64().unwrap());
    manifest["layers"].as_array().unwrap().iter().map(layer).collect()
}

/// The digest that `RepoDigests` has for a repository.
pub(crate) fn digest(project: &Project, name: &str) -> String {
    let inspected = project.inspect(name);
    let all = inspected["RepoDigests"].as_array().unwrap();
    let (found, _) = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((name, ""));
    let text = all.iter().find_map(|text| text.as_str()?.strip_prefix(found)?.strip_prefix('@'));
    text.unwrap().to_owned()
}

/// Pushes an image of `/which`, which has the name of the processor, for two platforms.
#[expect(clippy::print_stderr, reason = "whoever runs the tests is told what was skipped")]
fn published_for_two(test: &str, name: &str) -> bool {
    let publisher = Project::with("FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n");
    publisher.file("amd64/which", "amd64").file("arm64/which", "arm64");
    let flags = ["--platform", "linux/amd64,linux/arm64", "-o", "type=oci,dest=app.tar"];
    publisher.build(&flags).run().success();
    if std::process::Command::new("skopeo").arg("--version").stdout(std::process::Stdio::null()).status().is_err() {
        eprintln!("skipped: requires skopeo: {test}");
        return false;
    }
    let words = ["--insecure-policy", "copy", "--all", "--dest-tls-verify=false"];
    let places = ["oci-archive:app.tar".to_owned(), format!("docker://{name}")];
    publisher.sandbox.command("skopeo").arguments(words).arguments(places).run().success();
    true
}

#[test]
fn s030_d024_b013_a_build_pulls_for_the_platform_that_is_asked_for() {
    let test = "s030_d024_b013_a_build_pulls_for_the_platform_that_is_asked_for";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let name = format!("{}/team/app:v1", registry.host());
    if !published_for_two(test, &name) {
        return;
    }
    let project = Project::without_base();
    let here = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let there = if here == "amd64" { "arm64" } else { "amd64" };
    let is_called =
        |which: &str, path: &str| project.image("app").tree[path].kind == crate::build_project::file_digest(which);
    // By FROM: the stage for another platform and the one for this machine, of the same name.
    project.dockerfile(&format!(
        "FROM --platform=linux/{there} {name} AS other\nFROM {name}\nCOPY --from=other /which /other\n"
    ));
    for _ in 0..2 {
        project.build_app();
        assert!(is_called(here, "which") && is_called(there, "other"));
    }
    // By the build's flag; what is in the store is the image of this machine.
    project.ask(&["pull", "-q", &name]);
    project.dockerfile(&format!("FROM {name}\nCOPY --from={name} /which /copy\n"));
    project.build(&["--platform", &format!("linux/{there}"), "-t", "app"]).run().success();
    assert!(is_called(there, "which") && is_called(there, "copy"));
    assert_eq!(project.inspect("app")["Architecture"], there);
    // Several at once: each with its own base.
    let both = ["--platform", "linux/amd64,linux/arm64", "--progress", "plain", "-o", "type=oci,dest=both.tar"];
    let built = project.build(&both).run().success();
    for platform in ["linux/amd64", "linux/arm64"] {
        let shown = format!("[{platform} internal] load metadata for {name}\n");
        assert!(built.stderr.contains(&shown), "{}", built.stderr);
    }
    for platform in ["linux/amd64", "linux/arm64"] {
        let target = Project::without_base();
        std::fs::copy(project.sandbox.work().join("both.tar"), target.sandbox.work().join("both.tar")).unwrap();
        target.ask(&["load", "-q", "--platform", platform, "-i", "both.tar"]);
        let loaded = testkit::checker::store_images(&target.sandbox.root()).unwrap();
        let which = platform.trim_start_matches("linux/");
        assert_eq!(loaded[0].tree["which"].kind, crate::build_project::file_digest(which), "{platform}");
    }
    // What was made here serves every platform, and nobody is asked.
    project.ask(&["tag", "app", "made"]);
    project.dockerfile("FROM made\n");
    project.build(&["--platform", "linux/arm64", "-t", "app"]).run().success();
}

#[test]
#[ignore = "requires root"]
fn s030_d102_a_mount_pulls_its_image_requires_root() {
    let Some(registry) = registry("s030_d102_a_mount_pulls_its_image", &RegistryOptions::default()) else { return };
    let publisher = published(&registry, &[1000]);
    let name = format!("{}/team/app", registry.host());
    let project = Project::with(&format!(
        "FROM busybox\nRUN --mount=type=bind,from={name}:v1,target=/mounted cp /mounted/file0 /copied\n"
    ));
    let built = project.build(&["--progress", "plain", "-t", "app"]).run().success();
    for (layer, _) in blobs(&publisher, &name) {
        assert!(built.stderr.contains(&format!("extracting {layer} done")), "{}", built.stderr);
    }
    assert_eq!(project.image("app").tree["copied"].kind, project.image(&format!("{name}:v1")).tree["file0"].kind);
}

/// Lines in which layers finish at the same time, in one order.
fn sorted(output: &Output) -> Vec<String> {
    let mut lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn s020_s021_s022_s024_s025_s026_what_a_pull_says() {
    let Some(registry) = registry("s020_s021_s022_s024_s025_s026_what_a_pull_says", &RegistryOptions::default()) else {
        return;
    };
    let publisher = published(&registry, &[50_000, 300_000]);
    let name = format!("{}/team/app", registry.host());
    let (one, two) = {
        let all = layers(&publisher, &name);
        (all[0].clone(), all[1].clone())
    };
    let digest = digest(&publisher, &name);
    let project = Project::without_base();
    let pulled = project.onggi(["image", "pull", &name]).run().success();
    let lines: Vec<&str> = pulled.stdout.lines().collect();
    assert_eq!(lines[..2], ["Using default tag: latest", "latest: Pulling from team/app"]);
    assert_eq!(lines[2..4], [format!("{one}: Pulling fs layer"), format!("{two}: Pulling fs layer")]);
    let complete: Vec<&&str> = lines.iter().filter(|line| line.ends_with(": Pull complete")).collect();
    assert_eq!(complete, [&format!("{one}: Pull complete"), &format!("{two}: Pull complete")], "in manifest order");
    for word in ["Verifying Checksum", "Download complete"] {
        assert!(lines.contains(&format!("{one}: {word}").as_str()), "{lines:?}");
    }
    let end = [
        format!("Digest: {digest}"),
        format!("Status: Downloaded newer image for {name}:latest"),
        format!("{name}:latest"),
    ];
    assert_eq!(lines[lines.len() - 3..], end);
    assert_eq!((pulled.stderr.as_str(), lines.len()), ("", 13));
    assert_eq!(project.inspect(&name)["Id"], publisher.inspect(&name)["Id"]);
    assert_eq!(project.image(&name).tree, publisher.image(&name).tree);

    let again = project.onggi(["pull", &name]).run().success();
    let expected = format!(
        "Using default tag: latest\nlatest: Pulling from team/app\nDigest: {digest}\nStatus: Image is up to date for \
         {name}:latest\n{name}:latest\n"
    );
    assert_eq!(again.stdout, expected);
    // Another tag of what is there has no lines of layers.
    let other = project.onggi(["pull", &format!("{name}:v1")]).run().success();
    let expected = format!(
        "v1: Pulling from team/app\nDigest: {digest}\nStatus: Downloaded newer image for {name}:v1\n{name}:v1\n"
    );
    assert_eq!(other.stdout, expected);
    assert_eq!(project.ask(&["pull", "-q", &name]), format!("{name}:latest\n"));
}

#[test]
fn s027_n040_layers_that_are_there_are_not_fetched() {
    let Some(registry) = registry("s027_n040_layers_that_are_there_are_not_fetched", &RegistryOptions::default())
    else {
        return;
    };
    let publisher = published(&registry, &[200_000]);
    let name = format!("{}/team/app", registry.host());
    let project = Project::without_base();
    project.ask(&["pull", &name]);
    publisher.file("more", "more").dockerfile(&format!("FROM {name}\nCOPY more /\n"));
    let next = format!("{name}:next");
    publisher.build(&["-t", &next]).run().success();
    publisher.ask(&["push", &next]);
    let proxy = FaultProxy::before(registry.port(), |_| Fault::None);
    let near = format!("127.0.0.1:{}/team/app:next", proxy.port());
    let pulled = project.onggi(["pull", &near]).run().success();
    let below = &layers(&publisher, &next)[0];
    assert!(pulled.stdout.contains(&format!("\n{below}: Already exists\n")), "{}", pulled.stdout);
    assert!(proxy.sent() < 10_000, "{} bytes", proxy.sent());
}

#[test]
fn s025_an_unchanged_pull_is_one_request() {
    let Some(registry) = registry("s025_an_unchanged_pull_is_one_request", &RegistryOptions::default()) else { return };
    published(&registry, &[1000]);
    let proxy = FaultProxy::before(registry.port(), |_| Fault::None);
    let name = format!("127.0.0.1:{}/team/app", proxy.port());
    let project = Project::without_base();
    project.ask(&["pull", &name]);
    drop(proxy.requests());
    project.ask(&["pull", &name]);
    let asked: Vec<String> =
        proxy.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let wanted = asked.iter().filter(|line| line.contains("/v2/team")).collect::<Vec<_>>();
    assert_eq!(wanted, ["HEAD /v2/team/app/manifests/latest"], "{asked:?}");
}

#[test]
fn c010_c011_by_digest_all_tags_and_what_is_not_there() {
    let Some(registry) = registry("c010_c011_by_digest_all_tags_and_what_is_not_there", &RegistryOptions::default())
    else {
        return;
    };
    let publisher = published(&registry, &[1000]);
    let name = format!("{}/team/app", registry.host());
    let digest = digest(&publisher, &name);
    let project = Project::without_base();
    let pulled = project.onggi(["pull", &format!("{name}:v1@{digest}")]).run().success();
    let lines: Vec<&str> = pulled.stdout.lines().collect();
    assert_eq!(lines[0], format!("{name}@{digest}: Pulling from team/app"));
    let status = format!("Status: Downloaded newer image for {name}@{digest}");
    assert_eq!(lines[lines.len() - 2..], [status, format!("{name}:v1@{digest}")]);
    let rows = project.ask(&["images", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"]);
    assert_eq!(rows, format!("{name} <none> {digest}\n"));

    let all = project.onggi(["pull", "--all-tags", &name]).run().success();
    let expected = format!(
        "latest: Pulling from team/app\nDigest: {digest}\nv1: Pulling from team/app\nDigest: {digest}\nStatus: \
         Downloaded newer image for {name}\n{name}\n"
    );
    assert_eq!(all.stdout, expected);
    let rows = project.ask(&["images", "--format", "{{.Tag}} {{.Digest}}"]);
    assert_eq!(rows, format!("latest {digest}\nv1 {digest}\n"));
    // Names by digest go with the last tag (S288).
    assert_eq!(project.ask(&["rmi", &format!("{name}:v1")]), format!("Untagged: {name}:v1\n"));
    let removed = project.ask(&["rmi", &name]);
    assert!(
        removed.starts_with(&format!("Untagged: {name}:latest\nUntagged: {name}@{digest}\nDeleted: ")),
        "{removed}"
    );

    let missing = project.onggi(["pull", &format!("{name}:nope")]).run().exits(1);
    assert!(missing.stderr.starts_with(&format!("error: manifest for {name}:nope not found: manifest unknown\n")));
    let both = project.onggi(["pull", "-a", &format!("{name}:v1")]).run().exits(1);
    assert!(both.stderr.contains("tag can't be used with --all-tags/-a"));
    let odd = project.onggi(["pull", "--platform", "linux/s390x", &name]).run().success();
    assert!(odd.stderr.contains("is not for the platform that was asked for"), "{}", odd.stderr);
}

#[test]
fn s029_with_stored_credentials_and_s265_without() {
    let users = vec![("someone".to_owned(), "secret".to_owned())];
    let options = RegistryOptions { users, ..RegistryOptions::default() };
    let Some(registry) = registry("s029_with_stored_credentials_and_s265_without", &options) else { return };
    let project = Project::without_base();
    project.dockerfile("FROM scratch\nCOPY Dockerfile /\n");
    let name = format!("{}/team/app", registry.host());
    project.build(&["-t", &name]).run().success();
    let denied = project.onggi(["push", &name]).run().exits(1);
    assert!(denied.stderr.contains("denied") && denied.stderr.contains(&format!("`onggi login {}`", registry.host())));
    let denied = project.onggi(["pull", &format!("{name}:other")]).run().exits(1);
    assert!(denied.stderr.contains("denied") && denied.stderr.contains(&format!("`onggi login {}`", registry.host())));
    let config = project.sandbox.home().join(".docker");
    std::fs::create_dir_all(&config).unwrap();
    // someone:secret
    let auths = format!(r#"{{"auths":{{"{}":{{"auth":"c29tZW9uZTpzZWNyZXQ="}}}}}}"#, registry.host());
    std::fs::write(config.join("config.json"), auths).unwrap();
    project.ask(&["push", &name]);
    project.ask(&["rmi", &name]);
    project.ask(&["pull", &name]);
}

/// A network that cuts each answer: the pull comes to its end with hardly a byte more than there are.
#[test]
fn c011_n041_a_network_that_cuts() {
    let Some(registry) = registry("c011_n041_a_network_that_cuts", &RegistryOptions::default()) else { return };
    let publisher = published(&registry, &[600_000, 500_000]);
    let name = format!("{}/team/app", registry.host());
    let total: u64 = blobs(&publisher, &name).iter().map(|(_, size)| size).sum();
    let proxy = FaultProxy::before(registry.port(), |request| match request.path.contains("/blobs/") {
        true => Fault::CutAnswer(250_000),
        false => Fault::None,
    });
    let project = Project::without_base();
    let near = format!("127.0.0.1:{}/team/app", proxy.port());
    project.ask(&["pull", &near]);
    assert_eq!(project.inspect(&near)["Id"], publisher.inspect(&name)["Id"]);
    assert!(proxy.sent() <= total + total / 20, "{} bytes for {total}", proxy.sent());
}

#[test]
fn n041_a_killed_pull_goes_on_where_it_was() {
    let Some(registry) = registry("n041_a_killed_pull_goes_on_where_it_was", &RegistryOptions::default()) else {
        return;
    };
    let publisher = published(&registry, &[100_000, 2_000_000]);
    let name = format!("{}/team/app", registry.host());
    let blobs = blobs(&publisher, &name);
    let (large, size) = blobs[1].clone();
    let stalls = AtomicU64::new(1);
    let path = format!("/blobs/{large}");
    let proxy = FaultProxy::before(registry.port(), move |request| {
        match request.path.ends_with(&path) && stalls.swap(0, Ordering::Relaxed) == 1 {
            true => Fault::Stall(1_500_000),
            false => Fault::None,
        }
    });
    let project = Project::without_base();
    let near = format!("127.0.0.1:{}/team/app", proxy.port());
    // With the folder in its words, so that it ends with the sandbox if this test fails.
    let root = project.sandbox.root().display().to_string();
    let mut running = project.onggi(["--root", &root, "pull", &near]).spawn();
    let partial = project.sandbox.root().join("partial").join(large.trim_start_matches("sha256:"));
    let finished = project.sandbox.root().join("blobs").join(blobs[0].0.trim_start_matches("sha256:"));
    let is_there = |path: &Path, least: u64| path.metadata().is_ok_and(|found| found.len() >= least);
    wait_until(|| is_there(&partial, 1_500_000) && is_there(&finished, 1));
    running.kill().unwrap();
    running.wait().unwrap();
    project.sandbox.check();
    assert!(project.ask(&["images", "-q"]).is_empty());
    let before = proxy.sent();
    let pulled = project.onggi(["pull", &near]).run().success();
    let more = proxy.sent() - before;
    assert!(more < size - 1_500_000 + 20_000, "{more} bytes more, of {size}");
    assert!(!pulled.stdout.contains("Already exists") || pulled.stdout.contains(&blobs[0].0[7..19]));
    assert_eq!(project.inspect(&near)["Id"], publisher.inspect(&name)["Id"]);
}

/// Waits for what another process does.
#[track_caller]
fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "it does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn s023_two_pulls_at_once_fetch_each_layer_once() {
    let Some(registry) = registry("s023_two_pulls_at_once_fetch_each_layer_once", &RegistryOptions::default()) else {
        return;
    };
    let publisher = published(&registry, &[300_000; 5]);
    let name = format!("{}/team/app", registry.host());
    let proxy = FaultProxy::before(registry.port(), |_| Fault::None);
    let near = format!("127.0.0.1:{}/team/app", proxy.port());
    let project = Project::without_base();
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..3).map(|_| scope.spawn(|| project.onggi(["pull", &near]).run().success())).collect();
        pulls.into_iter().for_each(|pull| drop(pull.join().unwrap()));
    });
    let fetched = proxy.requests();
    for (digest, _) in blobs(&publisher, &name) {
        let count = fetched.iter().filter(|request| request.method == "GET" && request.path.ends_with(&digest)).count();
        assert_eq!(count, 1, "{digest}");
    }
}

#[test]
#[ignore = "requires root"]
fn s028_an_image_that_is_missing_is_pulled_and_run_requires_root() {
    let Some(registry) = registry("s028_an_image_that_is_missing_is_pulled_and_run", &RegistryOptions::default())
    else {
        return;
    };
    let publisher = Project::new();
    let name = format!("{}/tools/busybox", registry.host());
    publisher.ask(&["tag", "busybox", &name]);
    publisher.ask(&["push", &name]);
    let project = Project::without_base();
    let ran = project.onggi(["run", "--rm", &name, "echo", "hello"]).run().success();
    assert_eq!(ran.stdout, "hello\n");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let begin =
        [format!("Unable to find image '{name}:latest' locally"), "latest: Pulling from tools/busybox".to_owned()];
    assert_eq!(lines[..2], begin);
    assert_eq!(*lines.last().unwrap(), format!("Status: Downloaded newer image for {name}:latest"));
    let again = project.onggi(["run", "--rm", &name, "true"]).run().success();
    assert_eq!(again.stderr, "");
    let always = project.onggi(["run", "--rm", "--pull", "always", &name, "true"]).run().success();
    assert!(always.stderr.ends_with(&format!("Status: Image is up to date for {name}:latest\n")), "{}", always.stderr);
    let quiet = Project::without_base();
    let created = quiet.onggi(["create", "-q", &name, "true"]).run().success();
    assert_eq!(created.stderr, "");
    quiet.ask(&["rm", created.stdout.trim()]);
    let none = quiet.onggi(["run", "--rm", &format!("{name}:nope"), "true"]).run().exits(125);
    assert!(none.stderr.contains(&format!("manifest for {name}:nope not found")), "{}", none.stderr);
}

#[test]
fn lines_of_layers_come_in_any_order_and_all_of_them() {
    let Some(registry) = registry("lines_of_layers_come_in_any_order_and_all_of_them", &RegistryOptions::default())
    else {
        return;
    };
    let publisher = published(&registry, &[10_000; 5]);
    let name = format!("{}/team/app", registry.host());
    let pulled = Project::without_base().onggi(["pull", &format!("{name}:v1")]).run().success();
    let mut expected = vec![format!("Digest: {}", digest(&publisher, &name)), "v1: Pulling from team/app".to_owned()];
    expected.push(format!("Status: Downloaded newer image for {name}:v1"));
    expected.push(format!("{name}:v1"));
    for (number, layer) in layers(&publisher, &name).iter().enumerate() {
        let words = ["Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"];
        expected.extend(words.map(|word| format!("{layer}: {word}")));
        // Three at a time, as with Docker.
        expected.extend((number >= 3).then(|| format!("{layer}: Waiting")));
    }
    expected.sort();
    assert_eq!(sorted(&pulled), expected);
}

#[test]
fn s030_s208_a_build_pulls_its_base_and_shows_it() {
    let Some(registry) = registry("s030_s208_a_build_pulls_its_base_and_shows_it", &RegistryOptions::default()) else {
        return;
    };
    let publisher = published(&registry, &[100_000, 2000]);
    let name = format!("{}/team/app", registry.host());
    let digest = digest(&publisher, &name);
    let project = Project::without_base();
    project.dockerfile(&format!("FROM {name}:v1\nCOPY --from={name} /file1 /copy\n"));
    let built = project.build(&["--progress", "plain", "-t", "built"]).run().success();
    assert!(built.stderr.contains(&format!("[internal] load metadata for {name}:v1\n")), "{}", built.stderr);
    for (layer, _) in blobs(&publisher, &name) {
        assert_eq!(built.stderr.matches(&format!("extracting {layer} done")).count(), 1, "{}", built.stderr);
    }
    assert!(
        built.stderr.contains(&format!("[stage-0 1/2] FROM {name}:v1@{digest}"))
            || built.stderr.contains(&format!("[1/2] FROM {name}:v1@{digest}")),
        "{}",
        built.stderr
    );
    // The base is listed (X5).
    assert!(project.ask(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).contains(&format!("{name}:v1\n")));
    // With all of it there, nobody is asked; `--pull` asks for the newest.
    publisher.file("file0", "newer").build(&["-t", &format!("{name}:v1")]).run().success();
    publisher.ask(&["push", &format!("{name}:v1")]);
    let again = project.build(&["--progress", "plain", "-t", "built"]).run().success();
    assert!(again.stderr.contains(&format!("FROM {name}:v1@{digest}")), "{}", again.stderr);
    let newer = project.build(&["--progress", "plain", "--pull", "-t", "built"]).run().success();
    assert!(
        newer.stderr.contains(&format!("FROM {name}:v1@{}", self::digest(&publisher, &format!("{name}:v1")))),
        "{}",
        newer.stderr
    );
    // What is not there is said with its place.
    project.dockerfile(&format!("FROM {name}:nope\n"));
    let missing = project.build(&[]).run().exits(1);
    assert!(
        missing
            .stderr
            .contains(&format!("error: manifest for {name}:nope not found: manifest unknown\n --> Dockerfile:1:6")),
        "{}",
        missing.stderr
    );
}
