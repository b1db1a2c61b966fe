//! Tools for images that have no shell: the host's busybox, if it is one that needs nothing of the image.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use runtime::{BindMount, BindSource, ContainerSpec, Mount};

/// Where the tools are in the container: a name that no image has.
const FOLDER: &str = "/.onggi/bin";

const PROGRAM: &str = "busybox";

/// Where Debian, Alpine and people install it.
const PLACES: [&str; 4] = ["/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static", "/usr/local/bin/busybox"];

/// A busybox of this machine that can be used in any image.
fn find() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|path| is_static(path).unwrap_or(false))
}

/// Adds the tools to a container, behind all that is in its PATH, and gives their folder; `None` where this machine has
/// none to lend.
pub(super) fn lend(spec: &mut ContainerSpec, scratch: &Path) -> io::Result<Option<&'static str>> {
    let Some(program) = find() else { return Ok(None) };
    spec.mounts.extend(mounts(&program, scratch)?);
    match spec.env.iter_mut().rfind(|pair| pair.as_encoded_bytes().starts_with(b"PATH=")) {
        Some(path) => path.push(format!(":{FOLDER}")),
        None => spec.env.push(format!("PATH={FOLDER}").into()),
    }
    Ok(Some(FOLDER))
}

/// Makes a folder of links to the program, one for each tool, and gives the mounts that show both.
fn mounts(program: &Path, scratch: &Path) -> io::Result<[Mount; 2]> {
    let folder = scratch.join("tools");
    std::fs::create_dir(&folder)?;
    // For all users in the container, whatever our umask is.
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
    File::create(folder.join(PROGRAM))?;
    let list = Command::new(program).arg("--list").env_clear().output()?;
    for tool in String::from_utf8_lossy(&list.stdout).lines().filter(|tool| *tool != PROGRAM && !tool.contains('/')) {
        symlink(PROGRAM, folder.join(tool))?;
    }
    let read_only = |source: PathBuf, target: PathBuf| {
        Mount::Bind(BindMount { source: BindSource::Path(source), target, read_only: true, recursive: false })
    };
    Ok([read_only(folder, PathBuf::from(FOLDER)), read_only(program.to_owned(), Path::new(FOLDER).join(PROGRAM))])
}

/// Whether it is a 64-bit ELF program without an interpreter: a program header of type PT_INTERP names one (elf(5)).
fn is_static(path: &Path) -> io::Result<bool> {
    /// The headers stand at the beginning.
    const ENOUGH: u64 = 4096;
    const PT_INTERP: usize = 3;
    let mut elf = Vec::new();
    File::open(path)?.take(ENOUGH).read_to_end(&mut elf)?;
    let number = |offset: usize, length: usize| {
        let bytes = elf.get(offset..offset.checked_add(length)?)?;
        Some(bytes.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)))
    };
    // 64 bits, least significant byte first, as all machines that we run on have it.
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return Ok(false);
    }
    let (Some(offset), Some(size), Some(count)) = (number(32, 8), number(54, 2), number(56, 2)) else {
        return Ok(false);
    };
    let kind = |index: usize| number(offset.checked_add(index.checked_mul(size)?)?, 4);
    Ok((0..count).all(|index| kind(index).is_some_and(|kind| kind != PT_INTERP)))
}

#[cfg(test)]
mod tests;
