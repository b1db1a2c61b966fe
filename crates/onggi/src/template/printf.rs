//! `printf` with the verbs that make sense for JSON values: `%s %v %q %d %x %f %t %%`, with width, precision, `-` and `0`.

use serde_json::Value;

use super::value::{kind, print};

/// Widest field; a larger one is taken for a mistake.
const WIDEST: usize = 1000;

/// What stands between `%` and the verb.
#[derive(Debug, Default)]
struct Flags {
    left: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Fills the values into the format.
pub(crate) fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let flags = flags(&mut rest)?;
        let verb = rest.next().ok_or("`%` at the end of the format of `printf`")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| format!("`printf` has no value for `%{verb}`"))?;
        pad(&mut out, &flags, &formatted(verb, value, flags.precision)?, value);
    }
    match values.len() {
        0 => Ok(out),
        extra => Err(format!("`printf` has {extra} more value{} than its format", if extra == 1 { "" } else { "s" })),
    }
}

fn flags(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Flags, String> {
    let mut flags = Flags::default();
    while let Some(flag) = rest.next_if(|character| "-+ #0".contains(*character)) {
        flags.left |= flag == '-';
        flags.zero |= flag == '0';
    }
    flags.width = digits(rest)?;
    if rest.next_if_eq(&'.').is_some() {
        flags.precision = Some(digits(rest)?);
    }
    Ok(flags)
}

fn digits(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<usize, String> {
    let mut number = 0;
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        number = number * 10 + usize::try_from(u32::from(digit) - u32::from('0')).unwrap_or(0);
        if number > WIDEST {
            return Err(format!("`printf` has a width over {WIDEST}"));
        }
    }
    Ok(number)
}

fn formatted(verb: char, value: &Value, precision: Option<usize>) -> Result<String, String> {
    let wrong = || format!("`%{verb}` of `printf` does not fit {}", kind(value));
    Ok(match (verb, value) {
        ('s' | 'v', _) => {
            let text = print(value);
            match precision {
                Some(most) => text.chars().take(most).collect(),
                None => text,
            }
        }
        ('q', Value::String(text)) => Value::from(text.as_str()).to_string(),
        ('t', Value::Bool(truth)) => truth.to_string(),
        ('d', Value::Number(number)) if !number.is_f64() => number.to_string(),
        ('x', Value::Number(number)) => format!("{:x}", number.as_i64().ok_or_else(wrong)?),
        ('x', Value::String(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ('f', Value::Number(number)) => {
            format!("{:.*}", precision.unwrap_or(6), number.as_f64().ok_or_else(wrong)?)
        }
        ('q' | 't' | 'd' | 'x' | 'f', _) => return Err(wrong()),
        _ => return Err(format!("`printf` does not know `%{verb}`")),
    })
}

fn pad(out: &mut String, flags: &Flags, text: &str, value: &Value) {
    let missing = flags.width.saturating_sub(text.chars().count());
    match (flags.left, flags.zero && value.is_number()) {
        (true, _) => {
            out.push_str(text);
            out.extend(std::iter::repeat_n(' ', missing));
        }
        (false, true) => {
            let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
            out.push_str(sign);
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(digits);
        }
        (false, false) => {
            out.extend(std::iter::repeat_n(' ', missing));
            out.push_str(text);
        }
    }
}
