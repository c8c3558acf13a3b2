//! Filters that take other filters, tests or attributes.

use std::rc::Rc;

use super::super::arguments::Given;
use super::super::error::{Result, type_error, undefined_error, value_error};
use super::super::predicates;
use super::super::render::Renderer;
use super::super::value::Value;
use super::named;

/// The way to an attribute: `a.b.0`.
pub(super) struct Path(Vec<Value>);

impl Path {
    pub fn of(attribute: Option<&Value>) -> Self {
        Path(match attribute {
            None | Some(Value::None) => Vec::new(),
            Some(Value::Str(path)) => path.split('.').map(part).collect(),
            Some(other) => vec![other.clone()],
        })
    }

    pub fn get(&self, renderer: &Renderer<'_>, item: &Value, default: Option<&Value>) -> Result<Value> {
        let mut item = item.clone();
        for part in &self.0 {
            item = renderer.item(&item, part)?;
            if let (Value::Undefined(_), Some(default)) = (&item, default) {
                item = default.clone();
            }
        }
        Ok(item)
    }
}

fn part(text: &str) -> Value {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(index) if digits => Value::Int(index),
        _ => Value::str(text),
    }
}

pub(super) fn default(_: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [default, boolean] = given.bind("default", ["default_value", "boolean"], 0)?;
    let missing =
        matches!(value, Value::Undefined(_)) || boolean.is_some_and(|b| b.truth()) && !value.truth();
    Ok(if missing { default.unwrap_or_else(|| Value::str("")) } else { value })
}

pub(super) fn attr(renderer: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [name] = given.bind("attr", ["name"], 1)?;
    let Some(name) = name.as_ref().and_then(Value::as_str).cloned() else {
        return type_error("attr: expected an attribute's name");
    };
    if let Value::Undefined(said) = &value {
        return undefined_error(&**said);
    }
    // An item is not looked for here.
    Ok(match renderer.own_attribute(&value, &name)? {
        Some(value) => value,
        None => Value::undefined(format!("'{} object' has no attribute '{name}'", value.type_name())),
    })
}

pub(super) fn map(renderer: &Renderer<'_>, value: Value, mut given: Given) -> Result<Value> {
    if !value.truth() {
        return Value::generator(Vec::new());
    }
    let items = renderer.collect(&value)?;
    let attribute = given.named.iter().position(|(name, _)| &**name == "attribute");
    let mapped = match attribute {
        Some(_) if given.positional.is_empty() => {
            let [attribute, default] = given.bind("map", ["attribute", "default"], 1)?;
            let default = default.filter(|default| !matches!(default, Value::None));
            let path = Path::of(attribute.as_ref());
            items.iter().map(|item| path.get(renderer, item, default.as_ref())).collect()
        }
        _ if given.positional.is_empty() => {
            vec![value_error("map requires a filter argument")]
        }
        _ => {
            let name = given.positional.remove(0);
            match named(&name) {
                Ok(filter) => items.into_iter().map(|item| filter(renderer, item, given.clone())).collect(),
                Err(error) => vec![Err(error)],
            }
        }
    };
    lazily(mapped)
}

/// A failure is met only where the generator is gone through up to it; but for a limit, which is one at once.
fn lazily(items: Vec<Result<Value>>) -> Result<Value> {
    use super::super::error::JinjaError;
    if let Some(Err(limit @ JinjaError::Limit { .. })) = items.iter().find(|item| item.is_err()) {
        return Err(limit.clone());
    }
    Value::generator(items)
}

pub(super) fn select(
    renderer: &Renderer<'_>,
    value: Value,
    mut given: Given,
    wanted: bool,
    by_attribute: bool,
) -> Result<Value> {
    if !value.truth() {
        return Value::generator(Vec::new());
    }
    let mut path = Path::of(None);
    if by_attribute {
        if given.positional.is_empty() {
            return lazily(vec![value_error("Missing parameter for attribute name")]);
        }
        path = Path::of(Some(&given.positional.remove(0)));
    }
    let test = match given.positional.is_empty() {
        true => None,
        false => {
            let name = given.positional.remove(0);
            let found = name.as_str().and_then(|name| predicates::find(name));
            let Some(test) = found else { return lazily(vec![value_error("No such test.")]) };
            Some(test)
        }
    };
    let mut picked = Vec::new();
    for item in renderer.collect(&value)? {
        let holds = path.get(renderer, &item, None).and_then(|value| match test {
            Some(test) => test(renderer, &value, given.clone()),
            None => Ok(value.truth()),
        });
        match holds {
            Ok(holds) if holds == wanted => picked.push(Ok(item)),
            Ok(_) => {}
            Err(error) => {
                picked.push(Err(error));
                break;
            }
        }
    }
    lazily(picked)
}

/// Small letters, so that texts are compared without their case.
pub(super) fn folded(renderer: &Renderer<'_>, value: Value, case_sensitive: bool) -> Result<Value> {
    match &value {
        Value::Str(text) if !case_sensitive => {
            renderer.budget.grow(text.len())?;
            Ok(Value::Str(Rc::from(text.to_lowercase())))
        }
        _ => Ok(value),
    }
}
