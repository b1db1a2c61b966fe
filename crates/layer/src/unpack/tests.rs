use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use super::{UnpackOptions, unpack};
use crate::tar::forge::Tarball;

/// A folder `in` to unpack into, beside a folder that nothing may touch.
struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/file"), "untouched").unwrap();
        Self(folder)
    }

    fn inside(&self) -> std::path::PathBuf {
        self.0.path().join("in")
    }

    fn unpack(&self, tar: &[u8], in_root: bool) -> Result<(), String> {
        let folder = fs::File::open(self.inside()).unwrap();
        let owner = Some((rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()));
        let root = in_root.then_some((folder.as_fd(), &b""[..]));
        unpack(tar, folder.as_fd(), UnpackOptions { owner, root }).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn is_untouched(&self) {
        let outside = self.0.path().join("outside");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "untouched");
        assert_eq!(fs::metadata(&outside).unwrap().mode() & 0o777, 0o755);
        let names: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}

/// Field notes 2: 1 to 5.
#[test]
fn c230_a_hostile_tar_stays_inside() {
    let long = "x".repeat(5000);
    for tar in [
        Tarball::new().file(b"../outside/new", b"x").end(),
        Tarball::new().file(b"a/../../outside/new", b"x").end(),
        Tarball::new().file(b"./../outside/file", b"x").end(),
        Tarball::new().file(b"a//..//../outside/file", b"x").end(),
        Tarball::new().pax(b'x', &[("path", b"../outside/new")]).file(b"x", b"x").end(),
        Tarball::new().pax(b'x', &[("path", long.as_bytes())]).file(b"x", b"x").end(),
        Tarball::new().symlink(b"d", b"../outside").file(b"d/new", b"x").end(),
        Tarball::new().symlink(b"d", b"../outside").directory(b"d/").end(),
        Tarball::new()
            .directory(b"a/")
            .directory(b"a/b/")
            .symlink(b"a/b/up", b"../..")
            .symlink(b"a/esc", b"b/up/../outside")
            .file(b"a/esc/new", b"x")
            .end(),
        Tarball::new().link(b"h", b"../outside/file").end(),
        Tarball::new().symlink(b"d", b"../outside").link(b"h", b"d/file").end(),
        Tarball::new().symlink(b".", b"../outside").file(b"new", b"x").end(),
    ] {
        for in_root in [false, true] {
            let bed = Bed::new();
            // Refused, or made inside.
            drop(bed.unpack(&tar, in_root));
            bed.is_untouched();
        }
    }
    // An absolute name means one below the folder.
    let bed = Bed::new();
    bed.unpack(&Tarball::new().file(b"/etc/new", b"x").end(), false).unwrap();
    assert!(bed.inside().join("etc/new").exists());
    // A link over which a file is written is replaced, not followed.
    let bed = Bed::new();
    symlink("../outside/file", bed.inside().join("f")).unwrap();
    bed.unpack(&Tarball::new().file(b"f", b"new").end(), true).unwrap();
    assert_eq!(fs::read_to_string(bed.inside().join("f")).unwrap(), "new");
    bed.is_untouched();
}

#[test]
fn c230_folders_and_others_do_not_replace_each_other() {
    let bed = Bed::new();
    fs::create_dir(bed.inside().join("folder")).unwrap();
    fs::write(bed.inside().join("file"), "x").unwrap();
    symlink("folder", bed.inside().join("link")).unwrap();
    let over = |tar: Tarball| bed.unpack(&tar.end(), true).unwrap_err();
    assert_eq!(over(Tarball::new().file(b"folder", b"x")), "cannot overwrite directory \"folder\" with non-directory");
    for name in ["file", "link"] {
        let text = format!("cannot overwrite non-directory \"{name}\" with directory");
        assert_eq!(over(Tarball::new().directory(name.as_bytes())), text);
    }
    // A name below a link, without the folder itself: within the root it is followed, elsewhere never.
    bed.unpack(&Tarball::new().file(b"link/new", b"x").end(), true).unwrap();
    assert!(bed.inside().join("folder/new").exists());
    assert!(bed.unpack(&Tarball::new().file(b"link/other", b"x").end(), false).is_err());
    assert!(!bed.inside().join("folder/other").exists());
    for (tar, text) in [(&b"not a tar"[..], "not a valid tar"), (&[b'x'; 2000], "not a valid tar")] {
        assert_eq!(bed.unpack(tar, true).unwrap_err(), text);
    }
    bed.unpack(&[0; 1024], true).unwrap();
    bed.is_untouched();
}

#[test]
fn c230_sparse_files_and_streams_in_pieces() {
    let bed = Bed::new();
    let records: &[(&str, &[u8])] = &[("GNU.sparse.size", b"12345"), ("GNU.sparse.map", b"4096,5,9000,3")];
    let big: Vec<u8> = (0..300_000_u32).map(|at| (at / 7) as u8).collect();
    let tar =
        Tarball::new().pax(b'x', records).file(b"sparse", b"helloend").file(b"big", &big).file(b"none", b"").end();
    struct Drip<'a>(&'a [u8], usize);
    impl std::io::Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 += 1;
            let length = buffer.len().min(self.1 * 977 % 7000 + 1);
            self.0.read(&mut buffer[..length])
        }
    }
    let folder = fs::File::open(bed.inside()).unwrap();
    let owner = Some((rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()));
    unpack(Drip(&tar, 0), folder.as_fd(), UnpackOptions { owner, root: None }).unwrap();
    let sparse = fs::read(bed.inside().join("sparse")).unwrap();
    assert_eq!(
        (sparse.len(), &sparse[4096..4101], &sparse[9000..9003], sparse[0]),
        (12_345, &b"hello"[..], &b"end"[..], 0)
    );
    assert!(fs::read(bed.inside().join("big")).unwrap() == big);
    assert!(Path::new(&bed.inside().join("none")).exists());
}
