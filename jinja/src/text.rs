//! Values as Python writes them: `str` and `repr`.

use std::fmt::Write;
use std::rc::Rc;

use super::error::{Result, unsupported};
use super::render::Renderer;
use super::value::{Dict, Value, ViewKind};

impl Renderer<'_> {
    /// As Python's `str`.
    pub fn text_of(&self, value: &Value) -> Result<Rc<str>> {
        if let Some(text) = value.as_str() {
            return Ok(text.clone());
        }
        let mut out = String::new();
        self.write_str(value, &mut out)?;
        Ok(out.into())
    }

    /// Appends what Python's `str` makes of a value.
    pub fn write_str(&self, value: &Value, out: &mut String) -> Result<()> {
        match value {
            Value::Undefined(_) => Ok(()),
            Value::Str(text) | Value::Markup(text) => self.push(text, out),
            other => self.write_repr(other, out),
        }
    }

    pub fn push(&self, text: &str, out: &mut String) -> Result<()> {
        self.budget.grow(text.len())?;
        out.push_str(text);
        Ok(())
    }

    /// Appends what Python's `repr` makes of a value.
    pub fn write_repr(&self, value: &Value, out: &mut String) -> Result<()> {
        match value {
            Value::Undefined(_) => self.push("Undefined", out),
            Value::None => self.push("None", out),
            Value::Bool(true) => self.push("True", out),
            Value::Bool(false) => self.push("False", out),
            Value::Int(value) => self.push(&value.to_string(), out),
            Value::Float(value) => self.push(&float(*value), out),
            Value::Str(text) => self.quoted(text, out),
            Value::Markup(text) => {
                self.push("Markup(", out)?;
                self.quoted(text, out)?;
                self.push(")", out)
            }
            other => self.write_container(other, out),
        }
    }

    #[inline(never)]
    fn write_container(&self, value: &Value, out: &mut String) -> Result<()> {
        let _deeper = self.budget.deeper()?;
        match value {
            Value::List(items) => self.write_items(&items.items, "[", "]", out),
            Value::Tuple(items) | Value::Group(items) => {
                let close = if items.items.len() == 1 { ",)" } else { ")" };
                self.write_items(&items.items, "(", close, out)
            }
            Value::Dict(dict) => self.write_dict(dict, out),
            Value::View(kind, dict) => {
                let (name, items): (_, Vec<Value>) = match kind {
                    ViewKind::Keys => {
                        ("dict_keys([", dict.entries().iter().map(|entry| entry.0.clone()).collect())
                    }
                    ViewKind::Values => {
                        ("dict_values([", dict.entries().iter().map(|entry| entry.1.clone()).collect())
                    }
                    ViewKind::Items => ("dict_items([", self.collect(value)?),
                };
                self.write_items(&items, name, "])", out)
            }
            Value::Range(range) => {
                let step = if range.step == 1 { String::new() } else { format!(", {}", range.step) };
                self.push(&format!("range({}, {}{step})", range.start, range.stop), out)
            }
            Value::Namespace(namespace) => {
                self.push("<Namespace ", out)?;
                let values = Rc::new(namespace.values.borrow().clone());
                self.write_dict(&values, out)?;
                self.push(">", out)
            }
            Value::Macro(made) if made.name.is_empty() => self.push("<Macro anonymous>", out),
            Value::Macro(made) => {
                self.push("<Macro ", out)?;
                self.quoted(&made.name, out)?;
                self.push(">", out)
            }
            Value::Loop(state) => {
                let index = state.attribute("index", self)?.and_then(|index| index.as_int()).unwrap_or(0);
                let length = state.length(self)?;
                self.push(&format!("<LoopContext {index}/{length}>"), out)
            }
            // Python writes where they lie in memory.
            other => unsupported(format!("printing a {}", other.type_name())),
        }
    }

    fn write_items(&self, items: &[Value], open: &str, close: &str, out: &mut String) -> Result<()> {
        self.push(open, out)?;
        for (at, item) in items.iter().enumerate() {
            self.budget.work(1)?;
            if at > 0 {
                self.push(", ", out)?;
            }
            self.write_repr(item, out)?;
        }
        self.push(close, out)
    }

    fn write_dict(&self, dict: &Dict, out: &mut String) -> Result<()> {
        self.push("{", out)?;
        for (at, (key, value)) in dict.entries().iter().enumerate() {
            self.budget.work(1)?;
            if at > 0 {
                self.push(", ", out)?;
            }
            self.write_repr(key, out)?;
            self.push(": ", out)?;
            self.write_repr(value, out)?;
        }
        self.push("}", out)
    }

    fn quoted(&self, text: &str, out: &mut String) -> Result<()> {
        self.budget.grow(2 * text.len() + 2)?;
        let before = out.len();
        quote(text, false, out);
        self.budget.grow((out.len() - before).saturating_sub(2 * text.len() + 2))
    }
}

/// A text as Python's `repr` writes it; `ascii`: as its `ascii` does.
pub(super) fn quote(text: &str, ascii: bool, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            c if !ascii && is_printable(c) => out.push(c),
            c => {
                // Writing to a string does not fail.
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// Neither a control character, a format character, a separator but for the space, nor unassigned: what Rust's own debugging
/// output escapes, where the character does not come first.
pub(super) fn is_printable(c: char) -> bool {
    let mut buffer = *b"a\0\0\0\0";
    let length = 1 + c.encode_utf8(&mut buffer[1..]).len();
    let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
    matches!(c, '\'' | '"' | '\\') || text.escape_debug().nth(1) == Some(c)
}

/// The shortest text that is this number, as Python chooses between digits and exponents.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let text = value.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
