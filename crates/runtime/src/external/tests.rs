use super::*;

#[test]
fn a_runtimes_words_become_dockers_codes() {
    let runc = External::new("/usr/sbin/runc", "/nowhere");
    let table = [
        (r#"unable to start container process: exec: "foo": executable file not found in $PATH"#, 127),
        (r#"unable to start container process: exec: "/foo": stat /foo: no such file or directory"#, 127),
        (r#"unable to start container process: exec: "/etc": permission denied"#, 126),
        (r#"unable to start container process: exec: "/etc": is a directory"#, 126),
        ("exec /foo: exec format error", 126),
        ("error mounting /x to rootfs: no such file or directory", 125),
        ("", 125),
    ];
    for (message, code) in table {
        assert_eq!(runc.explain("foo".to_owned(), message.to_owned()).docker_code(), code, "{message}");
    }
    assert_eq!(runc.name(), "runc");
}

#[test]
fn the_last_error_of_a_log_is_taken() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let text = "{\"level\":\"error\",\"msg\":\"first\"}\nnot json\n{\"level\":\"error\",\"msg\":\"second\"}\n{\"level\":\"info\",\"msg\":\"third\"}\n";
    std::fs::write(log.path(), text).unwrap();
    assert_eq!(last_error(log.path()), "second");
    assert!(last_error(Path::new("/nowhere")).contains("without saying why"));
}

#[test]
fn a_missing_runtime_is_said_to_be_missing() {
    let state = tempfile::tempdir().unwrap();
    let external = External::new("no-such-runtime", state.path());
    let root = rustix::fs::open("/", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    let spec = ContainerSpec::docker_defaults("abc", root, vec!["true".into()]);
    let error = external.start(spec, Stdio::null()).unwrap_err();
    // Without root the private mount namespace fails first.
    if rustix::process::geteuid().is_root() {
        assert!(matches!(error, StartError::RuntimeNotFound { .. } | StartError::Setup { .. }), "{error:?}");
    }
    assert_eq!(error.docker_code(), 125);
}
