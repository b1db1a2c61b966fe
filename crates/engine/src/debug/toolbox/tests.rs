use super::is_static;

/// An ELF header, and program headers of these types.
fn program(folder: &std::path::Path, name: &str, kinds: &[u32]) -> std::path::PathBuf {
    let mut elf = vec![0; 64];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[32] = 64;
    elf[54] = 56;
    elf[56] = u8::try_from(kinds.len()).unwrap();
    for kind in kinds {
        elf.extend(kind.to_le_bytes());
        elf.resize(elf.len() + 52, 0);
    }
    let path = folder.join(name);
    std::fs::write(&path, elf).unwrap();
    path
}

#[test]
fn n007_a_program_that_needs_the_image_is_no_toolbox() {
    let folder = tempfile::tempdir().unwrap();
    let (load, interpreter, note) = (1, 3, 4);
    assert!(is_static(&program(folder.path(), "static", &[load, load, note])).unwrap());
    assert!(!is_static(&program(folder.path(), "dynamic", &[load, interpreter, note])).unwrap());
    let cut = folder.path().join("cut");
    std::fs::write(&cut, &std::fs::read(folder.path().join("static")).unwrap()[..100]).unwrap();
    assert!(!is_static(&cut).unwrap());
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    assert!(!is_static(&script).unwrap());
    assert!(is_static(&folder.path().join("missing")).is_err());
    assert!(!is_static(&std::env::current_exe().unwrap()).unwrap_or(true), "tests are linked dynamically");
}
