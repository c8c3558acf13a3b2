//! Filters that make HTML or addresses of text.

use std::rc::Rc;

use super::super::arguments::Given;
use super::super::error::{Result, type_error, undefined_error, unsupported, value_error};
use super::super::render::Renderer;
use super::super::strings::is_space;
use super::super::value::Value;
use super::items::pairs;

/// The text of a value, with HTML's characters escaped where that was not done already.
pub(crate) fn escaped(renderer: &Renderer<'_>, value: &Value) -> Result<Rc<str>> {
    if let Value::Markup(text) = value {
        return Ok(text.clone());
    }
    let text = renderer.text_of(value)?;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            c => out.push(c),
        }
    }
    renderer.budget.grow(out.len())?;
    Ok(out.into())
}

pub(super) fn escape(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.places::<0>("escape", 0)?;
    escaped(renderer, &value).map(Value::Markup)
}

pub(super) fn force_escape(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("forceescape", [], 0)?;
    let text = Value::Str(renderer.text_of(&value)?);
    escaped(renderer, &text).map(Value::Markup)
}

pub(super) fn safe(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("safe", [], 0)?;
    renderer.text_of(&value).map(Value::Markup)
}

pub(super) fn xmlattr(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [autospace] = given.bind("xmlattr", ["autospace"], 0)?;
    let dict = match &value {
        Value::Dict(dict) => dict,
        Value::Undefined(said) => return undefined_error(&**said),
        other => return type_error(format!("xmlattr: expected a mapping, got {}", other.type_name())),
    };
    let mut out = String::new();
    for (key, value) in dict.entries() {
        if matches!(value, Value::None | Value::Undefined(_)) {
            continue;
        }
        let Some(name) = key.as_str() else { return type_error("xmlattr: expected texts as names") };
        if name.contains(|c: char| {
            c.is_ascii() && is_space(c) && c > '\x08' && c < '\x1c' || matches!(c, ' ' | '/' | '>' | '=')
        }) {
            return value_error(format!("Invalid character in attribute name: {name:?}"));
        }
        let parts = [&*escaped(renderer, key)?, "=\"", &*escaped(renderer, value)?, "\""].concat();
        if !out.is_empty() {
            renderer.push(" ", &mut out)?;
        }
        renderer.push(&parts, &mut out)?;
    }
    if autospace.is_none_or(|autospace| autospace.truth()) && !out.is_empty() {
        out.insert(0, ' ');
    }
    renderer.made(out)
}

pub(super) fn urlencode(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("urlencode", [], 0)?;
    let iterable = matches!(
        value,
        Value::Undefined(_)
            | Value::List(_)
            | Value::Tuple(_)
            | Value::Group(_)
            | Value::Dict(_)
            | Value::View(..)
            | Value::Range(_)
            | Value::Generator(_)
    );
    if matches!(value, Value::Loop(_)) {
        return unsupported("urlencode of a loop");
    }
    if !iterable {
        let text = renderer.text_of(&value)?;
        return renderer.made(quoted(renderer, &text, false)?);
    }
    let mut out = String::new();
    for pair in pairs(renderer, &value)? {
        let pair = renderer.collect(&pair)?;
        let [key, value] = &pair[..] else { return value_error("urlencode: expected pairs") };
        if !out.is_empty() {
            renderer.push("&", &mut out)?;
        }
        let (key, value) = (renderer.text_of(key)?, renderer.text_of(value)?);
        let pair = [quoted(renderer, &key, true)?, "=".to_owned(), quoted(renderer, &value, true)?].concat();
        renderer.push(&pair, &mut out)?;
    }
    renderer.made(out)
}

/// Bytes that an address may not hold, as `%XX`; in a query a space is `+`.
fn quoted(renderer: &Renderer<'_>, text: &str, query: bool) -> Result<String> {
    renderer.budget.grow(3 * text.len())?;
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(char::from(byte)),
            b'/' if !query => out.push('/'),
            b' ' if query => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(out)
}
