//! Filters of lists and objects.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::rc::Rc;

use super::super::arguments::{Given, as_count};
use super::super::ast::Operator;
use super::super::error::{Result, type_error, undefined_error, unsupported, value_error};
use super::super::render::Renderer;
use super::super::value::{Items, Key, Value, ViewKind};
use super::pick::{Path, folded};

pub(super) fn length(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.places::<0>("len", 0)?;
    Ok(Value::Int(renderer.len(&value)? as i128))
}

pub(super) fn list(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("list", [], 0)?;
    Value::list(renderer.collect(&value)?)
}

pub(super) fn first(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("first", [], 0)?;
    let first = renderer.iter(&value)?.next(renderer)?;
    Ok(first.unwrap_or_else(|| Value::undefined("No first item, sequence was empty.")))
}

pub(super) fn last(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("last", [], 0)?;
    match value {
        Value::Generator(_) => type_error(format!("'{}' object is not reversible", value.type_name())),
        _ => {
            let last = renderer.collect(&value)?.pop();
            Ok(last.unwrap_or_else(|| Value::undefined("No last item, sequence was empty.")))
        }
    }
}

pub(super) fn reverse(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("reverse", [], 0)?;
    match &value {
        Value::Str(text) => {
            renderer.budget.grow(text.len())?;
            Ok(Value::str(text.chars().rev().collect::<String>()))
        }
        Value::Markup(_) => unsupported("reversing escaped text"),
        _ => {
            let mut items = renderer.collect(&value)?;
            items.reverse();
            // A generator becomes a list; of anything else an iterator is made.
            if matches!(value, Value::Generator(_)) {
                return Value::list(items);
            }
            Value::generator(items.into_iter().map(Ok).collect())
        }
    }
}

pub(super) fn items(_: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.bind::<0>("items", [], 0)?;
    match value {
        Value::Undefined(_) => Value::generator(Vec::new()),
        Value::Dict(dict) => {
            let pairs =
                dict.entries().iter().map(|(key, value)| Value::tuple(vec![key.clone(), value.clone()]));
            Value::generator(pairs.collect())
        }
        _ => Value::generator(vec![type_error("Can only get item pairs from a mapping.")]),
    }
}

pub(super) fn dictsort(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [sensitive, by, reverse] = given.bind("dictsort", ["case_sensitive", "by", "reverse"], 0)?;
    let holds = |value: Option<Value>| value.is_some_and(|value| value.truth());
    let (sensitive, reverse) = (holds(sensitive), holds(reverse));
    let place = match by.as_ref().map(Value::as_str) {
        None => 0,
        Some(Some(by)) if &**by == "key" => 0,
        Some(Some(by)) if &**by == "value" => 1,
        _ => return value_error("You can only sort by either \"key\" or \"value\""),
    };
    let dict = match &value {
        Value::Dict(dict) => dict,
        Value::Undefined(said) => return undefined_error(&**said),
        other => return type_error(format!("dictsort: expected a mapping, got {}", other.type_name())),
    };
    renderer.budget.grow(4 * size_of::<Value>() * dict.len())?;
    let mut keyed = Vec::new();
    for (key, value) in dict.entries() {
        let by = if place == 0 { key } else { value };
        let pair = Value::tuple(vec![key.clone(), value.clone()])?;
        keyed.push((folded(renderer, by.clone(), sensitive)?, pair));
    }
    Value::list(renderer.sorted(keyed, reverse)?)
}

pub(super) fn sort(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [reverse, sensitive, attribute] =
        given.bind("sort", ["reverse", "case_sensitive", "attribute"], 0)?;
    let sensitive = sensitive.is_some_and(|value| value.truth());
    // Several attributes, with commas between them.
    let paths: Vec<Path> = match &attribute {
        Some(Value::Str(all)) => all.split(',').map(|path| Path::of(Some(&Value::str(path)))).collect(),
        other => vec![Path::of(other.as_ref())],
    };
    let mut keyed = Vec::new();
    for item in renderer.collect(&value)? {
        let mut keys = Vec::new();
        for path in &paths {
            keys.push(folded(renderer, path.get(renderer, &item, None)?, sensitive)?);
        }
        renderer.budget.grow(size_of::<Value>() * (keys.len() + 2))?;
        keyed.push((Value::list(keys)?, item));
    }
    Value::list(renderer.sorted(keyed, reverse.is_some_and(|value| value.truth()))?)
}

pub(super) fn unique(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [sensitive, attribute] = given.bind("unique", ["case_sensitive", "attribute"], 0)?;
    let sensitive = sensitive.is_some_and(|value| value.truth());
    let path = Path::of(attribute.as_ref());
    let mut seen = HashSet::new();
    let mut picked = Vec::new();
    for item in renderer.collect(&value)? {
        let key = folded(renderer, path.get(renderer, &item, None)?, sensitive)?;
        if seen.insert(Key::of(&key)?) {
            picked.push(Ok(item));
        }
    }
    Value::generator(picked)
}

/// The least or the largest.
pub(super) fn extreme(renderer: &Renderer<'_>, value: Value, given: Given, least: bool) -> Result<Value> {
    let [sensitive, attribute] = given.bind("min", ["case_sensitive", "attribute"], 0)?;
    let sensitive = sensitive.is_some_and(|value| value.truth());
    let path = Path::of(attribute.as_ref());
    let mut best: Option<(Value, Value)> = None;
    for item in renderer.collect(&value)? {
        let key = folded(renderer, path.get(renderer, &item, None)?, sensitive)?;
        let better = match &best {
            None => true,
            Some((known, _)) if least => renderer.order(&key, known)? == Some(Ordering::Less),
            Some((known, _)) => renderer.order(&key, known)? == Some(Ordering::Greater),
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| Value::undefined("No aggregated item, sequence was empty."), |(_, item)| item))
}

pub(super) fn sum(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [attribute, start] = given.bind("sum", ["attribute", "start"], 0)?;
    let mut total = start.unwrap_or(Value::Int(0));
    if total.as_str().is_some() {
        return type_error("sum() can't sum strings");
    }
    let path = Path::of(attribute.as_ref());
    for item in renderer.collect(&value)? {
        let item = path.get(renderer, &item, None)?;
        total = renderer.binary(Operator::Add, &total, &item)?;
    }
    Ok(total)
}

pub(super) fn groupby(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [attribute, default, sensitive] =
        given.bind("groupby", ["attribute", "default", "case_sensitive"], 1)?;
    let sensitive = sensitive.is_some_and(|value| value.truth());
    let default = default.filter(|default| !matches!(default, Value::None));
    let path = Path::of(attribute.as_ref());
    let mut keyed = Vec::new();
    for item in renderer.collect(&value)? {
        let key = path.get(renderer, &item, default.as_ref())?;
        let folded = folded(renderer, key.clone(), sensitive)?;
        renderer.budget.grow(3 * size_of::<Value>())?;
        keyed.push((folded.clone(), Value::tuple(vec![folded, key, item])?));
    }
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for entry in renderer.sorted(keyed, false)? {
        let Value::Tuple(entry) = entry else { continue };
        let [folded, key, item] = &entry.items[..] else { continue };
        match groups.last_mut() {
            Some((known, _, items)) if renderer.equal(known, folded)? => items.push(item.clone()),
            _ => groups.push((folded.clone(), key.clone(), vec![item.clone()])),
        }
    }
    let group = |(_, key, items): (Value, Value, Vec<Value>)| -> Result<Value> {
        Ok(Value::Group(Items::new(vec![key, Value::list(items)?])?))
    };
    Value::list(groups.into_iter().map(group).collect::<Result<_>>()?)
}

pub(super) fn batch(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [count, fill] = given.bind("batch", ["linecount", "fill_with"], 1)?;
    let count = as_count("batch", &count.unwrap_or(Value::None))?;
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let items = renderer.collect(&value)?;
    let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
        // Lists that are never full: what has no item has no batch.
        return unsupported("batch with fewer than one item a line");
    };
    let mut batches = Vec::new();
    for chunk in items.chunks(count) {
        let mut chunk = chunk.to_vec();
        if let Some(fill) = &fill {
            renderer.budget.grow(size_of::<Value>().saturating_mul(count - chunk.len()))?;
            chunk.resize(count, fill.clone());
        }
        batches.push(Value::list(chunk));
    }
    Value::generator(batches)
}

pub(super) fn slices(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [count, fill] = given.bind("slice", ["slices", "fill_with"], 1)?;
    let count = as_count("slice", &count.unwrap_or(Value::None))?;
    let fill = fill.filter(|fill| !matches!(fill, Value::None));
    let items = renderer.collect(&value)?;
    if count == 0 {
        return Value::generator(vec![value_error("integer division or modulo by zero")]);
    }
    let count = usize::try_from(count).unwrap_or(0);
    renderer.budget.grow(2 * size_of::<Value>().saturating_mul(count))?;
    let (each, extra) = (items.len() / count.max(1), items.len() % count.max(1));
    let mut made = Vec::new();
    let mut at = 0;
    for slice in 0..count {
        let len = each + usize::from(slice < extra);
        let mut part = items[at..at + len].to_vec();
        at += len;
        if slice >= extra {
            part.extend(fill.clone());
        }
        made.push(Value::list(part));
    }
    Value::generator(made)
}

/// What an object's items are, as pairs.
pub(super) fn pairs(renderer: &Renderer<'_>, value: &Value) -> Result<Vec<Value>> {
    match value {
        Value::Dict(dict) => renderer.collect(&Value::View(ViewKind::Items, Rc::clone(dict))),
        other => renderer.collect(other),
    }
}
