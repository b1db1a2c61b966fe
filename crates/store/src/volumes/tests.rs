use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use oci::ImageId;

use super::VolumeRemoval;
use crate::Store;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    (folder, store)
}

fn image(store: &Store) -> ImageId {
    let config = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    store.publish_image(config.as_bytes(), None).unwrap()
}

/// Makes a volume with these files.
fn add(store: &Store, name: &str, files: &[&str]) -> bool {
    let work = store.work_folder().unwrap();
    work.subfolder("data", 0o755).unwrap();
    for file in files {
        fs::write(work.path().join("data").join(file), *file).unwrap();
    }
    store.add_volume(name, b"{}", &work, "data", true).unwrap()
}

fn content(store: &Store, name: &str) -> Vec<String> {
    let volume = store.volume(name).unwrap().unwrap();
    volume.data().unwrap();
    let mut names: Vec<String> = fs::read_dir(volume.data_path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn c321_a_volume_appears_once_and_whole() {
    let (_folder, store) = store();
    assert_eq!(store.volume_names().unwrap(), Vec::<String>::new());
    assert!(add(&store, "web", &["a", "b"]));
    assert!(!add(&store, "web", &["c"]), "the second is not taken");
    assert_eq!(store.volume_names().unwrap(), ["web"]);
    assert_eq!(content(&store, "web"), ["a", "b"]);
    assert_eq!(store.volume("web").unwrap().unwrap().size().unwrap(), 2);
    for name in ["", "..", ".", "a/b", "../images", "none", &"x".repeat(300)] {
        assert!(store.volume(name).unwrap().is_none(), "{name}");
    }
    assert_eq!(fs::read_dir(store.path().join("ingest")).unwrap().count(), 0);
}

#[test]
fn c321_a_volume_that_a_container_names_stays() {
    let (_folder, store) = store();
    add(&store, "web", &[]);
    let (id, image) = ("1".repeat(64), image(&store));
    let held = store.hold_volumes().unwrap();
    store.create_container_with_volumes(&id, "one", image, b"{}", &["web".to_owned(), "web".to_owned()]).unwrap();
    drop(held);
    assert_eq!(store.remove_volume("web").unwrap(), VolumeRemoval::InUse(vec![id.clone()]));
    store.remove_container(&id, "one").unwrap();
    assert_eq!(store.remove_volume("web").unwrap(), VolumeRemoval::Removed);
    assert_eq!(store.remove_volume("web").unwrap(), VolumeRemoval::Missing);
    assert!(!store.path().join("volumes/web").exists());
}

#[test]
fn c202_what_arrives_in_an_empty_volume_is_finished_by_the_next() {
    let (_folder, store) = store();
    add(&store, "web", &[]);
    let volume = store.volume("web").unwrap().unwrap();
    let arrive = |files: &[&str]| {
        let work = store.work_folder().unwrap();
        work.subfolder("new", 0o700).unwrap();
        for file in files {
            fs::write(work.path().join("new").join(file), *file).unwrap();
        }
        volume.receive(&work, "new").unwrap()
    };
    assert!(arrive(&["a", "b"]));
    assert!(!arrive(&["c"]), "it is not empty any more");
    assert_eq!(content(&store, "web"), ["a", "b"]);
    let mode = fs::metadata(volume.data_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    // A process that was killed half way: `b` has been moved, `d` not; what a container wrote meanwhile stays.
    let arriving = volume.as_ref().join("arriving");
    fs::create_dir(&arriving).unwrap();
    fs::write(arriving.join("d"), "d").unwrap();
    fs::write(arriving.join("a"), "old").unwrap();
    assert_eq!(content(&store, "web"), ["a", "b", "d"]);
    assert_eq!(fs::read_to_string(volume.data_path().join("a")).unwrap(), "a");
    assert!(!arriving.exists());
}

/// Removal tries all the time while containers are made; no container names a volume that is gone.
#[test]
fn c321_removal_and_new_containers_exclude_each_other() {
    let (_folder, store) = store();
    let image = image(&store);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..3_u32 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                for number in 0..60 {
                    let id = format!("{thread}{number:063}");
                    let held = store.hold_volumes().unwrap();
                    if store.volume("shared").unwrap().is_none() {
                        add(store, "shared", &["x"]);
                    }
                    store.create_container_with_volumes(&id, &id, image, b"{}", &["shared".to_owned()]).unwrap();
                    drop(held);
                    assert_eq!(content(store, "shared"), ["x"]);
                    store.remove_container(&id, &id).unwrap();
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            while done.load(Ordering::SeqCst) < 3 {
                store.remove_volume("shared").unwrap();
            }
        });
    });
}
