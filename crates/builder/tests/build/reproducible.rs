//! One moment for everything: the same tree gives the same image, whenever and in whatever order it came to be.

use std::fs::File;
use std::time::{Duration, UNIX_EPOCH};

use builder::{BuildRequest, TimeOptions};
use layer::{Entry, EntryKind, Tree};
use oci::ImageId;

use crate::kitchen::{Kitchen, Outcome};

const EPOCH: i64 = 1_600_000_000;
const DOCKERFILE: &str = "FROM base AS made\nWORKDIR /made/here\nRUN mkdir deep && write deep/file x && remove /srv/old\n\
     FROM base\nCOPY . /app/\nWORKDIR /app/new\nADD a /other/folder/\nRUN write log one\n\
     COPY --from=made /made /made\nENV A=b\nCMD [\"sh\"]\n";

fn with_epoch(request: &mut BuildRequest) {
    request.build_args.push(("SOURCE_DATE_EPOCH".to_owned(), EPOCH.to_string()));
}

/// A kitchen whose files came in this order, at this time, with a clock of its own.
fn kitchen(files: &[&str], time: u64, clock: i64) -> Kitchen {
    let kitchen = Kitchen::new();
    files.iter().for_each(|file| kitchen.files(file));
    for name in ["a", "b/c", "b/d", "b", "."] {
        let opened = File::open(kitchen.context().join(name)).unwrap();
        opened.set_modified(UNIX_EPOCH + Duration::from_secs(time)).unwrap();
    }
    kitchen.later(clock);
    // A command writes now, and no moment that makes sense is later than that.
    kitchen.recorder.set_file_time(time.max(1_650_000_000).cast_signed());
    kitchen
}

const FILES: [&str; 4] = ["a=one", "b/c:755=two", "b/d=three", "b/e->c"];

/// The last one's files are older than the moment: they were checked out long ago.
fn kitchens() -> [Kitchen; 4] {
    let mut backwards = FILES;
    backwards.reverse();
    [
        kitchen(&FILES, 1_700_000_000, 0),
        kitchen(&backwards, 1_800_000_123, 86_400),
        kitchen(&FILES, 1_650_000_000, -1),
        kitchen(&backwards, 1_500_000_000, 5),
    ]
}

/// Times of everything in the layers above the base, and what they should not be.
#[track_caller]
fn assert_no_time_is_later(outcome: &Outcome<'_>, kitchen: &Kitchen) {
    let image = outcome.image();
    let stack = image::Stack::open(&kitchen.store, &image.rootfs.diff_ids).unwrap();
    let mut count = 0;
    for layer in &stack.layers()[1..] {
        let tree = Tree::new(vec![layer.clone()]);
        let mut folders = vec![(String::new(), tree.root().unwrap().unwrap())];
        while let Some((path, folder)) = folders.pop() {
            for (name, node) in tree.read_dir(&folder).unwrap() {
                let path = format!("{path}/{}", String::from_utf8(name).unwrap());
                let Entry { kind, metadata, .. } = tree.entry(&node, b"").unwrap();
                assert!(metadata.mtime.secs <= EPOCH, "{path} is of {}", metadata.mtime.secs);
                count += 1;
                if kind == EntryKind::Directory {
                    folders.push((path, node));
                }
            }
        }
    }
    assert!(count > 10, "only {count} names were looked at");
}

#[test]
fn b093_b094_n006_the_same_tree_gives_one_image_whatever_the_clocks_say() {
    let ids = |change: fn(&mut BuildRequest)| -> Vec<ImageId> {
        kitchens().iter().map(|kitchen| kitchen.build_as(DOCKERFILE, change).id()).collect()
    };
    let with = ids(with_epoch);
    assert!(with.iter().all(|id| *id == with[0]), "{with:?}");
    let reproducible = ids(|request| request.times.is_reproducible = true);
    assert!(reproducible.iter().all(|id| *id == reproducible[0]), "{reproducible:?}");
    assert_ne!(with[0], reproducible[0], "the beginning of time is another moment");
    let without = ids(|_| {});
    let distinct: std::collections::HashSet<_> = without.iter().collect();
    assert_eq!(distinct.len(), without.len(), "{without:?}");
}

#[test]
fn b093_the_moment_is_in_the_image_its_history_and_its_files() {
    let [_, kitchen, ..] = kitchens();
    let built = kitchen.build_as(DOCKERFILE, with_epoch);
    let moment = Some("2020-09-13T12:26:40Z".to_owned());
    let image = built.image();
    assert_eq!(image.created, moment);
    let (base, own) = image.history.split_at(1);
    assert_eq!(base[0].created.as_deref(), Some("2025-01-01T00:00:00Z"), "the base's rows stay as they are");
    assert_eq!(own.len(), 7);
    assert!(own.iter().all(|row| row.created == moment), "{own:?}");
    assert_no_time_is_later(&built, &kitchen);
}

#[test]
fn b094_layers_of_the_base_are_never_rewritten() {
    let [kitchen, ..] = kitchens();
    let base = kitchen.store.image(image::find(&kitchen.store, "base").unwrap().unwrap()).unwrap();
    let built = kitchen.build_as(DOCKERFILE, with_epoch);
    assert_eq!(built.layers()[..1], base.rootfs.diff_ids);
    let tree = image::Stack::open(&kitchen.store, &built.layers()[..1]).unwrap().tree();
    let node = tree.lookup(b"etc/passwd").unwrap().unwrap();
    assert!(tree.entry(&node, b"").unwrap().metadata.mtime.secs > EPOCH);
}

#[test]
fn b094_results_with_and_without_the_moment_do_not_mix() {
    let [kitchen, ..] = kitchens();
    let dockerfile = "FROM base\nCOPY a /a\nRUN write /b x\nWORKDIR /new\n";
    let without = kitchen.build(dockerfile);
    let with = kitchen.build_as(dockerfile, with_epoch);
    // The folder has the time of the one above it, of which the base says nothing: the same with any moment.
    assert!(without.layers()[1..3].iter().all(|layer| !with.layers()[1..3].contains(layer)));
    assert_eq!(with.calls(), "/bin/sh -c write /b x");
    assert_eq!(
        with.steps(),
        "CACHED [1/4] FROM docker.io/library/base@sha256:…\n\
         DONE [2/4] COPY a /a (because source date epoch changed: new is `1600000000`)\n\
         DONE [3/4] RUN write /b x (because source date epoch changed: new is `1600000000`)\n\
         DONE [4/4] WORKDIR /new (because source date epoch changed: new is `1600000000`)"
    );
    let later = kitchen.build_as(dockerfile, |request| {
        request.build_args.push(("SOURCE_DATE_EPOCH".to_owned(), "1600000001".to_owned()));
    });
    assert_ne!(later.id(), with.id());
    // Each finds its own again, and writes nothing.
    let before = kitchen.snapshot();
    assert_eq!(kitchen.build_as(dockerfile, with_epoch).id(), with.id());
    assert_eq!(kitchen.build(dockerfile).id(), without.id());
    assert_eq!(kitchen.snapshot(), before);
}

/// `rewrite-timestamp=false`: as BuildKit has it, only the documents get the moment.
#[test]
fn b094_files_may_keep_their_times() {
    let [kitchen, ..] = kitchens();
    let dockerfile = "FROM base\nCOPY a /a\nRUN write /b x\n";
    let without = kitchen.build(dockerfile);
    let keeping = kitchen.build_as(dockerfile, |request| {
        with_epoch(request);
        request.times = TimeOptions { keeps_file_times: true, ..TimeOptions::default() };
    });
    assert_eq!(keeping.layers(), without.layers());
    assert_eq!(keeping.calls(), "", "its files are those of every build");
    let image = keeping.image();
    assert_eq!(image.created.as_deref(), Some("2020-09-13T12:26:40Z"));
    assert!(image.history[1..].iter().all(|row| row.created == image.created), "{:?}", image.history);
}

/// The variable reaches commands where the stage asks for it, and nothing where it does not.
#[test]
fn d035_the_moment_is_an_argument_like_others() {
    let kitchen = Kitchen::new();
    let asked = kitchen.build_as("FROM base\nARG SOURCE_DATE_EPOCH\nRUN nothing\n", with_epoch);
    assert_eq!(asked.calls(), "/bin/sh -c nothing SOURCE_DATE_EPOCH=1600000000");
    let silent = kitchen.build_as("FROM base\nRUN nothing\n", with_epoch);
    assert_eq!(silent.calls(), "/bin/sh -c nothing");
    assert!(!silent.text().contains("warning"), "{}", silent.text());
    let first = kitchen.build_as("FROM base\nARG SOURCE_DATE_EPOCH\nRUN nothing\n", |request| {
        request.times.is_reproducible = true;
    });
    assert_eq!(first.calls(), "/bin/sh -c nothing SOURCE_DATE_EPOCH=0");
    let of_file = kitchen.build("ARG SOURCE_DATE_EPOCH=5\nFROM base\nRUN nothing\n");
    assert_eq!(of_file.image().created.as_deref(), Some("1970-01-01T00:00:05Z"));
}

#[test]
fn d035_a_moment_that_is_none_is_an_error() {
    let kitchen = Kitchen::new();
    let given = kitchen.build_as("FROM base\n", |request| {
        request.build_args.push(("SOURCE_DATE_EPOCH".to_owned(), "now".to_owned()));
    });
    assert_eq!(given.error(), "`now` is not a value of SOURCE_DATE_EPOCH");
    assert_eq!(
        kitchen.build("ARG SOURCE_DATE_EPOCH=now\nFROM base\n").error(),
        "line 1: `now` is not a value of SOURCE_DATE_EPOCH\n  help: give seconds since 1970, as in \
         `SOURCE_DATE_EPOCH=$(git log -1 --pretty=%ct)`"
    );
}
