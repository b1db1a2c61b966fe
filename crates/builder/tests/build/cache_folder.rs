//! Caches in folders: what one store writes another one finds (B073).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use builder::{BuildRequest, CacheExport, CacheImport, CacheMode, ClassicRequest, Event, Secret, SecretSource};
use image::archive::MediaTypes;
use layer::Encoding;

use crate::kitchen::{Kitchen, Outcome};

pub(crate) fn to(folder: &Path, mode: CacheMode) -> CacheExport {
    CacheExport {
        folder: folder.to_owned(),
        tag: "latest".to_owned(),
        mode,
        encoding: Encoding::Gzip { level: 6 },
        forces_compression: false,
        media_types: MediaTypes::Oci,
        ignores_errors: false,
        resets: false,
    }
}

pub(crate) fn from(folder: &Path) -> CacheImport {
    CacheImport { folder: folder.to_owned(), tag: "latest".to_owned(), digest: None }
}

/// Another machine: the base image, the same context, an hour later, and nothing that was built.
pub(crate) fn elsewhere(kitchen: &Kitchen) -> Elsewhere {
    let other = Kitchen::new();
    other.later(3600);
    Elsewhere { kitchen: other, context: kitchen.context() }
}

pub(crate) struct Elsewhere {
    pub(crate) kitchen: Kitchen,
    context: PathBuf,
}

impl Elsewhere {
    pub(crate) fn build_as(&self, dockerfile: &str, change: impl FnOnce(&mut BuildRequest)) -> Outcome<'_> {
        self.kitchen.build_as(dockerfile, |request| {
            request.context = Some(self.context.clone().into());
            change(request);
        })
    }

    pub(crate) fn build_from(&self, dockerfile: &str, folder: &Path) -> Outcome<'_> {
        self.build_as(dockerfile, |request| request.cache_from = vec![from(folder)])
    }
}

pub(crate) fn export(kitchen: &Kitchen, dockerfile: &str, mode: CacheMode) -> (PathBuf, oci::ImageId) {
    let folder = kitchen.folder().join("cache");
    let outcome = kitchen.build_as(dockerfile, |request| request.cache_to = vec![to(&folder, mode)]);
    let id = outcome.id();
    (folder, id)
}

/// `hit` or `miss` of each numbered step, in the order of their names.
pub(crate) fn outcomes(outcome: &Outcome<'_>) -> String {
    let steps = outcome.steps();
    let mut own: Vec<&str> = steps.lines().filter(|line| !line.contains("FROM ")).collect();
    own.sort_by_key(|line| line.split_once('[').map(|(_, name)| name));
    let words: Vec<&str> = own.iter().map(|line| if line.starts_with("CACHED") { "hit" } else { "miss" }).collect();
    words.join(" ")
}

fn canary() -> SecretSource {
    SecretSource::Variable { name: "TOKEN".to_owned(), value: Secret::new(b"canary-secret".to_vec()) }
}

fn blobs(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder.join("blobs/sha256")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Names, inodes and times of all files.
fn snapshot(folder: &Path) -> Vec<String> {
    let mut paths: Vec<PathBuf> = blobs(folder).iter().map(|name| folder.join("blobs/sha256").join(name)).collect();
    paths.extend([folder.join("index.json"), folder.join("oci-layout")]);
    let line = |path: &PathBuf| {
        let meta = fs::metadata(path).unwrap();
        format!("{} {} {} {}", path.display(), meta.ino(), meta.ctime(), meta.ctime_nsec())
    };
    paths.iter().map(line).collect()
}

const STAGES: &str = "FROM base AS one\nCOPY a /a\nRUN write /b 1\nFROM base AS two\nWORKDIR /w\nRUN write /w/c 2\n\
    FROM base\nCOPY --from=one /b /b\nCOPY --from=two --link /w /w\nCOPY <<E /doc\ntext\nE\nRUN write /d 3\nENV A=1\n\
    COPY a /last\n";

#[test]
fn b073_another_store_finds_everything_and_makes_the_same_image() {
    let kitchen = Kitchen::with("a=1");
    let (folder, id) = export(&kitchen, STAGES, CacheMode::Max);
    let other = elsewhere(&kitchen);
    let found = other.build_from(STAGES, &folder);
    assert_eq!(found.id(), id);
    assert_eq!(outcomes(&found), "hit hit hit hit hit hit hit hit hit", "{}", found.text());
    assert_eq!(found.calls(), "");
    let text = found.text();
    assert!(text.contains("importing cache manifest from local:"), "{text}");
    // Only the layers of the image were needed, and nothing is left half there.
    let layers = fs::read_dir(other.kitchen.store.path().join("layers")).unwrap().count();
    assert_eq!(layers, 2 * found.layers().len());
    let original = kitchen.store.image(id).unwrap().rootfs.diff_ids;
    assert_eq!(other.kitchen.tree(&original), kitchen.tree(&original));
    // What was brought is as good as what was made here.
    let single = "FROM base\nCOPY a /a\nRUN write /b 1\n";
    let (folder, id) = export(&kitchen, single, CacheMode::Min);
    let other = elsewhere(&kitchen);
    assert_eq!(other.build_from(single, &folder).id(), id);
    let before = other.kitchen.snapshot();
    let again = other.build_as(single, |_| {});
    assert_eq!((again.id(), outcomes(&again).as_str()), (id, "hit hit"));
    assert_eq!(other.build_from(single, &folder).id(), id);
    assert_eq!(other.kitchen.snapshot(), before);
}

#[test]
fn b073_min_has_the_layers_of_the_image_and_max_all() {
    let kitchen = Kitchen::with("a=1");
    let (folder, id) = export(&kitchen, STAGES, CacheMode::Min);
    let count = blobs(&folder).len();
    // Where nothing changed, that the stages' steps are known is enough.
    let other = elsewhere(&kitchen);
    let found = other.build_from(STAGES, &folder);
    assert_eq!((found.id(), found.calls().as_str()), (id, ""));
    assert_eq!(outcomes(&found), "hit hit hit hit hit hit hit hit hit", "{}", found.text());
    assert!(!found.text().contains("warning"), "{}", found.text());
    assert_eq!(fs::read_dir(other.kitchen.store.path().join("layers")).unwrap().count(), 2 * found.layers().len());
    // Somebody who wants all layers has to make them.
    let third = kitchen.folder().join("third");
    let other = elsewhere(&kitchen);
    let made = other.build_as(STAGES, |request| {
        request.cache_from = vec![from(&folder)];
        request.cache_to = vec![to(&third, CacheMode::Max)];
    });
    assert_eq!(made.id(), id);
    let (folder, _) = export(&kitchen, STAGES, CacheMode::Max);
    assert_eq!(listed_layers(&third), listed_layers(&folder));
    assert!(blobs(&third).len() > count);
}

/// Descriptors of the layers of the only cache.
fn listed_layers(folder: &Path) -> serde_json::Value {
    let json = |path: PathBuf| -> serde_json::Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let index = json(folder.join("index.json"));
    let digest = index["manifests"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    json(folder.join("blobs/sha256").join(digest))["layers"].clone()
}

#[test]
fn b073_min_runs_other_stages_where_something_changed() {
    let kitchen = Kitchen::with("a=1");
    let (folder, _) = export(&kitchen, STAGES, CacheMode::Min);
    kitchen.files("a=2");
    let other = elsewhere(&kitchen);
    let built = other.build_from(STAGES, &folder);
    // What is copied out of a stage that ran again is found by its content; the last step of the stage `two` gives a layer
    // that the image has as well.
    assert_eq!(outcomes(&built), "miss miss hit hit hit hit miss miss hit", "{}", built.steps());
    assert_eq!(built.layers(), kitchen.build(STAGES).layers());
    // With a file of the last step alone it is the same: what runs could need any of the others' files.
    let two = "FROM base AS one\nCOPY a /x\nFROM base\nCOPY b /b\nCOPY --from=one /x /a\nRUN write /c 1\n";
    kitchen.files("b=1");
    let (folder, _) = export(&kitchen, two, CacheMode::Min);
    kitchen.files("b=2");
    let built = elsewhere(&kitchen);
    let built = built.build_from(two, &folder);
    assert_eq!(outcomes(&built), "miss miss miss miss", "{}", built.steps());
    assert!(!built.text().contains("CANCELED"), "{}", built.text());
}

#[test]
fn b073_what_changed_runs_and_what_is_before_it_is_found() {
    let kitchen = Kitchen::with("a=1 b=1 c=1");
    let dockerfile = "FROM base AS one\nCOPY a /a\nRUN write /x 1\nFROM base\nCOPY a /a\nCOPY b /b\nRUN write /y 1\n\
        COPY c /c\nCOPY --from=one /x /x\n";
    let (folder, _) = export(&kitchen, dockerfile, CacheMode::Max);
    kitchen.files("b=2");
    let other = elsewhere(&kitchen);
    let built = other.build_from(dockerfile, &folder);
    assert_eq!(outcomes(&built), "hit hit hit miss miss miss miss", "{}", built.steps());
    let here = kitchen.build(dockerfile);
    assert_eq!(built.tree(), here.tree());
    assert_eq!(built.layers(), here.layers());
    // A mount of a stage needs the stage's files as well.
    let mounted = "FROM base AS one\nCOPY a /a\nRUN write /x 1\nFROM base\nRUN --mount=from=one,target=/m show /m/x && write /z 1\n";
    let (folder, id) = export(&kitchen, mounted, CacheMode::Max);
    assert_eq!(elsewhere(&kitchen).build_from(mounted, &folder).id(), id);
    let more = mounted.replace("/z 1", "/z 2");
    let built = elsewhere(&kitchen);
    let built = built.build_from(&more, &folder);
    assert_eq!(outcomes(&built), "hit hit miss");
    assert!(built.calls().contains("write /z 2"), "{}", built.calls());
}

#[test]
fn b073_a_build_in_which_nothing_changed_leaves_the_folder_alone() {
    let kitchen = Kitchen::with("a=1");
    let (folder, id) = export(&kitchen, STAGES, CacheMode::Max);
    let before = snapshot(&folder);
    assert_eq!(export(&kitchen, STAGES, CacheMode::Max).1, id);
    assert_eq!(snapshot(&folder), before);
    // Nor does one elsewhere, which has not even brought all of the layers.
    let other = elsewhere(&kitchen);
    let both = other.build_as(STAGES, |request| {
        request.cache_from = vec![from(&folder)];
        request.cache_to = vec![to(&folder, CacheMode::Max)];
    });
    assert_eq!(both.id(), id);
    assert_eq!(snapshot(&folder), before);
    assert_eq!(fs::read_dir(other.kitchen.store.path().join("layers")).unwrap().count(), 2 * both.layers().len());
    // Into another folder all of them go, and that one is as good.
    let third = kitchen.folder().join("third");
    let other = elsewhere(&kitchen);
    other.build_as(STAGES, |request| {
        request.cache_from = vec![from(&folder)];
        request.cache_to = vec![to(&third, CacheMode::Max)];
    });
    assert_eq!(blobs(&third), blobs(&folder));
}

#[test]
fn b073_compression_tags_and_digests() {
    let kitchen = Kitchen::with("a=1");
    let folder = kitchen.folder().join("cache");
    let dockerfile = |text: &str| format!("FROM base\nRUN write /x {text}\nCOPY a /a\n");
    for (tag, encoding, media_types, kind) in [
        ("g", Encoding::Gzip { level: 9 }, MediaTypes::Oci, "layer.v1.tar+gzip"),
        ("z", Encoding::Zstd { level: 3 }, MediaTypes::Oci, "layer.v1.tar+zstd"),
        ("u", Encoding::Uncompressed, MediaTypes::Oci, "layer.v1.tar\""),
        ("d", Encoding::Gzip { level: 6 }, MediaTypes::Docker, "docker.image.rootfs.diff.tar.gzip"),
    ] {
        let export = CacheExport { tag: tag.to_owned(), encoding, media_types, ..to(&folder, CacheMode::Min) };
        let id = kitchen.build_as(&dockerfile(tag), |request| request.cache_to = vec![export.clone()]).id();
        let reader = image::archive::LayoutReader::open(&folder).unwrap();
        let manifest = reader.tagged(tag).unwrap().unwrap();
        let text = fs::read_to_string(folder.join("blobs/sha256").join(manifest.digest.hex())).unwrap();
        assert_eq!(text.matches(kind).count(), 2, "{tag}: {text}");
        let tagged = CacheImport { tag: tag.to_owned(), ..from(&folder) };
        let other = elsewhere(&kitchen);
        let found = other.build_as(&dockerfile(tag), |request| request.cache_from = vec![tagged]);
        assert_eq!((found.id(), outcomes(&found).as_str()), (id, "hit hit"), "{tag}");
        // A cache that is not listed any more can be asked for by its digest.
        let by_digest = CacheImport { tag: "none".to_owned(), digest: Some(manifest.digest), ..from(&folder) };
        kitchen.build_as(&dockerfile("new"), |request| request.cache_to = vec![export]).id();
        let other = elsewhere(&kitchen);
        let found = other.build_as(&dockerfile(tag), |request| request.cache_from = vec![by_digest]);
        assert_eq!((found.id(), outcomes(&found).as_str()), (id, "hit hit"), "{tag}");
    }
}

#[test]
fn b073_several_caches_are_asked_in_order() {
    let kitchen = Kitchen::with("a=1");
    let folders: Vec<PathBuf> = ["one", "two"].iter().map(|name| kitchen.folder().join(name)).collect();
    let both = "FROM base AS x\nRUN write /x 1\nFROM base AS y\nRUN write /y 1\nFROM base\nCOPY --from=x /x /x\nCOPY --from=y /y /y\n";
    for (folder, target) in folders.iter().zip(["x", "y"]) {
        kitchen.build_as(both, |request| {
            request.target = Some(target.to_owned());
            request.cache_to = vec![to(folder, CacheMode::Min)];
        });
    }
    let other = elsewhere(&kitchen);
    let found = other.build_as(both, |request| {
        request.cache_from = folders.iter().map(|folder| from(folder)).collect();
    });
    assert_eq!(outcomes(&found), "miss miss hit hit", "{}", found.steps());
    // One that is damaged does not keep the next one from being asked.
    let other = elsewhere(&kitchen);
    let found = other.build_as(both, |request| {
        request.cache_from = vec![from(Path::new("/nowhere")), from(&folders[0]), from(&folders[1])];
    });
    assert_eq!(outcomes(&found), "miss miss hit hit", "{}", found.steps());
    assert!(found.text().contains("the cache at /nowhere is not used: there is no such folder"), "{}", found.text());
}

#[test]
fn b073_reset_drops_what_no_cache_has_any_more() {
    let kitchen = Kitchen::with("a=1");
    let folder = kitchen.folder().join("cache");
    let build = |text: &str, tag: &str, resets: bool| {
        let export = CacheExport { tag: tag.to_owned(), resets, ..to(&folder, CacheMode::Max) };
        kitchen.build_as(&format!("FROM base\nRUN write /x {text}\n"), |request| request.cache_to = vec![export]).id();
        blobs(&folder)
    };
    let first = build("1", "latest", false);
    assert_eq!(first.len(), 3);
    assert_eq!(build("2", "latest", false).len(), 6);
    assert_eq!(build("3", "kept", false).len(), 9);
    fs::write(folder.join("blobs/sha256/mine"), "not a blob").unwrap();
    let left = format!(".{}.4711", "a".repeat(64));
    fs::write(folder.join("blobs/sha256").join(&left), "half").unwrap();
    let last = build("4", "latest", true);
    assert_eq!(last.len(), 3 + 3 + 1, "{last:?}");
    assert!(last.contains("mine") && first.is_disjoint(&last));
    let other = elsewhere(&kitchen);
    for (text, tag) in [("4", "latest"), ("3", "kept")] {
        let tagged = CacheImport { tag: tag.to_owned(), ..from(&folder) };
        let found = other.build_as(&format!("FROM base\nRUN write /x {text}\n"), |r| r.cache_from = vec![tagged]);
        assert_eq!(outcomes(&found), "hit");
    }
    // What cannot be followed is not thrown away.
    let index = fs::read_to_string(folder.join("index.json")).unwrap();
    let entry = format!(
        "{{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:{}\",\"size\":1}},",
        "b".repeat(64)
    );
    fs::write(folder.join("index.json"), index.replacen("\"manifests\":[", &format!("\"manifests\":[{entry}"), 1))
        .unwrap();
    assert_eq!(build("5", "latest", true).len(), last.len() + 3);
}

#[test]
fn b073_no_cache_ignores_imports_and_filters_hold() {
    let kitchen = Kitchen::with("a=1");
    let (folder, _) = export(&kitchen, STAGES, CacheMode::Max);
    let other = elsewhere(&kitchen);
    let all = other.build_as(STAGES, |request| {
        request.cache_from = vec![from(&folder)];
        request.no_cache = true;
    });
    assert!(!outcomes(&all).contains("hit"), "{}", all.steps());
    assert!(!all.text().contains("importing cache"), "{}", all.text());
    let other = elsewhere(&kitchen);
    let one = other.build_as(STAGES, |request| {
        request.cache_from = vec![from(&folder)];
        request.no_cache_filter = vec!["one".to_owned()];
    });
    assert_eq!(outcomes(&one), "miss miss hit hit hit hit hit hit hit", "{}", one.steps());
}

#[test]
fn b073_explain_tells_an_imported_result() {
    let kitchen = Kitchen::with("a=1");
    let (folder, _) = export(&kitchen, "FROM base\nCOPY a /a\nRUN write /b 1\n", CacheMode::Min);
    let other = elsewhere(&kitchen);
    let dockerfile = "FROM base\nCOPY a /a\nRUN write /b 1\nRUN write /c 1\n";
    let hits = |outcome: &Outcome<'_>| -> Vec<bool> {
        let imported = |event: &Event| match event {
            Event::CacheHit { is_imported, .. } => Some(*is_imported),
            _ => None,
        };
        outcome.events.iter().filter_map(imported).collect()
    };
    assert_eq!(hits(&other.build_from(dockerfile, &folder)), [true, true]);
    // Later builds know where it came from as well; what was made here is told apart.
    assert_eq!(hits(&other.build_as(dockerfile, |_| {})), [true, true, false]);
}

#[test]
fn b073_neither_secrets_nor_arguments_are_in_the_folder() {
    let kitchen = Kitchen::with("a=1");
    kitchen.secret("token", "canary-secret");
    let folder = kitchen.folder().join("cache");
    let dockerfile = "FROM base AS one\nARG WORD\nRUN --mount=type=secret,id=token,env=TOKEN secret TOKEN && write /x 1\n\
        RUN --mount=type=cache,target=/c keep /c/f canary-cache && write /y 1\nFROM base\nENV A=canary-env\nCOPY --from=one /x /y /\n\
        RUN --mount=type=secret,id=token,env=TOKEN write /z 1\n";
    let built = kitchen.build_as(dockerfile, |request| {
        request.build_args = vec![("WORD".to_owned(), "canary-argument".to_owned())];
        request.run.secrets.insert("token".to_owned(), canary());
        request.cache_to = vec![CacheExport { encoding: Encoding::Uncompressed, ..to(&folder, CacheMode::Max) }];
    });
    built.id();
    assert!(blobs(&folder).len() > 5);
    for name in blobs(&folder) {
        let content = fs::read(folder.join("blobs/sha256").join(&name)).unwrap();
        assert!(!content.windows(7).any(|window| window == b"canary-"), "{name}");
    }
}

#[test]
fn b073_classic_builds_and_squashed_images() {
    let kitchen = Kitchen::with("a=1");
    let dockerfile = "FROM base\nCOPY a /a\nENV X=1\nRUN write /b 1\nRUN write /c 1\n";
    let changes: [fn(&mut BuildRequest); 2] =
        [|request| request.classic = Some(ClassicRequest::default()), |request| request.squash = true];
    for change in changes {
        let folder = kitchen.folder().join("cache");
        let id = kitchen.build_as(dockerfile, |request| {
            change(request);
            request.cache_to = vec![to(&folder, CacheMode::Min)];
        });
        let id = id.id();
        let other = elsewhere(&kitchen);
        let found = other.build_as(dockerfile, |request| {
            change(request);
            request.cache_from = vec![from(&folder)];
        });
        assert_eq!((found.id(), found.calls().as_str()), (id, ""));
        // A further export has what was found.
        let third = kitchen.folder().join("third");
        other.build_as(dockerfile, |request| {
            change(request);
            request.cache_from = vec![from(&folder)];
            request.cache_to = vec![to(&third, CacheMode::Min)];
        });
        let last = elsewhere(&kitchen);
        let found = last.build_as(dockerfile, |request| {
            change(request);
            request.cache_from = vec![from(&third)];
        });
        assert_eq!((found.id(), found.calls().as_str()), (id, ""));
    }
}

#[test]
fn b073_several_platforms_and_a_fixed_time() {
    let kitchen = Kitchen::with("a=1");
    let folder = kitchen.folder().join("cache");
    let dockerfile =
        "FROM scratch AS one\nARG TARGETARCH\nCOPY a /$TARGETARCH\nFROM scratch\nCOPY --from=one / /\nCOPY a /b\n";
    let change = |request: &mut BuildRequest| {
        request.platforms = ["linux/amd64", "linux/arm64"].map(|text| text.parse().unwrap()).to_vec();
        request.build_args = vec![("SOURCE_DATE_EPOCH".to_owned(), "1700000000".to_owned())];
    };
    for mode in [CacheMode::Min, CacheMode::Max] {
        let id = kitchen.build_as(dockerfile, |request| {
            change(request);
            request.cache_to = vec![to(&folder, mode)];
        });
        let id = id.id();
        let other = elsewhere(&kitchen);
        let found = other.build_as(dockerfile, |request| {
            change(request);
            request.cache_from = vec![from(&folder)];
        });
        assert_eq!((found.id(), outcomes(&found).as_str()), (id, "hit hit hit hit hit hit"), "{}", found.text());
    }
}

#[test]
fn b073_a_build_that_fails_writes_no_cache() {
    let kitchen = Kitchen::with("a=1");
    let folder = kitchen.folder().join("cache");
    let failed = kitchen.build_as("FROM base\nCOPY a /a\nRUN exit 3\n", |request| {
        request.cache_to = vec![to(&folder, CacheMode::Max)];
    });
    assert!(failed.result.is_err());
    assert!(!folder.join("index.json").exists());
    assert!(blobs(&folder).is_empty());
}

#[test]
fn b073_two_builds_write_to_one_folder_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    let kitchens: Vec<Kitchen> = (0..4).map(|_| Kitchen::with("a=1")).collect();
    // The layer with the file is one only if the file is of one time.
    kitchens.iter().for_each(|kitchen| kitchen.set_mtime("a", 1_700_000_000));
    let build = |number: usize, kitchen: &Kitchen| {
        for round in 0..4 {
            let export = CacheExport { tag: format!("t{number}"), resets: true, ..to(&folder, CacheMode::Max) };
            let text = format!("FROM base\nCOPY a /a\nRUN write /x {number}-{round}\n");
            kitchen.build_as(&text, |request| request.cache_to = vec![export]).id();
        }
    };
    std::thread::scope(|scope| {
        for (number, kitchen) in kitchens.iter().enumerate() {
            scope.spawn(move || build(number, kitchen));
        }
    });
    for (number, kitchen) in kitchens.iter().enumerate() {
        let tagged = CacheImport { tag: format!("t{number}"), ..from(&folder) };
        let other = elsewhere(kitchen);
        let text = format!("FROM base\nCOPY a /a\nRUN write /x {number}-3\n");
        let found = other.build_as(&text, |request| request.cache_from = vec![tagged]);
        assert_eq!(outcomes(&found), "hit hit", "{}", found.text());
    }
    // One layer of all, one of each, a document and a manifest of each.
    assert_eq!(blobs(&folder).len(), 1 + 4 * 3);
    // One build can give its result two names.
    let both = ["x", "y"].map(|tag| CacheExport { tag: tag.to_owned(), resets: true, ..to(&folder, CacheMode::Min) });
    kitchens[0].build_as("FROM base\nRUN write /z 1\n", |request| request.cache_to = both.to_vec()).id();
    assert_eq!(blobs(&folder).len(), 1 + 4 * 3 + 3);
}

#[test]
fn b073_a_folder_that_cannot_be_written_fails_before_anything_runs() {
    let kitchen = Kitchen::with("a=1");
    let file = kitchen.folder().join("file");
    fs::write(&file, "").unwrap();
    let other = kitchen.folder().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("index.json"), "[]").unwrap();
    let linked = kitchen.folder().join("linked");
    fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink(kitchen.context(), linked.join("blobs")).unwrap();
    for folder in [file.join("x"), file, other, linked] {
        let failed = kitchen.build_as("FROM base\nRUN write /x 1\n", |request| {
            request.cache_to = vec![to(&folder, CacheMode::Min)];
        });
        assert!(failed.error().contains("cannot write the cache to"), "{}", failed.error());
        assert_eq!(failed.calls(), "");
        let built = kitchen.build_as("FROM base\nRUN write /x 1\n", |request| {
            request.no_cache = true;
            request.cache_to = vec![CacheExport { ignores_errors: true, ..to(&folder, CacheMode::Min) }];
        });
        built.id();
        assert!(built.text().contains("warning: cannot write the cache to"), "{}", built.text());
    }
    assert!(!kitchen.context().join("sha256").exists());
}
