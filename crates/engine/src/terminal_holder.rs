//! Whoever leaves a command by the detach keys leaves its terminal behind: somebody must go on reading it, or the command
//! would stop when it is full, and be hung up when nobody has it open.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The hidden command that the holder is started with; its standard input is the terminal.
pub const COMMAND: &str = "hold";

/// Leaves our end of a terminal to a process of its own, which stays for as long as somebody has the other end open.
pub(crate) fn hand_over(terminal: BorrowedFd<'_>) -> std::io::Result<()> {
    let terminal = terminal.try_clone_to_owned()?;
    // In a group of its own, so that the end of our own terminal is not its end.
    Command::new("/proc/self/exe")
        .arg0("onggi")
        .arg(COMMAND)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::from(terminal))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}

/// The holder itself: reads standard input to its end and keeps nothing.
///
/// # Errors
/// When standard input cannot be read at all.
pub fn hold() -> std::io::Result<()> {
    rustix::process::setsid().ok();
    let mut terminal = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut buffer = vec![0; 16 << 10];
    loop {
        match terminal.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // A terminal whose other side is closed gives EIO.
            Err(_) => return Ok(()),
        }
    }
}
