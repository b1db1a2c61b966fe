//! What a folder was like at one moment, so that it can be told later what has been touched since: for roots that are
//! copies, where no overlayfs keeps the changes apart.
//!
//! Of every name the inode and the time of its last change (ctime) are kept. No program can set that time, so whoever
//! has the same ones is untouched, and nothing else is said by them: what is different is still to be compared.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags, Timestamps};

use crate::DiffError;
use crate::descent::FOLDER;
use crate::diff::{reading, status_at, type_of, walk::Walk};
use crate::entry::Timestamp;

/// What tells whether a name was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: (u32, u32),
    inode: u64,
    /// When it was made: numbers of inodes are used again. As old as can be where the file system does not say.
    made: Timestamp,
    changed: Timestamp,
}

impl Stamp {
    pub(crate) fn of(status: &Statx) -> Self {
        Self {
            device: (status.stx_dev_major, status.stx_dev_minor),
            inode: status.stx_ino,
            made: match StatxFlags::from_bits_retain(status.stx_mask).contains(StatxFlags::BTIME) {
                true => Timestamp { secs: status.stx_btime.tv_sec, nanos: status.stx_btime.tv_nsec },
                false => Timestamp::default(),
            },
            changed: Timestamp { secs: status.stx_ctime.tv_sec, nanos: status.stx_ctime.tv_nsec },
        }
    }

    /// Whether it is the same file or folder, changed or not.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode, self.made) == (other.device, other.inode, other.made)
    }
}

/// All names of a folder, as they were.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    stamps: HashMap<Vec<u8>, Stamp>,
}

/// First bytes of the file form, with its version.
const MAGIC: &[u8] = b"onggi snapshot 1\n";

impl Snapshot {
    /// Looks at everything below `folder`, and waits until whatever is changed from then on has another time: at most one
    /// tick of the kernel's clock. `probe` is a folder on the same file system, in which a nameless file is made.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn take(folder: BorrowedFd<'_>, probe: BorrowedFd<'_>) -> Result<Self, DiffError> {
        let failed = reading(&[], "opening the folder");
        let mut walk = Walk::new(rustix::fs::openat(folder, c".", FOLDER, Mode::empty()).map_err(failed)?)?;
        let mut stamps = HashMap::new();
        let mut latest = Timestamp { secs: 0, nanos: 0 };
        while let Some(found) = walk.next_name()? {
            let status = status_at(walk.folder(), &found)?;
            let stamp = Stamp::of(&status);
            latest = latest.max(stamp.changed);
            if type_of(&status) == FileType::Directory {
                walk.descend(open_folder(walk.folder(), &found)?, &found)?;
            }
            stamps.insert(found.path, stamp);
        }
        wait_for_tick(probe, latest)?;
        Ok(Self { stamps })
    }

    pub(crate) fn get(&self, path: &[u8]) -> Option<&Stamp> {
        self.stamps.get(path)
    }

    /// Names by the folder that they are in.
    pub(crate) fn by_folder(&self) -> HashMap<&[u8], Vec<&[u8]>> {
        let mut folders: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
        for path in self.stamps.keys() {
            let (folder, name) = crate::entry::split(path);
            folders.entry(folder).or_default().push(name);
        }
        folders
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When that fails.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        out.write_all(&(self.stamps.len() as u64).to_le_bytes())?;
        for (path, stamp) in &self.stamps {
            let length = u32::try_from(path.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(path)?;
            out.write_all(&stamp.device.0.to_le_bytes())?;
            out.write_all(&stamp.device.1.to_le_bytes())?;
            out.write_all(&stamp.inode.to_le_bytes())?;
            for time in [stamp.made, stamp.changed] {
                out.write_all(&time.secs.to_le_bytes())?;
                out.write_all(&time.nanos.to_le_bytes())?;
            }
        }
        out.flush()
    }

    /// Reads what [`Snapshot::write_to`] wrote.
    ///
    /// # Errors
    /// `InvalidData` for anything else.
    pub fn read_from(from: &mut dyn Read) -> io::Result<Self> {
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let count = u64::from_le_bytes(bytes(from)?);
        let mut stamps = HashMap::new();
        for _ in 0..count {
            let length = u32::from_le_bytes(bytes(from)?);
            if length as usize > crate::entry::LONGEST_PATH {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut path = vec![0; length as usize];
            from.read_exact(&mut path)?;
            let device = (u32::from_le_bytes(bytes(from)?), u32::from_le_bytes(bytes(from)?));
            let inode = u64::from_le_bytes(bytes(from)?);
            let (made, changed) = (time(from)?, time(from)?);
            stamps.insert(path, Stamp { device, inode, made, changed });
        }
        Ok(Self { stamps })
    }
}

fn time(from: &mut dyn Read) -> io::Result<Timestamp> {
    Ok(Timestamp { secs: i64::from_le_bytes(bytes(from)?), nanos: u32::from_le_bytes(bytes(from)?) })
}

fn bytes<const N: usize>(from: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn open_folder(parent: BorrowedFd<'_>, found: &crate::diff::walk::Found) -> Result<OwnedFd, DiffError> {
    rustix::fs::openat(parent, &found.name, FOLDER, Mode::empty()).map_err(reading(&found.path, "opening a folder"))
}

/// Changes a file of its own until the file system gives it a later time than `latest`.
fn wait_for_tick(folder: BorrowedFd<'_>, latest: Timestamp) -> Result<(), DiffError> {
    let failed = |errno| reading(&[], "asking the file system for its time")(errno);
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, c".", flags, Mode::RUSR | Mode::WUSR) {
        // NFS and older overlayfs have no nameless files.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::NOENT) => {
            let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(folder, c"clock", flags, Mode::RUSR | Mode::WUSR)
        }
        other => other,
    };
    let file = file.map_err(failed)?;
    let moment = || rustix::fs::Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        let times = Timestamps { last_access: moment(), last_modification: moment() };
        rustix::fs::futimens(file.as_fd(), &times).map_err(failed)?;
        let status = rustix::fs::statx(&file, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS).map_err(failed)?;
        if Stamp::of(&status).changed > latest {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
