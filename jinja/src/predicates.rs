//! The tests of jinja2: what stands behind `is`.

use std::rc::Rc;

use super::arguments::Given;
use super::ast::{Comparison, Operator};
use super::error::{JinjaError, Result};
use super::filters;
use super::letters;
use super::render::Renderer;
use super::value::{Key, Value};

pub(super) type Predicate = fn(&Renderer<'_>, &Value, Given) -> Result<bool>;

/// By name.
const PREDICATES: [(&str, Predicate); 39] = [
    ("odd", |r, value, given| remainder(r, value, given, 1)),
    ("even", |r, value, given| remainder(r, value, given, 0)),
    ("divisibleby", divisible),
    ("defined", |_, value, given| alone(given, !matches!(value, Value::Undefined(_)))),
    ("undefined", |_, value, given| alone(given, matches!(value, Value::Undefined(_)))),
    ("filter", |_, value, given| known(value, given, |name| filters::find(name).is_some())),
    ("test", |_, value, given| known(value, given, |name| find(name).is_some())),
    ("none", |_, value, given| alone(given, matches!(value, Value::None))),
    ("boolean", |_, value, given| alone(given, matches!(value, Value::Bool(_)))),
    ("false", |_, value, given| alone(given, matches!(value, Value::Bool(false)))),
    ("true", |_, value, given| alone(given, matches!(value, Value::Bool(true)))),
    ("integer", |_, value, given| alone(given, matches!(value, Value::Int(_)))),
    ("float", |_, value, given| alone(given, matches!(value, Value::Float(_)))),
    ("lower", |r, value, given| of_text(r, value, given, "islower")),
    ("upper", |r, value, given| of_text(r, value, given, "isupper")),
    ("string", |_, value, given| alone(given, value.as_str().is_some())),
    ("mapping", |_, value, given| alone(given, matches!(value, Value::Dict(_)))),
    ("number", |_, value, given| alone(given, value.as_int().is_some() || matches!(value, Value::Float(_)))),
    ("sequence", |_, value, given| alone(given, is_sequence(value))),
    ("iterable", |r, value, given| alone(given, matches!(value, Value::Loop(_)) || r.iter(value).is_ok())),
    ("callable", |_, value, given| alone(given, is_callable(value))),
    ("sameas", same),
    ("escaped", |_, value, given| alone(given, matches!(value, Value::Markup(_)))),
    ("in", |r, value, given| compared(r, value, given, Comparison::In)),
    ("==", |r, value, given| compared(r, value, given, Comparison::Equal)),
    ("eq", |r, value, given| compared(r, value, given, Comparison::Equal)),
    ("equalto", |r, value, given| compared(r, value, given, Comparison::Equal)),
    ("!=", |r, value, given| compared(r, value, given, Comparison::NotEqual)),
    ("ne", |r, value, given| compared(r, value, given, Comparison::NotEqual)),
    (">", |r, value, given| compared(r, value, given, Comparison::Greater)),
    ("gt", |r, value, given| compared(r, value, given, Comparison::Greater)),
    ("greaterthan", |r, value, given| compared(r, value, given, Comparison::Greater)),
    ("ge", |r, value, given| compared(r, value, given, Comparison::GreaterEqual)),
    (">=", |r, value, given| compared(r, value, given, Comparison::GreaterEqual)),
    ("<", |r, value, given| compared(r, value, given, Comparison::Less)),
    ("lt", |r, value, given| compared(r, value, given, Comparison::Less)),
    ("lessthan", |r, value, given| compared(r, value, given, Comparison::Less)),
    ("<=", |r, value, given| compared(r, value, given, Comparison::LessEqual)),
    ("le", |r, value, given| compared(r, value, given, Comparison::LessEqual)),
];

pub(super) fn find(name: &str) -> Option<Predicate> {
    PREDICATES.iter().find(|(known, _)| *known == name).map(|(_, test)| *test)
}

/// Of a test that takes nothing more.
fn alone(given: Given, holds: bool) -> Result<bool> {
    if given.none() {
        return Ok(holds);
    }
    Err(JinjaError::Type { said: "the test takes no arguments".to_owned() })
}

/// Whether something has that name; what can't be a key of an object is refused.
fn known(value: &Value, given: Given, find: fn(&str) -> bool) -> Result<bool> {
    Key::of(value)?;
    alone(given, value.as_str().is_some_and(|name| find(name)))
}

fn remainder(renderer: &Renderer<'_>, value: &Value, given: Given, wanted: i128) -> Result<bool> {
    alone(given, true)?;
    let rest = renderer.binary(Operator::Mod, value, &Value::Int(2))?;
    renderer.equal(&rest, &Value::Int(wanted))
}

fn divisible(renderer: &Renderer<'_>, value: &Value, given: Given) -> Result<bool> {
    let [number] = given.bind("divisibleby", ["num"], 1)?;
    let rest = renderer.binary(Operator::Mod, value, &number.unwrap_or(Value::None))?;
    renderer.equal(&rest, &Value::Int(0))
}

fn of_text(renderer: &Renderer<'_>, value: &Value, given: Given, method: &str) -> Result<bool> {
    alone(given, true)?;
    let text = renderer.text_of(value)?;
    renderer.budget.read(text.len())?;
    Ok(letters::holds(method, &text).unwrap_or(false))
}

fn compared(renderer: &Renderer<'_>, value: &Value, given: Given, comparison: Comparison) -> Result<bool> {
    let [other] = match comparison {
        Comparison::In => given.bind("in", ["seq"], 1)?,
        _ => given.places("comparison", 1)?,
    };
    renderer.compare(comparison, value, &other.unwrap_or(Value::None))
}

fn is_sequence(value: &Value) -> bool {
    matches!(
        value,
        Value::Undefined(_)
            | Value::Str(_)
            | Value::Markup(_)
            | Value::List(_)
            | Value::Tuple(_)
            | Value::Group(_)
            | Value::Dict(_)
            | Value::Range(_)
    )
}

fn is_callable(value: &Value) -> bool {
    matches!(
        value,
        Value::Undefined(_)
            | Value::Macro(_)
            | Value::Method(_)
            | Value::Function(_)
            | Value::Joiner(_)
            | Value::Loop(_)
    )
}

/// Python's `is`. Small integers and constants are one object each; of texts and large numbers it depends on how they were made.
fn same(_: &Renderer<'_>, value: &Value, given: Given) -> Result<bool> {
    let [other] = given.bind("sameas", ["other"], 1)?;
    let other = other.unwrap_or(Value::None);
    Ok(match (value, &other) {
        (Value::None, Value::None) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Str(left), Value::Str(right)) => left == right,
        (Value::List(left), Value::List(right)) | (Value::Tuple(left), Value::Tuple(right)) => {
            Rc::ptr_eq(left, right)
        }
        (Value::Dict(left), Value::Dict(right)) => Rc::ptr_eq(left, right),
        (Value::Namespace(left), Value::Namespace(right)) => Rc::ptr_eq(left, right),
        _ => false,
    })
}
