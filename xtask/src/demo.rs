//! `cargo xtask demo`: the README's first command. Builds Onggi, and with it an image, and runs it.
//!
//! Needs Rust, a C compiler and a static busybox, and no network. Works in a store of its own in a temporary folder.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, machine, packages, process, release, say};

/// Runs the demo; `--keep` leaves its folder behind.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    machine::require_root("demo")?;
    say::step("a static busybox for the base image");
    let missing = packages::ensure(&[packages::FOR_DEMO])?;
    if !missing.is_empty() {
        return Err("no static busybox on this machine: install the package `busybox-static`".to_owned());
    }
    say::step("build the release binary");
    let onggi = release::build()?;
    let folder = tempfile::Builder::new().prefix("onggi-demo-").tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder can be made: {error}"))?;
    let result = Demo { onggi, folder: folder.path().to_owned() }.run();
    if arguments.iter().any(|argument| argument == "--keep") {
        say::line(&format!("    kept: {}", folder.keep().display()));
    }
    result
}

struct Demo {
    onggi: PathBuf,
    folder: PathBuf,
}

impl Demo {
    fn run(&self) -> Result<()> {
        say::step("make a base image from busybox and import it as `busybox:latest`");
        let tar = self.folder.join("busybox.tar");
        write(&tar, &testkit::busybox_root_tar())?;
        self.onggi(&["import".as_ref(), tar.as_os_str(), "busybox:latest".as_ref()])?;

        let context = self.folder.join("hello");
        copy_folder(&machine::repository().join("examples/hello"), &context)?;
        say::step("build examples/hello");
        self.build(&context)?;
        say::step("run it with its default, and with NAME overridden");
        self.expect(&["run", "--rm", "hello"], "Hello dojin")?;
        self.expect(&["run", "--rm", "-e", "NAME=docker", "hello"], "Hello docker")?;

        say::step("change its source and build again: unchanged steps are CACHED");
        let source = context.join("hello.sh");
        let text = fs::read_to_string(&source).map_err(|error| format!("{}: {error}", source.display()))?;
        write(&source, text.replace("Hello", "Annyeong").as_bytes())?;
        self.build(&context)?;
        self.expect(&["run", "--rm", "hello"], "Annyeong dojin")?;

        say::step("its history");
        self.onggi(&["history".as_ref(), "hello".as_ref()])?;
        say::line("");
        let path = self.onggi.display();
        say::line(&format!("That was Onggi. The binary is {path}; `{path} --help` shows the rest."));
        Ok(())
    }

    fn build(&self, context: &Path) -> Result<()> {
        let words = ["build", "-t", "hello"].map(OsStr::new);
        self.onggi(&[&words[..], &[context.as_os_str()]].concat())
    }

    fn onggi(&self, arguments: &[&OsStr]) -> Result<()> {
        process::show(self.command().args(arguments))
    }

    /// Runs a command whose output is known, and shows both.
    fn expect(&self, arguments: &[&str], expected: &str) -> Result<()> {
        let mut command = self.command();
        command.args(arguments);
        say::line(&format!("    $ {}", process::line(&command)));
        let output = process::output(&mut command)?;
        say::line(&output);
        if output.contains(expected) { Ok(()) } else { Err(format!("`{expected}` was expected")) }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.onggi);
        command.env("ONGGI_ROOT", self.folder.join("root"));
        command
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).map_err(|error| format!("{}: {error}", path.display()))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(())
    };
    copy().map_err(|error| format!("{}: {error}", from.display()))
}
