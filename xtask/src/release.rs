//! The release binary: static, so that it starts in under a millisecond and runs in any root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::{Result, machine, process, say};

/// Builds the binary and returns the path that does not depend on the target: `target/onggi`.
pub(crate) fn build() -> Result<PathBuf> {
    let host = host()?;
    let target = machine::target_folder();
    // With `--target`, the flags reach only what is shipped: proc-macros are libraries for the compiler and cannot be
    // static. They go into an own folder below target so that ordinary builds are not redone.
    let flags = "-C target-feature=+crt-static";
    let flags = format!("{} {flags}", process::variable("RUSTFLAGS").unwrap_or_default());
    let mut cargo = process::cargo();
    cargo.args(["build", "--release", "--package", "onggi", "--target", &host]).env("RUSTFLAGS", flags.trim());
    cargo.current_dir(machine::repository());
    process::show(&mut cargo)?;
    let built = target.join(&host).join("release/onggi");
    check_static(&built)?;
    let path = target.join("onggi");
    place(&built, &path).map_err(|error| format!("{}: {error}", path.display()))?;
    let size = fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.len();
    let start = start_time(&path)?;
    say::line(&format!("    {} ({:.1} MB, static, starts in {start:.1} ms)", path.display(), size as f64 / 1e6));
    Ok(path)
}

/// The best of twenty, in milliseconds: what the machine is busy with besides is not the binary's fault.
fn start_time(path: &Path) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = Instant::now();
        process::output(Command::new(path).arg("--version"))?;
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(best)
}

fn host() -> Result<String> {
    let version = process::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "`rustc -vV` does not name its host".to_owned())
}

fn check_static(path: &Path) -> Result<()> {
    if testkit::is_static(path) { Ok(()) } else { Err(format!("{} is linked dynamically", path.display())) }
}

/// A hard link where the file system has them; the rename makes the new binary appear whole.
fn place(built: &Path, path: &Path) -> std::io::Result<()> {
    let partial = path.with_extension("new");
    if partial.exists() {
        fs::remove_file(&partial)?;
    }
    fs::hard_link(built, &partial).or_else(|_| fs::copy(built, &partial).map(drop))?;
    fs::rename(&partial, path)
}
