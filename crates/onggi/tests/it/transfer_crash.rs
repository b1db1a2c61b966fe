//! `kill -9` and Ctrl-C at any moment of a pull and of a push (N041): what is listed is whole, what came is not fetched
//! again, and nothing is left but the beginnings of blobs, which the next pull uses and a prune removes.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testkit::{Command, Fault, FaultProxy, Registry, RegistryOptions};

use crate::bad_network::left;
use crate::build_project::Project;
use crate::crash::Moments;
use crate::pull::{blobs, digest, noise, published, registry};

const ROUNDS: u64 = 24;

/// Starts the command and sends it the signal after `delay`; false when it was over before.
fn end_after(command: &Command, delay: Duration, signal: Signal) -> bool {
    let start = Instant::now();
    let mut child = command.spawn();
    while start.elapsed() < delay {
        std::thread::sleep(Duration::from_micros(200));
    }
    let was_running = child.try_wait().unwrap().is_none();
    if was_running {
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "{signal:?} does not end it");
        std::thread::sleep(Duration::from_millis(1));
    }
    was_running
}

/// How long the whole takes, as far as that is known: a machine that was busy when it was measured need not stay so.
fn sooner(whole: Duration, was_running: bool) -> Duration {
    if was_running { whole } else { whole.mul_f64(0.7) }
}

/// Every second one is Ctrl-C.
fn signal(round: u64) -> Signal {
    if round.is_multiple_of(2) { Signal::KILL } else { Signal::INT }
}

/// Bytes of the image's blobs that are in the store, whole or their beginnings, and what is whole only as a layer.
fn there(project: &Project, blobs: &[(String, u64)]) -> u64 {
    let length = |folder: &str, digest: &str| {
        let path = project.sandbox.root().join(folder).join(&digest[7..]);
        path.metadata().map_or(0, |found| found.len())
    };
    blobs.iter().map(|(digest, size)| length("blobs", digest).max(length("partial", digest)).min(*size)).sum()
}

/// What a command that was ended may leave is gone after the next one that writes: where all was there, that is a prune.
#[track_caller]
fn is_tidy(project: &Project, has_written: bool) {
    if !has_written {
        project.ask(&["system", "prune", "-f"]);
    }
    for folder in ["ingest", "leases", "partial"] {
        assert_eq!(left(project, folder), [""; 0], "{folder}");
    }
    project.sandbox.check();
}

#[test]
fn n041_a_pull_that_is_ended_at_any_moment() {
    let test = "n041_a_pull_that_is_ended_at_any_moment";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let publisher = published(&registry, &[300_000, 900_000, 400_000, 1000]);
    let name = format!("{}/team/app", registry.host());
    let (id, blobs) = (publisher.inspect(&name)["Id"].clone(), blobs(&publisher, &name));
    let total: u64 = blobs.iter().map(|(_, size)| size).sum();
    let proxy = FaultProxy::before(registry.port(), |_| Fault::None);
    let near = format!("127.0.0.1:{}/team/app", proxy.port());
    let start = Instant::now();
    Project::without_base().ask(&["pull", "-q", &near]);
    let mut whole = start.elapsed();
    let (mut moments, mut ended) = (Moments::new(7, ROUNDS), 0);
    for round in 0..ROUNDS {
        let project = Project::without_base();
        let delay = moments.next(round, whole);
        let root = project.sandbox.root().display().to_string();
        let was_running = end_after(&project.onggi(["--root", &root, "pull", &near]), delay, signal(round));
        ended += u64::from(was_running);
        whole = sooner(whole, was_running);
        project.sandbox.check();
        let listed = project.ask(&["images", "-q"]);
        assert!(was_running || listed.lines().count() == 1, "round {round}: {listed}");
        let (before, there) = (proxy.sent(), there(&project, &blobs));
        let pulled = project.onggi(["pull", &near]).run();
        assert_eq!(pulled.code, 0, "round {round}, ended after {delay:?}:\n{}", pulled.stderr);
        let more = proxy.sent() - before;
        assert!(more <= total - there + 8000, "round {round}: {more} bytes more, with {there} of {total} there");
        assert_eq!(project.inspect(&near)["Id"], id);
        is_tidy(&project, !pulled.stdout.contains("Status: Image is up to date"));
    }
    assert!(ended >= ROUNDS / 4, "only {ended} of {ROUNDS} pulls were still running");
}

#[test]
fn n041_a_push_that_is_ended_at_any_moment() {
    let test = "n041_a_push_that_is_ended_at_any_moment";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let built = |round: u64| {
        let project = Project::without_base();
        project.file("a", noise(round * 2 + 1, 600_000)).file("b", noise(round * 2 + 2, 300_000));
        project.dockerfile("FROM scratch\nCOPY a /\nCOPY b /\n");
        let name = format!("{}/team/app{round}", registry.host());
        project.build(&["-q", "-t", &name]).run().success();
        (project, name)
    };
    let (first, name) = built(ROUNDS);
    let start = Instant::now();
    first.ask(&["push", "-q", &name]);
    let mut whole = start.elapsed();
    let (mut moments, mut ended) = (Moments::new(11, ROUNDS), 0);
    for round in 0..ROUNDS {
        let (project, name) = built(round);
        let delay = moments.next(round, whole);
        let root = project.sandbox.root().display().to_string();
        let was_running = end_after(&project.onggi(["--root", &root, "push", &name]), delay, signal(round));
        ended += u64::from(was_running);
        whole = sooner(whole, was_running);
        project.sandbox.check();
        let pushed = project.onggi(["push", &name]).run();
        assert_eq!(pushed.code, 0, "round {round}, ended after {delay:?}:\n{}", pushed.stderr);
        is_tidy(&project, pushed.stdout.contains(": Pushed"));
        is_there(&registry, &project, &name);
    }
    assert!(ended >= ROUNDS / 4, "only {ended} of {ROUNDS} pushes were still running");
}

/// What was pushed is what another store pulls.
#[track_caller]
fn is_there(registry: &Registry, project: &Project, name: &str) {
    let other = Project::without_base();
    other.ask(&["pull", "-q", name]);
    assert_eq!(other.inspect(name)["Id"], project.inspect(name)["Id"], "{}", registry.host());
    assert_eq!(digest(&other, name), digest(project, name));
}

/// What nobody goes on with is removed by a prune, and no other command trips over it.
#[test]
fn n041_c110_beginnings_of_blobs_go_with_a_prune() {
    let test = "n041_c110_beginnings_of_blobs_go_with_a_prune";
    let Some(registry) = registry(test, &RegistryOptions::default()) else { return };
    let publisher = published(&registry, &[900_000]);
    let name = format!("{}/team/app", registry.host());
    let (blob, _) = blobs(&publisher, &name)[0].clone();
    // Two attempts without progress are what is needed: the server is not there any more after the beginning.
    let path = format!("/blobs/{blob}");
    let count = std::sync::atomic::AtomicU32::new(0);
    let proxy = FaultProxy::before(registry.port(), move |request| {
        let is_first = || count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        match request.path.ends_with(&path) {
            false => Fault::None,
            true if is_first() => Fault::CutAnswer(500_000),
            true => Fault::Answer(testkit::Response::status(404)),
        }
    });
    let project = Project::without_base();
    let near = format!("127.0.0.1:{}/team/app", proxy.port());
    let failed = project.onggi(["pull", "-q", &near]).run();
    crate::bad_network::one_clear_line(&failed);
    assert_eq!(left(&project, "partial"), [blob[7..].to_owned()]);
    project.ask(&["system", "df"]);
    let pruned = project.ask(&["system", "prune", "-a", "-f"]);
    assert_eq!(left(&project, "partial"), [""; 0], "{pruned}");
    is_tidy(&project, true);
}
