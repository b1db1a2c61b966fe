//! `system limits` (N039): the store never takes more than it may, and what goes for that is what nobody needs.

use std::fs;

use testkit::RegistryOptions;

use crate::build_project::Project;
use crate::disk::du;
use crate::pull::{noise, published, registry};

#[test]
fn n039_limits_are_shown_and_set() {
    let project = Project::without_base();
    assert_eq!(project.ask(&["system", "limits"]), "Max Size: none\nMin Free: none\n");
    assert!(!project.sandbox.root().join("settings.json").exists());
    let set = project.ask(&["system", "limits", "--max-size", "10GB", "--min-free", "5%"]);
    assert_eq!(set, "Max Size: 10GiB\nMin Free: 5%\n");
    let set = project.ask(&["system", "limits", "--min-free", "1500m"]);
    assert_eq!(set, "Max Size: 10GiB\nMin Free: 1500MiB\n");
    let json = project.ask(&["system", "limits", "--max-size", "none", "--format", "json"]);
    assert_eq!(json, "{\"MaxSize\":\"none\",\"MinFree\":\"1500MiB\"}\n");
    for words in [&["--max-size", "much"][..], &["--max-size", "5%"], &["--min-free", "101%"], &["--min-free", "x%"]] {
        project.onggi([&["system", "limits"], words].concat()).run().exits(125);
    }
}

/// Settings that cannot be read may have held a limit: what would write a layer or a blob fails before it has written, and
/// the hint, typed as it stands, mends them.
#[test]
fn n039_unreadable_limits_stop_every_write() {
    let project = Project::with("FROM scratch\nCOPY own /own\n");
    project.file("own", vec![1; 100_000]);
    let settings = project.sandbox.root().join("settings.json");
    let layers = || fs::read_dir(project.sandbox.root().join("layers")).unwrap().count();
    let archive = project.sandbox.work().join("saved.tar");
    project.ask(&["save", "-o", "saved.tar", "busybox"]);
    for (number, text) in
        ["{\"maxsize\":1}", "", "{\"maxSize\":10", "{\"maxSize\":\"10GB\"}", "[]\0"].into_iter().enumerate()
    {
        project.file("own", vec![u8::try_from(number).unwrap(); 100_000]);
        fs::write(&settings, text).unwrap();
        let before = layers();
        let attempts: [&[&str]; 4] = [
            &["system", "limits"],
            &["system", "limits", "--max-size", "1GB"],
            &["build", "-q", "."],
            &["import", archive.to_str().unwrap(), "imported"],
        ];
        for words in attempts {
            let refused = project.onggi(words).run().exits(1);
            let told = format!("{} cannot be read: ", settings.display());
            assert!(refused.stderr.contains(&told), "{text:?} {words:?}: {}", refused.stderr);
            assert!(refused.stderr.contains("hint: `onggi system limits"), "{text:?} {words:?}: {}", refused.stderr);
        }
        assert_eq!(layers(), before, "{text:?}");
        assert_eq!(fs::read_to_string(&settings).unwrap(), text, "who could not read them leaves them as they are");
        // What writes neither layers nor blobs goes on.
        project.ask(&["tag", "busybox", "other"]);
        let mended = project.ask(&["system", "limits", "--max-size", "none", "--min-free", "none"]);
        assert_eq!(mended, "Max Size: none\nMin Free: none\n");
        project.build(&[]).run().success();
    }
}

/// Builds that together write far more than the store may take: none fails, and it is never larger by more than the layer
/// that is being written.
#[test]
fn n039_builds_go_on_within_the_limit() {
    const LAYER: usize = 1_500_000;
    let project = Project::with("FROM busybox\nCOPY own /own\n");
    let limit = du(&project.sandbox.root()) + 5_000_000;
    project.ask(&["system", "limits", "--max-size", &limit.to_string()]);
    let mut peak = 0;
    for number in 0..12_u8 {
        project.file("own", vec![number; LAYER]);
        project.build(&[]).run().success();
        project.ask(&["image", "prune", "-f"]);
        peak = peak.max(du(&project.sandbox.root()));
    }
    assert!(peak <= limit + 100_000, "{peak} is more than {limit}");
    assert!(peak > limit - 3_000_000, "{peak} is far less than {limit}: more went than had to");
    // The base has a name, and stays whatever is needed.
    assert_eq!(project.ask(&["images", "--format", "{{.Repository}}"]), "busybox\n");
    project.df_adds_up();
}

/// Blobs that a registry has go before the build cache, which stays whole as long as they are enough.
#[test]
fn n039_blobs_go_before_the_build_cache() {
    let Some(registry) = registry("n039_blobs_go_before_the_build_cache", &RegistryOptions::default()) else { return };
    // Its layer is kept twice: as it is, and as it was sent.
    let project = published(&registry, &[1_500_000]);
    let blobs = || du(&project.sandbox.root().join("blobs"));
    let cache = || project.df("Build Cache")["TotalCount"].as_str().unwrap().parse::<u32>().unwrap();
    let (before, known) = (blobs(), cache());
    assert!(before > 1_500_000, "{before}");
    let limit = du(&project.sandbox.root()) + 500_000;
    project.ask(&["system", "limits", "--max-size", &limit.to_string()]);
    project.file("own", noise(99, 1_000_000)).dockerfile("FROM scratch\nCOPY own /\n");
    project.build(&["-t", "second"]).run().success();
    assert!(blobs() < before - 1_400_000, "{before} {}", blobs());
    assert!(cache() > known, "the new step is there, and all that was");
    project.dockerfile("FROM scratch\nCOPY file0 /\n");
    let again = project.build(&[]).run().success();
    assert!(again.stderr.contains("CACHED"), "{}", again.stderr);
    project.df_adds_up();
}

/// What has a name or is pinned never goes: then there is no room, and that is said.
#[test]
fn n039_when_nothing_can_go_the_write_fails() {
    let project = Project::with("FROM busybox\nCOPY own /own\n");
    let limit = du(&project.sandbox.root()) + 2_500_000;
    project.ask(&["system", "limits", "--max-size", &limit.to_string()]);
    project.file("own", vec![1; 1_500_000]);
    project.build_app();
    project.file("own", vec![2; 1_500_000]);
    let refused = project.build(&["-t", "second"]).run().exits(1);
    assert!(refused.stderr.contains("no room in the store: the store may take "), "{}", refused.stderr);
    assert!(refused.stderr.contains("`onggi system limits`"), "{}", refused.stderr);
    assert!(du(&project.sandbox.root()) <= limit);
    project.ask(&["image", "inspect", "app", "busybox"]);
    project.ask(&["system", "limits", "--max-size", "none"]);
    project.build(&["-t", "second"]).run().success();
}

/// The disk keeps its free room; blobs that a registry has go before what was built.
#[test]
#[ignore = "requires root"]
fn n039_some_of_the_disk_stays_free_requires_root() {
    let project = Project::without_base();
    let root = project.sandbox.root();
    fs::create_dir(&root).unwrap();
    let base = Project::new();
    let script = format!(
        "set -e; mount -t tmpfs -o size=20m none {root}; cp -a {base}/. {root}/; {onggi} system limits --min-free 30% >/dev/null; \
         for n in 1 2 3 4 5 6 7 8 9 10; do head -c 2000000 /dev/urandom >own; {onggi} build -q . >/dev/null; \
         {onggi} image prune -f >/dev/null; df --output=avail {root} | tail -1; done; {onggi} images --format '{{{{.Repository}}}}'",
        root = root.display(),
        base = base.sandbox.root().display(),
        onggi = testkit::binary().display(),
    );
    project.file("Dockerfile", "FROM busybox\nCOPY own /own\n").file("own", "");
    let words = ["-m", "--propagation", "private", "sh", "-c", &script];
    let ran = project.sandbox.command("unshare").arguments(words).run().success();
    let mut lines: Vec<&str> = ran.stdout.lines().map(str::trim).collect();
    assert_eq!(lines.pop(), Some("busybox"));
    let least: u64 = lines.iter().map(|line| line.parse::<u64>().unwrap()).min().unwrap();
    // 30 % of 20 MiB, less the layer that was being written.
    assert!(least >= 6144 - 2000, "{least} KiB were free\n{}", ran.stdout);
}
