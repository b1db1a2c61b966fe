//! The harness against the real machine: programs, terminals, the web server, and Debian roots.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use testkit::{Command, Debian, HttpServer, Terminal};

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

fn shell(script: &str) -> Command {
    Command::new("/bin/sh", Path::new("/")).env("PATH", PATH).arguments(["-c", script])
}

#[test]
fn a_command_gets_its_input_and_gives_its_streams_apart() {
    let output = shell("cat; echo oops >&2; exit 3").stdin("in\n").run().exits(3);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("in\n", "oops\n"));
    assert_eq!(output.snapshot(), "exit: 3\n--- stdout\nin\n--- stderr\noops\n");
    assert_eq!(shell("kill -TERM $$").run().code, 143);
    assert_eq!(shell("env").run().stdout.lines().filter(|line| line.starts_with("CARGO")).count(), 0);
}

#[test]
fn a_terminal_has_a_size_and_takes_keys() {
    let mut terminal = Terminal::start(&shell("stty size; read name; echo \"<$name>\"; exit 4"), 90, 30);
    terminal.wait_for("30 90", Duration::from_secs(10));
    terminal.write("clay\n");
    let (code, text) = terminal.finish(Duration::from_secs(10));
    assert_eq!(code, 4);
    assert!(text.contains("<clay>"), "{text}");
}

#[test]
fn the_web_server_remembers_head_requests() {
    let server = HttpServer::start();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port())).expect("the server listens");
    stream.write_all(b"HEAD /ping HTTP/1.1\r\nHost: here\r\n\r\n").expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let request = server.next(Duration::from_secs(10)).expect("a request was made");
    assert_eq!((request.method.as_str(), request.path.as_str(), request.host.as_str()), ("HEAD", "/ping", "here"));
}

#[test]
fn system_calls_are_traced() {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: requires strace: system_calls_are_traced");
        return;
    }
    let calls = shell("echo x > /tmp/onggi-trace-$$; rm /tmp/onggi-trace-$$; true > /dev/null")
        .trace(&["openat", "open", "unlinkat", "unlink"]);
    let written = testkit::written_paths(&calls);
    assert_eq!(written.iter().filter(|call| call.contains("onggi-trace")).count(), 2, "{written:?}");
    assert_eq!(written.len(), 2, "{written:?}");
}

#[test]
#[ignore = "requires root, debootstrap and Debian's mirror"]
fn debian_roots_are_made_once_requires_root() {
    let tar = testkit::debian_root_tar(Debian::Node);
    let again = testkit::debian_root_tar(Debian::Node);
    assert_eq!(tar, again);
    assert!(std::fs::metadata(&tar).expect("the tar was made").len() > 50_000_000);
}
