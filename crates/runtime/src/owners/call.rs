//! What a call of the `chown` family says.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::caller::Caller;
use crate::seccomp::ChownForm;
use crate::sys::Notification;

/// A call, with the path that it was given.
#[derive(Debug)]
pub(super) struct Call {
    /// Where the path begins, or the file itself where there is no path.
    base: Base,
    pub(super) path: Option<CString>,
    /// A link at the end of the path is followed.
    pub(super) follows: bool,
    /// `u32::MAX` leaves it as it is.
    pub(super) uid: u32,
    pub(super) gid: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Base {
    WorkingFolder,
    Descriptor(i32),
}

impl Call {
    /// `None` for what is no such call. Errors are those of the call.
    pub(super) fn read(notification: &Notification, caller: &Caller) -> Result<Option<Self>, Errno> {
        let Some(form) = ChownForm::of(notification.architecture, notification.number) else { return Ok(None) };
        let arguments = notification.arguments;
        // The kernel takes 32 bits of each, whatever is above.
        let word = |argument: usize| (arguments[argument] & 0xffff_ffff) as u32;
        let descriptor = |argument: usize| match word(argument).cast_signed() {
            libc::AT_FDCWD => Base::WorkingFolder,
            number => Base::Descriptor(number),
        };
        let (base, path, flags) = match form {
            ChownForm::Descriptor => (Base::Descriptor(word(0).cast_signed()), None, 0),
            ChownForm::Path => (Base::WorkingFolder, Some(caller.text(arguments[0])?), 0),
            ChownForm::Link => (Base::WorkingFolder, Some(caller.text(arguments[0])?), libc::AT_SYMLINK_NOFOLLOW),
            ChownForm::At => (descriptor(0), Some(caller.text(arguments[1])?), word(4).cast_signed()),
        };
        if flags & !(libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) != 0 {
            return Err(Errno::INVAL);
        }
        let follows = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
        let (base, path) = match path {
            Some(path) if path.is_empty() && flags & libc::AT_EMPTY_PATH != 0 => (base, None),
            Some(path) => match own_descriptor(path.as_bytes()).filter(|_| follows) {
                Some(number) => (Base::Descriptor(number), None),
                None => (base, Some(path)),
            },
            None => (base, None),
        };
        let owner = form.owner_argument();
        Ok(Some(Self { base, path, follows, uid: word(owner), gid: word(owner + 1) }))
    }

    /// Opens where the path begins.
    pub(super) fn base(&self, caller: &Caller) -> Result<OwnedFd, Errno> {
        let is_absolute = self.path.as_ref().is_some_and(|path| path.as_bytes().starts_with(b"/"));
        match self.base {
            _ if is_absolute => caller.open(c"root"),
            Base::WorkingFolder => caller.open(c"cwd"),
            Base::Descriptor(number) => caller.descriptor(number),
        }
    }
}

/// The usual names of a process's own descriptors lead through magic links, which mean another process here.
fn own_descriptor(path: &[u8]) -> Option<i32> {
    match path {
        b"/dev/stdin" => return Some(0),
        b"/dev/stdout" => return Some(1),
        b"/dev/stderr" => return Some(2),
        _ => {}
    }
    let number = path.strip_prefix(b"/proc/self/fd/").or_else(|| path.strip_prefix(b"/dev/fd/"))?;
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(number).ok().filter(|_| is_number)?.parse().ok()
}
