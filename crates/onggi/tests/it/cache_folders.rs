//! Caches in folders, from one machine to another: `--cache-to` and `--cache-from` with `type=local` (B073).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{Output, checker};

use crate::build_project::{Project, outcomes, runtimes};

/// Stages, documents, mounts, links.
const DOCKERFILE: &str = "FROM busybox AS tools\nARG WORD=canary-argument\nCOPY a /src/a\n\
    RUN --mount=type=cache,target=/c --mount=type=secret,id=token <<E\necho canary-cache > /c/f\nwc -c < /run/secrets/token > /size\nE\n\
    RUN echo $WORD | wc -c > /word\n\
    FROM busybox AS more\nWORKDIR /w\nRUN echo 1 > one && ln -s one two && chmod 4750 one\n\
    FROM busybox\nCOPY --from=tools /size /word /\nCOPY --link --from=more --chown=7:8 /w /w\n\
    COPY <<E /etc/doc\ntext\nE\nRUN --mount=from=more,source=/w,target=/m cat /m/one > /three; rm /etc/doc; mkdir /new\n\
    ENV A=b\nCOPY a /last\nCMD [\"cat\", \"/three\"]\n";

/// A machine with the base image, and nothing that was built.
struct Machine(Project);

impl Machine {
    fn new() -> Self {
        Self(Project::new())
    }

    /// Builds what another machine has in its folder.
    fn build(&self, context: &Project, flags: &[&str]) -> Output {
        let folder = context.sandbox.work();
        let words = [&["build", "-t", "app"], flags, &[folder.to_str().unwrap()]].concat();
        self.0.onggi(words).env("TOKEN", "canary-secret").run()
    }

    fn id(&self) -> String {
        self.0.inspect("app")["Id"].as_str().unwrap().to_owned()
    }
}

const SECRET: [&str; 2] = ["--secret", "id=token,env=TOKEN"];

fn all_cached(built: &Output) {
    let found = outcomes(built);
    assert!(found.iter().all(|outcome| outcome == "CACHED"), "{found:?}\n{}", built.stderr);
}

#[test]
#[ignore = "requires root"]
fn b073_two_machines_make_one_image_requires_root() {
    for flags in runtimes("b073_two_machines_make_one_image") {
        let first = Machine::new();
        first.0.dockerfile(DOCKERFILE).file("a", "1");
        let cache = first.0.sandbox.path().join("cache");
        let cache = cache.to_str().unwrap();
        let to = format!("type=local,dest={cache},mode=max");
        let from = format!("type=local,src={cache}");
        let built = first.build(&first.0, &[flags, &SECRET, &["--cache-to", &to]].concat()).success();
        let row = built.stderr.split("exporting cache to client directory").nth(1).unwrap();
        for line in [
            "preparing build cache for export",
            "writing layer sha256:",
            "writing config sha256:",
            "writing cache image manifest sha256:",
        ] {
            assert!(row.contains(line), "{line}: {}", built.stderr);
        }
        whole(Path::new(cache));
        let second = Machine::new();
        let found = second.build(&first.0, &[flags, &["--cache-from", &from]].concat()).success();
        all_cached(&found);
        assert!(found.stderr.contains(" importing cache manifest from local:"), "{}", found.stderr);
        assert!(found.stderr.contains("inferred cache manifest type: application/vnd.oci.image.manifest.v1+json"));
        assert_eq!(second.id(), first.id());
        assert_eq!(second.0.image("app").tree, first.0.image("app").tree);
        assert_eq!(second.0.ask(&["run", "--rm", "app"]), "1\n");
        assert!(!Path::new(&second.0.sandbox.root()).join("caches").read_dir().unwrap().any(|_| true));
        // One file changed: what stands before it is found, what follows runs.
        first.0.file("a", "2");
        let third = Machine::new();
        let changed = third.build(&first.0, &[flags, &SECRET, &["--cache-from", &from]].concat()).success();
        let outcomes = outcomes(&changed);
        assert!(outcomes.contains(&"CACHED".to_owned()) && outcomes.contains(&"DONE".to_owned()), "{outcomes:?}");
        first.build(&first.0, &[flags, &SECRET[..]].concat()).success();
        assert_eq!(third.0.image("app").tree, first.0.image("app").tree);
        // What the secret, the argument and the cache held is nowhere in the folder.
        for content in contents(Path::new(cache)) {
            assert!(!content.windows(7).any(|window| window == b"canary-"));
        }
    }
}

/// All blobs, layers uncompressed.
fn contents(folder: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let plain = std::process::Command::new("gzip").arg("-dc").stdin(fs::File::open(&path).unwrap()).output();
            all.push(plain.unwrap().stdout);
        }
        all.push(bytes);
    }
    all
}

/// Every blob has its digest, and all that the index leads to is there; gives how many blobs there are.
fn whole(folder: &Path) -> usize {
    let blobs = folder.join("blobs/sha256");
    let mut known = BTreeSet::new();
    for entry in fs::read_dir(&blobs).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with('.') {
            assert_eq!(checker::digest(&fs::read(blobs.join(&name)).unwrap()), format!("sha256:{name}"));
            known.insert(format!("sha256:{name}"));
        }
    }
    let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    if folder.join("index.json").exists() {
        for listed in json(&folder.join("index.json"))["manifests"].as_array().unwrap() {
            let digest = listed["digest"].as_str().unwrap();
            assert!(known.contains(digest), "{digest}");
            let manifest = json(&blobs.join(digest.trim_start_matches("sha256:")));
            let layers = manifest["layers"].as_array().unwrap().iter();
            for blob in layers.chain([&manifest["config"]]) {
                assert!(known.contains(blob["digest"].as_str().unwrap()), "{blob}");
            }
        }
    }
    known.len()
}

#[test]
fn b073_damage_and_absence_are_worth_a_warning() {
    let project = Project::with("FROM busybox\nCOPY a /a\nCOPY b /b\n");
    project.file("a", "1").file("b", "2");
    let missing = project.build(&["-t", "app", "--cache-from", "type=local,src=nowhere"]).run().success();
    assert!(missing.stderr.contains("the cache at nowhere is not used: there is no such folder"), "{}", missing.stderr);
    let id = project.inspect("app")["Id"].clone();
    project.build(&["--cache-to", "type=local,dest=.cache"]).run().success();
    let cache = project.sandbox.work().join(".cache");
    let other = Machine::new();
    let from = format!("type=local,src={}", cache.display());
    all_cached(&other.build(&project, &["--cache-from", &from]).success());
    assert_eq!(Value::from(other.id()), id);
    for entry in fs::read_dir(cache.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        let is_layer = fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]);
        if is_layer {
            fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"damage", 30).unwrap();
        }
    }
    let third = Machine::new();
    let built = third.build(&project, &["--cache-from", &from]).success();
    assert_eq!(built.stderr.matches("cannot give a layer, whose step runs instead").count(), 2, "{}", built.stderr);
    assert_eq!(third.0.image("app").tree, project.image("app").tree);
    third.0.sandbox.check();
    // Another kind is refused by name, with what works instead.
    for (flag, value) in [("--cache-from", "user/app:cache"), ("--cache-to", "type=inline"), ("--cache-to", "type=gha")]
    {
        let failed = project.build(&[flag, value]).run().exits(1);
        assert!(failed.stderr.contains("not there yet") && failed.stderr.contains("type=local,"), "{}", failed.stderr);
    }
}

#[test]
fn b073_all_views_show_the_rows() {
    let project = Project::with("FROM busybox\nCOPY a /a\n");
    project.file("a", "1");
    let flags = |view: &'static str| {
        ["--progress", view, "--cache-to", "type=local,dest=.cache", "--cache-from", "type=local,src=.cache"]
    };
    project.build(&flags("plain")).run().success();
    let plain = project.build(&flags("plain")).run().success().stderr;
    let rows = |text: &str| {
        assert!(text.contains("importing cache manifest from local:"), "{text}");
        assert!(text.contains("exporting cache to client directory"), "{text}");
        assert!(text.contains("writing cache image manifest sha256:"), "{text}");
    };
    rows(&plain);
    rows(&project.build(&flags("rawjson")).run().success().stderr);
    let explained = Machine::new();
    let cache = format!("type=local,src={}", project.sandbox.work().join(".cache").display());
    let built = explained.build(&project, &["--explain", "--cache-from", &cache]).success();
    assert!(built.stderr.contains(", from an imported cache"), "{}", built.stderr);
    let raw = Machine::new();
    let built = raw.build(&project, &["--progress", "rawjson", "--explain", "--cache-from", &cache]).success();
    assert!(built.stderr.contains("\"imported\":true"), "{}", built.stderr);
    // The classic view tells instructions, and takes the results all the same.
    let classic = Machine::new();
    let built = classic.build(&project, &["--progress", "classic", "--cache-from", &cache]).success();
    assert!(built.stdout.contains(" ---> Using cache"), "{}", built.stdout);
}

const ROUNDS: u32 = 24;

/// Whenever it is killed, the folder is one that can be read, and what was half written is gone with the next build.
#[test]
fn b073_a_killed_export_leaves_a_whole_folder() {
    let project = Project::with("FROM busybox\nCOPY a /a\nCOPY big /b\n");
    let cache = project.sandbox.work().join(".cache");
    let files = |round: u32| {
        project.file("a", format!("round {round}"));
        let mut state = u64::from(round) + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        project.file("big", (0..400_000).map(|_| next()).collect::<Vec<u8>>());
    };
    project.file(".dockerignore", ".cache\n");
    let flags = ["--cache-to", "type=local,dest=.cache,reset=true", "--cache-from", "type=local,src=.cache"];
    files(ROUNDS);
    let start = Instant::now();
    project.build(&flags).run().success();
    let time = start.elapsed();
    let mut killed = 0;
    for round in 0..ROUNDS {
        files(round);
        let command = project.build(&flags);
        let (start, delay) = (Instant::now(), time.mul_f64(f64::from(round) / f64::from(ROUNDS)));
        let mut child = command.spawn();
        while start.elapsed() < delay {
            std::thread::sleep(Duration::from_micros(200));
        }
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        whole(&cache);
        let other = Machine::new();
        let from = format!("type=local,src={}", cache.display());
        let built = other.build(&project, &["--cache-from", &from]).success();
        assert!(!built.stderr.contains("warning:"), "round {round}: {}", built.stderr);
    }
    assert!(killed >= ROUNDS / 4, "only {killed} of {ROUNDS} builds were still running when they were killed");
    project.build(&flags).run().success();
    assert_eq!(whole(&cache), 4);
    assert_eq!(fs::read_dir(cache.join("blobs/sha256")).unwrap().count(), 4);
    project.sandbox.check();
}
