//! Filters of texts.

use super::super::arguments::{Given, as_count, as_text};
use super::super::error::{Result, type_error, undefined_error, unsupported, value_error};
use super::super::letters;
use super::super::render::Renderer;
use super::super::strings::{is_space, lines};
use super::super::value::{Items, Value};
use super::pick::Path;

/// As the method of that name; what is no text becomes one.
pub(super) fn changed(renderer: &Renderer<'_>, value: Value, given: Given, method: &str) -> Result<Value> {
    given.bind::<0>(method, [], 0)?;
    let text = renderer.text_of(&value)?;
    like(renderer, &value, &letters::changed(method, &text).unwrap_or_default())
}

/// A text that was made of `value`: of escaped text it is escaped text.
fn like(renderer: &Renderer<'_>, value: &Value, text: &str) -> Result<Value> {
    renderer.budget.grow(text.len() + 16)?;
    Ok(if matches!(value, Value::Markup(_)) { Value::Markup(text.into()) } else { Value::str(text) })
}

pub(super) fn string(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("string", [], 0)?;
    match value {
        Value::Str(_) | Value::Markup(_) => Ok(value),
        other => renderer.text_of(&other).map(Value::Str),
    }
}

/// Each word with a capital; words begin behind hyphens, white space and opening brackets.
pub(super) fn title(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("title", [], 0)?;
    let text = renderer.text_of(&value)?;
    renderer.budget.grow(2 * text.len())?;
    let parts_words = |c: char| is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<');
    let mut out = String::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        let begin = rest.find(|c| !parts_words(c)).unwrap_or(rest.len());
        let end = rest[begin..].find(parts_words).map_or(rest.len(), |at| begin + at);
        out.push_str(&rest[..begin]);
        let word = &rest[begin..end];
        let first = word.chars().next().map_or(0, char::len_utf8);
        out.push_str(&word[..first].to_uppercase());
        out.push_str(&word[first..].to_lowercase());
        rest = &rest[end..];
    }
    renderer.made(out)
}

pub(super) fn trim(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [chars] = given.bind("trim", ["chars"], 0)?;
    let text = renderer.text_of(&value)?;
    like(renderer, &value, renderer.stripped(&text, "strip", chars)?)
}

pub(super) fn replace(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [old, new, count] = given.bind("replace", ["old", "new", "count"], 2)?;
    let text = renderer.text_of(&value)?;
    let old = renderer.text_of(&old.unwrap_or(Value::None))?;
    let new = renderer.text_of(&new.unwrap_or(Value::None))?;
    let count = match count {
        None | Some(Value::None) => -1,
        Some(count) => as_count("replace", &count)?,
    };
    renderer.made(renderer.replaced(&text, &old, &new, count)?)
}

pub(super) fn join(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [separator, attribute] = given.bind("join", ["d", "attribute"], 0)?;
    let separator = match separator {
        Some(separator) => renderer.text_of(&separator)?,
        None => "".into(),
    };
    let path = Path::of(attribute.as_ref());
    let mut items = renderer.iter(&value)?;
    let mut out = String::new();
    let mut first = true;
    while let Some(item) = items.next(renderer)? {
        if !std::mem::take(&mut first) {
            renderer.push(&separator, &mut out)?;
        }
        let item = path.get(renderer, &item, None)?;
        renderer.write_str(&item, &mut out)?;
    }
    renderer.made(out)
}

pub(super) fn center(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [width] = given.bind("center", ["width"], 0)?;
    let width = width.map_or(Ok(80), |width| as_count("center", &width))?;
    let text = renderer.text_of(&value)?;
    like(renderer, &value, &renderer.padded(&text, "center", width, ' ')?)
}

pub(super) fn format(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let pattern = renderer.text_of(&value)?;
    let with = match (given.positional.is_empty(), given.named.is_empty()) {
        (false, false) => {
            return value_error("can't handle positional and keyword arguments at the same time");
        }
        (true, false) => {
            Value::dict(given.named.into_iter().map(|(name, value)| (Value::Str(name), value)).collect())?
        }
        _ => Value::Tuple(Items::new(given.positional)?),
    };
    renderer.percent_format(&pattern, &with)
}

pub(super) fn indent(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [width, first, blank] = given.bind("indent", ["width", "first", "blank"], 0)?;
    let holds = |value: Option<Value>| value.is_some_and(|value| value.truth());
    let text = match &value {
        Value::Str(text) => text.clone(),
        Value::Markup(_) => return unsupported("indenting escaped text"),
        Value::Undefined(said) => return undefined_error(&**said),
        other => return type_error(format!("indent: expected a text, got {}", other.type_name())),
    };
    let indention = match width {
        Some(Value::Str(text)) => text.to_string(),
        width => {
            let width = width.map_or(Ok(4), |width| as_count("indent", &width))?;
            let width = usize::try_from(width).unwrap_or(0);
            renderer.budget.grow(width)?;
            " ".repeat(width)
        }
    };
    let with_break = [&*text, "\n"].concat();
    let lines = lines(&with_break, false);
    renderer.budget.grow(text.len().saturating_add((indention.len() + 1).saturating_mul(lines.len())))?;
    let blank = holds(blank);
    let mut out = String::new();
    if holds(first) {
        out.push_str(&indention);
    }
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(&indention);
            }
        }
        out.push_str(line);
    }
    renderer.made(out)
}

pub(super) fn truncate(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [length, kill_words, end, leeway] =
        given.bind("truncate", ["length", "killwords", "end", "leeway"], 0)?;
    let length = length.map_or(Ok(255), |length| as_count("truncate", &length))?;
    let end = end.map_or(Ok("...".into()), |end| as_text("truncate", &end))?;
    let leeway = match leeway {
        None | Some(Value::None) => 5,
        Some(leeway) => as_count("truncate", &leeway)?,
    };
    let end_len = end.chars().count() as i64;
    if length < end_len || leeway < 0 {
        return value_error(format!(
            "truncate: expected a length of at least {end_len} and a leeway of at least 0"
        ));
    }
    if renderer.len(&value)? as i64 <= length + leeway {
        return Ok(value);
    }
    let text = as_text("truncate", &value)?;
    let kept: String = text.chars().take((length - end_len) as usize).collect();
    let kept = match kill_words.is_some_and(|kill| kill.truth()) {
        true => &*kept,
        false => kept.rsplit_once(' ').map_or(&*kept, |(before, _)| before),
    };
    like(renderer, &value, &[kept, &end].concat())
}

pub(super) fn wordcount(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("wordcount", [], 0)?;
    let text = renderer.text_of(&value)?;
    renderer.budget.read(text.len())?;
    let is_word = |c: char| c == '_' || letters::is_alphanumeric(c);
    Ok(Value::Int(text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).count() as i128))
}
