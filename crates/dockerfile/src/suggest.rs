//! "Did you mean": the known name nearest to a mistyped one.

/// The candidate nearest to `typed`, if it is near enough to be meant: one slip in three letters, a swap of
/// neighbours counting as one slip. Upper and lower case are the same.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer names are no typing slips, and the table below is quadratic.
    if typed.is_empty() || typed.len() > 64 {
        return None;
    }
    let typed: Vec<char> = typed.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut best = None;
    for candidate in candidates {
        let name: Vec<char> = candidate.chars().map(|c| c.to_ascii_lowercase()).collect();
        let allowed = (typed.len().max(name.len()) / 3).max(1);
        if name.len().abs_diff(typed.len()) > allowed {
            continue;
        }
        let distance = distance(&typed, &name);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut cost = substitution.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(before[j - 2] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests;
