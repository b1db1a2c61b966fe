use std::io::Write;

use oci::{DiffId, Digest, ImageId, Reference};

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("a/b/store")).unwrap();
    (home, store)
}

fn add_layer(store: &Store, content: &[u8]) -> DiffId {
    let sink = store.layer_sink().unwrap();
    sink.file().unwrap().write_all(content).unwrap();
    let id = DiffId(Digest::of(content));
    store.add_layer(id, sink, b"index", None).unwrap();
    id
}

fn publish(store: &Store, layers: &[DiffId]) -> ImageId {
    let mut config = oci::ImageConfig::default();
    config.rootfs.diff_ids = layers.to_vec();
    store.publish_image(&config.to_bytes(), None).unwrap()
}

fn names_below(path: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name == "stubs" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            names.extend(names_below(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

#[test]
fn a_store_is_private_and_opens_again() {
    let (_home, store) = store();
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(store.path()).unwrap());
    assert_eq!(mode & 0o777, 0o700);
    Store::open(store.path()).unwrap();
}

#[test]
fn a_reset_leaves_nothing_of_its_own_and_all_that_is_not() {
    let (_folder, store) = store();
    let path = store.path().to_owned();
    for name in FURTHER {
        // Those that are there stay what they are.
        if !path.join(name).exists() {
            std::fs::create_dir(path.join(name)).unwrap();
            std::fs::write(path.join(name).join("file"), "").unwrap();
        }
    }
    assert!(store.strangers().unwrap().is_empty());
    std::fs::write(path.join("notes.txt"), "").unwrap();
    assert_eq!(store.remove_all().unwrap(), ["notes.txt"]);
    assert_eq!(names_below(&path), ["notes.txt"]);
}

#[test]
fn another_version_is_refused() {
    let (_home, store) = store();
    std::fs::write(store.path().join("version"), "onggi store 99\n").unwrap();
    assert!(matches!(Store::open(store.path()), Err(StoreError::Version { .. })));
}

#[test]
fn an_image_needs_its_layers() {
    let (_home, store) = store();
    let mut config = oci::ImageConfig::default();
    config.rootfs.diff_ids = vec![DiffId(Digest::of(b"absent"))];
    let result = store.publish_image(&config.to_bytes(), None);
    assert!(matches!(result, Err(StoreError::LayerMissing(_))), "{result:?}");
    assert!(store.image_ids().unwrap().is_empty());
}

/// S007: the same content under two names is kept once.
#[test]
fn s007_two_names_one_image() {
    let (_home, store) = store();
    let id = publish(&store, &[add_layer(&store, b"tar")]);
    let (one, two): (Reference, Reference) = ("a:1".parse().unwrap(), "b/c:2".parse().unwrap());
    store.set_reference(&one, id).unwrap();
    store.set_reference(&two, id).unwrap();
    assert_eq!(store.references().unwrap(), [(two.clone(), id), (one.clone(), id)]);
    assert_eq!(store.image_ids().unwrap(), [id]);
    assert!(store.remove_reference(&one).unwrap());
    assert_eq!(store.reference(&one).unwrap(), None);
    assert_eq!(store.reference(&two).unwrap(), Some(id));
}

/// S009: any unambiguous prefix names an image.
#[test]
fn s009_prefixes() {
    let (_home, store) = store();
    let mut ids = Vec::new();
    for number in 0..40_u8 {
        ids.push(publish(&store, &[add_layer(&store, &[number])]));
    }
    let hex = ids[0].0.hex();
    assert_eq!(store.find_image(&hex).unwrap(), ImageLookup::Found(ids[0]));
    assert_eq!(store.find_image(&hex[..12]).unwrap(), ImageLookup::Found(ids[0]));
    assert_eq!(store.find_image(&format!("sha256:{}", &hex[..10])).unwrap(), ImageLookup::Found(ids[0]));
    assert_eq!(store.find_image("").unwrap(), ImageLookup::NotFound);
    assert_eq!(store.find_image("../x").unwrap(), ImageLookup::NotFound);
    let ambiguous = (0..16).any(|n| store.find_image(&format!("{n:x}")).unwrap() == ImageLookup::Ambiguous);
    assert!(ambiguous, "40 images share a first digit");
}

#[test]
fn removal_spares_what_others_need() {
    let (_home, store) = store();
    let (base, own, cached, leased) = (
        add_layer(&store, b"base"),
        add_layer(&store, b"own"),
        add_layer(&store, b"cached"),
        add_layer(&store, b"leased"),
    );
    let keep = publish(&store, &[base]);
    let go = publish(&store, &[base, own, cached, leased]);
    store.put_record(RecordKind::Step, Digest::of(b"key"), format!("{{\"layer\":\"{cached}\"}}").as_bytes()).unwrap();
    let lease = store.lease().unwrap();
    lease.hold(leased.0).unwrap();
    let removed = store.remove_image(go).unwrap();
    assert_eq!(removed, Removed { images: vec![go], layers: vec![own], blobs: Vec::new() });
    assert_eq!(store.image_ids().unwrap(), [keep]);
    assert!(store.layer(own, None).unwrap().is_none());
    for layer in [base, cached, leased] {
        assert!(store.layer(layer, None).unwrap().is_some());
    }
}

#[test]
fn a_dead_process_pins_nothing_and_leaves_nothing() {
    let (_home, store) = store();
    let dead = "4194304-1";
    std::fs::create_dir_all(store.path().join(format!("ingest/{dead}-7/upper/x"))).unwrap();
    std::fs::write(store.path().join(format!("leases/{dead}-0")), "sha256:00\n").unwrap();
    drop(store.lease().unwrap());
    assert_eq!(names_below(store.path()), ["version"]);
}

#[test]
fn an_unfinished_layer_leaves_no_file() {
    let (_home, store) = store();
    let sink = store.layer_sink().unwrap();
    sink.file().unwrap().write_all(b"half").unwrap();
    drop(sink);
    assert_eq!(names_below(store.path()), ["version"]);
}

/// S042: a used name is a conflict; a name whose container is gone is free.
#[test]
fn container_names_are_taken_once() {
    let (_home, store) = store();
    let image = publish(&store, &[]);
    let (one, two) = ("1".repeat(64), "12".repeat(32));
    store.create_container(&one, "web", image, b"{}").unwrap();
    let taken = store.create_container(&two, "web", image, b"{}");
    assert!(matches!(taken, Err(StoreError::NameTaken { ref id, .. }) if *id == one), "{taken:?}");
    store.create_container(&two, "db", image, b"{}").unwrap();
    assert_eq!(store.find_container("web").unwrap(), ContainerLookup::Found(one.clone()));
    assert_eq!(store.find_container("11").unwrap(), ContainerLookup::Found(one.clone()));
    assert_eq!(store.find_container("1").unwrap(), ContainerLookup::Ambiguous);
    store.remove_container(&one, "web").unwrap();
    assert_eq!(store.find_container("web").unwrap(), ContainerLookup::NotFound);
    store.create_container(&one, "web", image, b"{}").unwrap();
}

#[test]
fn many_threads_publish_and_remove_without_loss() {
    let (_home, store) = store();
    std::thread::scope(|scope| {
        for worker in 0..4_u8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..20_u8 {
                    let lease = store.lease().unwrap();
                    let shared = DiffId(Digest::of(b"shared"));
                    lease.hold(shared.0).unwrap();
                    add_layer(store, b"shared");
                    let id = publish(store, &[shared, add_layer(store, &[worker, round])]);
                    assert_eq!(store.image(id).unwrap().rootfs.diff_ids.len(), 2);
                    store.remove_image(id).unwrap();
                }
            });
        }
    });
    assert!(store.image_ids().unwrap().is_empty());
}

/// Published layers are synced once: their files are read-only afterwards, and stay when the same layer comes again.
#[test]
fn published_layers_are_sealed_and_stay() {
    use std::os::unix::fs::MetadataExt;
    let (_home, store) = store();
    let layer = add_layer(&store, b"tar");
    assert!(!store.is_durable(layer).unwrap());
    publish(&store, &[layer]);
    assert!(store.is_durable(layer).unwrap());
    let tar = store.path().join(format!("layers/{}.tar", layer.0.hex()));
    let index = tar.with_extension("erofs");
    let inodes = || [&tar, &index].map(|path| std::fs::metadata(path).unwrap().ino());
    let before = inodes();
    add_layer(&store, b"tar");
    assert_eq!(inodes(), before);
    for path in [&tar, &index] {
        assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o400);
    }
}

/// Runs the test `name` again in a process of its own, with `ONGGI_STORE_TEST` set to `argument`.
fn in_a_process(name: &str, argument: &str) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("tests::{name}"), "--nocapture"])
        .env("ONGGI_STORE_TEST", argument)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tells this process of the test from the first")]
fn argument() -> Option<String> {
    std::env::var("ONGGI_STORE_TEST").ok()
}

/// Out of descriptors, nobody can be looked up; that must not make the living dead.
#[test]
fn who_cannot_be_looked_at_is_alive() {
    if argument().is_none() {
        assert!(in_a_process("who_cannot_be_looked_at_is_alive", "1").wait().unwrap().success());
        return;
    }
    let own = ProcessIdentity::own().unwrap();
    assert!(own.is_alive());
    assert!(!ProcessIdentity { pid: own.pid, start: own.start + 1 }.is_alive());
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    let is_alive = own.is_alive();
    drop(hoard);
    assert!(is_alive);
}

/// Users in a container look into `/etc` of an image that has none.
#[test]
fn stubs_are_visible_whatever_the_umask_is() {
    use std::os::unix::fs::PermissionsExt;
    if argument().is_none() {
        assert!(in_a_process("stubs_are_visible_whatever_the_umask_is", "1").wait().unwrap().success());
        return;
    }
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let (_home, store) = store();
    let mode = std::fs::metadata(store.path().join("stubs/etc")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

/// A name never belongs to two containers, nor does a removal take it from its new owner.
#[test]
fn names_are_exclusive_in_a_race() {
    let (_home, store) = store();
    let image = publish(&store, &[]);
    std::thread::scope(|scope| {
        for worker in 0..4_u32 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..100_u32 {
                    let id = format!("{worker:032x}{round:032x}");
                    match store.create_container(&id, "web", image, b"{}") {
                        Ok(_) => {
                            assert_eq!(store.find_container("web").unwrap(), ContainerLookup::Found(id.clone()));
                            store.remove_container(&id, "web").unwrap();
                        }
                        Err(StoreError::NameTaken { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
    });
    assert!(store.container_ids().unwrap().is_empty());
    assert_eq!(store.find_container("web").unwrap(), ContainerLookup::NotFound);
}

/// Whoever adds a layer again while it is published: what is listed has been synced.
#[test]
fn a_published_layer_is_sealed_in_a_race() {
    let (_home, store) = store();
    for round in 0..50_u8 {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let store = &store;
                scope.spawn(move || {
                    let layer = add_layer(store, &[round]);
                    publish(store, &[layer]);
                    assert!(store.is_durable(layer).unwrap());
                    add_layer(store, &[round]);
                    assert!(store.is_durable(layer).unwrap());
                });
            }
        });
    }
}

#[test]
fn a_name_given_in_the_last_moment_keeps_its_image() {
    let (_home, store) = store();
    let id = publish(&store, &[add_layer(&store, b"tar")]);
    store.set_reference(&"a:1".parse().unwrap(), id).unwrap();
    assert_eq!(store.remove_image(id).unwrap(), Removed::default());
    assert!(store.has_image(id).unwrap());
}

#[test]
fn a_damaged_image_can_be_removed_and_stops_other_removals_early() {
    let (_home, store) = store();
    let (good, bad) = (publish(&store, &[add_layer(&store, b"one")]), publish(&store, &[add_layer(&store, b"two")]));
    std::fs::write(store.path().join(format!("images/{}", bad.0.hex())), "{").unwrap();
    let refused = store.remove_image(good);
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert!(store.has_image(good).unwrap());
    store.remove_image(bad).unwrap();
    assert_eq!(store.remove_image(good).unwrap().layers.len(), 1);
}

fn fail(store: &Store, id: &str, order: i128, layers: &[DiffId]) -> Result<(), StoreError> {
    let work = store.work_folder().unwrap();
    let upper = work.subfolder("upper", 0o750).unwrap();
    rustix::fs::mkdirat(&upper, "written", Mode::RWXU).unwrap();
    for name in ["work", "further"] {
        work.subfolder(name, 0o700).unwrap();
    }
    let further = ["further".to_owned(), "missing".to_owned()];
    let new = NewFailure { id, order, stacks: &[layers, layers], record: id.as_bytes() };
    store.keep_failure(&new, Some(Written { folder: &work, further: &further }))
}

#[test]
fn n007_the_newest_failures_are_kept() {
    let (_home, store) = store();
    assert_eq!(store.failure_ids().unwrap(), [""; 0]);
    for order in 1..=KEPT_FAILURES + 2 {
        fail(&store, &format!("f{order}"), order as i128 * 1000, &[]).unwrap();
    }
    assert_eq!(store.failure_ids().unwrap(), ["f7", "f6", "f5", "f4", "f3"]);
    let failure = store.failure("f4").unwrap().unwrap();
    assert_eq!((failure.id.as_str(), failure.record.as_slice()), ("f4", &b"f4"[..]));
    let stat = rustix::fs::fstat(&failure.upper).unwrap();
    assert_eq!(stat.st_mode & 0o7777, 0o750);
    assert!(rustix::fs::statat(&failure.upper, "written", rustix::fs::AtFlags::empty()).is_ok());
    assert!(store.failure("f1").unwrap().is_none());
    assert!(failure.further("further").unwrap().is_some());
    assert!(failure.further("missing").unwrap().is_none() && failure.further("work").unwrap().is_none());
    // Nothing but the failures is left, and what is in use stays.
    assert_eq!(names_below(&store.path().join("ingest")), [""; 0]);
    for order in 8..12 {
        fail(&store, &format!("f{order}"), order * 1000, &[]).unwrap();
    }
    assert_eq!(store.failure_ids().unwrap(), ["f11", "f10", "f9", "f8", "f7", "f4"]);
    assert!(!store.remove_failure("f4").unwrap());
    drop(failure);
    fail(&store, "f12", 12_000, &[]).unwrap();
    assert_eq!(store.failure_ids().unwrap(), ["f12", "f11", "f10", "f9", "f8"]);
    assert!(store.remove_failure("f12").unwrap());
    assert!(!store.remove_failure("f12").unwrap());
}

#[test]
fn n007_a_failure_holds_its_layers() {
    let (_home, store) = store();
    let (held, other) = (add_layer(&store, b"held"), add_layer(&store, b"other"));
    let id = publish(&store, &[held, other]);
    fail(&store, "f1", 1, &[held]).unwrap();
    assert_eq!(store.remove_image(id).unwrap().layers, [other]);
    assert!(store.has_layer(held, None).unwrap());
    // With the failure goes what it held.
    store.remove_failure("f1").unwrap();
    let id = publish(&store, &[held]);
    assert_eq!(store.remove_image(id).unwrap().layers, [held]);
    let refused = fail(&store, "f2", 2, &[held]);
    assert!(matches!(refused, Err(StoreError::LayerMissing(layer)) if layer == held), "{refused:?}");
    assert_eq!(store.failure_ids().unwrap(), [""; 0]);
    assert_eq!(names_below(&store.path().join("ingest")), [""; 0]);
}

#[test]
fn n007_a_step_that_wrote_nothing_and_a_name_that_is_taken() {
    let (_home, store) = store();
    std::fs::remove_dir(store.path().join("failures")).unwrap();
    let new = NewFailure { id: "f1", order: 1, stacks: &[], record: b"{}" };
    store.keep_failure(&new, None).unwrap();
    assert!(store.failure("f1").unwrap().is_some());
    assert!(store.keep_failure(&NewFailure { record: b"other", ..new }, None).is_err());
    assert_eq!(store.failure("f1").unwrap().unwrap().record, b"{}");
}

/// A container can nest folders deeper than there are descriptors.
#[test]
fn deep_folders_are_removed() {
    let (_home, store) = store();
    let work = store.work_folder().unwrap();
    let mut folder = rustix::io::dup(&work).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        folder = rustix::fs::openat(&folder, "d", flags, Mode::empty()).unwrap();
    }
    drop(folder);
    drop(work);
    assert!(std::fs::read_dir(store.path().join("ingest")).unwrap().next().is_none());
}

/// Processes make one store at once, publish, remove and are killed at any moment; what is listed is always whole.
#[test]
fn killed_processes_lose_no_listed_layer() {
    if let Some(path) = argument() {
        // Should the test itself fail, nobody is left who would end this.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
        let store = Store::open(std::path::Path::new(&path)).unwrap();
        for round in 0..=u32::MAX {
            let lease = store.lease().unwrap();
            let (shared, own) = (b"shared".to_vec(), format!("{}-{round}", std::process::id()).into_bytes());
            for content in [&shared, &own] {
                lease.hold(Digest::of(content)).unwrap();
            }
            let id = publish(&store, &[add_layer(&store, &shared), add_layer(&store, &own)]);
            for layer in store.image(id).unwrap().rootfs.diff_ids {
                assert!(store.layer(layer, None).unwrap().is_some());
            }
            drop(lease);
            if round % 4 != 0 {
                store.remove_image(id).unwrap();
            }
        }
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store");
    let mut children = Vec::new();
    for round in 0..12 {
        children.push(in_a_process("killed_processes_lose_no_listed_layer", path.to_str().unwrap()));
        std::thread::sleep(std::time::Duration::from_millis(120 + round * 7));
        if children.len() == 3 {
            let mut child = children.remove(0);
            assert!(child.try_wait().unwrap().is_none(), "a process ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    for mut child in children {
        assert!(child.try_wait().unwrap().is_none(), "a process ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let store = Store::open(&path).unwrap();
    drop(store.lease().unwrap());
    let images = store.image_ids().unwrap();
    assert!(!images.is_empty());
    for id in images {
        for layer in store.image(id).unwrap().rootfs.diff_ids {
            assert!(store.layer(layer, None).unwrap().is_some());
            assert!(store.is_durable(layer).unwrap());
        }
    }
    for folder in ["ingest", "leases"] {
        assert!(std::fs::read_dir(path.join(folder)).unwrap().next().is_none(), "{folder} is swept");
    }
}

#[test]
fn s024_the_digests_of_a_repository_are_its_own() {
    let (_home, store) = store();
    let id = publish(&store, &[]);
    let digest = Digest::of(b"manifest");
    let names = ["x.example/app", "x.example/app2", "x.example/app/deep", "other.example/app"];
    for name in names {
        let name: Reference = name.parse().unwrap();
        store.set_reference(&name.clone().with_default_tag(), id).unwrap();
        store.set_reference(&name.with_only_digest(digest), id).unwrap();
    }
    let app: Reference = "x.example/app:v7".parse().unwrap();
    assert_eq!(store.repository_digests(&app).unwrap(), [(digest, id)]);
    assert_eq!(store.repository_digests(&"x.example/none".parse().unwrap()).unwrap(), []);
}

#[test]
fn what_a_killed_process_has_noted_of_an_image_goes_with_the_next_removal() {
    let (_home, store) = store();
    let keep = publish(&store, &[add_layer(&store, b"layer")]);
    let lost = ImageId(Digest::of(b"never published"));
    store.set_parent(lost, keep).unwrap();
    std::fs::write(store.path().join(format!("pins/{}", lost.0.hex())), "").unwrap();
    store.set_parent(keep, lost).unwrap();
    store.collect(&Doomed::default()).unwrap();
    assert_eq!(names_below(&store.path().join("parents")), [keep.0.hex()]);
    assert_eq!(names_below(&store.path().join("pins")), [""; 0]);
}
