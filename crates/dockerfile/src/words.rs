//! Splitting arguments into words that may hold quotes, and flags from what follows them.
//!
//! Quotes stay in the words: [`crate::Expander`] takes them away when it puts in the variables.

use crate::logical_line::Text;

/// A quote that is never closed, at a byte offset of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenQuote {
    pub offset: usize,
    pub quote: char,
}

/// Words between blanks, where blanks within quotes or after the escape character do not count.
pub(crate) fn quoted_words(text: Text<'_>, escape: char) -> Result<Vec<Text<'_>>, OpenQuote> {
    let mut words = Vec::new();
    let mut start = None;
    let mut open: Option<OpenQuote> = None;
    let source = text.as_str();
    let mut chars = source.char_indices();
    while let Some((offset, c)) = chars.next() {
        match open {
            Some(OpenQuote { quote, .. }) => {
                if c == escape && quote != '\'' {
                    chars.next();
                } else if c == quote {
                    open = None;
                }
            }
            None if c.is_whitespace() => {
                if let Some(start) = start.take() {
                    words.push(text.slice(start, offset));
                }
            }
            None => {
                start.get_or_insert(offset);
                if c == escape {
                    chars.next();
                } else if c == '"' || c == '\'' {
                    open = Some(OpenQuote { offset, quote: c });
                }
            }
        }
    }
    if let Some(open) = open {
        return Err(open);
    }
    if let Some(start) = start {
        words.push(text.slice(start, source.len()));
    }
    Ok(words)
}

/// One `--name=value` as it stands, before anybody asked whether the instruction has it.
#[derive(Debug, Clone)]
pub(crate) struct RawFlag<'l> {
    /// The whole word.
    pub text: Text<'l>,
    /// Without dashes.
    pub name: String,
    /// After `=`, quotes taken away.
    pub value: Option<String>,
}

/// Reads flags from the beginning of an instruction's arguments; the rest is what follows them. `--` ends the flags.
/// Quotes and backslashes are taken away here already, as BuildKit does for flags.
pub(crate) fn take_flags(arguments: Text<'_>) -> (Vec<RawFlag<'_>>, Text<'_>) {
    let mut flags = Vec::new();
    let mut rest = arguments.trim();
    while rest.as_str().starts_with("--") {
        let (length, content) = flag_word(rest.as_str());
        let word = rest.slice(0, length);
        rest = rest.slice(length, rest.as_str().len()).trim();
        if content == "--" {
            break;
        }
        let (name, value) = match content[2..].split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (content[2..].to_owned(), None),
        };
        flags.push(RawFlag { text: word, name, value });
    }
    (flags, rest)
}

/// What follows the flags.
pub(crate) fn skip_flags(arguments: Text<'_>) -> Text<'_> {
    take_flags(arguments).1
}

/// Length of the first word in the text, and its content without quotes.
fn flag_word(text: &str) -> (usize, String) {
    let mut content = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((offset, c)) = chars.next() {
        match quote {
            None if c.is_whitespace() => return (offset, content),
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ if c == '\\' => content.extend(chars.next().map(|(_, next)| next)),
            _ => content.push(c),
        }
    }
    (text.len(), content)
}
