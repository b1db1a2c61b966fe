use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

use tempfile::TempDir;

use super::{MountError, Said, erofs_supported, mount_erofs};
use crate::directory::Backend;

/// A folder on the disk that holds the build: the system's one for temporary files may be a tmpfs.
fn scratch() -> TempDir {
    TempDir::new_in(env!("CARGO_MANIFEST_DIR")).unwrap()
}

#[test]
#[ignore = "requires root"]
fn support_is_probed_where_the_layers_are_requires_root() {
    let scratch = scratch();
    let folder = File::open(scratch.path()).unwrap();
    let (backend, reason) = Backend::detect(folder.as_fd());
    assert_eq!(reason.is_none(), backend == Backend::Erofs, "{reason:?}");
    let Ok(memory) = File::open("/dev/shm") else { return };
    let error = erofs_supported(memory.as_fd()).unwrap_err();
    assert!(matches!(error, MountError::NotFileBacked), "tmpfs: {error:?}");
    assert!(matches!(Backend::detect(memory.as_fd()), (Backend::Extracted, Some(_))));
}

#[test]
#[ignore = "requires root"]
fn damaged_indexes_are_refused_requires_root() {
    let scratch = scratch();
    let index = scratch.path().join("index");
    let tar = File::create_new(scratch.path().join("tar")).unwrap();
    for bytes in [&[][..], &[0; 4096], &[0xff; 8192]] {
        File::create(&index).unwrap().write_all(bytes).unwrap();
        let error = mount_erofs(File::open(&index).unwrap().as_fd(), tar.as_fd()).unwrap_err();
        assert!(matches!(error, MountError::Refused { .. }), "{error:?}");
    }
}

#[test]
fn the_kernels_words_are_shown_when_there_are_any() {
    assert_eq!(Said("").to_string(), "");
    assert_eq!(Said("erofs: bad").to_string(), " (erofs: bad)");
}
