use super::*;

/// As `qemu-user-static` of Debian 12 registers it.
const AARCH64: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n\
     magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

fn check_with(files: &[(&str, &str)], platform: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let host = "linux/amd64".parse().unwrap();
    check_in(folder.path(), &platform.parse().unwrap(), &host).map_err(|cannot| format!("{cannot}; {}", cannot.hint))
}

#[test]
fn b013_what_the_processor_runs_needs_no_emulator() {
    for platform in ["linux/amd64", "linux/amd64/v2", "linux/386"] {
        assert_eq!(check_with(&[], platform), Ok(()), "{platform}");
    }
}

#[test]
fn b013_an_emulator_is_found_by_what_it_takes() {
    let on = ("status", "enabled\n");
    let register = ("register", "");
    assert_eq!(check_with(&[on, register, ("qemu-aarch64", AARCH64)], "linux/arm64"), Ok(()));
    let other = check_with(&[on, ("qemu-aarch64", AARCH64)], "linux/arm/v7").unwrap_err();
    assert_eq!(
        other,
        "programs for linux/arm/v7 cannot run on linux/amd64: no emulator is registered; \
         install the emulator: `apt-get install -y qemu-user-static binfmt-support && update-binfmts --enable`"
    );
    // Whatever the entry is called.
    assert_eq!(check_with(&[on, ("mine", AARCH64)], "linux/arm64"), Ok(()));
    assert!(
        check_with(&[on, ("qemu-arm", "enabled\ninterpreter /x\nflags: F\nextension .arm\n")], "linux/arm").is_err()
    );
}

#[test]
fn b013_why_an_emulator_does_not_help_is_said() {
    let off = check_with(&[("status", "disabled\n"), ("a", AARCH64)], "linux/arm64").unwrap_err();
    assert!(
        off.ends_with("emulators are switched off; switch them on: `echo 1 >/proc/sys/fs/binfmt_misc/status`"),
        "{off}"
    );
    let one_off = AARCH64.replacen("enabled", "disabled", 1);
    let none = check_with(&[("status", "enabled"), ("a", &one_off)], "linux/arm64").unwrap_err();
    assert!(none.contains("no emulator is registered"), "{none}");
    let closed = AARCH64.replace("POCF", "OC");
    let closed = check_with(&[("status", "enabled"), ("a", &closed)], "linux/arm64").unwrap_err();
    assert!(
        closed.contains("`/usr/libexec/qemu-binfmt/aarch64-binfmt-P` is not open to containers (flag F)"),
        "{closed}"
    );
    let nothing = check_with(&[], "linux/arm64").unwrap_err();
    assert!(nothing.contains("no emulator is registered"), "{nothing}");
    let system = check_with(&[], "windows/amd64").unwrap_err();
    assert!(system.contains("programs for windows/amd64 cannot run on linux/amd64: it is another operating system"));
    let wasm = check_with(&[("status", "enabled")], "linux/wasm").unwrap_err();
    assert!(wasm.contains("no emulator of it is known"), "{wasm}");
}
