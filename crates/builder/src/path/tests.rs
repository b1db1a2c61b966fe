use super::*;

#[test]
fn paths_are_taken_from_the_working_directory_and_stop_at_the_root() {
    let table = [
        ("/", "a", "a"),
        ("/w", "a/b", "w/a/b"),
        ("/w", "/a", "a"),
        ("/w", ".", "w"),
        ("/w", "./a//b/", "w/a/b"),
        ("/w/x", "../a", "w/a"),
        ("/w", "../../../a", "a"),
        ("/", "/../..", ""),
        ("", "a", "a"),
    ];
    for (working_dir, path, expected) in table {
        assert_eq!(lossy(&inside(working_dir, path)), expected, "{path} in {working_dir}");
    }
}

#[test]
fn a_path_is_its_folder_and_its_name() {
    for path in ["", "a", "a/b", "a/b/c.d"] {
        let path = path.as_bytes();
        assert_eq!(join(parent(path), name(path)), path);
    }
    assert_eq!(join(b"a", b""), b"a");
}
