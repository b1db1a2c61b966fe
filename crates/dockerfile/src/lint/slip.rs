//! The name that was probably meant, as BuildKit finds it: fewer than three letters have to be changed.

/// Slips in this number are no slips any more.
const TOO_MANY: usize = 3;

/// Longer names are not compared; the table below is quadratic.
const MAX_LENGTH: usize = 128;

/// The nearest of the names, the first of equals; none when the name itself is among them.
pub(super) fn meant<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut best = (TOO_MANY, None);
    for name in names {
        if name == typed {
            return None;
        }
        if name.len().abs_diff(typed.len()) >= 4 * TOO_MANY || name.len().max(typed.len()) > MAX_LENGTH {
            continue;
        }
        let distance = distance(typed, name);
        if distance < best.0 {
            best = (distance, Some(name));
        }
    }
    best.1
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, c) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, d) in other.iter().enumerate() {
            let substitution = diagonal + usize::from(c != *d);
            diagonal = row[column + 1];
            row[column + 1] = substitution.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
