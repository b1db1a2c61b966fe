use super::format::{Row, add_json, add_local, read_json, read_local};
use super::{LONGEST_PIECE, Line, Piece};
use crate::streams::OutputStream;
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Text, time, whether it goes on.
fn shown(pieces: &[Piece]) -> Vec<(String, i64, bool)> {
    let show = |piece: &Piece| {
        let text = String::from_utf8(piece.text.clone()).unwrap();
        let text = if text.len() > 20 { format!("{} x {}", &text[..1], text.len()) } else { text };
        (text, piece.time.as_second(), piece.is_partial)
    };
    pieces.iter().map(show).collect()
}

#[test]
fn c223_lines_are_cut_as_dockers_copier_does() {
    let mut line = Line::default();
    let owned = |rows: &[(&str, i64, bool)]| rows.iter().map(|(a, b, c)| ((*a).to_owned(), *b, *c)).collect::<Vec<_>>();
    assert_eq!(
        shown(&line.cut(b"one\ntwo\n\nthr", at(1))),
        owned(&[("one", 1, false), ("two", 1, false), ("", 1, false)])
    );
    assert_eq!(shown(&line.cut(b"ee\n", at(2))), owned(&[("three", 2, false)]));
    // A long line is cut where Docker's buffer is full; all its pieces have the time of the first.
    let long = vec![b'x'; LONGEST_PIECE + 5];
    assert_eq!(shown(&line.cut(&long, at(3))), owned(&[("x x 16384", 3, true)]));
    assert_eq!(shown(&line.cut(b"y\nz", at(4))), owned(&[("xxxxxy", 3, false)]));
    assert_eq!(shown(line.end(at(5)).as_slice()), owned(&[("z", 5, true)]));
    assert_eq!(line.end(at(6)), None);
    // One that ends exactly there has an empty rest.
    assert_eq!(shown(&line.cut(&long[5..], at(7))), owned(&[("x x 16384", 7, true)]));
    assert_eq!(shown(&line.cut(b"\n", at(8))), owned(&[("", 7, false)]));
}

#[test]
fn c208_json_is_dockers_byte_for_byte() {
    let time: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
    for (text, is_partial, expected) in [
        (&b"plain"[..], false, r#"{"log":"plain\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}"#),
        (b"rest", true, r#"{"log":"rest","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}"#),
        (
            b"\"\\\t\r\x1b[0m<a&b>",
            true,
            r#"{"log":"\"\\\u0009\r\u001b[0m\u003ca\u0026b\u003e","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}"#,
        ),
        (
            "한\u{2028}국\u{2029}".as_bytes(),
            true,
            r#"{"log":"한\u2028국\u2029","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}"#,
        ),
        (
            b"a\xff\xe2\x82b",
            true,
            r#"{"log":"a\ufffd\ufffd\ufffdb","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}"#,
        ),
    ] {
        let mut line = Vec::new();
        add_json(&mut line, &Row { stream: OutputStream::Stdout, text, time, is_partial }, &[]);
        assert_eq!(String::from_utf8(line).unwrap(), format!("{expected}\n"));
    }
    let mut line = Vec::new();
    let attributes = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "\"".to_owned())];
    let row = Row { stream: OutputStream::Stderr, text: b"x", time: at(5), is_partial: false };
    add_json(&mut line, &row, &attributes);
    let expected = r#"{"log":"x\n","stream":"stderr","attrs":{"a":"1","b":"\""},"time":"1970-01-01T00:00:05Z"}"#;
    assert_eq!(String::from_utf8(line.clone()).unwrap(), format!("{expected}\n"));
    let read = read_json(&line).unwrap();
    assert_eq!((read.stream, read.text, read.time), (OutputStream::Stderr, b"x\n".to_vec(), at(5)));
    assert_eq!(read.attributes, attributes);
}

#[test]
fn c208_local_is_dockers_byte_for_byte() {
    let mut entry = Vec::new();
    let row = Row { stream: OutputStream::Stdout, text: b"a\xff", time: at(1), is_partial: false };
    add_local(&mut entry, &row);
    let body = [&[0x0a, 6][..], b"stdout", &[0x10, 0x80, 0x94, 0xeb, 0xdc, 0x03], &[0x1a, 2, b'a', 0xff]].concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    assert_eq!(entry, [&length[..], &body, &length].concat());
    let read = read_local(&body).unwrap();
    assert_eq!((read.stream, read.text, read.time), (OutputStream::Stdout, b"a\xff\n".to_vec(), at(1)));
    let mut entry = Vec::new();
    add_local(&mut entry, &Row { stream: OutputStream::Stderr, is_partial: true, ..row });
    let read = read_local(&entry[4..entry.len() - 4]).unwrap();
    assert_eq!((read.stream, read.text), (OutputStream::Stderr, b"a\xff".to_vec()));
    assert_eq!(read_local(&[0x0a, 50, 1]), None);
}
