//! A file that is hashed while it is written: small ones at once, large ones by a thread beside the writer.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use oci::{Digest, Hasher};

/// Size of the buffers that go to the file and to the hashing thread.
pub(crate) const BUFFER: usize = 1 << 20;
/// Buffers in flight: one being filled, one being hashed, two between.
const MOST_BUFFERS: usize = 4;

/// The file and its hash.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    written: u64,
    hashing: Hashing,
}

#[derive(Debug)]
enum Hashing {
    Here(Hasher),
    Beside { full: SyncSender<(Vec<u8>, usize)>, empty: Receiver<Vec<u8>>, buffers: usize, thread: JoinHandle<Digest> },
}

impl Output {
    pub(crate) fn new(file: File) -> Self {
        Self { file, written: 0, hashing: Hashing::Here(Hasher::new()) }
    }

    /// A buffer to begin with. Its pages cost nothing until they are touched.
    pub(crate) fn buffer() -> Vec<u8> {
        vec![0; BUFFER]
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Writes the beginning of a buffer and gives another one to fill. The first full buffer starts the thread.
    pub(crate) fn write(&mut self, buffer: Vec<u8>, used: usize) -> io::Result<Vec<u8>> {
        self.file.write_all(&buffer[..used])?;
        self.written += used as u64;
        if let Hashing::Here(hasher) = &mut self.hashing {
            self.hashing = beside(std::mem::take(hasher))?;
        }
        let Hashing::Beside { full, empty, buffers, .. } = &mut self.hashing else { return Ok(buffer) };
        full.send((buffer, used)).map_err(|_| stopped())?;
        if *buffers < MOST_BUFFERS {
            *buffers += 1;
            return Ok(Self::buffer());
        }
        empty.recv().map_err(|_| stopped())
    }

    /// Writes the last piece; after it, `meanwhile` runs beside the rest of the hashing.
    pub(crate) fn finish<T>(
        mut self,
        buffer: Vec<u8>,
        used: usize,
        meanwhile: impl FnOnce() -> T,
    ) -> io::Result<(Digest, T)> {
        self.file.write_all(&buffer[..used])?;
        match self.hashing {
            Hashing::Here(mut hasher) => {
                hasher.update(&buffer[..used]);
                Ok((hasher.finish(), meanwhile()))
            }
            Hashing::Beside { full, thread, empty, .. } => {
                full.send((buffer, used)).map_err(|_| stopped())?;
                drop((full, empty));
                let result = meanwhile();
                let digest = thread.join().map_err(|_| stopped())?;
                Ok((digest, result))
            }
        }
    }
}

fn beside(mut hasher: Hasher) -> io::Result<Hashing> {
    let (full, to_hash) = sync_channel::<(Vec<u8>, usize)>(MOST_BUFFERS);
    let (done, empty) = sync_channel(MOST_BUFFERS);
    let thread = std::thread::Builder::new().name("layer-hash".to_owned()).spawn(move || {
        for (buffer, used) in to_hash {
            hasher.update(&buffer[..used]);
            // At the end nobody waits for buffers any more.
            drop(done.send(buffer));
        }
        hasher.finish()
    })?;
    Ok(Hashing::Beside { full, empty, buffers: 1, thread })
}

fn stopped() -> io::Error {
    io::Error::other("hashing thread has stopped")
}
