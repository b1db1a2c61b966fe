//! The forms in which folders are named to the kernel, and stacks at the edges. What overlays show is the contract
//! suite's matter.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use tempfile::TempDir;

use super::{Form, MountError, OverlayOptions, Upper, attach_layers, classic_options, mount_as, mount_overlay};
use crate::mount::{descriptor_path, mount_empty};

struct Scratch {
    folder: TempDir,
    layers: Vec<OwnedFd>,
}

impl Scratch {
    /// So many folders with one file each.
    fn new(count: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let layers =
            (0..count).map(|number| make(&folder, &format!("layer{number}"), &[&number.to_string()])).collect();
        Self { folder, layers }
    }

    fn folder(&self, name: &str) -> OwnedFd {
        make(&self.folder, name, &[])
    }
}

fn make(scratch: &TempDir, name: &str, files: &[&str]) -> OwnedFd {
    let folder = scratch.path().join(name);
    fs::create_dir_all(&folder).unwrap();
    for file in files {
        fs::write(folder.join(file), file).unwrap();
    }
    File::open(folder).unwrap().into()
}

fn path_of(mount: &OwnedFd) -> PathBuf {
    PathBuf::from(descriptor_path(mount.as_fd()))
}

fn names(mount: &OwnedFd) -> usize {
    fs::read_dir(path_of(mount)).unwrap().count()
}

#[test]
#[ignore = "requires root"]
fn every_form_mounts_the_same_requires_root() {
    let scratch = Scratch::new(100);
    let attach = scratch.folder("attach");
    let lower: Vec<_> = scratch.layers.iter().map(AsFd::as_fd).collect();
    for form in [Form::Descriptors, Form::Texts, Form::Classic] {
        let upper = scratch.folder(&format!("upper-{form:?}"));
        let work = scratch.folder(&format!("work-{form:?}"));
        let options = OverlayOptions {
            upper: Some(Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: true }),
            attach: Some(attach.as_fd()),
            ..OverlayOptions::new(&lower)
        };
        let mount = mount_as(&options, form).unwrap();
        assert_eq!(names(&mount), 100, "{form:?}");
        fs::write(path_of(&mount).join("new"), "n").unwrap();
        assert_eq!(fs::read(path_of(&upper).join("new")).unwrap(), b"n", "{form:?}");
        assert_eq!(names(&attach), 0, "{form:?} leaves nothing attached");

        let read_only = mount_as(&OverlayOptions { upper: None, ..options }, form).unwrap();
        let error = fs::write(path_of(&read_only).join("new"), "n").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem, "{form:?}");
    }
}

#[test]
#[ignore = "requires root"]
fn detached_layers_can_be_attached_requires_root() {
    let scratch = Scratch::new(1);
    let attach = scratch.folder("attach");
    let detached = mount_empty().unwrap();
    let lower = [scratch.layers[0].as_fd(), detached.as_fd()];
    let options = OverlayOptions { attach: Some(attach.as_fd()), ..OverlayOptions::new(&lower) };
    // Twice, as a second stack with the same layers does.
    attach_layers(&options).unwrap();
    attach_layers(&options).unwrap();
    for form in [Form::Descriptors, Form::Texts, Form::Classic] {
        assert_eq!(names(&mount_as(&options, form).unwrap()), 1, "{form:?}");
    }
    let place = scratch.folder.path().join("attach/layers");
    rustix::mount::unmount(&place, UnmountFlags::DETACH).unwrap();
    assert!(rustix::mount::unmount(&place, UnmountFlags::DETACH).is_err(), "attached once only");
}

#[test]
#[ignore = "requires root"]
fn too_few_layers_are_filled_up_requires_root() {
    let scratch = Scratch::new(1);
    let one = [scratch.layers[0].as_fd()];
    assert_eq!(names(&mount_overlay(&OverlayOptions::new(&one)).unwrap()), 1);
    assert_eq!(names(&mount_overlay(&OverlayOptions::new(&[])).unwrap()), 0);
    let (upper, work) = (scratch.folder("upper"), scratch.folder("work"));
    let upper = Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: false };
    let mount = mount_overlay(&OverlayOptions { upper: Some(upper), ..OverlayOptions::new(&[]) }).unwrap();
    fs::write(path_of(&mount).join("first"), "f").unwrap();
    assert_eq!(names(&mount), 1);
}

#[test]
#[ignore = "requires root"]
fn a_mount_outlives_its_descriptors_requires_root() {
    let mut scratch = Scratch::new(2);
    let lower: Vec<_> = scratch.layers.iter().map(AsFd::as_fd).collect();
    let mount = mount_overlay(&OverlayOptions::new(&lower)).unwrap();
    scratch.layers.clear();
    assert_eq!(names(&mount), 2);
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains(scratch.folder.path().to_str().unwrap()), "nothing is attached");
}

#[test]
#[ignore = "requires root"]
fn devices_are_inert_unless_asked_for_requires_root() {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let scratch = Scratch::new(2);
    let null = scratch.folder.path().join("layer0/null");
    mknodat(CWD, &null, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, makedev(1, 3)).unwrap();
    let lower: Vec<_> = scratch.layers.iter().map(AsFd::as_fd).collect();
    for (nodev, is_open) in [(true, false), (false, true)] {
        let mount = mount_overlay(&OverlayOptions { nodev, ..OverlayOptions::new(&lower) }).unwrap();
        assert_eq!(File::open(path_of(&mount).join("null")).is_ok(), is_open);
    }
}

#[test]
#[ignore = "requires root"]
fn refusals_say_why_requires_root() {
    let scratch = Scratch::new(2);
    let file = File::open(scratch.folder.path().join("layer0/0")).unwrap();
    let lower = [scratch.layers[0].as_fd(), file.as_fd()];
    let error = mount_overlay(&OverlayOptions::new(&lower)).unwrap_err();
    assert!(matches!(error, MountError::Option { option: "lowerdir+", .. }), "{error:?}");

    let (upper, work) = (scratch.folder("upper"), scratch.folder("work"));
    let lower: Vec<_> = scratch.layers.iter().map(AsFd::as_fd).collect();
    let upper = Upper { folder: upper.as_fd(), work: work.as_fd(), volatile: true };
    let options = OverlayOptions { upper: Some(upper), ..OverlayOptions::new(&lower) };
    drop(mount_overlay(&options).unwrap());
    let error = mount_overlay(&options).unwrap_err();
    assert!(matches!(error, MountError::Refused { source: Errno::INVAL, .. }), "volatile twice: {error:?}");
}

#[test]
fn limits_are_named() {
    let scratch = Scratch::new(1);
    let lower = vec![scratch.layers[0].as_fd(); 501];
    let error = mount_overlay(&OverlayOptions::new(&lower)).unwrap_err();
    assert!(matches!(error, MountError::TooManyLayers { count: 501, most: 500 }), "{error:?}");
    let Err(MountError::TooManyLayers { count: 501, most }) = classic_options(&OverlayOptions::new(&lower)) else {
        panic!("501 layers fit into a page");
    };
    assert!(classic_options(&OverlayOptions::new(&lower[..most])).is_ok());
    assert!(classic_options(&OverlayOptions::new(&lower[..most + 2])).is_err());
}
