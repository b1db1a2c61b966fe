//! A container's files as others look at them: through its mount namespace while it runs, put together when it does not.

use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use runtime::{BindMount, BindSource, Mount, RootView, root_of_process};
use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::harness::*;

fn bind(bed: &Bed, target: &str) -> BindMount {
    let source = BindSource::Path(bed.outside());
    BindMount { source, target: target.into(), read_only: false, recursive: true }
}

/// A file below a root, by the container's own links.
fn read(root: impl AsFd, path: &str) -> Option<String> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = rustix::fs::openat2(root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), resolve).ok()?;
    let mut text = String::new();
    fs::File::from(file).read_to_string(&mut text).unwrap();
    Some(text)
}

contract! {
    fn a_running_container_is_seen_with_its_mounts(executor) {
        let bed = Bed::new();
        symlink("/data", bed.root().join("link")).unwrap();
        let mut spec = bed.spec(&["sh", "-c", "echo own >/made; echo ready; read end; chroot /tmp /bin/true"]);
        spec.mounts.push(Mount::Bind(bind(&bed, "/data")));
        let (process, [stdin, mut stdout, _stderr]) = start(executor, spec);
        stdout.read_exact(&mut [0; 6]).unwrap();
        let pid = u32::try_from(process.pid()).unwrap();
        assert!(RootView::of_process(pid, || false).unwrap().is_none(), "another process of that number");
        let view = RootView::of_process(pid, || true).unwrap().unwrap();
        assert_eq!(read(&view, "made").as_deref(), Some("own\n"));
        assert_eq!(read(&view, "link/sentinel").as_deref(), Some("untouched"));
        // The root file system alone has an empty folder there, and cannot be written.
        let root = root_of_process(pid, || true).unwrap().unwrap();
        assert_eq!(read(&root, "made").as_deref(), Some("own\n"));
        assert_eq!(read(&root, "data/sentinel"), None);
        let made = rustix::fs::openat(&root, "new", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU);
        assert_eq!(made.err(), Some(rustix::io::Errno::ROFS));
        drop(stdin);
        process.wait().unwrap();
        assert_eq!(read(&view, "link/sentinel").as_deref(), Some("untouched"), "as long as somebody looks");
    }
}

#[test]
#[ignore = "requires root"]
fn a_stopped_container_is_put_together_requires_root() {
    let bed = Bed::new();
    symlink("/data", bed.root().join("link")).unwrap();
    symlink("../../../../outside", bed.root().join("escape")).unwrap();
    let part = BindSource::Within { mount: bed.mount(), path: "/etc".into() };
    fs::write(bed.root().join("etc/part"), "part").unwrap();
    fs::create_dir(bed.root().join("data")).unwrap();
    let within = BindMount { source: part, target: "/part".into(), read_only: true, recursive: false };
    let view =
        RootView::assemble(bed.mount(), vec![bind(&bed, "/link/deep"), bind(&bed, "/data"), within], true).unwrap();
    assert_eq!(read(&view, "link/sentinel").as_deref(), Some("untouched"));
    assert_eq!(read(&view, "part/part").as_deref(), Some("part"));
    assert_eq!(read(&view, "escape/sentinel"), None);
    assert!(bed.root().join("data/deep").is_dir(), "made inside, through the link");
    bed.assert_untouched();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(bed.root().to_str().unwrap()), "{mounts}");
    let missing = BindMount { source: BindSource::Path("/no/such".into()), ..bind(&bed, "/data") };
    let error = RootView::assemble(bed.mount(), vec![missing], false).unwrap_err();
    assert_eq!(chain(&error), "cannot bind mount /no/such: No such file or directory (os error 2)");
}
