use std::io::{Seek, SeekFrom};

use super::*;
use crate::compression::{Compression, Decoder};

/// Bytes that compress well, longer than two pieces of either format.
fn sample(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: Vec<[u8; 16]> =
        (0..512).map(|_| (u128::from(next()) << 64 | u128::from(next())).to_le_bytes()).collect();
    (0..length / 16).flat_map(|_| words[(next() % 512) as usize]).collect()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn encoded(bytes: &[u8], encoding: Encoding, threads: usize) -> (EncodedBlob, Vec<u8>) {
    let mut out = Vec::new();
    let blob = encode(&file(bytes), bytes.len() as u64, encoding, threads, &mut out).unwrap();
    (blob, out)
}

fn decoded(bytes: &[u8]) -> (Compression, Vec<u8>) {
    let mut decoder = Decoder::new(bytes).unwrap();
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain).unwrap();
    (decoder.compression(), plain)
}

const ALL: [Encoding; 5] = [
    Encoding::Uncompressed,
    Encoding::Gzip { level: 1 },
    Encoding::Gzip { level: 6 },
    Encoding::Zstd { level: 1 },
    Encoding::Zstd { level: 3 },
];

#[test]
fn b051_what_is_compressed_is_what_comes_out_with_any_number_of_threads() {
    let bytes = sample((20 << 20) + 16);
    for encoding in ALL {
        let (blob, out) = encoded(&bytes, encoding, 1);
        assert_eq!((blob.digest, blob.size), (Digest::of(&out), out.len() as u64));
        assert_eq!(digest_of(&out[..]).unwrap(), blob);
        let (compression, plain) = decoded(&out);
        assert!(plain == bytes, "{encoding:?}");
        let expected = match encoding {
            Encoding::Uncompressed => Compression::None,
            Encoding::Gzip { .. } => Compression::Gzip,
            Encoding::Zstd { .. } => Compression::Zstd,
        };
        assert_eq!(compression, expected);
        assert!(encoding == Encoding::Uncompressed || out.len() < bytes.len() * 3 / 4, "{encoding:?}: {}", out.len());
        for threads in [2, 3, 8] {
            assert!(encoded(&bytes, encoding, threads).1 == out, "{encoding:?} with {threads} threads");
        }
    }
}

#[test]
fn b051_every_level_of_a_format_works() {
    let bytes = sample(100_000);
    for level in 0..=9 {
        assert!(decoded(&encoded(&bytes, Encoding::Gzip { level }, 2).1).1 == bytes);
    }
    for level in 1..=22 {
        assert!(decoded(&encoded(&bytes, Encoding::Zstd { level }, 2).1).1 == bytes);
    }
}

/// Other programs read them too: Go's and zlib's readers know what a member is by these bytes.
#[test]
fn b051_the_header_says_nothing_of_the_machine() {
    let (_, out) = encoded(b"x", Encoding::Gzip { level: 6 }, 1);
    assert_eq!(out[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let (_, empty) = encoded(b"", Encoding::Gzip { level: 6 }, 1);
    assert_eq!(decoded(&empty), (Compression::Gzip, Vec::new()));
    let (_, empty) = encoded(b"", Encoding::Zstd { level: 3 }, 1);
    assert_eq!(decoded(&empty), (Compression::Zstd, Vec::new()));
}

#[test]
fn a_tar_that_is_shorter_than_it_should_be_and_an_output_that_is_full_are_errors() {
    let bytes = sample(20 << 20);
    for threads in [1, 4] {
        let short = encode(&file(&bytes), bytes.len() as u64 + 1, ALL[1], threads, &mut Vec::new());
        assert!(matches!(short, Err(EncodeError::Read(_))), "{short:?}");
        let full = encode(&file(&bytes), bytes.len() as u64, ALL[1], threads, &mut Full(1 << 20));
        assert!(matches!(full, Err(EncodeError::Write(_))), "{full:?}");
    }
}

/// Takes so many bytes and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
