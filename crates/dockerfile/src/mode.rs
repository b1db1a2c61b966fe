//! The value of `--chmod`: octal digits, or `u=rwX,go=rX` as chmod(1) has it.
//!
//! POSIX (chmod, "EXTENDED DESCRIPTION") says what the symbols mean. As in BuildKit the umask is 0, so that `+x` is
//! `a+x` wherever the build runs.

const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const ALL: u32 = 0o7777;

/// A mode, or a change of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMode {
    steps: Vec<Step>,
}

/// Why a text is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileModeError {
    /// There is nothing.
    #[error("a mode is missing")]
    Empty,
    /// Digits that are not octal, or more than four that count.
    #[error("`{0}` is not an octal mode from 0 to 7777")]
    Octal(String),
    /// `u`, `rw`: a clause without `+`, `-` or `=`.
    #[error("`{0}` has no `+`, `-` or `=`")]
    Operator(String),
    /// A letter that stands for nobody.
    #[error("`{letter}` in `{clause}` is none of `u`, `g`, `o`, `a`")]
    Who {
        /// The letter.
        letter: char,
        /// The clause that it is in.
        clause: String,
    },
    /// A letter that stands for no permission.
    #[error("`{letter}` in `{clause}` is none of `r`, `w`, `x`, `X`, `s`, `t`, `u`, `g`, `o`")]
    Permission {
        /// The letter.
        letter: char,
        /// The clause that it is in.
        clause: String,
    },
    /// `g=ux`
    #[error("`{letters}` in `{clause}` copies from `u`, `g` or `o` and has other letters too")]
    Copy {
        /// What is behind the operator.
        letters: String,
        /// The clause that it is in.
        clause: String,
    },
}

impl FileModeError {
    /// What can be written instead.
    pub fn help(&self) -> String {
        match self {
            FileModeError::Operator(clause) | FileModeError::Who { clause, .. } if looks_listed(clause) => {
                format!("write it in digits, as in `--chmod={:o}`", listed(clause))
            }
            FileModeError::Operator(clause) if is_permissions(clause) => {
                format!("write for example `--chmod=+{clause}`")
            }
            FileModeError::Copy { .. } => "make two changes of it, as in `--chmod=g=u,g+x`".to_owned(),
            _ => "write octal digits, for example `--chmod=755`, or changes, for example `--chmod=u=rwX,go=rX`"
                .to_owned(),
        }
    }
}

fn is_permissions(clause: &str) -> bool {
    !clause.is_empty() && clause.chars().all(|letter| "rwxX".contains(letter))
}

/// `rwxr-xr-x`, as ls(1) shows modes.
fn looks_listed(clause: &str) -> bool {
    clause.len() == 9
        && clause.bytes().zip(*b"rwxrwxrwx").all(|(letter, expected)| letter == expected || letter == b'-')
}

fn listed(clause: &str) -> u32 {
    clause.bytes().fold(0, |mode, letter| mode << 1 | u32::from(letter != b'-'))
}

/// One change: bits of `who` are set, added or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    operator: Operator,
    /// Which bits may change.
    who: u32,
    /// Bits as for everybody; only those of `who` count.
    bits: u32,
    /// `X`
    search: bool,
    /// `u`, `g`, `o` on the right: where the bits are copied from, as a shift.
    copied: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Set,
    Add,
    Remove,
}

impl FileMode {
    /// Reads what is written behind `--chmod=`.
    ///
    /// # Errors
    /// When it is neither octal nor symbolic.
    pub fn parse(text: &str) -> Result<FileMode, FileModeError> {
        let Some(first) = text.chars().next() else { return Err(FileModeError::Empty) };
        if first.is_ascii_digit() {
            let is_octal = text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= ALL);
            let bits = mode.ok_or_else(|| FileModeError::Octal(text.to_owned()))?;
            let step = Step { operator: Operator::Set, who: ALL, bits, search: false, copied: None };
            return Ok(FileMode { steps: vec![step] });
        }
        let mut steps = Vec::new();
        for clause in text.split(',') {
            read_clause(clause, &mut steps)?;
        }
        Ok(FileMode { steps })
    }

    /// The mode, where it does not depend on what it was: octal digits.
    pub fn absolute(&self) -> Option<u32> {
        match self.steps.as_slice() {
            [Step { operator: Operator::Set, who: ALL, bits, search: false, copied: None }] => Some(*bits),
            _ => None,
        }
    }

    /// The mode that a file or folder with this one gets.
    pub fn apply(&self, mode: u32, is_folder: bool) -> u32 {
        let may_search = is_folder || mode & 0o111 != 0;
        self.steps.iter().fold(mode & ALL, |mode, step| step.apply(mode, may_search))
    }
}

impl Step {
    fn apply(self, mode: u32, may_search: bool) -> u32 {
        let mut bits = self.bits;
        if self.search && may_search {
            bits |= 0o111;
        }
        if let Some(shift) = self.copied {
            bits |= (mode >> shift & 0o7) * 0o111;
        }
        bits &= self.who;
        match self.operator {
            Operator::Set => mode & !self.who | bits,
            Operator::Add => mode | bits,
            Operator::Remove => mode & !bits,
        }
    }
}

/// `go=u-w` is two steps for the same people.
fn read_clause(clause: &str, steps: &mut Vec<Step>) -> Result<(), FileModeError> {
    let operator_at = clause.find(['+', '-', '=']).ok_or_else(|| FileModeError::Operator(clause.to_owned()))?;
    let (people, mut rest) = clause.split_at(operator_at);
    let mut who = 0;
    for letter in people.chars() {
        who |= match letter {
            'u' => SET_USER | 0o700,
            'g' => SET_GROUP | 0o070,
            'o' => 0o007,
            'a' => SET_USER | SET_GROUP | 0o777,
            letter => return Err(FileModeError::Who { letter, clause: clause.to_owned() }),
        };
    }
    if people.is_empty() {
        who = SET_USER | SET_GROUP | 0o777;
    }
    while let Some(operator) = rest.chars().next() {
        let letters = &rest[1..];
        let length = letters.find(['+', '-', '=']).unwrap_or(letters.len());
        steps.push(read_step(operator, who, &letters[..length], clause)?);
        rest = &letters[length..];
    }
    Ok(())
}

fn read_step(operator: char, who: u32, letters: &str, clause: &str) -> Result<Step, FileModeError> {
    let operator = match operator {
        '+' => Operator::Add,
        '-' => Operator::Remove,
        _ => Operator::Set,
    };
    let mut step = Step { operator, who, bits: 0, search: false, copied: None };
    if letters.len() > 1 && letters.contains(['u', 'g', 'o']) {
        return Err(FileModeError::Copy { letters: letters.to_owned(), clause: clause.to_owned() });
    }
    // Others have neither a set-ID nor a sticky bit.
    let is_others_only = who == 0o007;
    for letter in letters.chars() {
        match letter {
            'r' => step.bits |= 0o444,
            'w' => step.bits |= 0o222,
            'x' => step.bits |= 0o111,
            'X' => step.search = true,
            's' => step.bits |= SET_USER | SET_GROUP,
            't' if is_others_only => {}
            't' => {
                step.who |= STICKY;
                step.bits |= STICKY;
            }
            'u' => step.copied = Some(6),
            'g' => step.copied = Some(3),
            'o' => step.copied = Some(0),
            letter => return Err(FileModeError::Permission { letter, clause: clause.to_owned() }),
        }
    }
    Ok(step)
}

#[cfg(test)]
mod tests;
