//! A container with a terminal.

use std::fs::File;
use std::io::{Read, Write};

use runtime::{Executor, Process, Stdio, WindowSize};

use super::harness::*;

fn start_terminal(executor: &dyn Executor, bed: &Bed, text: &str) -> (Process, File) {
    let mut spec = bed.spec(&["sh", "-c", text]);
    spec.terminal = Some(WindowSize { columns: 97, rows: 31 });
    let process = executor.start(spec, Stdio::null()).unwrap_or_else(|error| panic!("{}", chain(&error)));
    let terminal = process.terminal().unwrap().try_clone_to_owned().unwrap();
    (process, terminal.into())
}

/// Reads until the other side is closed, which a terminal tells with an error.
fn read_all(terminal: &mut File) -> String {
    let (mut text, mut bytes) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = terminal.read(&mut bytes) {
        text.extend(&bytes[..length]);
    }
    String::from_utf8(text).unwrap().replace('\r', "")
}

fn read_line(terminal: &mut File) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while terminal.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().replace('\r', "")
}

contract! {
    fn the_streams_are_a_terminal_of_the_container(executor) {
        let bed = Bed::new();
        let text = "tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo three; stat -c %F /dev/console /dev/pts/0; \
            echo console >/dev/console; echo tty >/dev/tty";
        let (process, mut terminal) = start_terminal(executor, &bed, text);
        let output = read_all(&mut terminal);
        assert!(process.wait().unwrap().success(), "{output}");
        let lines: Vec<&str> = output.lines().collect();
        assert!(matches!(lines[0], "/dev/pts/0" | "/dev/console"), "{output}");
        assert_eq!(lines[1..], ["31 97", "three", "character special file", "character special file", "console", "tty"]);
    }

    fn the_window_can_be_resized(executor) {
        let bed = Bed::new();
        let text = "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done";
        let (process, mut terminal) = start_terminal(executor, &bed, text);
        assert_eq!(read_line(&mut terminal), "ready");
        process.resize(WindowSize { columns: 120, rows: 40 }).unwrap();
        assert_eq!(read_line(&mut terminal), "40 120");
        assert_eq!(process.wait().unwrap().docker_code(), 3);
    }

    fn what_is_typed_arrives_and_control_c_interrupts(executor) {
        let bed = Bed::new();
        let text = "trap 'echo interrupted; exit 5' INT; stty -echo; echo ready; read line; echo got $line; while :; do sleep 0.05; done";
        let (process, mut terminal) = start_terminal(executor, &bed, text);
        assert_eq!(read_line(&mut terminal), "ready");
        terminal.write_all(b"typed\n").unwrap();
        assert_eq!(read_line(&mut terminal), "got typed");
        terminal.write_all(b"\x03").unwrap();
        assert!(read_line(&mut terminal).ends_with("interrupted"));
        assert_eq!(process.wait().unwrap().docker_code(), 5);
    }

    fn a_container_without_terminal_cannot_be_resized(executor) {
        let bed = Bed::new();
        let process = executor.start(bed.spec(&["true"]), Stdio::null()).unwrap();
        assert!(process.terminal().is_none());
        assert!(process.resize(WindowSize { columns: 1, rows: 1 }).is_err());
        process.wait().unwrap();
    }
}
