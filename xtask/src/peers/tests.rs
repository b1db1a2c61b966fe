use super::{reason, version};

#[test]
fn the_version_is_that_of_the_daemon() {
    assert_eq!(version("Docker version 28.5.2+dfsg4, build 3ef3c07"), Some("28.5.2+dfsg4"));
    assert_eq!(version("Docker version unknown-version, build"), None);
    assert_eq!(version("dockerd: not found"), None);
}

#[test]
fn the_reason_is_the_first_error_of_apt() {
    let problem =
        "`apt-get … update` failed: exit status: 100\n  E: Failed to fetch http://mirror/sid\n  E: Some index files";
    assert_eq!(reason(problem), "E: Failed to fetch http://mirror/sid");
    assert_eq!(reason("this machine has no apt-get"), "this machine has no apt-get");
}
