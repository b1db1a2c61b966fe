//! `image prune` (S287, C080, C081), `builder prune` (C313), `system prune` (C312), and all prunes' `--dry-run` (N035).

use std::fs;

use crate::build_project::Project;
use crate::disk::{du, parse_size};

/// The lines of a dry run without sizes.
fn planned(text: &str) -> Vec<String> {
    let lines = text.lines().take_while(|line| *line != "Would keep:");
    let lines = lines
        .map(|line| line.rsplit_once(" (").filter(|(_, size)| size.ends_with("B)")).map_or(line, |(line, _)| line))
        .map(|line| match line.strip_prefix("Would delete ") {
            Some(kind) => format!("Deleted {kind}").to_lowercase(),
            None => line.to_lowercase(),
        })
        .map(|line| line.replace("reclaimable", "reclaimed"))
        .filter(|line| !line.is_empty());
    with_ids_sorted(lines.collect())
}

/// The lines of a real run, to be compared with those.
fn done(text: &str) -> Vec<String> {
    with_ids_sorted(text.lines().map(str::to_lowercase).filter(|line| !line.is_empty()).collect())
}

/// Build cache goes in an order in which its age counts, so that a second later it may be another.
fn with_ids_sorted(mut lines: Vec<String>) -> Vec<String> {
    let is_id = |line: &str| line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    lines.chunk_by_mut(|one, other| is_id(one) && is_id(other)).for_each(<[String]>::sort);
    lines
}

/// A table of the build cache without its last column, sorted: how long ago something was used may be a second more in the
/// second of two answers, and the order may go by it.
fn without_age(table: &str) -> Vec<Vec<&str>> {
    let mut rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    rows.sort();
    rows
}

/// A dangling image with a layer of its own, and one with a name.
fn with_dangling() -> Project {
    let project = Project::with("FROM busybox\nCOPY own /own\n");
    for content in [1, 2] {
        project.file("own", vec![content; 300_000]);
        project.build_app();
    }
    // So that the layer is the image's alone.
    project.onggi(["builder", "prune", "-f"]).run().success();
    project
}

#[test]
fn s287_c080_image_prune_asks_and_removes_dangling_images() {
    let project = with_dangling();
    let dangling = project.ask(&["images", "-qf", "dangling=true", "--no-trunc"]).trim().to_owned();
    let refused = project.onggi(["image", "prune"]).stdin("n\n").run().success();
    assert_eq!(
        refused.stdout,
        "WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] "
    );
    project.onggi(["image", "prune"]).stdin("").run().success();
    assert_eq!(project.ask(&["images", "-qa"]).lines().count(), 3);
    let before = du(&project.sandbox.root());
    let dry = project.ask(&["image", "prune", "--dry-run"]);
    assert_eq!(du(&project.sandbox.root()), before);
    let pruned = project.onggi(["image", "prune"]).stdin("y\n").run().success().stdout;
    let pruned = pruned.split_once("[y/N] ").unwrap().1.to_owned();
    assert_eq!(planned(&dry), done(&pruned), "a dry run says what a real one does");
    let lines: Vec<&str> = pruned.lines().collect();
    assert_eq!(lines[0], "Deleted Images:");
    assert_eq!(lines[1], format!("deleted: {dangling}"));
    assert!(lines[2].starts_with("deleted: sha256:") && lines[3].is_empty(), "{pruned}");
    let said = parse_size(lines[4].strip_prefix("Total reclaimed space: ").unwrap());
    let freed = (before - du(&project.sandbox.root())) as f64;
    assert!((said - freed).abs() <= freed / 100.0, "{said} was said, {freed} was freed");
    assert_eq!(project.ask(&["image", "prune", "-f"]), "Total reclaimed space: 0B\n");
    assert_eq!(project.ask(&["images", "-qa"]).lines().count(), 2);
}

#[test]
fn c081_image_prune_by_age_and_label() {
    let project = Project::new();
    for (name, label) in [("one", "keep=yes"), ("two", "keep=no"), ("three", "other=1")] {
        project.dockerfile(&format!("FROM busybox\nLABEL {label}\n"));
        project.build(&["-t", name]).run().success();
    }
    let left = || project.ask(&["images", "--format", "{{.Repository}}"]).lines().count();
    project.ask(&["image", "prune", "-af", "--filter", "until=1h", "--filter", "label=keep"]);
    assert_eq!(left(), 4);
    let pruned = project.ask(&["image", "prune", "-af", "--filter", "label=keep=no"]);
    assert!(pruned.starts_with("Deleted Images:\nuntagged: two:latest\ndeleted: sha256:"), "{pruned}");
    assert_eq!(left(), 3);
    project.ask(&["image", "prune", "-af", "--filter", "label!=keep"]);
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}}"]), "one\n");
    project.ask(&["image", "prune", "-f", "--filter", "dangling=false"]);
    assert_eq!(left(), 0);
    project.fails(&["image", "prune", "-f", "--filter", "name=x"], 1);
    project.fails(&["image", "prune", "-f", "--filter", "until=x"], 1);
    project.fails(&["image", "prune", "-f", "--filter", "dangling=x"], 1);
    let asked = project.onggi(["image", "prune", "-a"]).stdin("n\n").run().success();
    assert_eq!(
        asked.stdout,
        "WARNING! This will remove all images without at least one container associated to them.\n\
         Are you sure you want to continue? [y/N] "
    );
}

/// The layers of a classic build are images; those without a name go with the last one that was made of them.
#[test]
#[ignore = "requires root"]
fn s287_parents_without_a_name_go_with_their_children_requires_root() {
    let project = Project::with("FROM busybox\nENV A=1\nENV B=2\nENV C=3\n");
    project.build(&["-t", "app"]).env("DOCKER_BUILDKIT", "0").run().success();
    assert_eq!(project.ask(&["images", "-qa"]).lines().count(), 4);
    let dry = project.ask(&["image", "prune", "-a", "--dry-run"]);
    let pruned = project.ask(&["image", "prune", "-af"]);
    assert_eq!(planned(&dry), done(&pruned));
    assert_eq!(project.ask(&["images", "-qa"]), "");
}

#[test]
#[ignore = "requires root"]
fn n035_what_stays_is_told_with_the_reason_requires_root() {
    let project = Project::with("FROM busybox\nENV A=1\n");
    project.build_app();
    let id = project.ask(&["create", "--name", "user", "app"]).trim().to_owned();
    let dry = project.ask(&["image", "prune", "-a", "--dry-run"]);
    assert!(dry.contains(&format!("Would keep:\nimage app:latest: container {} uses it\n", &id[..12])), "{dry}");
    let told = project.onggi(["-D", "image", "prune", "-af"]).run().success();
    assert!(told.stderr.contains("kept image app:latest: container "), "{}", told.stderr);
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}}"]), "app\n");
    // A dry run of everything knows that the container would be gone by then.
    let dry = project.ask(&["system", "prune", "-a", "--dry-run"]);
    let pruned = project.ask(&["system", "prune", "-af"]);
    assert_eq!(planned(&dry), done(&pruned));
    assert_eq!(project.ask(&["images", "-qa"]), "");
}

#[test]
#[ignore = "requires root"]
fn n035_containers_volumes_and_networks_requires_root() {
    let project = Project::new();
    project.ask(&["run", "--network", "none", "-v", "/data", "busybox", "sh", "-c", "echo x >/x; echo yy >/data/y"]);
    for words in [&["container", "prune"][..], &["volume", "prune"], &["network", "prune"]] {
        let with = |flag: &str| project.ask(&[words, &[flag]].concat());
        let first = with("--dry-run");
        assert_eq!(first, with("--dry-run"), "a dry run changes nothing");
        let real = with("-f");
        assert_eq!(planned(&first), done(&real));
        assert_eq!(words[0] != "network", real.contains("\n\nTotal reclaimed space: "), "{real}");
    }
}

#[test]
#[ignore = "requires root"]
fn c313_builder_prune_requires_root() {
    let project = Project::with(
        "FROM busybox\nCOPY own /own\nRUN --mount=type=cache,target=/c echo x >/c/f; echo made >/made\nRUN false\n",
    );
    project.file("own", vec![5; 500_000]);
    project.build(&[]).run().exits(1);
    let asked = project.onggi(["builder", "prune"]).stdin("n\n").run().success();
    assert_eq!(
        asked.stdout,
        "WARNING! This will remove all dangling build cache. Are you sure you want to continue? [y/N] "
    );
    let asked = project.onggi(["builder", "prune", "-a"]).stdin("n\n").run().success();
    assert_eq!(asked.stdout, "WARNING! This will remove all build cache. Are you sure you want to continue? [y/N] ");
    assert_eq!(project.ask(&["builder", "prune", "-f", "--filter", "until=24h"]), "Total:  0B\n");
    assert_eq!(project.ask(&["builder", "prune", "-f", "--filter", "unused-for=10m"]), "Total:  0B\n");
    let only = project.ask(&["builder", "prune", "-f", "--filter", "type=exec.cachemount"]);
    assert!(only.starts_with("ID ") && only.lines().count() == 3, "{only}");
    let before = du(&project.sandbox.root());
    let dry = project.ask(&["builder", "prune", "--dry-run"]);
    let pruned = project.ask(&["builder", "prune", "-f"]);
    assert_eq!(without_age(&dry), without_age(&pruned));
    assert!(pruned.lines().next().unwrap().ends_with("RECLAIMABLE   SIZE      LAST ACCESSED"), "{pruned}");
    let said = parse_size(pruned.lines().last().unwrap().strip_prefix("Total:").unwrap().trim());
    let freed = (before - du(&project.sandbox.root())) as f64;
    // The failure still stands on the layers.
    assert!((said - freed).abs() <= 4096.0 && said < 100_000.0, "{said} was said, {freed} was freed");
    let before = du(&project.sandbox.root());
    let pruned = project.ask(&["builder", "prune", "-af"]);
    let said = parse_size(pruned.lines().last().unwrap().strip_prefix("Total:").unwrap().trim());
    let freed = (before - du(&project.sandbox.root())) as f64;
    assert!((said - freed).abs() <= freed / 100.0 && said > 500_000.0, "{said} was said, {freed} was freed");
    assert_eq!(project.df("Build Cache")["TotalCount"], "0");
    project.fails(&["builder", "prune", "-f", "--filter", "color=red"], 1);
    project.fails(&["builder", "prune", "-f", "--keep-storage", "much"], 125);
}

/// What is cheap to make again for the room it takes goes first, and only as much as has to.
#[test]
#[ignore = "requires root"]
fn c313_n039_how_much_is_kept_requires_root() {
    let project = Project::with(
        "FROM busybox\nRUN dd if=/dev/zero of=/cheap bs=1000 count=900 2>/dev/null\n\
         RUN sleep 0.4; dd if=/dev/zero of=/dear bs=1000 count=100 2>/dev/null\n",
    );
    project.build(&["--progress", "plain"]).run().success();
    project.ask(&["image", "prune", "-af"]);
    let size = || parse_size(project.df("Build Cache")["Size"].as_str().unwrap());
    let all = size();
    assert!(all > 1_000_000.0, "{all}");
    assert_eq!(project.ask(&["builder", "prune", "-f", "--keep-storage", "10m"]), "Total:  0B\n");
    let kept = project.ask(&["builder", "prune", "-f", "--max-used-space", "600k", "--reserved-space", "100k"]);
    assert_eq!(kept.lines().count(), 3, "{kept}");
    assert!(size() > 100_000.0 && size() < 400_000.0, "{} is left of {all}", size());
    project.ask(&["builder", "prune", "-f", "--min-free-space", "100000t"]);
    assert!(size() < 100_000.0);
}

#[test]
#[ignore = "requires root"]
fn c312_system_prune_requires_root() {
    let project = Project::with("FROM busybox\nCOPY own /own\nRUN false\n");
    project.file("own", "content");
    project.build(&[]).run().exits(1);
    project.dockerfile("FROM busybox\nCOPY own /own\n");
    project.build(&["-t", "app"]).run().success();
    project.ask(&[
        "run",
        "--network",
        "none",
        "-v",
        "/data",
        "-v",
        "named:/named",
        "busybox",
        "sh",
        "-c",
        "echo x >/data/x",
    ]);
    let asked =
        |words: &[&str]| project.onggi([&["system", "prune"], words].concat()).stdin("n\n").run().success().stdout;
    assert_eq!(
        asked(&[]),
        "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n  \
         - all dangling images\n  - unused build cache\n\nAre you sure you want to continue? [y/N] "
    );
    assert_eq!(
        asked(&["-a", "--volumes", "--filter", "label!=x"]),
        "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n  \
         - all anonymous volumes not used by at least one container\n  \
         - all images without at least one container associated to them\n\n  \
         Items to be pruned will be filtered with:\n  - label!=x\n\nAre you sure you want to continue? [y/N] "
    );
    project.fails(&["system", "prune", "-f", "--volumes", "--filter", "until=1h"], 1);
    for words in [&["-f"][..], &["-af", "--volumes"]] {
        let dry: Vec<&str> = words.iter().copied().chain(["--dry-run"]).collect();
        let dry = project.ask(&[&["system", "prune"], &dry[..]].concat());
        let before = du(&project.sandbox.root());
        let pruned = project.ask(&[&["system", "prune"], words].concat());
        assert_eq!(planned(&dry), done(&pruned), "{words:?}");
        assert!(du(&project.sandbox.root()) < before);
        let order =
            ["Deleted Containers:", "Deleted Volumes:", "Deleted Images:", "Deleted build cache objects:", "Total"];
        let places: Vec<usize> = order.iter().filter_map(|title| pruned.find(title)).collect();
        assert!(places.is_sorted() && places.len() >= 3, "{pruned}");
    }
    assert_eq!(project.ask(&["volume", "ls", "-q"]), "named\n");
    project.ask(&["volume", "rm", "named"]);
    assert_eq!(project.ask(&["system", "prune", "-af"]), "Total reclaimed space: 0B\n");
    assert!(du(&project.sandbox.root()) < 1_000_000);
    let left = fs::read_dir(project.sandbox.root().join("logs")).unwrap().count();
    assert_eq!(left, 0);
}

/// A store on a file system without a free byte: everything can be removed all the same.
#[test]
#[ignore = "requires root"]
fn c312_prune_works_with_no_byte_free_requires_root() {
    let project = Project::without_base();
    let root = project.sandbox.root();
    fs::create_dir(&root).unwrap();
    let base = Project::new();
    let script = format!(
        "set -e; mount -t tmpfs -o size=40m none {root}; cp -a {base}/. {root}/; \
         {onggi} build -qt app . >/dev/null; \
         {onggi} run --network none --name full -v /data busybox sh -c 'cat /dev/zero >/data/fill' 2>/dev/null || true; \
         dd if=/dev/zero of={root}/ingest/1-1-0 bs=4096 2>/dev/null || true; \
         df --output=avail {root} | tail -1; \
         {onggi} system df >/dev/null; {onggi} system prune -af --volumes; {onggi} system df -v; du -s --block-size=1 {root}",
        root = root.display(),
        base = base.sandbox.root().display(),
        onggi = testkit::binary().display(),
    );
    project.file("Dockerfile", "FROM busybox\nCOPY own /own\n").file("own", vec![1; 300_000]);
    let ran = project
        .sandbox
        .command("unshare")
        .arguments(["-m", "--propagation", "private", "sh", "-c", &script])
        .run()
        .success();
    assert!(ran.stdout.trim_start().starts_with("0\n"), "{}", ran.stdout);
    for title in ["Deleted Containers:", "Deleted Volumes:", "Deleted Images:", "Deleted build cache objects:"] {
        assert!(ran.stdout.contains(title), "{title} {}", ran.stdout);
    }
    let left: u64 = ran.stdout.lines().last().unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(left < 1_000_000, "{left} bytes are left");
}

/// Prunes and builds at the same time: no build loses what it needs.
#[test]
#[ignore = "requires root"]
fn c312_prunes_beside_builds_requires_root() {
    let project = Project::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pruner = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                project.onggi(["image", "prune", "-f"]).run().success();
                project.onggi(["builder", "prune", "-af"]).run().success();
            }
        });
        let builders: Vec<_> = (0..2)
            .map(|builder| {
                let project = &project;
                scope.spawn(move || {
                    for number in 0..6 {
                        let text =
                            format!("FROM busybox\nRUN echo {builder} {number} >/x\nRUN cat /x >/y\nENV A={number}\n");
                        project.onggi(["build", "-t", &format!("app{builder}"), "-"]).stdin(text).run().success();
                        project
                            .onggi(["run", "--rm", "--network", "none", &format!("app{builder}"), "cat", "/y"])
                            .run()
                            .success();
                    }
                })
            })
            .collect();
        let results: Vec<_> = builders.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        pruner.join().unwrap();
        results.into_iter().for_each(|result| result.unwrap());
    });
    project.df_adds_up();
}

/// Killed at any moment, a prune leaves a store that is whole, and the next one ends the work.
#[test]
#[ignore = "requires root"]
fn c312_a_killed_prune_breaks_nothing_requires_root() {
    let project = Project::new();
    for number in 0..12 {
        let text =
            format!("FROM busybox\nRUN echo {number} >/x\nRUN --mount=type=cache,id=c{number},target=/c echo >/c/x\n");
        project.onggi(["build", "-t", &format!("app{number}"), "-"]).stdin(text).run().success();
        project.ask(&["create", "-v", &format!("v{number}:/v"), "busybox", "true"]);
    }
    for wait in 0..12 {
        let mut prune = std::process::Command::new(testkit::binary());
        prune.args(["--root"]).arg(project.sandbox.root()).args(["system", "prune", "-af", "--volumes"]);
        let mut child = prune.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        // How far it comes is different each time, which is what is wanted.
        std::thread::sleep(std::time::Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        project.sandbox.check();
    }
    project.ask(&["system", "prune", "-af", "--volumes"]);
    project.ask(&["volume", "prune", "-af"]);
    assert!(du(&project.sandbox.root()) < 1_000_000);
    assert_eq!(project.df("Build Cache")["TotalCount"], "0");
}

/// A blob that belongs to nothing has no line, and is in the sum.
#[test]
fn n035_blobs_of_nothing_are_in_the_sum() {
    let project = Project::new();
    let content = vec![7; 300_000];
    let digest = testkit::checker::digest(&content);
    for words in [&["image", "prune"][..], &["system", "prune"], &["builder", "prune"]] {
        let blob = project.sandbox.root().join("blobs").join(&digest[7..]);
        fs::write(&blob, &content).unwrap();
        let total = |text: &str| parse_size(text.lines().last().unwrap().rsplit_once(' ').unwrap().1);
        let planned = total(&project.ask(&[words, &["--dry-run"]].concat()));
        assert!(blob.exists() && planned > 300_000.0, "{words:?} {planned}");
        assert!((total(&project.ask(&[words, &["-f"]].concat())) - planned).abs() < 1.0, "{words:?}");
        assert!(!blob.exists(), "{words:?}");
        assert!(total(&project.ask(&[words, &["-f"]].concat())) < 1.0, "{words:?}");
    }
}
