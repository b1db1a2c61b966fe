//! The order of paths in a layer: a folder, then what is in it, names by their bytes.

use std::cmp::Ordering;

/// Compares two paths component by component, so that `a/b` comes before `a.txt`.
pub(crate) fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
    let first_difference = one.iter().zip(other).position(|(a, b)| a != b);
    match first_difference {
        Some(place) => rank(&one[place]).cmp(&rank(&other[place])),
        None => one.len().cmp(&other.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn folders_come_before_their_content_and_their_content_before_the_next_name() {
        let sorted = ["", "a", "a/b", "a/b/c", "a/b.c", "a-b", "a.txt", "b"];
        let mut paths = sorted;
        paths.reverse();
        paths.sort_by(|a, b| compare(a.as_bytes(), b.as_bytes()));
        assert_eq!(paths, sorted);
    }
}
