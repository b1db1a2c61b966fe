//! Programs for other processors: whether the kernel hands them to an emulator that containers can reach
//! (Linux, Documentation/admin-guide/binfmt-misc.rst).

use std::fs;
use std::path::Path;

use builder::CannotRun;
use oci::Platform;

/// Where the kernel tells what it hands to which program.
const BINFMT_MISC: &str = "/proc/sys/fs/binfmt_misc";

/// What registers QEMU for all processors on Debian and what comes from it.
const INSTALL: &str =
    "install the emulator: `apt-get install -y qemu-user-static binfmt-support && update-binfmts --enable`";

/// Refuses programs that would only fail to start.
pub(crate) fn check(platform: &Platform) -> Result<(), CannotRun> {
    check_in(Path::new(BINFMT_MISC), platform, &Platform::host())
}

fn check_in(folder: &Path, platform: &Platform, host: &Platform) -> Result<(), CannotRun> {
    let refuse = |why: &str, hint: &str| {
        let message = format!("programs for {platform} cannot run on {host}: {why}");
        Err(CannotRun { message, hint: hint.to_owned() })
    };
    if platform.os != host.os {
        return refuse("it is another operating system", "take a base image for this one, or build without RUN");
    }
    if is_native(platform, host) {
        return Ok(());
    }
    let Some(start) = elf_start(&platform.architecture) else {
        return refuse("no emulator of it is known", "take a base image for this machine, or build without RUN");
    };
    match fs::read_to_string(folder.join("status")) {
        Ok(status) if status.trim_end() == "enabled" => {}
        Ok(_) => {
            return refuse("emulators are switched off", "switch them on: `echo 1 >/proc/sys/fs/binfmt_misc/status`");
        }
        Err(_) => return refuse("no emulator is registered", INSTALL),
    }
    let handlers = fs::read_dir(folder).into_iter().flatten().flatten();
    let texts = handlers.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut fitting: Vec<Handler> = texts.filter_map(|text| Handler::parse(&text)).collect();
    fitting.retain(|handler| handler.takes(&start));
    if fitting.iter().any(|handler| handler.is_enabled && handler.is_open) {
        return Ok(());
    }
    match fitting.iter().find(|handler| handler.is_enabled) {
        Some(handler) => refuse(
            &format!("its emulator `{}` is not open to containers (flag F)", handler.interpreter),
            "register it again with the flag F: `apt-get install -y --reinstall qemu-user-static`",
        ),
        None => refuse("no emulator is registered", INSTALL),
    }
}

/// What the processor runs itself.
fn is_native(platform: &Platform, host: &Platform) -> bool {
    let pair = (host.architecture.as_str(), platform.architecture.as_str());
    pair.0 == pair.1 || pair == ("amd64", "386")
}

/// One entry of the kernel's list.
#[derive(Debug)]
struct Handler {
    is_enabled: bool,
    interpreter: String,
    /// Flag F: the kernel keeps the emulator open, so that it need not be in the image.
    is_open: bool,
    offset: usize,
    magic: Vec<u8>,
    mask: Vec<u8>,
}

impl Handler {
    /// `None` for what is told by a name's ending, or is no entry.
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let magic = hex(field("magic ")?)?;
        let mask = match field("mask ") {
            Some(mask) => hex(mask)?,
            None => vec![0xff; magic.len()],
        };
        Some(Self {
            is_enabled: text.lines().next() == Some("enabled"),
            interpreter: field("interpreter ")?.to_owned(),
            is_open: field("flags:").unwrap_or_default().contains('F'),
            offset: field("offset ")?.parse().ok()?,
            magic,
            mask,
        })
    }

    /// Whether a program that begins like this is handed to it.
    fn takes(&self, start: &[u8]) -> bool {
        let Some(bytes) = start.get(self.offset..self.offset + self.magic.len()) else { return false };
        bytes.iter().zip(&self.magic).zip(&self.mask).all(|((byte, magic), mask)| byte & mask == magic & mask)
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// How a program for a processor begins (ELF-64 Object File Format; machine numbers of the gABI registry).
fn elf_start(architecture: &str) -> Option<[u8; 64]> {
    let (is_64, is_little, machine): (bool, bool, u16) = match architecture {
        "amd64" => (true, true, 62),
        "386" => (false, true, 3),
        "arm64" => (true, true, 183),
        "arm" => (false, true, 40),
        "riscv64" => (true, true, 243),
        "ppc64le" => (true, true, 21),
        "ppc64" => (true, false, 21),
        "s390x" => (true, false, 22),
        "mips64le" => (true, true, 8),
        "mips64" => (true, false, 8),
        "mipsle" => (false, true, 8),
        "mips" => (false, false, 8),
        "loong64" => (true, true, 258),
        _ => return None,
    };
    const EXECUTABLE: u16 = 2;
    let number = |number: u16| if is_little { number.to_le_bytes() } else { number.to_be_bytes() };
    let mut start = [0; 64];
    start[..4].copy_from_slice(b"\x7fELF");
    start[4..7].copy_from_slice(&[if is_64 { 2 } else { 1 }, if is_little { 1 } else { 2 }, 1]);
    start[16..18].copy_from_slice(&number(EXECUTABLE));
    start[18..20].copy_from_slice(&number(machine));
    start[20..24].copy_from_slice(&if is_little { 1_u32.to_le_bytes() } else { 1_u32.to_be_bytes() });
    Some(start)
}

#[cfg(test)]
mod tests;
