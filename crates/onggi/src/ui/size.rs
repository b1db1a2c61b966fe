//! Sizes as Docker prints them: powers of 1000 and significant digits instead of decimals (`6.89MB`, `0B`).
//!
//! Docker writes them with C's `%.3g` (lists, history) or `%.4g` (disk use, build context), which turns to an
//! exponent when rounding reaches the next power (`1e+03kB`). That one wart is not kept: here it is `1MB`.

/// Significant digits in `images` and `history`.
pub(crate) const LIST_DIGITS: usize = 3;
/// Significant digits of disk use, and of the field `.VirtualSize`.
pub(crate) const DF_DIGITS: usize = 4;
/// Significant digits of the build context (S120).
pub(crate) const CONTEXT_DIGITS: usize = 4;

/// Significant digits of what the disk holds (S271).
pub(crate) const DISK_DIGITS: usize = 4;

const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/// `6891234` with three digits is `6.89MB`.
pub(crate) fn human_size(bytes: u64, digits: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "only a few digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    match significant(size, digits) {
        Some(text) => format!("{text}{}", UNITS[unit]),
        None if unit + 1 < UNITS.len() => format!("1{}", UNITS[unit + 1]),
        None => format!("{size:.0}{}", UNITS[unit]),
    }
}

/// `1.944GiB`: powers of 1024 and four digits.
#[expect(clippy::cast_precision_loss, reason = "only a few digits are shown")]
pub(crate) fn binary_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits: usize = match size {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{size:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", UNITS[unit])
}

/// C's `%.{digits}g` for numbers from 0 to 999; `None` where that would need an exponent.
fn significant(value: f64, digits: usize) -> Option<String> {
    let scientific = format!("{:.*e}", digits - 1, value);
    let exponent: usize = scientific.split_once('e')?.1.parse().ok()?;
    if exponent >= digits {
        return None;
    }
    let fixed = format!("{:.*}", digits - 1 - exponent, value);
    Some(match fixed.contains('.') {
        true => fixed.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => fixed,
    })
}

#[cfg(test)]
mod tests;
