use super::*;

#[test]
fn d139_names_and_numbers() {
    for (text, expected) in [
        ("SIGTERM", Some(15)),
        ("TERM", Some(15)),
        ("sigterm", Some(15)),
        ("9", Some(9)),
        ("64", Some(64)),
        ("SIGWINCH", Some(28)),
        ("SIGRTMIN", Some(34)),
        ("RTMIN+3", Some(37)),
        ("SIGRTMAX-2", Some(62)),
        ("RTMIN+31", None),
        ("RTMAX-31", None),
        ("0", None),
        ("65", None),
        ("-9", None),
        ("SIG", None),
        ("", None),
        ("SIGFOO", None),
        ("SIGSIGTERM", None),
    ] {
        assert_eq!(parse_signal(text), expected, "{text}");
    }
    assert_eq!(nearest("SIGTREM").as_deref(), Some("SIGTERM"));
    assert_eq!(nearest("USR").as_deref(), Some("SIGUSR1"));
    assert_eq!(nearest("SIGNOTHING"), None);
}
