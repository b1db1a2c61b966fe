//! Values of flags that are lists of `key=value`, as Docker writes them: one CSV record (RFC 4180).

/// Why a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldError {
    /// A quote that is not around a whole field.
    Quotes,
}

/// The fields of a list; one in double quotes may hold commas, and `""` for a quote.
pub(crate) fn fields(text: &str) -> Result<Vec<String>, FieldError> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut closed) = (false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(field) = fields.last_mut() else { break };
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' if quoted => (quoted, closed) = (false, true),
            ',' if !quoted => {
                fields.push(String::new());
                closed = false;
            }
            '"' if field.is_empty() && !closed => quoted = true,
            letter if letter == '"' && !quoted || closed => return Err(FieldError::Quotes),
            letter => field.push(letter),
        }
    }
    if quoted { Err(FieldError::Quotes) } else { Ok(fields) }
}

#[cfg(test)]
mod tests {
    use super::{FieldError, fields};

    #[test]
    fn b014_lists_are_csv_records() {
        for (text, expected) in [
            ("a=b", vec!["a=b"]),
            ("id=x,src=a b", vec!["id=x", "src=a b"]),
            ("id=x,\"src=a,b\"", vec!["id=x", "src=a,b"]),
            ("\"a\"\"b\",c", vec!["a\"b", "c"]),
            ("", vec![""]),
            ("\"type=local\",\"dest=a b, c\"", vec!["type=local", "dest=a b, c"]),
            ("a,", vec!["a", ""]),
        ] {
            assert_eq!(fields(text).unwrap(), expected, "{text}");
        }
        for text in ["\"a", "a\"b", "\"a\"b", "\"a\"\"", "\"a\"\"b"] {
            assert_eq!(fields(text), Err(FieldError::Quotes), "{text}");
        }
    }
}
