use std::io::{self, Read, Write};

use super::{Compression, CompressionError, Decoder, is_tar};

fn plain() -> Vec<u8> {
    (0..300_000u32).flat_map(|number| (number / 7).to_le_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    liblzma::encode_all(bytes, 1).unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;
const FORMATS: [(Compression, Encode); 5] = [
    (Compression::None, <[u8]>::to_vec),
    (Compression::Gzip, gzip),
    (Compression::Bzip2, bzip2),
    (Compression::Xz, xz),
    (Compression::Zstd, zstd),
];

/// Gives a byte at a time, as a slow pipe may.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

fn decoded(bytes: &[u8]) -> io::Result<(Compression, Vec<u8>)> {
    let mut decoder = Decoder::new(bytes)?;
    let mut out = Vec::new();
    decoder.read_to_end(&mut out)?;
    Ok((decoder.compression(), out))
}

fn reason(error: &io::Error) -> &CompressionError {
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("typed error")
}

#[test]
fn every_format_comes_back() {
    let plain = plain();
    for (compression, encode) in FORMATS {
        let packed = encode(&plain);
        assert_eq!(Compression::sniff(&packed), compression);
        let (found, bytes) = decoded(&packed).unwrap();
        assert_eq!(found, compression);
        assert!(bytes == plain, "{compression:?}");
        let mut bytes = Vec::new();
        Decoder::new(Trickle(&encode(&plain[..5000]))).unwrap().read_to_end(&mut bytes).unwrap();
        assert!(bytes == plain[..5000], "{compression:?}, byte by byte");
    }
}

#[test]
fn members_follow_each_other() {
    let plain = plain();
    let (first, second) = plain.split_at(70_000);
    for (compression, encode) in FORMATS {
        let packed = [encode(first), encode(b""), encode(second)].concat();
        assert!(decoded(&packed).unwrap().1 == plain, "{compression:?}");
    }
}

#[test]
fn skippable_frame_comes_first() {
    let mut packed = vec![0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, b't', b'o', b'c'];
    packed.extend(zstd(b"content"));
    assert_eq!(decoded(&packed).unwrap(), (Compression::Zstd, b"content".to_vec()));
}

#[test]
fn short_streams_are_plain() {
    for bytes in [&b""[..], b"\x1f", b"\x1f\x8b", b"BZ", b"BZh0..", b"\xfd7zXZ", b"text"] {
        assert_eq!(decoded(bytes).unwrap(), (Compression::None, bytes.to_vec()));
    }
}

#[test]
fn truncation_is_an_error() {
    let plain = plain();
    for (compression, encode) in &FORMATS[1..] {
        let packed = encode(&plain);
        for length in [6, 20, packed.len() / 2, packed.len() - 1] {
            let error = decoded(&packed[..length]).unwrap_err();
            let is_named = matches!(reason(&error), CompressionError::Truncated { .. });
            assert!(is_named, "{compression:?} cut to {length}: {error:?}");
        }
    }
}

#[test]
fn damage_is_an_error() {
    let plain = plain();
    for (compression, encode) in &FORMATS[1..] {
        let mut packed = encode(&plain);
        let middle = packed.len() / 2;
        packed[middle..middle + 40].fill(0x5a);
        let error = decoded(&packed).map(|_| compression).unwrap_err();
        assert!(matches!(reason(&error), CompressionError::Damaged { .. }), "{compression:?}: {error:?}");
    }
}

#[test]
fn memory_is_bounded() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(b"small").unwrap();
    let error = decoded(&encoder.finish().unwrap()).unwrap_err();
    assert!(matches!(reason(&error), CompressionError::Memory { limit: 0x800_0000, .. }), "{error:?}");

    let mut options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
    options.dict_size(256 << 20);
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2(&options);
    let stream = liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).unwrap();
    let mut packed = Vec::new();
    liblzma::bufread::XzEncoder::new_stream(&b"small"[..], stream).read_to_end(&mut packed).unwrap();
    let error = decoded(&packed).unwrap_err();
    assert!(matches!(reason(&error), CompressionError::Memory { limit: 0x800_0000, .. }), "{error:?}");
}

#[test]
fn errors_of_the_stream_come_as_they_are() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    for (compression, encode) in FORMATS {
        let packed = encode(&plain());
        let mut decoder = Decoder::new((&packed[..packed.len() / 2]).chain(Broken)).unwrap();
        let error = decoder.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{compression:?}");
        assert!(error.get_ref().is_none(), "{compression:?}");
    }
}

#[test]
fn tars_are_told_by_their_checksum() {
    let mut block = [0u8; 512];
    block[..4].copy_from_slice(b"file");
    block[124..136].copy_from_slice(b"00000000000\0");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert!(is_tar(&block));
    assert!(is_tar(&[block, [0; 512]].concat()));
    assert!(!is_tar(&block[..511]));
    assert!(!is_tar(&[0; 512]));
    block[0] ^= 1;
    assert!(!is_tar(&block));
    assert!(!is_tar(&[b' '; 512]));
}
