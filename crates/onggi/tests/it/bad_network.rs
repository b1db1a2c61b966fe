//! A bad network between the real binary and Debian's registry (C011, C020, N041): what can be done is done with few
//! extra bytes, and otherwise one clear line is said; nothing wrong is listed, and no secret reaches another host.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use testkit::{Fault, FaultProxy, HttpServer, Output, Registry, RegistryOptions, Request, Response};

use crate::build_project::Project;
use crate::pull::{blobs, digest, noise, published, registry};

const MEGA: usize = 1 << 20;

/// Names in a folder of the store.
pub(crate) fn left(project: &Project, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(project.sandbox.root().join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// One error on one line, in plain characters, and at most what it comes from and a hint below it.
#[track_caller]
pub(crate) fn one_clear_line(output: &Output) {
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(output.code == 1 && lines.first().is_some_and(|line| line.starts_with("error: ")), "{}", output.snapshot());
    let is_below = |line: &&&str| line.is_empty() || line.starts_with("caused by: ") || line.starts_with("hint: ");
    assert_eq!(lines[1..].iter().filter(is_below).count(), lines.len() - 1, "{}", output.stderr);
    let (_, message) = lines[0].split_at("error: ".len());
    assert!(!output.stderr.contains(&format!("caused by: {message}")), "{}", output.stderr);
    let is_odd = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!output.stderr.contains(is_odd), "{:?}", output.stderr);
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
}

/// Nothing is listed, and nothing is left but what the next pull goes on with.
#[track_caller]
pub(crate) fn nothing_is_listed(project: &Project) {
    assert_eq!(project.ask(&["images", "-aq"]), "");
    for folder in ["ingest", "leases", "images", "references"] {
        assert_eq!(left(project, folder), [""; 0], "{folder}");
    }
    project.sandbox.check();
}

/// A fault for so many of the requests that are meant, one of them after another.
fn times(
    count: u32,
    fault: Fault,
    is_meant: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> impl Fn(&Request) -> Fault + Send + Sync + 'static {
    let left = AtomicU32::new(count);
    move |request| {
        let is_due = is_meant(request)
            && left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if is_due { fault.clone() } else { Fault::None }
    }
}

type IsMeant = fn(&Request) -> bool;
type Meant = dyn Fn(&Request) -> bool + Send + Sync;

fn is_blob(request: &Request) -> bool {
    request.method == "GET" && request.path.contains("/blobs/sha256:")
}

fn is_manifest(request: &Request) -> bool {
    request.path.contains("/manifests/")
}

fn near(proxy: &FaultProxy) -> String {
    format!("127.0.0.1:{}/team/app", proxy.port())
}

/// A registry with `team/app`, and who has pushed it there.
fn filled(test: &str, sizes: &[usize]) -> Option<(Registry, Project, String)> {
    let registry = registry(test, &RegistryOptions::default())?;
    let publisher = published(&registry, sizes);
    let name = format!("{}/team/app", registry.host());
    Some((registry, publisher, name))
}

fn total(project: &Project, name: &str) -> u64 {
    blobs(project, name).iter().map(|(_, size)| size).sum()
}

#[test]
fn n041_c011_a_large_pull_is_cut_every_few_megabytes() {
    let test = "n041_c011_a_large_pull_is_cut_every_few_megabytes";
    let Some((registry, publisher, name)) = filled(test, &[14 * MEGA, 9 * MEGA, 1000]) else { return };
    let proxy = FaultProxy::before(registry.port(), |request| match is_blob(request) {
        true => Fault::CutAnswer(3 << 20),
        false => Fault::None,
    });
    let project = Project::without_base();
    project.ask(&["pull", &near(&proxy)]);
    let (sent, total) = (proxy.sent(), total(&publisher, &name));
    assert!(sent <= total + total / 20, "{sent} bytes for {total}");
    assert_eq!(project.inspect(&near(&proxy))["Id"], publisher.inspect(&name)["Id"]);
    assert_eq!(left(&project, "partial"), [""; 0]);
}

#[test]
fn n041_c020_a_large_push_is_cut_every_few_megabytes() {
    let test = "n041_c020_a_large_push_is_cut_every_few_megabytes";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let proxy = FaultProxy::before(registry.port(), |request| match request.method.as_str() {
        "PATCH" => Fault::CutRequest(2 << 20),
        _ => Fault::None,
    });
    let project = Project::without_base();
    // Debian's registry forgets an upload that is cut; one such lesson is within the 5 %.
    project.file("a", noise(1, 45 * MEGA)).dockerfile("FROM scratch\nCOPY a /\n");
    project.build(&["-t", &near(&proxy)]).run().success();
    project.ask(&["push", &near(&proxy)]);
    let (sent, total) = (proxy.received(), total(&project, &near(&proxy)));
    assert!(sent <= total + total / 20, "{sent} bytes for {total}");
    let other = Project::without_base();
    let name = format!("{}/team/app", registry.host());
    other.ask(&["pull", &name]);
    assert_eq!(other.inspect(&name)["Id"], project.inspect(&near(&proxy))["Id"]);
    assert_eq!(digest(&other, &name), digest(&project, &near(&proxy)));
}

/// Layers that are sent side by side: one of them learns what the network does to all.
#[test]
fn n041_c020_many_layers_are_pushed_through_cuts() {
    let test = "n041_c020_many_layers_are_pushed_through_cuts";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let project = Project::without_base();
    let mut text = "FROM scratch\n".to_owned();
    for (number, megabytes) in [14, 9, 20, 8, 17, 16].into_iter().enumerate() {
        project.file(&format!("file{number}"), noise(200 + number as u64, megabytes * MEGA));
        text.push_str(&format!("COPY file{number} /\n"));
    }
    project.dockerfile(&text).build(&["-t", "many"]).run().success();
    for every in [2 << 20, 3 << 20] {
        let proxy = FaultProxy::before(registry.port(), move |request| match request.method.as_str() {
            "PATCH" => Fault::CutRequest(every),
            _ => Fault::None,
        });
        // Another repository each time, so that all layers are sent; none can be mounted by a proxy's name.
        let name = format!("127.0.0.1:{}/team/cut-{every}", proxy.port());
        project.ask(&["tag", "many", &name]);
        project.ask(&["push", "-q", &name]);
        let (sent, total) = (proxy.received(), total(&project, &name));
        assert!(sent <= total + total / 20, "cut every {every}: {sent} bytes for {total}");
        let other = Project::without_base();
        let direct = format!("{}/team/cut-{every}", registry.host());
        other.ask(&["pull", "-q", &direct]);
        assert_eq!(digest(&other, &direct), digest(&project, &name));
    }
}

/// Faults that pass, for documents and for a layer. They wait side by side.
#[test]
fn n041_c011_a_pull_gets_over_what_passes() {
    let test = "n041_c011_a_pull_gets_over_what_passes";
    let Some((registry, publisher, name)) = filled(test, &[700_000, 300_000]) else { return };
    let (id, total) = (publisher.inspect(&name)["Id"].clone(), total(&publisher, &name));
    let large = blobs(&publisher, &name)[0].0.clone();
    let is_large = move |request: &Request| is_blob(request) && request.path.ends_with(&large);
    let (documents, layer): (Arc<Meant>, Arc<Meant>) = (Arc::new(is_manifest), Arc::new(is_large));
    let mut all: Vec<(Arc<Meant>, u32, Fault)> = Vec::new();
    for is_meant in [&documents, &layer] {
        for fault in [
            Fault::Answer(Response::status(429).header("Retry-After", "1")),
            Fault::Answer(Response::status(500)),
            Fault::CutAnswer(0),
        ] {
            all.push((Arc::clone(is_meant), 2, fault));
        }
    }
    all.push((Arc::clone(&layer), 2, Fault::CutAnswer(699_999)));
    all.push((Arc::clone(&layer), 2, Fault::Answer(Response::status(503))));
    // Lies are believed at most once.
    for fault in [
        Fault::Answer(Response::status(416)),
        Fault::Length(700_300),
        Fault::Length(10),
        Fault::Header("content-range", "bytes 5-9/10".to_owned()),
    ] {
        all.push((Arc::clone(&layer), 1, fault));
    }
    std::thread::scope(|scope| {
        for (is_meant, count, fault) in all {
            let (registry, id) = (&registry, &id);
            scope.spawn(move || {
                let is_meant = move |request: &Request| is_meant(request);
                let proxy = FaultProxy::before(registry.port(), times(count, fault.clone(), is_meant));
                let project = Project::without_base();
                let pulled = project.onggi(["pull", &near(&proxy)]).run();
                assert_eq!(pulled.code, 0, "{fault:?}: {}", pulled.stderr);
                assert_eq!(project.inspect(&near(&proxy))["Id"], *id, "{fault:?}");
                // What comes with a length that is not believed is read by nobody, and counted there all the same.
                let unread = if matches!(fault, Fault::Length(_)) { 700_000 } else { 0 };
                let sent = proxy.sent() - unread.min(proxy.sent());
                assert!(sent <= total + total / 20, "{fault:?}: {sent} bytes for {total}");
                assert_eq!(left(&project, "partial"), [""; 0]);
            });
        }
    });
}

/// What is wrong stays wrong: one line, and nothing of it in the store.
#[test]
fn c011_r20_a_pull_from_who_lies_ends_with_one_line() {
    let test = "c011_r20_a_pull_from_who_lies_ends_with_one_line";
    let Some((registry, publisher, name)) = filled(test, &[200_000, 100_000]) else { return };
    let other = format!("sha256:{}", "ab".repeat(32));
    let digest = digest(&publisher, &name);
    let (layer, _) = blobs(&publisher, &name)[1].clone();
    let of_layer = format!("/blobs/{layer}");
    let lies = |fault: Fault, path: String| {
        move |request: &Request| match request.method == "GET" && request.path.ends_with(&path) {
            true => fault.clone(),
            false => Fault::None,
        }
    };
    let by_digest = format!("/manifests/{digest}");
    let cases = [
        ("other bytes", Fault::Corrupt, of_layer.clone(), "team/app", &*layer),
        ("a longer blob", Fault::Length(100_300), of_layer.clone(), "team/app", "100300 bytes"),
        ("no blob", Fault::Answer(Response::status(404)), of_layer.clone(), "team/app", &layer[7..19]),
        ("an empty blob", Fault::Answer(Response::ok("")), of_layer.clone(), "team/app", &layer[7..19]),
        ("another blob", Fault::Answer(Response::ok(vec![7; 100])), of_layer, "team/app", "100 bytes"),
        ("another document", Fault::Corrupt, "/manifests/latest".to_owned(), "team/app", "digest"),
        (
            "a document of another digest",
            Fault::Header("docker-content-digest", other.clone()),
            "/manifests/latest".to_owned(),
            "team/app",
            "abababab",
        ),
        ("another document by digest", Fault::Corrupt, by_digest.clone(), "@", "digest"),
        ("no document", Fault::Answer(Response::ok("<html>")), by_digest, "@", "digest"),
    ];
    std::thread::scope(|scope| {
        for (title, fault, path, what, expected) in cases {
            let (registry, digest) = (&registry, &digest);
            scope.spawn(move || {
                let proxy = FaultProxy::before(registry.port(), lies(fault, path));
                let project = Project::without_base();
                let name = if what == "@" { format!("{}@{digest}", near(&proxy)) } else { near(&proxy) };
                let failed = project.onggi(["pull", "-q", &name]).run();
                one_clear_line(&failed);
                assert!(failed.stderr.contains(expected), "{title}: {}", failed.stderr);
                nothing_is_listed(&project);
                // The layer that was right is kept for the next time, which needs no more than the rest.
                let good = format!("{}/team/app", registry.host());
                project.ask(&["pull", &good]);
                assert_eq!(self::digest(&project, &good), *digest, "{title}");
            });
        }
    });
}

/// Whoever sends nothing more can be left: Ctrl-C ends it at once, and what came is kept.
#[test]
fn n041_a_pull_that_hangs_is_left_with_ctrl_c_and_goes_on() {
    let test = "n041_a_pull_that_hangs_is_left_with_ctrl_c_and_goes_on";
    let Some((registry, publisher, name)) = filled(test, &[1_000_000]) else { return };
    let (blob, size) = blobs(&publisher, &name)[0].clone();
    let path = format!("/blobs/{blob}");
    let stalls = times(1, Fault::Stall(600_000), move |request| request.path.ends_with(&path));
    let proxy = FaultProxy::before(registry.port(), stalls);
    let project = Project::without_base();
    let partial = project.sandbox.root().join("partial").join(&blob[7..]);
    let root = project.sandbox.root().display().to_string();
    let running = project.onggi(["--root", &root, "pull", "-q", &near(&proxy)]);
    let mut child = running.spawn();
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() && length(&partial) < 600_000 {
        assert!(Instant::now() < deadline, "it neither hangs nor ends");
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success());
    assert!(length(&partial) >= 600_000);
    let before = proxy.sent();
    project.ask(&["pull", &near(&proxy)]);
    let more = proxy.sent() - before;
    assert!(more <= size - 600_000 + 5000, "{more} bytes more");
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

/// Faults that pass, each twice, at each step of an upload.
#[test]
fn n041_c020_a_push_gets_over_what_passes() {
    let test = "n041_c020_a_push_gets_over_what_passes";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let passing = [
        Fault::Answer(Response::status(429).header("Retry-After", "1")),
        Fault::Answer(Response::status(500)),
        Fault::CutRequest(0),
        Fault::LoseAnswer,
    ];
    let steps: [(&str, IsMeant); 5] = [
        ("HEAD", |request| request.method == "HEAD"),
        ("POST", |request| request.method == "POST"),
        ("PATCH", |request| request.method == "PATCH"),
        ("PUT of a blob", |request| request.method == "PUT" && !is_manifest(request)),
        ("PUT of the manifest", |request| request.method == "PUT" && is_manifest(request)),
    ];
    std::thread::scope(|scope| {
        for (seed, (step, is_meant)) in steps.into_iter().enumerate() {
            for (number, fault) in passing.clone().into_iter().enumerate() {
                let registry = &registry;
                scope.spawn(move || {
                    let proxy = FaultProxy::before(registry.port(), times(2, fault.clone(), is_meant));
                    let project = Project::without_base();
                    let seed = (seed * 100 + number) as u64;
                    project.file("a", noise(seed + 1, 1_500_000)).dockerfile("FROM scratch\nCOPY a /\n");
                    let path = format!("team/app{seed}");
                    let name = format!("127.0.0.1:{}/{path}", proxy.port());
                    project.build(&["-q", "-t", &name]).run().success();
                    let pushed = project.onggi(["push", &name]).run();
                    assert_eq!(pushed.code, 0, "{step} {fault:?}: {}", pushed.stderr);
                    let (sent, total) = (proxy.received(), total(&project, &name));
                    // Debian's registry forgets an upload whose answer was lost in the middle.
                    let is_forgotten = step == "PATCH" && fault == Fault::LoseAnswer;
                    let most = if is_forgotten { total * 2 + (1 << 20) } else { total + total / 20 };
                    assert!(sent <= most, "{step} {fault:?}: {sent} bytes for {total}");
                    let other = Project::without_base();
                    let there = format!("{}/{path}", registry.host());
                    other.ask(&["pull", "-q", &there]);
                    assert_eq!(digest(&other, &there), digest(&project, &name), "{step} {fault:?}");
                });
            }
        }
    });
}

/// A registry that does not take it: one line, and no digest is remembered for what is not there.
#[test]
fn c020_a_push_that_is_refused_ends_with_one_line() {
    let test = "c020_a_push_that_is_refused_ends_with_one_line";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let refused = |status: u16, code: &str| {
        Response {
            status,
            ..Response::ok(format!(r#"{{"errors":[{{"code":"{code}","message":"no \u001b[2J more"}}]}}"#))
        }
        .header("Content-Type", "application/json")
    };
    let cases = [
        ("POST", Fault::Answer(refused(403, "DENIED")), "denied"),
        ("POST", Fault::Answer(refused(405, "UNSUPPORTED")), "405"),
        ("PATCH", Fault::Answer(refused(413, "SIZE_INVALID")), "413"),
        ("PUT", Fault::Answer(refused(400, "DIGEST_INVALID")), "400"),
        ("POST", Fault::Header("location", "http://127.0.0.1:1/v2/x/blobs/uploads/1".to_owned()), "127.0.0.1:1"),
        ("POST", Fault::Header("location", "file:///etc/passwd".to_owned()), "where an upload goes on"),
    ];
    let project = Project::without_base();
    for (number, (method, fault, expected)) in cases.into_iter().enumerate() {
        project.file("a", noise(number as u64 + 1, 1_500_000)).dockerfile("FROM scratch\nCOPY a /\n");
        project.build(&["-q", "-t", "app"]).run().success();
        let given = fault.clone();
        let proxy = FaultProxy::before(registry.port(), move |request| match request.method == method {
            true => given.clone(),
            false => Fault::None,
        });
        project.ask(&["tag", "app", &near(&proxy)]);
        let failed = project.onggi(["push", "-q", &near(&proxy)]).run();
        one_clear_line(&failed);
        assert!(failed.stderr.contains(expected), "{method} {fault:?}: {}", failed.stderr);
        assert_eq!(project.inspect("app")["RepoDigests"].to_string(), "[]", "{method} {fault:?}");
        for folder in ["ingest", "leases"] {
            assert_eq!(left(&project, folder), [""; 0], "{folder}");
        }
    }
}

/// Whether a request has something of `someone:secret`.
fn has_secret(request: &Request) -> bool {
    let shown = format!("{request:?}");
    request.header("authorization").is_some() || shown.contains("secret") || shown.contains("c29tZW9uZTpzZWNyZXQ")
}

/// Blobs and uploads that are somewhere else: they are reached, and the password stays here.
#[test]
fn r23_no_password_goes_where_a_registry_leads() {
    let users = vec![("someone".to_owned(), "secret".to_owned())];
    let options = RegistryOptions { users, ..RegistryOptions::default() };
    let Some(registry) = registry("r23_no_password_goes_where_a_registry_leads", &options) else { return };
    let project = Project::without_base();
    let log_in = |project: &Project, host: &str| {
        let words = ["login", "-u", "someone", "--password-stdin", host];
        project.onggi(words).stdin("secret").run().success();
    };
    project.file("a", noise(9, 300_000)).dockerfile("FROM scratch\nCOPY a /\n");
    let name = format!("{}/team/app", registry.host());
    project.build(&["-q", "-t", &name]).run().success();
    log_in(&project, &registry.host());
    project.ask(&["push", &name]);

    let kept: Vec<(String, Vec<u8>)> = [("blobs", &*blobs(&project, &name)[0].0)]
        .into_iter()
        .map(|(folder, digest)| {
            let path = project.sandbox.root().join(folder).join(&digest[7..]);
            (digest.to_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    let config = project.inspect(&name)["Id"].as_str().unwrap().to_owned();
    let config_bytes = std::fs::read(project.sandbox.root().join("images").join(&config[7..])).unwrap();
    let kept: Arc<Vec<_>> = Arc::new(kept.into_iter().chain([(config, config_bytes)]).collect());
    let held = Arc::clone(&kept);
    let elsewhere = HttpServer::serving(move |request| {
        let found = held.iter().find(|(digest, _)| request.path.ends_with(digest));
        found.map_or_else(|| Response::status(401), |(_, bytes)| Response::ok(bytes.clone()))
    });
    // Another address and another port are another host.
    for host in ["127.0.0.2", "localhost", "127.0.0.1"] {
        let away = format!("http://{host}:{}", elsewhere.port());
        let proxy = FaultProxy::before(registry.port(), move |request| match is_blob(request) {
            true => Fault::Answer(Response::status(307).header("Location", &format!("{away}{}", request.path))),
            false => Fault::None,
        });
        let other = Project::without_base();
        log_in(&other, &format!("127.0.0.1:{}", proxy.port()));
        other.ask(&["pull", &near(&proxy)]);
        assert_eq!(other.inspect(&near(&proxy))["Id"], project.inspect(&name)["Id"]);
        let seen = elsewhere.seen();
        assert!(seen.len() >= 2 && !seen.iter().any(has_secret), "{host}: {seen:#?}");
    }
    // An upload that is to go on elsewhere, where somebody asks who we are.
    for (method, host) in [("POST", "127.0.0.2"), ("POST", "localhost"), ("PATCH", "127.0.0.2")] {
        let away = format!("http://{host}:{}/upload?state=x", elsewhere.port());
        let proxy = FaultProxy::before(registry.port(), move |request| match request.method == method {
            true => Fault::Header("location", away.clone()),
            false => Fault::None,
        });
        log_in(&project, &format!("127.0.0.1:{}", proxy.port()));
        let target = format!("127.0.0.1:{}/team/new", proxy.port());
        project.ask(&["tag", &name, &target]);
        one_clear_line(&project.onggi(["push", "-q", &target]).run());
        let seen = elsewhere.seen();
        assert!(!seen.is_empty() && !seen.iter().any(has_secret), "{method} {host}: {seen:#?}");
    }
    // A token service that is named by somebody who has no business with it.
    let away = format!(r#"Bearer realm="http://127.0.0.2:{}/token",service="x""#, elsewhere.port());
    let proxy = FaultProxy::before(registry.port(), move |_| {
        Fault::Answer(Response::status(401).header("WWW-Authenticate", &away))
    });
    let host = format!("127.0.0.1:{}", proxy.port());
    let auth = format!(r#"{{"auths":{{"{host}":{{"auth":"c29tZW9uZTpzZWNyZXQ="}}}}}}"#);
    let other = Project::without_base();
    std::fs::create_dir_all(other.sandbox.home().join(".docker")).unwrap();
    std::fs::write(other.sandbox.home().join(".docker/config.json"), auth).unwrap();
    one_clear_line(&other.onggi(["pull", "-q", &near(&proxy)]).run());
    let seen = elsewhere.seen();
    assert!(!seen.iter().any(has_secret), "{seen:#?}");
}
