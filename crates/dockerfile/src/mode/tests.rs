use super::*;

#[track_caller]
fn check(mode: &str, cases: &[(u32, bool, u32)]) {
    let change = FileMode::parse(mode).unwrap();
    for (before, is_folder, after) in cases {
        let seen = change.apply(*before, *is_folder);
        assert_eq!(seen, *after, "{mode} of {before:o}, folder {is_folder}: {seen:o}");
    }
}

const FILE: bool = false;
const FOLDER: bool = true;

#[test]
fn d080_octal_is_the_mode_whatever_it_was() {
    for (text, mode) in
        [("755", 0o755), ("0644", 0o644), ("4755", 0o4755), ("00600", 0o600), ("0", 0), ("7777", 0o7777)]
    {
        check(text, &[(0o1234, FILE, mode), (0o777, FOLDER, mode)]);
        assert_eq!(FileMode::parse(text).unwrap().absolute(), Some(mode));
    }
    assert_eq!(FileMode::parse("a=rwx").unwrap().absolute(), None, "the sticky bit stays");
}

#[test]
fn d081_clauses() {
    check("+x", &[(0o644, FILE, 0o755), (0o600, FILE, 0o711)]);
    check("a+x", &[(0o644, FILE, 0o755)]);
    check("u+x", &[(0o644, FILE, 0o744)]);
    check("a-w", &[(0o666, FILE, 0o444), (0o755, FOLDER, 0o555)]);
    check("go-w", &[(0o666, FILE, 0o644)]);
    check("u=rw,g=r,o=r", &[(0o777, FILE, 0o644), (0o000, FILE, 0o644)]);
    check("u=rwx,go=", &[(0o777, FILE, 0o700)]);
    check("=r", &[(0o777, FILE, 0o444)]);
    check("ug+w,o-rwx", &[(0o444, FILE, 0o660)]);
    check("u+", &[(0o644, FILE, 0o644)]);
    check("uu+xx", &[(0o644, FILE, 0o744)]);
}

#[test]
fn d081_capital_x_is_for_folders_and_for_what_can_be_run_already() {
    check("u=rwX,go=rX", &[(0o600, FOLDER, 0o755), (0o600, FILE, 0o644), (0o700, FILE, 0o755), (0o777, FILE, 0o755)]);
    check("a+X", &[(0o644, FILE, 0o644), (0o744, FILE, 0o755), (0o644, FOLDER, 0o755)]);
    // What counts is the mode before any change (POSIX).
    check("a-x,a+X", &[(0o755, FILE, 0o755), (0o644, FILE, 0o644)]);
    check("u+x,g+X", &[(0o600, FILE, 0o700)]);
    check("a-X", &[(0o755, FILE, 0o644), (0o644, FOLDER, 0o644)]);
}

#[test]
fn d081_set_ids_and_the_sticky_bit() {
    check("u+s", &[(0o755, FILE, 0o4755)]);
    check("g+s", &[(0o755, FOLDER, 0o2755)]);
    check("+s", &[(0o755, FILE, 0o6755)]);
    check("o+s", &[(0o755, FILE, 0o755)]);
    check("+t", &[(0o777, FOLDER, 0o1777)]);
    check("o+t", &[(0o777, FOLDER, 0o777)]);
    check("a+t", &[(0o777, FOLDER, 0o1777)]);
    check("-t", &[(0o1777, FOLDER, 0o777)]);
    check("u=rwx", &[(0o6755, FILE, 0o2755)]);
    check("a=rx", &[(0o7777, FOLDER, 0o1555)]);
    check("u=rwxs,g=rxs", &[(0o644, FILE, 0o6754)]);
}

#[test]
fn d081_modes_are_copied_from_others() {
    check("g=u", &[(0o640, FILE, 0o660), (0o700, FOLDER, 0o770)]);
    check("go=u-w", &[(0o700, FILE, 0o755), (0o666, FILE, 0o644)]);
    check("o=g", &[(0o650, FILE, 0o655)]);
    check("u-o", &[(0o704, FILE, 0o304)]);
    check("g+o", &[(0o705, FILE, 0o755)]);
}

#[test]
fn what_is_no_mode() {
    let error = |text: &str| FileMode::parse(text).unwrap_err().to_string();
    assert_eq!(error(""), "a mode is missing");
    for text in ["999", "8", "77777", "755x", "07777777777777", "0x755", "7 5"] {
        assert_eq!(error(text), format!("`{text}` is not an octal mode from 0 to 7777"));
    }
    assert_eq!(error("u"), "`u` has no `+`, `-` or `=`");
    assert_eq!(error("rwxr-xr-x"), "`r` in `rwxr-xr-x` is none of `u`, `g`, `o`, `a`");
    assert_eq!(error("u+x,"), "`` has no `+`, `-` or `=`");
    assert_eq!(error(",u+x"), "`` has no `+`, `-` or `=`");
    assert_eq!(error("q+r"), "`q` in `q+r` is none of `u`, `g`, `o`, `a`");
    assert_eq!(error("u+q"), "`q` in `u+q` is none of `r`, `w`, `x`, `X`, `s`, `t`, `u`, `g`, `o`");
    assert_eq!(error("u=rw, g=r"), "` ` in ` g=r` is none of `u`, `g`, `o`, `a`");
    assert_eq!(error("g=ux"), "`ux` in `g=ux` copies from `u`, `g` or `o` and has other letters too");
    assert_eq!(error("+755"), "`7` in `+755` is none of `r`, `w`, `x`, `X`, `s`, `t`, `u`, `g`, `o`");
    assert_eq!(error("-x\u{e9}"), "`\u{e9}` in `-x\u{e9}` is none of `r`, `w`, `x`, `X`, `s`, `t`, `u`, `g`, `o`");
}

#[test]
fn hints_fit() {
    let help = |text: &str| FileMode::parse(text).unwrap_err().help();
    assert_eq!(help("rwxr-xr-x"), "write it in digits, as in `--chmod=755`");
    assert_eq!(help("rwxrwxrwx"), "write it in digits, as in `--chmod=777`");
    assert_eq!(help("rx"), "write for example `--chmod=+rx`");
    for text in ["", "999", "u", "q+r"] {
        assert!(help(text).contains("`--chmod=755`"), "{text}");
    }
}
