//! Puts the words of a template together: text, actions, branches and loops.

use std::ops::Range;

use serde_json::Value;

use super::TemplateError;
use super::lexer::{Token, TokenKind};

/// One piece of a template.
#[derive(Debug)]
pub(crate) enum Node {
    Text(String),
    /// Prints what the pipeline gives, unless it only sets variables.
    Action(Pipeline),
    If {
        condition: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    With {
        value: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        /// Its variables are those of the loop: the element, or index and element.
        list: Pipeline,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// `break` or `continue`.
    Leave(Leave),
}

/// What is left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// The loop.
    Loop,
    /// This round of it.
    Round,
}

/// `$x := a | b c`.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) variables: Vec<String>,
    /// True for `=`: the variable must be there already.
    pub(crate) assigns: bool,
    pub(crate) commands: Vec<Vec<Operand>>,
    pub(crate) span: Range<usize>,
}

/// One word of a command with the fields taken of it.
#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) base: Base,
    pub(crate) fields: Vec<(String, Range<usize>)>,
    pub(crate) span: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum Base {
    Dot,
    Variable(String),
    Function(String),
    Literal(Value),
    Group(Pipeline),
}

/// Groups and blocks within each other; keeps a hostile template from using up the stack.
const DEEPEST: usize = 64;

/// What ends a list of nodes.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    End,
    Else,
    /// `{{else if …}}`, `{{else with …}}`: the rest of the action follows.
    ElseIf,
    ElseWith,
}

/// What ended a list of nodes, and where; nothing at the end of the template.
type Stopped = Option<(Stop, Range<usize>)>;

/// Parses all tokens; `length` is that of the template.
pub(crate) fn parse(tokens: Vec<Token>, length: usize) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), length, depth: 0, loops: 0 };
    let (nodes, stop) = parser.nodes()?;
    match stop {
        None => Ok(nodes),
        Some((stop, span)) => {
            let word = if stop == Stop::End { "end" } else { "else" };
            Err(TemplateError::new(format!("`{{{{{word}}}}}` without `if`, `with` or `range` before it"), span))
        }
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    length: usize,
    depth: usize,
    /// How many `range` are open.
    loops: usize,
}

impl Parser {
    /// Nodes up to an `end` or `else` that belongs to what is around them.
    fn nodes(&mut self) -> Result<(Vec<Node>, Stopped), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(token) = self.tokens.next() {
            if let TokenKind::Text(text) = token.kind {
                nodes.push(Node::Text(text));
                continue;
            }
            match self.keyword() {
                None => nodes.push(Node::Action(self.pipeline_to_close(&token.span)?)),
                Some((word, span)) => match word.as_str() {
                    "end" => {
                        self.close(&span)?;
                        return Ok((nodes, Some((Stop::End, span))));
                    }
                    "else" => return Ok((nodes, Some((self.after_else(&span)?, span)))),
                    "if" | "with" | "range" => nodes.push(self.block(&word, &span)?),
                    "break" | "continue" if self.loops > 0 => {
                        self.close(&span)?;
                        nodes.push(Node::Leave(if word == "break" { Leave::Loop } else { Leave::Round }));
                    }
                    "break" | "continue" => {
                        return Err(TemplateError::new(format!("`{{{{{word}}}}}` outside of `range`"), span));
                    }
                    other => {
                        let message = format!("`{{{{{other}}}}}` is not supported");
                        return Err(TemplateError::new(message, span)
                            .with_hint("use `if`, `with` and `range`; templates within templates are not there"));
                    }
                },
            }
        }
        Ok((nodes, None))
    }

    /// Takes a keyword, if the action begins with one.
    fn keyword(&mut self) -> Option<(String, Range<usize>)> {
        let is_keyword = |token: &Token| match &token.kind {
            TokenKind::Word(word) => {
                ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"]
                    .contains(&word.as_str())
            }
            _ => false,
        };
        match self.tokens.next_if(is_keyword)? {
            Token { kind: TokenKind::Word(word), span } => Some((word, span)),
            _ => None,
        }
    }

    fn after_else(&mut self, span: &Range<usize>) -> Result<Stop, TemplateError> {
        match self.keyword() {
            None => self.close(span).map(|()| Stop::Else),
            Some((word, _)) if word == "if" => Ok(Stop::ElseIf),
            Some((word, _)) if word == "with" => Ok(Stop::ElseWith),
            Some((word, span)) => Err(TemplateError::new(format!("unexpected `{word}` after `else`"), span)),
        }
    }

    /// The rest of `if`, `with` or `range`, up to its `end`.
    fn block(&mut self, word: &str, span: &Range<usize>) -> Result<Node, TemplateError> {
        self.deeper(span)?;
        let head = self.pipeline_to_close(span)?;
        self.loops += usize::from(word == "range");
        let (then, stop) = self.nodes()?;
        self.loops -= usize::from(word == "range");
        let unclosed =
            || TemplateError::new(format!("`{{{{{word}}}}}` is never closed by `{{{{end}}}}`"), span.clone());
        let (stop, stop_span) = stop.ok_or_else(unclosed)?;
        let otherwise = match stop {
            Stop::End => Vec::new(),
            Stop::ElseIf => vec![self.block("if", &stop_span)?],
            Stop::ElseWith => vec![self.block("with", &stop_span)?],
            Stop::Else => match self.nodes()? {
                (nodes, Some((Stop::End, _))) => nodes,
                (_, Some((_, span))) => return Err(TemplateError::new("second `{{else}}`", span)),
                (_, None) => return Err(unclosed()),
            },
        };
        self.depth -= 1;
        Ok(match word {
            "if" => Node::If { condition: head, then, otherwise },
            "with" => Node::With { value: head, then, otherwise },
            _ => Node::Range { list: head, body: then, otherwise },
        })
    }

    fn pipeline_to_close(&mut self, open: &Range<usize>) -> Result<Pipeline, TemplateError> {
        let pipeline = self.pipeline(open)?;
        self.close(open)?;
        Ok(pipeline)
    }

    fn pipeline(&mut self, open: &Range<usize>) -> Result<Pipeline, TemplateError> {
        let mut commands = vec![self.command()?];
        let (variables, assigns) = self.declaration(&mut commands[0])?;
        if !variables.is_empty() {
            commands[0] = self.command()?;
        }
        while self.tokens.next_if(|token| token.kind == TokenKind::Pipe).is_some() {
            commands.push(self.command()?);
        }
        if let Some(place) = commands.iter().position(Vec::is_empty) {
            let message = if commands.len() == 1 { "nothing to print" } else { "nothing on one side of `|`" };
            let span =
                commands.get(place + 1).and_then(|command| command.first()).map_or(open, |operand| &operand.span);
            return Err(TemplateError::new(message, span.clone()));
        }
        let first = commands[0][0].span.start;
        let last = commands.last().and_then(|command| command.last()).map_or(first, |operand| operand.span.end);
        Ok(Pipeline { variables, assigns, commands, span: first..last })
    }

    /// `$x :=`, `$x =` and `$i, $x :=`, of which the first words were taken for a command.
    fn declaration(&mut self, command: &mut [Operand]) -> Result<(Vec<String>, bool), TemplateError> {
        let mut variables = Vec::new();
        if let [Operand { base: Base::Variable(name), fields, .. }] = command
            && fields.is_empty()
        {
            variables.push(name.clone());
            if self.tokens.next_if(|token| token.kind == TokenKind::Comma).is_some() {
                match self.tokens.next() {
                    Some(Token { kind: TokenKind::Variable(name), .. }) => variables.push(name),
                    other => return Err(self.unexpected(other)),
                }
            }
        }
        let declares = |token: &Token| matches!(token.kind, TokenKind::Declare | TokenKind::Assign);
        match self.tokens.next_if(declares) {
            Some(token) if variables.is_empty() => Err(self.unexpected(Some(token))),
            Some(token) => Ok((variables, token.kind == TokenKind::Assign)),
            None if variables.len() > 1 => {
                let next = self.tokens.next();
                Err(self.unexpected(next))
            }
            None => Ok((Vec::new(), false)),
        }
    }

    /// Operands up to what cannot be one.
    fn command(&mut self) -> Result<Vec<Operand>, TemplateError> {
        let mut operands: Vec<Operand> = Vec::new();
        while let Some(token) = self.tokens.next_if(is_operand) {
            let span = token.span.clone();
            let base = match token.kind {
                TokenKind::Field { name, glued: true } => {
                    if let Some(operand) = operands.last_mut() {
                        operand.span.end = span.end;
                        operand.fields.push((name, span));
                    }
                    continue;
                }
                TokenKind::Field { name, glued: false } => {
                    operands.push(Operand { base: Base::Dot, fields: vec![(name, span.clone())], span });
                    continue;
                }
                TokenKind::Dot => Base::Dot,
                TokenKind::Variable(name) => Base::Variable(name),
                TokenKind::Quoted(text) => Base::Literal(Value::String(text)),
                TokenKind::Integer(number) => Base::Literal(number.into()),
                TokenKind::Float(number) => Base::Literal(number.into()),
                TokenKind::Word(word) => match word.as_str() {
                    "true" => Base::Literal(true.into()),
                    "false" => Base::Literal(false.into()),
                    "nil" => Base::Literal(Value::Null),
                    _ => Base::Function(word),
                },
                _ => self.group(&span)?,
            };
            operands.push(Operand { base, fields: Vec::new(), span });
        }
        Ok(operands)
    }

    fn group(&mut self, span: &Range<usize>) -> Result<Base, TemplateError> {
        self.deeper(span)?;
        let pipeline = self.pipeline(span)?;
        self.depth -= 1;
        match self.tokens.next() {
            Some(Token { kind: TokenKind::CloseParen, .. }) => Ok(Base::Group(pipeline)),
            _ => Err(TemplateError::new("`(` is never closed", span.clone())),
        }
    }

    fn close(&mut self, open: &Range<usize>) -> Result<(), TemplateError> {
        match self.tokens.next() {
            Some(Token { kind: TokenKind::Close, .. }) => Ok(()),
            None => Err(TemplateError::new("action is never closed by `}}`", open.clone())),
            other => Err(self.unexpected(other)),
        }
    }

    fn unexpected(&self, token: Option<Token>) -> TemplateError {
        let span = token.map_or(self.length..self.length, |token| token.span);
        TemplateError::new("this does not belong here", span)
    }

    fn deeper(&mut self, span: &Range<usize>) -> Result<(), TemplateError> {
        self.depth += 1;
        match self.depth > DEEPEST {
            true => Err(TemplateError::new("template is nested too deeply", span.clone())),
            false => Ok(()),
        }
    }
}

fn is_operand(token: &Token) -> bool {
    !matches!(
        token.kind,
        TokenKind::Text(_)
            | TokenKind::Open
            | TokenKind::Close
            | TokenKind::Pipe
            | TokenKind::Declare
            | TokenKind::Assign
            | TokenKind::Comma
            | TokenKind::CloseParen
    )
}
