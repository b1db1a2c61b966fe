use super::*;

/// A file put together from its chunks must be what its segments say.
fn check(segments: &[(u64, u64)], size: u64, data: u64) -> (u8, usize, usize) {
    let segments: Vec<_> =
        segments.iter().map(|(offset, length)| Segment { offset: *offset, length: *length }).collect();
    let stored: Vec<u8> = (0..segments.iter().map(|segment| segment.length).sum()).map(|at| at as u8 | 1).collect();
    let mut expected = vec![0; size as usize];
    let mut at = 0;
    for segment in &segments {
        let length = segment.length as usize;
        expected[segment.offset as usize..][..length].copy_from_slice(&stored[at..at + length]);
        at += length;
    }

    let bits = bits_of_sparse(&segments, size);
    let mut mixed = Vec::new();
    chunks(&segments, data, size, bits, |piece| {
        if let Piece::Mixed { begin, length } = piece {
            mixed.push((begin, length));
        }
    });
    assert_eq!(needs_content(&segments, data, size), !mixed.is_empty());
    let spilled = assemble(&segments, &stored, &mixed);
    let mut found = Vec::new();
    let mut next = 0;
    let mut count = 0;
    let chunk = (BLOCK << bits) as usize;
    chunks(&segments, data, size, bits, |piece| {
        let length = chunk.min(size as usize - found.len());
        count += 1;
        match piece {
            Piece::Hole => found.resize(found.len() + length, 0),
            Piece::Tar(block) => {
                let at = (u64::from(block) * BLOCK - data) as usize;
                found.extend_from_slice(&stored[at..at + length]);
            }
            Piece::Mixed { .. } => {
                found.extend_from_slice(&spilled[next..next + length]);
                next += length.next_multiple_of(BLOCK as usize);
            }
        }
    });
    assert!(found == expected, "{segments:?} of {size} at {data}");
    (bits, count, mixed.len())
}

#[test]
fn chunks_fit_the_segments() {
    assert_eq!(check(&[(0, 4096)], 4096, 512), (3, 1, 0), "a file without holes");
    assert_eq!(check(&[], 4096, 512), (3, 1, 0), "nothing but a hole");
    assert_eq!(check(&[(4096, 4096)], 16_384, 512), (3, 4, 0));
    assert_eq!(check(&[(4096, 100)], 4196, 512), (3, 2, 0), "the last segment may end anywhere");
    assert_eq!(check(&[(4096, 100), (8192, 4096)], 12_288, 512), (0, 24, 9), "what follows an odd one is not aligned");
    assert_eq!(check(&[(1, 3), (4, 0), (100, 1)], 1000, 512), (0, 2, 1));
}

#[test]
fn one_chunk_holds_a_whole_file() {
    for (size, bits) in [(0, 0), (1, 0), (512, 0), (513, 1), (1024, 1), (1025, 2), (1 << 40, 31), (1 << 50, 31)] {
        assert_eq!(bits_of_one(size), bits, "{size}");
    }
}

#[test]
fn large_holes_need_few_chunks() {
    let segments = [Segment { offset: 1 << 40, length: 4096 }];
    let bits = bits_of_sparse(&segments, (1 << 40) + 4096);
    assert!(((1u64 << 40) + 4096).div_ceil(BLOCK << bits) <= MOST_CHUNKS);
}

proptest::proptest! {
    #[test]
    fn any_map_is_followed(gaps in proptest::collection::vec((0u64..3000, 0u64..3000, 0u8..4), 0..12), at in 0u64..4) {
        let mut segments = Vec::new();
        let mut end = 0;
        for (gap, length, align) in gaps {
            let unit = [1, 512, 1024, 4096][usize::from(align)];
            let offset = (end + gap).next_multiple_of(unit);
            let length = length.next_multiple_of(unit);
            segments.push((offset, length));
            end = offset + length;
        }
        check(&segments, end, at * BLOCK);
    }
}
