use std::time::Duration;

use super::{Before, LIMIT, LONGEST_LINE, Log, visible};

/// Field-notes, section 2, row 29: step output is shown, never obeyed.
#[test]
fn output_is_left_as_a_terminal_would_show_it() {
    for (written, shown) in [
        (&b"plain"[..], "plain"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b" 10%\r 50%\r100%", "100%"),
        (b"done\r", "done"),
        (b"a\tb", "a       b"),
        (b"12345678\tb", "12345678        b"),
        (b"abc\x08\x08d", "ad"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b]52;c;aGk=", ""),
        (b"\x1b[2J\x1b[1;1H\x1b(Bfaked", "faked"),
        (b"\x1bcreset", "reset"),
        (b"\xffbytes", "\u{fffd}bytes"),
        ("\u{202e}txt\u{9b}31m!".as_bytes(), "txt!"),
        (b"\x1b", ""),
    ] {
        assert_eq!(visible(written), shown, "{written:?}");
    }
}

#[test]
fn lines_are_put_together_from_pieces() {
    let mut log = Log::default();
    let at = Duration::from_millis;
    assert!(log.is_empty());
    assert!(log.write(b"par", at(1)).is_empty());
    let complete = log.write(b"tial\n\nnext", at(5));
    let texts: Vec<_> = complete.iter().map(super::LogLine::timed).collect();
    assert_eq!(texts, ["0.001 partial", "0.005 "]);
    assert_eq!(log.tail(6), ["partial", "next"]);
    assert_eq!(log.end_line().map(|line| line.timed()).as_deref(), Some("0.005 next"));
    assert!(log.end_line().is_none());
    let (before, last) = log.last(1);
    assert_eq!(
        (before, last.map(|line| line.bytes.clone()).collect::<Vec<_>>()),
        (Before::Lines(2), vec![b"next".to_vec()])
    );
}

#[test]
fn memory_is_bounded() {
    let mut log = Log::default();
    let line = vec![b'x'; 1000];
    for _ in 0..2 * LIMIT / line.len() {
        log.write(&line, Duration::ZERO);
        log.write(b"\n", Duration::ZERO);
    }
    let (before, kept) = log.last(usize::MAX);
    let kept = kept.count();
    assert!(kept * line.len() <= LIMIT && kept * line.len() > LIMIT / 2, "{kept}");
    assert_eq!(before, Before::Lines(2 * LIMIT / line.len() - kept));

    let mut endless = Log::default();
    for _ in 0..100 {
        endless.write(&line, Duration::ZERO);
    }
    assert!(endless.partial.is_none_or(|line| line.bytes.len() <= LONGEST_LINE));
}
