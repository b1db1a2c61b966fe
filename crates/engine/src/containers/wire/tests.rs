use runtime::WindowSize;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{Decoder, Gone, HELLO, Hello, STDIN, STDOUT, push};
use crate::streams::Queue;

fn pair() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
}

#[test]
fn c227_a_hello_comes_back() {
    let size = Some(WindowSize { columns: 100, rows: 30 });
    for hello in [
        Hello::default(),
        Hello { stdin: true, stdout: true, stderr: true, size },
        Hello { stdout: true, ..Hello::default() },
        Hello { stderr: true, size, ..Hello::default() },
    ] {
        assert_eq!(Hello::decode(&hello.encode()), hello);
    }
    assert_eq!(Hello::decode(&[]), Hello::default());
    assert_eq!(Hello::decode(&[1, 0, 0, 0, 0]).size, None, "no terminal is that small");
}

#[test]
fn c227_frames_are_found_however_they_are_cut() {
    let mut queue = Queue::default();
    let long = vec![7; 70_000];
    push(&mut queue, HELLO, &[]);
    push(&mut queue, STDIN, b"abc");
    push(&mut queue, 200, b"not known");
    push(&mut queue, STDOUT, &long);
    let mut bytes = Vec::new();
    queue
        .write(|more| {
            bytes.extend_from_slice(more);
            Ok(more.len())
        })
        .unwrap();
    for step in [1, 3, 5, 1000, 65_536] {
        let (here, there) = pair();
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for piece in bytes.chunks(step) {
            rustix::io::write(&here, piece).unwrap();
            decoder.fill(&there, true).unwrap();
            while let Some((kind, payload)) = decoder.next_frame().unwrap() {
                found.push((kind, payload.to_vec()));
            }
        }
        let expected =
            [(HELLO, vec![]), (STDIN, b"abc".to_vec()), (200, b"not known".to_vec()), (STDOUT, long.clone())];
        assert_eq!(found, expected, "{step}");
        decoder.fill(&there, false).unwrap();
        drop(here);
        assert_eq!(decoder.fill(&there, false), Err(Gone));
    }
}

#[test]
fn c227_a_frame_that_cannot_be_is_refused() {
    let (here, there) = pair();
    rustix::io::write(&here, &[STDIN, 255, 255, 255, 255]).unwrap();
    let mut decoder = Decoder::default();
    decoder.fill(&there, true).unwrap();
    assert_eq!(decoder.next_frame(), Err(Gone));
}
