//! `--call=METHOD[,format=json][,ignorestatus]`, as buildx takes it.

use std::str::FromStr;

/// What is asked of a Dockerfile, and how the answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) format: Format,
    /// The exit status says nothing about what was found.
    pub(crate) ignores_status: bool,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Nothing: it is built.
    Build,
    /// What the checks find.
    Check,
    /// What a target can be given.
    Outline,
    /// Which targets there are.
    Targets,
    /// What can be asked.
    Describe,
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Call {
    /// `--check`.
    pub(crate) const CHECK: Self = Self { method: Method::Check, format: Format::Text, ignores_status: false };
}

impl FromStr for Call {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut call = Self { method: Method::Build, ..Self::CHECK };
        for field in text.split(',') {
            match field.split_once('=') {
                Some(("format", "json")) => call.format = Format::Json,
                Some(("format", "text")) => call.format = Format::Text,
                Some(("format", other)) => {
                    return Err(format!("`{other}` is no format of a call; there are `text` and `json`"));
                }
                Some(("ignorestatus", "true" | "1")) => call.ignores_status = true,
                Some(("ignorestatus", "false" | "0")) => call.ignores_status = false,
                Some(("ignorestatus", other)) => {
                    return Err(format!("`{other}` is no value of `ignorestatus`; there are `true` and `false`"));
                }
                Some((name, _)) => {
                    return Err(format!("`{name}` is no option of a call; there are `format` and `ignorestatus`"));
                }
                None if field == "ignorestatus" => call.ignores_status = true,
                None => call.method = method(field)?,
            }
        }
        Ok(call)
    }
}

/// Every method with the names that it goes by.
fn method(name: &str) -> Result<Method, String> {
    Ok(match name {
        "build" => Method::Build,
        "check" | "lint" => Method::Check,
        "outline" => Method::Outline,
        "targets" => Method::Targets,
        "subrequests.describe" => Method::Describe,
        other => {
            return Err(format!(
                "`{other}` cannot be called; there are `build`, `check`, `outline`, `targets` and `subrequests.describe`"
            ));
        }
    })
}

#[cfg(test)]
mod tests;
