//! Fills a template in.

use std::ops::Range;

use serde_json::Value;

use super::absent;
use super::functions;
use super::parser::{Base, Leave, Node, Operand, Pipeline};
use super::value::{is_true, kind, print};
use super::{Mode, TemplateError};

/// The text of all nodes.
pub(crate) fn render(nodes: &[Node], data: &Value, mode: Mode) -> Result<String, TemplateError> {
    let variables = vec![(String::new(), data.clone())];
    let mut evaluator = Evaluator { out: String::new(), variables, mode, leaves: None };
    evaluator.nodes(nodes, data)?;
    Ok(evaluator.out)
}

struct Evaluator {
    out: String,
    /// Innermost last; the one without a name is `$`.
    variables: Vec<(String, Value)>,
    mode: Mode,
    /// Set by `break` and `continue` until the loop has seen it.
    leaves: Option<Leave>,
}

impl Evaluator {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), TemplateError> {
        for node in nodes {
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        let unset = last_field(pipeline).filter(|_| value.is_null()).and_then(absent::print);
                        self.out.push_str(&unset.map_or_else(|| print(&value), str::to_owned));
                    }
                }
                Node::If { condition, then, otherwise } => self.scope(|this| {
                    let truth = is_true(&this.pipeline(condition, dot)?);
                    this.nodes(if truth { then } else { otherwise }, dot)
                })?,
                Node::With { value, then, otherwise } => self.scope(|this| {
                    let value = this.pipeline(value, dot)?;
                    match is_true(&value) {
                        true => this.nodes(then, &value),
                        false => this.nodes(otherwise, dot),
                    }
                })?,
                Node::Range { list, body, otherwise } => self.scope(|this| this.range(list, body, otherwise, dot))?,
                Node::Leave(leave) => self.leaves = Some(*leave),
            }
            if self.leaves.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Variables declared within are gone afterwards.
    fn scope(&mut self, run: impl FnOnce(&mut Self) -> Result<(), TemplateError>) -> Result<(), TemplateError> {
        let depth = self.variables.len();
        let result = run(self);
        self.variables.truncate(depth);
        result
    }

    fn range(&mut self, list: &Pipeline, body: &[Node], otherwise: &[Node], dot: &Value) -> Result<(), TemplateError> {
        let elements = elements(self.commands(list, dot)?, &list.span)?;
        if elements.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, element) in elements {
            self.scope(|this| {
                match list.variables.as_slice() {
                    [] => {}
                    [name] => this.set(name, element.clone(), list)?,
                    [index, name, ..] => {
                        this.set(index, key, list)?;
                        this.set(name, element.clone(), list)?;
                    }
                }
                this.nodes(body, &element)
            })?;
            if self.leaves.take() == Some(Leave::Loop) {
                break;
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let value = self.commands(pipeline, dot)?;
        if let Some(name) = pipeline.variables.first() {
            self.set(name, value.clone(), pipeline)?;
        }
        Ok(value)
    }

    fn set(&mut self, name: &str, value: Value, pipeline: &Pipeline) -> Result<(), TemplateError> {
        if !pipeline.assigns {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => return Err(TemplateError::new(format!("there is no variable `${name}`"), pipeline.span.clone())),
        }
        Ok(())
    }

    /// Each command's value is the last argument of the next.
    fn commands(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, piped, dot)?);
        }
        Ok(piped.unwrap_or(Value::Null))
    }

    fn command(&mut self, command: &[Operand], piped: Option<Value>, dot: &Value) -> Result<Value, TemplateError> {
        let Some((first, rest)) = command.split_first() else { return Ok(Value::Null) };
        let Base::Function(name) = &first.base else {
            if let [key] = rest
                && first.fields.last().is_some_and(|(name, _)| name == "Label")
            {
                let (labels, key) = (self.operand(first, dot)?, self.operand(key, dot)?);
                return Ok(label(&labels, &key, self.mode));
            }
            if let Some(extra) = rest.first() {
                let message = "only a function can have arguments";
                return Err(TemplateError::new(message, extra.span.clone()));
            }
            if piped.is_some() {
                return Err(TemplateError::new("only a function can stand behind `|`", first.span.clone()));
            }
            return self.operand(first, dot);
        };
        if name == "and" || name == "or" {
            return self.short_circuit(name, rest, piped, dot, &first.span);
        }
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            arguments.push(self.operand(operand, dot)?);
        }
        arguments.extend(piped);
        functions::call(name, &arguments, self.mode, &first.span)
    }

    /// `and` gives the first argument that is not true, `or` the first that is; the others are not looked at.
    fn short_circuit(
        &mut self,
        name: &str,
        operands: &[Operand],
        piped: Option<Value>,
        dot: &Value,
        span: &Range<usize>,
    ) -> Result<Value, TemplateError> {
        let mut last = None;
        for operand in operands {
            let value = self.operand(operand, dot)?;
            if is_true(&value) == (name == "or") {
                return Ok(value);
            }
            last = Some(value);
        }
        piped.or(last).ok_or_else(|| TemplateError::new(format!("`{name}` needs arguments"), span.clone()))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, TemplateError> {
        let base = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Literal(value) => value.clone(),
            Base::Group(pipeline) => self.pipeline(pipeline, dot)?,
            Base::Function(name) => functions::call(name, &[], self.mode, &operand.span)?,
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let unknown = || TemplateError::new(format!("there is no variable `${name}`"), operand.span.clone());
                known.map(|(_, value)| value.clone()).ok_or_else(unknown)?
            }
        };
        operand.fields.iter().try_fold(base, |value, (name, span)| field(&value, name, span, self.mode))
    }
}

/// The name of the field that a pipeline is, if it is one and nothing more.
fn last_field(pipeline: &Pipeline) -> Option<&str> {
    match pipeline.commands.as_slice() {
        [command] if command.len() == 1 => command[0].fields.last().map(|(name, _)| name.as_str()),
        _ => None,
    }
}

/// Docker's `.Label "KEY"`: one label's value; as a title the last word of the key.
fn label(labels: &Value, key: &Value, mode: Mode) -> Value {
    let key = key.as_str().unwrap_or_default();
    if mode == Mode::Header {
        return Value::String(key.rsplit('.').next().unwrap_or_default().replace(['-', '_'], " "));
    }
    labels.get(key).cloned().unwrap_or_else(|| Value::String(String::new()))
}

/// A field by its name; Docker's own names differ from those of its JSON in case only (`.ID`, `"Id"`).
fn field(value: &Value, name: &str, span: &Range<usize>, mode: Mode) -> Result<Value, TemplateError> {
    match value {
        Value::Object(fields) => {
            let found = fields
                .get(name)
                .or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value));
            if found.is_none() && absent::is_known(fields, name) {
                return Ok(Value::Null);
            }
            found.cloned().ok_or_else(|| {
                let mut known: Vec<_> = fields.keys().map(|key| format!("`.{key}`")).collect();
                known.sort();
                let error = TemplateError::new(format!("there is no field `.{name}`"), span.clone());
                match known.is_empty() {
                    true => error,
                    false => error.with_hint(format!("use one of {}", known.join(", "))),
                }
            })
        }
        Value::Null => Ok(Value::Null),
        Value::String(_) if mode == Mode::Header => Ok(value.clone()),
        other => Err(TemplateError::new(format!("{} has no field `.{name}`", kind(other)), span.clone())),
    }
}

/// Keys and elements that `range` goes over: objects by key, numbers from 0.
fn elements(value: Value, span: &Range<usize>) -> Result<Vec<(Value, Value)>, TemplateError> {
    Ok(match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.into_iter().enumerate().map(|(index, item)| (index.into(), item)).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(left, _), (right, _)| left.cmp(right));
            fields.into_iter().map(|(key, value)| (Value::String(key), value)).collect()
        }
        Value::Number(number) => match number.as_u64() {
            Some(count) if count <= 1_000_000 => (0..count).map(|index| (index.into(), index.into())).collect(),
            _ => return Err(TemplateError::new("`range` cannot go over this number", span.clone())),
        },
        other => return Err(TemplateError::new(format!("`range` cannot go over {}", kind(&other)), span.clone())),
    })
}
