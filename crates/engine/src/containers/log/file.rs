//! The file that a log is written to, and what becomes of it when it is full.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::NAME;
use super::settings::Limits;
use crate::containers::container::Container;

/// The log file of a running container.
#[derive(Debug)]
pub(super) struct LogFile {
    folder: std::os::fd::OwnedFd,
    file: File,
    size: u64,
    limits: Limits,
    batch: Vec<u8>,
}

impl LogFile {
    /// Goes on where the last start of the container left off.
    pub(super) fn open(container: &Container, limits: Limits) -> io::Result<Self> {
        let folder = container.folder.as_fd().try_clone_to_owned()?;
        let file = open(&folder)?;
        let size = file.metadata()?.len();
        Ok(Self { folder, file, size, limits, batch: Vec::new() })
    }

    /// Adds one row, and begins a new file where it would not fit.
    pub(super) fn add(&mut self, row: impl Fn(&mut Vec<u8>)) {
        let before = self.batch.len();
        row(&mut self.batch);
        let most = self.limits.size.unwrap_or(u64::MAX);
        if before as u64 + self.size > 0 && self.size + self.batch.len() as u64 > most {
            let last = self.batch.split_off(before);
            self.flush();
            // If there can be no new one, the old one goes on.
            if let Ok(file) = self.rotate() {
                (self.file, self.size) = (file, 0);
            }
            self.batch = last;
        }
    }

    /// Writes all rows in one piece; none of them in parts.
    pub(super) fn flush(&mut self) {
        match self.file.write_all(&self.batch) {
            Ok(()) => self.size += self.batch.len() as u64,
            Err(_) => drop(self.file.set_len(self.size)),
        }
        self.batch.clear();
    }

    /// `container.log` becomes `container.log.1`, that one `.2`, and the last goes.
    fn rotate(&self) -> io::Result<File> {
        let name = |number: u32| if number == 0 { NAME.to_owned() } else { format!("{NAME}.{number}") };
        let older = self.limits.files.saturating_sub(1);
        for number in (0..older).rev() {
            match rustix::fs::renameat(&self.folder, name(number), &self.folder, name(number + 1)) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if older == 0 {
            rustix::fs::unlinkat(&self.folder, NAME, AtFlags::empty())?;
        }
        open(&self.folder)
    }
}

fn open(folder: &impl AsFd) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(File::from(rustix::fs::openat(folder, NAME, flags, Mode::from_raw_mode(0o640))?))
}
