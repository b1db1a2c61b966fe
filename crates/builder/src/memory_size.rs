//! Sizes as people type them: `64m`, `1.5g`, `512`; units are powers of 1024, as Docker reads them.

/// Bytes that a size means; `None` if it is none.
pub fn parse_memory_size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit) {
        "" if unit != "ib" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let whole = whole.checked_mul(1 << power)?;
    // Nine digits behind the point are more than a byte of a gigabyte.
    let digits: String = fraction.chars().take(9).collect();
    let part = if digits.is_empty() { 0 } else { digits.parse::<u128>().ok()? };
    let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    let part = u64::try_from(part * (1 << power) / scale).ok()?;
    whole.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::parse_memory_size;

    #[test]
    fn d104_b019_sizes_are_read_as_docker_reads_them() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("32b", Some(32)),
            ("32k", Some(32 << 10)),
            ("32KB", Some(32 << 10)),
            ("32KiB", Some(32 << 10)),
            ("64m", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            (".5m", Some(1 << 19)),
            ("2 g", Some(2 << 30)),
            ("1p", Some(1 << 50)),
            ("", None),
            (".", None),
            ("m", None),
            ("-1", None),
            ("1x", None),
            ("1ib", None),
            ("1.2.3m", None),
            ("99999999999999999999", None),
            ("99999999p", None),
        ] {
            assert_eq!(parse_memory_size(text), bytes, "{text}");
        }
    }
}
