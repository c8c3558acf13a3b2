//! `tojson`: Python's `json.dumps`, with the arguments that transformers gives it.

use std::rc::Rc;

use super::arguments::Given;
use super::error::{Result, type_error, value_error};
use super::render::Renderer;
use super::text::float;
use super::value::Value;

struct Style {
    ascii: bool,
    indent: Option<String>,
    between_items: Rc<str>,
    behind_keys: Rc<str>,
    sorted: bool,
}

/// The filter.
pub(super) fn to_json(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [ascii, indent, separators, sorted] =
        given.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"], 0)?;
    let holds = |value: Option<Value>| value.is_some_and(|value| value.truth());
    let indent = match indent {
        None | Some(Value::None) => None,
        Some(text) if text.as_str().is_some() => text.as_str().map(|text| text.to_string()),
        Some(width) => {
            let Some(width) = width.as_int() else {
                return type_error(format!(
                    "indent: expected an integer or a text, got {}",
                    width.type_name()
                ));
            };
            let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
            renderer.budget.grow(width)?;
            Some(" ".repeat(width))
        }
    };
    let (mut between_items, mut behind_keys): (Rc<str>, Rc<str>) =
        (if indent.is_some() { "," } else { ", " }.into(), ": ".into());
    if let Some(separators) = separators.filter(|separators| !matches!(separators, Value::None)) {
        let parts = renderer.collect(&separators)?;
        match (parts.len(), parts.first().and_then(Value::as_str), parts.get(1).and_then(Value::as_str)) {
            (2, Some(items), Some(keys)) => (between_items, behind_keys) = (items.clone(), keys.clone()),
            _ => return value_error("separators: expected two texts"),
        }
    }
    let style = Style { ascii: holds(ascii), indent, between_items, behind_keys, sorted: holds(sorted) };
    let mut out = String::new();
    write(renderer, &value, &style, 0, &mut out)?;
    renderer.made(out)
}

fn write(
    renderer: &Renderer<'_>,
    value: &Value,
    style: &Style,
    depth: usize,
    out: &mut String,
) -> Result<()> {
    renderer.budget.work(1)?;
    match value {
        Value::None => renderer.push("null", out),
        Value::Bool(true) => renderer.push("true", out),
        Value::Bool(false) => renderer.push("false", out),
        Value::Int(value) => renderer.push(&value.to_string(), out),
        Value::Float(value) => renderer.push(&json_float(*value), out),
        Value::Str(text) | Value::Markup(text) => write_text(renderer, text, style.ascii, out),
        Value::List(items) | Value::Tuple(items) | Value::Group(items) => {
            let _deeper = renderer.budget.deeper()?;
            for (at, item) in items.items.iter().enumerate() {
                renderer.push(if at == 0 { "[" } else { &style.between_items }, out)?;
                line(renderer, style, depth + 1, out)?;
                write(renderer, item, style, depth + 1, out)?;
            }
            close(renderer, items.items.is_empty(), "[]", style, depth, out)
        }
        Value::Dict(dict) => {
            let _deeper = renderer.budget.deeper()?;
            let mut entries: Vec<(Value, Value)> = dict.entries().to_vec();
            renderer.budget.grow(2 * size_of::<Value>() * entries.len())?;
            if style.sorted {
                let keyed = entries
                    .into_iter()
                    .map(|(key, value)| Ok((key.clone(), Value::tuple(vec![key, value])?)));
                let sorted = renderer.sorted(keyed.collect::<Result<_>>()?, false)?;
                entries = Vec::with_capacity(sorted.len());
                for pair in sorted {
                    if let Value::Tuple(pair) = pair
                        && let [key, value] = &pair.items[..]
                    {
                        entries.push((key.clone(), value.clone()));
                    }
                }
            }
            let empty = entries.is_empty();
            for (at, (key, value)) in entries.iter().enumerate() {
                renderer.push(if at == 0 { "{" } else { &style.between_items }, out)?;
                line(renderer, style, depth + 1, out)?;
                write_key(renderer, key, style, out)?;
                renderer.push(&style.behind_keys, out)?;
                write(renderer, value, style, depth + 1, out)?;
            }
            close(renderer, empty, "{}", style, depth, out)
        }
        other => type_error(format!("Object of type {} is not JSON serializable", other.type_name())),
    }
}

fn write_key(renderer: &Renderer<'_>, key: &Value, style: &Style, out: &mut String) -> Result<()> {
    match key {
        Value::Str(text) | Value::Markup(text) => write_text(renderer, text, style.ascii, out),
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            renderer.push("\"", out)?;
            write(renderer, key, style, 0, out)?;
            renderer.push("\"", out)
        }
        other => type_error(format!("keys must be str, int, float, bool or None, not {}", other.type_name())),
    }
}

fn line(renderer: &Renderer<'_>, style: &Style, depth: usize, out: &mut String) -> Result<()> {
    let Some(indent) = &style.indent else { return Ok(()) };
    renderer.push("\n", out)?;
    renderer.budget.grow(indent.len().saturating_mul(depth))?;
    for _ in 0..depth {
        out.push_str(indent);
    }
    Ok(())
}

fn close(
    renderer: &Renderer<'_>,
    empty: bool,
    brackets: &str,
    style: &Style,
    depth: usize,
    out: &mut String,
) -> Result<()> {
    if empty {
        return renderer.push(brackets, out);
    }
    line(renderer, style, depth, out)?;
    renderer.push(&brackets[1..], out)
}

fn json_float(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        value => float(value),
    }
}

fn write_text(renderer: &Renderer<'_>, text: &str, ascii: bool, out: &mut String) -> Result<()> {
    renderer.budget.grow(text.len() + 2)?;
    let before = out.len();
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c if c < ' ' || ascii => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    renderer.budget.grow((out.len() - before).saturating_sub(text.len() + 2))
}
