//! `--format`: the part of Go's text/template that people use with Docker, over JSON values.
//!
//! `{{.ID}}`, pipelines, variables, `if`/`else`/`range`/`with`, comparisons, `printf`, `index`, `len` and Docker's own
//! functions (`json`, `join`, `split`, `title`, `upper`, `lower`, `pad`, `truncate`). No `define`, `template` and
//! `block`. Every error names the place in the template.

mod absent;
mod eval;
mod functions;
mod lexer;
mod parser;
mod printf;
mod value;

use serde_json::Value;

use parser::Node;

/// A template, ready to be filled in many times.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
}

/// What is wrong with a template, and where in it (bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub(crate) message: String,
    pub(crate) span: std::ops::Range<usize>,
    pub(crate) hint: Option<String>,
}

impl TemplateError {
    fn new(message: impl Into<String>, span: std::ops::Range<usize>) -> Self {
        Self { message: message.into(), span, hint: None }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What the functions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Their work.
    Data,
    /// For the header of a table, where each field is its column's title, they leave it as it is.
    Header,
}

impl Template {
    /// Parses a template as it was typed.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let tokens = lexer::lex(text)?;
        Ok(Self { nodes: parser::parse(tokens, text.len())? })
    }

    /// Fills in the fields of `data`.
    pub(crate) fn render(&self, data: &Value, mode: Mode) -> Result<String, TemplateError> {
        eval::render(&self.nodes, data, mode)
    }
}

#[cfg(test)]
mod tests;
