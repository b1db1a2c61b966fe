//! Compiles `src/sys/stage`, the program that containers are entered with, for the target and without any library.

#![expect(clippy::disallowed_methods, reason = "a build script is told everything by the environment")]

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let source = "src/sys/stage/main.rs";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let program = PathBuf::from(variable("OUT_DIR")).join("stage");
    let mut compiler = Command::new(variable("RUSTC"));
    compiler.args([source, "--crate-name", "stage", "--crate-type", "bin", "--edition", "2024"]);
    compiler.args(["--target", &variable("TARGET"), "-o"]).arg(&program);
    for option in ["panic=abort", "opt-level=s", "relocation-model=static", "strip=symbols", "debuginfo=0"] {
        compiler.args(["-C", option]);
    }
    compiler.args(["-C", "target-feature=+crt-static"]);
    for option in ["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noseparate-code"]
    {
        compiler.args(["-C", &format!("link-arg={option}")]);
    }
    let linker = variable("RUSTC_LINKER");
    if !linker.is_empty() {
        compiler.args(["-C", &format!("linker={linker}")]);
    }
    match compiler.status() {
        Ok(status) if status.success() => {}
        result => {
            println!("cargo::error=cannot compile {source}: {result:?}");
            std::process::exit(1);
        }
    }
}
