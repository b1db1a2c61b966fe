//! What is built: Dockerfiles, contexts and tars, made from a seed so that every tool gets the same bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use testkit::{Debian, TarWriter};

use super::Work;
use crate::Result;

/// The base image's name. podman and buildah look into the net for a name without `localhost/`.
pub(super) const BASE: &str = "localhost/onggi-bench/base";

/// A file with its folders.
pub(super) fn write(path: &Path, content: &str) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, content))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Eight small RUN steps, then a COPY. `salt` makes every step one that no tool has seen.
pub(super) fn eight_runs(folder: &Path, salt: &str) -> Result<()> {
    let mut text = format!("FROM {BASE}\nWORKDIR /app\n");
    for step in 1..=8 {
        text.push_str(&format!("RUN echo {salt} {step} > /step-{step}\n"));
    }
    text.push_str("COPY app /app\nCMD [\"sh\", \"main.sh\"]\n");
    write(&folder.join("Dockerfile"), &text)?;
    write(&folder.join("app/main.sh"), "echo main\n")?;
    write(&folder.join("app/data.txt"), &"some data\n".repeat(100))
}

/// The last COPY's source gets another line.
pub(super) fn change_line(folder: &Path, round: usize) -> Result<()> {
    write(&folder.join("app/main.sh"), &format!("echo main, round {round}\n"))
}

/// A Dockerfile that copies a tree of many small files.
pub(super) fn many_files(folder: &Path, count: usize, seed: u64) -> Result<()> {
    write(&folder.join("Dockerfile"), &format!("FROM {BASE}\nCOPY tree /tree\n"))?;
    let mut random = Random(2 * seed + 1);
    for number in 0..count {
        let path = folder.join(format!("tree/package-{}/lib-{}/file-{number}.js", number / 200, number / 20 % 10));
        // Log-normal in spirit: most files are small, few are large, 4 kB on average.
        let size = 64usize << (random.next() % 8) << (random.next() % 4);
        let mut content = String::with_capacity(size + 32);
        while content.len() < size {
            // Half of each file compresses badly.
            content.push_str(&format!("{:016x} the same words again\n", random.next()));
        }
        write(&path, &content)?;
    }
    Ok(())
}

/// One file of that tree changes.
pub(super) fn change_file(folder: &Path, round: usize) -> Result<()> {
    write(&folder.join("tree/package-0/lib-3/file-60.js"), &format!("changed in round {round}\n"))
}

/// A Debian root behind one file that no tool has seen, so that the whole is new.
pub(super) fn debian_tar(work: &Work, name: &str, salt: &str) -> Result<PathBuf> {
    let debian = testkit::debian_root_tar_in(&Work::cache(), Debian::Node);
    let path = work.path(name);
    let problem = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut head = TarWriter::default();
    head.file("salt", 0o644, salt.as_bytes());
    let mut head = head.finish();
    // The two empty blocks that end an archive come at the end of the second one.
    head.truncate(head.len() - 1024);
    fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(problem)?;
    let mut file = fs::File::create(&path).map_err(problem)?;
    file.write_all(&head).map_err(problem)?;
    let mut rest = fs::File::open(&debian).map_err(problem)?;
    std::io::copy(&mut rest, &mut file).map_err(problem)?;
    Ok(path)
}

/// xorshift64: a sequence that is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
