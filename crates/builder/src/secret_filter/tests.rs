//! Output in pieces of every size.

use super::SecretFilter;
use crate::Stream;

/// What comes out of `output` when it comes in pieces of `size` bytes.
fn filtered(secrets: &[&str], output: &str, size: usize) -> String {
    let mut filter = SecretFilter::new(secrets.iter().map(|secret| secret.as_bytes()));
    let mut shown = Vec::new();
    let mut on = |_, data: &[u8]| shown.extend_from_slice(data);
    for piece in output.as_bytes().chunks(size) {
        filter.pass(Stream::Stdout, piece, &mut on);
    }
    filter.finish(&mut on);
    String::from_utf8(shown).unwrap()
}

#[test]
fn values_are_masked_however_the_output_is_cut() {
    let key = "-----BEGIN-----\nabcdefgh\n-----END-----\n";
    for (secrets, output, expected) in [
        (&["hunter22"][..], "the word is hunter22, hunter2", "the word is ****, hunter2"),
        (&["hunter22\n"], "hunter22hunter22\n", "********\n"),
        // The longer one first; one that overlaps its own beginning.
        (&["aaab", "aaabc"], "aaaaabc aaab aaa", "aa**** **** aaa"),
        (&[key], key, "****\n"),
        (&[key], "2: abcdefgh!", "2: ****!"),
        // Too short to be told from anything else, or no secret at all.
        (&["abc", ""], "abc", "abc"),
        (&[], "abc", "abc"),
    ] {
        for size in 1..=output.len() {
            assert_eq!(filtered(secrets, output, size), expected, "{secrets:?} {output:?} in pieces of {size}");
        }
    }
}

#[test]
fn what_cannot_be_a_secret_is_shown_at_once() {
    let mut filter = SecretFilter::new([&b"hunter22"[..]].into_iter());
    let mut shown = Vec::new();
    filter.pass(Stream::Stdout, b"Password: h", &mut |stream, data| shown.push((stream, data.to_vec())));
    filter.pass(Stream::Stderr, b"h", &mut |stream, data| shown.push((stream, data.to_vec())));
    filter.pass(Stream::Stdout, b"i", &mut |stream, data| shown.push((stream, data.to_vec())));
    assert_eq!(shown, [(Stream::Stdout, b"Password: ".to_vec()), (Stream::Stdout, b"hi".to_vec())]);
}
