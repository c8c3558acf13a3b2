//! `a.b`, `a["b"]` and `a[1:2]`: what Python's objects have, as far as the sandbox lets a template see it.

use std::rc::Rc;

use super::arguments::{Given, as_count};
use super::error::{Result, type_error, undefined_error, unsupported, value_error};
use super::render::Renderer;
use super::strings;
use super::value::{Range, Value, ViewKind};

/// Methods by type. What changes a list or an object is there and may not be used.
const LIST: [&str; 3] = ["count", "index", "copy"];
const LIST_FORBIDDEN: [&str; 8] = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
const DICT: [&str; 6] = ["get", "items", "keys", "values", "copy", "fromkeys"];
const DICT_FORBIDDEN: [&str; 5] = ["clear", "pop", "popitem", "setdefault", "update"];
const TUPLE: [&str; 2] = ["count", "index"];
const INT: [&str; 6] = ["bit_length", "bit_count", "conjugate", "as_integer_ratio", "to_bytes", "from_bytes"];
const FLOAT: [&str; 5] = ["is_integer", "conjugate", "as_integer_ratio", "hex", "fromhex"];
const CYCLER: [&str; 2] = ["next", "reset"];

/// Python has an attribute of that name, but the sandbox does not give it.
fn unsafe_attribute(of: &Value, name: &str) -> Value {
    Value::undefined(format!("access to attribute '{name}' of '{}' object is unsafe.", of.type_name()))
}

fn method_of(of: &Value, name: &str, known: &[&'static str]) -> Option<Value> {
    let name = known.iter().find(|known| **known == name)?;
    Some(Value::Method(Rc::new((of.clone(), *name))))
}

impl Renderer<'_> {
    /// `of.name`: an attribute, or else an item.
    #[inline(never)]
    pub fn attribute(&self, of: &Value, name: &Rc<str>) -> Result<Value> {
        if let Some(value) = self.own_attribute(of, name)? {
            return Ok(value);
        }
        match self.subscript(of, &Value::Str(name.clone()))? {
            Some(value) => Ok(value),
            None => Ok(missing(of, &Value::Str(name.clone()))),
        }
    }

    /// `of[index]`: an item, or else an attribute.
    #[inline(never)]
    pub fn item(&self, of: &Value, index: &Value) -> Result<Value> {
        if let Some(value) = self.subscript(of, index)? {
            return Ok(value);
        }
        if let Some(name) = index.as_str()
            && let Some(value) = self.own_attribute(of, name)?
        {
            return Ok(value);
        }
        Ok(missing(of, index))
    }

    /// As Python's `getattr`; `None` where it raises `AttributeError`.
    pub fn own_attribute(&self, of: &Value, name: &str) -> Result<Option<Value>> {
        if let Value::Undefined(said) = of {
            return undefined_error(&**said);
        }
        let is_special = name.len() > 4 && name.starts_with("__") && name.ends_with("__");
        if is_special && !matches!(of, Value::Namespace(_)) {
            return Ok(Some(unsafe_attribute(of, name)));
        }
        let forbidden = |names: &[&str]| names.contains(&name).then(|| unsafe_attribute(of, name));
        let int = |value: i128| Some(Value::Int(value));
        Ok(match of {
            Value::Str(_) | Value::Markup(_) => method_of(of, name, &strings::METHODS),
            Value::List(_) => method_of(of, name, &LIST).or_else(|| forbidden(&LIST_FORBIDDEN)),
            Value::Dict(_) => method_of(of, name, &DICT).or_else(|| forbidden(&DICT_FORBIDDEN)),
            Value::Tuple(_) => method_of(of, name, &TUPLE),
            Value::Group(items) => match name {
                "grouper" => items.items.first().cloned(),
                "list" => items.items.get(1).cloned(),
                _ => method_of(of, name, &TUPLE),
            },
            Value::Int(_) | Value::Bool(_) => match name {
                "real" | "numerator" => int(of.as_int().unwrap_or(0)),
                "imag" => int(0),
                "denominator" => int(1),
                _ => method_of(of, name, &INT),
            },
            Value::Float(value) => match name {
                "real" => Some(Value::Float(*value)),
                "imag" => Some(Value::Float(0.0)),
                _ => method_of(of, name, &FLOAT),
            },
            Value::Range(range) => match name {
                "start" => int(range.start),
                "stop" => int(range.stop),
                "step" => int(range.step),
                _ => method_of(of, name, &TUPLE),
            },
            Value::Namespace(namespace) => {
                let found = namespace.values.borrow().get_str(name).cloned();
                found.map(|value| if name.starts_with('_') { unsafe_attribute(of, name) } else { value })
            }
            Value::Loop(state) => state.attribute(name, self)?,
            Value::Macro(made) => match name {
                "name" if made.name.is_empty() => Some(Value::None),
                "name" => Some(Value::Str(made.name.clone())),
                "arguments" => {
                    let names = made.code.parameters.iter().map(|known| Value::Str(known.name.clone()));
                    Some(Value::tuple(names.collect())?)
                }
                "catch_kwargs" => Some(Value::Bool(made.code.kwargs.is_some())),
                "catch_varargs" => Some(Value::Bool(made.code.varargs.is_some())),
                "caller" => Some(Value::Bool(made.code.caller.is_some() || made.code.explicit_caller)),
                "explicit_caller" => Some(Value::Bool(made.code.explicit_caller)),
                _ => None,
            },
            Value::Cycler(cycler) => match name {
                "current" => cycler.items.items.get(cycler.at.get()).cloned(),
                "items" => Some(Value::Tuple(cycler.items.clone())),
                "pos" => int(cycler.at.get() as i128),
                _ => method_of(of, name, &CYCLER),
            },
            Value::Joiner(joiner) => match name {
                "sep" => Some(joiner.separator.clone()),
                "used" => Some(Value::Bool(joiner.used.get())),
                _ => None,
            },
            _ => None,
        })
    }

    /// `of[index]` as Python has it; `None` where that raises `TypeError`, `KeyError` or `IndexError`.
    fn subscript(&self, of: &Value, index: &Value) -> Result<Option<Value>> {
        let place = |len: i128| {
            let at = index.as_int()?;
            usize::try_from(if at < 0 { at.checked_add(len)? } else { at }).ok()
        };
        Ok(match of {
            Value::Undefined(said) => return undefined_error(&**said),
            Value::List(items) | Value::Tuple(items) | Value::Group(items) => {
                place(items.items.len() as i128).and_then(|at| items.items.get(at)).cloned()
            }
            Value::Str(text) | Value::Markup(text) if index.as_int().is_some() => {
                self.budget.read(text.len())?;
                let len = if text.is_ascii() { text.len() } else { text.chars().count() };
                let found = match place(len as i128) {
                    Some(at) if text.is_ascii() => text.as_bytes().get(at).map(|b| char::from(*b)),
                    Some(at) => text.chars().nth(at),
                    None => None,
                };
                self.budget.grow(32)?;
                found.map(|c| Value::str(c.to_string()))
            }
            // What can't be a key is in no object; Python says so by a `TypeError`.
            Value::Dict(dict) => dict.get(index).ok().flatten().cloned(),
            Value::Range(range) => {
                let at = place(range.len()).filter(|at| (*at as i128) < range.len());
                at.map(|at| Value::Int(range.start + at as i128 * range.step))
            }
            _ => None,
        })
    }

    /// `of[a:b:c]`
    pub fn slice(&self, of: &Value, bounds: &[Value; 3]) -> Result<Value> {
        if let Value::Undefined(said) = of {
            return undefined_error(&**said);
        }
        let mut numbers = [None; 3];
        for (number, bound) in numbers.iter_mut().zip(bounds) {
            if !matches!(bound, Value::None) {
                *number = Some(as_count("slice", bound)?);
            }
        }
        let len = match of {
            Value::Str(_)
            | Value::Markup(_)
            | Value::List(_)
            | Value::Tuple(_)
            | Value::Group(_)
            | Value::Range(_) => self.len(of)?,
            other => return type_error(format!("'{}' object is not subscriptable", other.type_name())),
        };
        let step = numbers[2].unwrap_or(1);
        if step == 0 {
            return value_error("slice step cannot be zero");
        }
        let len = len as i64;
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let bound = |number: Option<i64>, default: i64| match number {
            Some(at) if at < 0 => (at + len).clamp(low, high),
            Some(at) => at.clamp(low, high),
            None => default,
        };
        let start = bound(numbers[0], if step > 0 { low } else { high });
        let stop = bound(numbers[1], if step > 0 { high } else { low });
        let count =
            if step > 0 { (stop - start + step - 1) / step } else { (start - stop - step - 1) / -step };
        let places = (0..count.max(0)).map(|at| (start + at * step) as usize);
        match of {
            Value::Str(text) | Value::Markup(text) => {
                let sliced: String = if step == 1 {
                    let chars = count.max(0) as usize;
                    self.budget.grow(text.len().min(4 * chars))?;
                    text.chars().skip(start as usize).take(chars).collect()
                } else {
                    self.budget.grow(5 * text.len())?;
                    let chars: Vec<char> = text.chars().collect();
                    places.filter_map(|at| chars.get(at)).collect()
                };
                let sliced: Rc<str> = sliced.into();
                Ok(if matches!(of, Value::Str(_)) { Value::Str(sliced) } else { Value::Markup(sliced) })
            }
            Value::List(items) | Value::Tuple(items) | Value::Group(items) => {
                self.budget.grow(size_of::<Value>() * count.max(0) as usize)?;
                let sliced = places.filter_map(|at| items.items.get(at).cloned()).collect();
                if matches!(of, Value::List(_)) { Value::list(sliced) } else { Value::tuple(sliced) }
            }
            Value::Range(range) => {
                let at = |place: i64| range.start + i128::from(place) * range.step;
                let sliced = Range { start: at(start), stop: at(stop), step: range.step * i128::from(step) };
                Ok(Value::Range(Rc::new(sliced)))
            }
            _ => unsupported("slicing a range"),
        }
    }

    /// Calls what [`own_attribute`](Self::own_attribute) gave.
    #[inline(never)]
    pub fn call_method(&self, of: &Value, name: &'static str, given: Given) -> Result<Value> {
        match of {
            Value::Str(text) => self.call_text_method(text, name, given),
            Value::List(items) | Value::Tuple(items) | Value::Group(items) if name != "copy" => {
                self.search_items(&items.items, name, given)
            }
            Value::List(items) => {
                given.places::<0>(name, 0)?;
                Ok(Value::List(items.clone()))
            }
            Value::Range(_) => {
                let items = self.collect(of)?;
                self.search_items(&items, name, given)
            }
            Value::Dict(dict) => match name {
                "get" => {
                    let [key, default] = given.places("get", 1)?;
                    let found = dict.get(&key.unwrap_or(Value::None))?.cloned();
                    Ok(found.or(default).unwrap_or(Value::None))
                }
                "fromkeys" => unsupported("dict.fromkeys"),
                _ => {
                    given.places::<0>(name, 0)?;
                    Ok(match name {
                        "items" => Value::View(ViewKind::Items, dict.clone()),
                        "keys" => Value::View(ViewKind::Keys, dict.clone()),
                        "values" => Value::View(ViewKind::Values, dict.clone()),
                        _ => Value::Dict(dict.clone()),
                    })
                }
            },
            Value::Loop(state) => match name {
                "cycle" if given.named.is_empty() => state.cycle(&given.positional),
                "changed" if given.named.is_empty() => state.changed(given.positional, self).map(Value::Bool),
                _ => type_error(format!("{name}() takes no keyword arguments")),
            },
            Value::Cycler(cycler) => {
                given.places::<0>(name, 0)?;
                let at = if name == "reset" { 0 } else { cycler.at.get() };
                let item = cycler.items.items.get(at).cloned().unwrap_or(Value::None);
                if name == "reset" {
                    cycler.at.set(0);
                    return Ok(Value::None);
                }
                cycler.at.set((at + 1) % cycler.items.items.len().max(1));
                Ok(item)
            }
            Value::Float(value) if name == "is_integer" => {
                given.places::<0>(name, 0)?;
                Ok(Value::Bool(value.is_finite() && value.fract() == 0.0))
            }
            Value::Int(_) | Value::Bool(_) if name == "bit_length" => {
                given.places::<0>(name, 0)?;
                let value = of.as_int().unwrap_or(0).unsigned_abs();
                Ok(Value::Int((u128::BITS - value.leading_zeros()).into()))
            }
            other => unsupported(format!("{}.{name}", other.type_name())),
        }
    }

    /// `count` and `index` of a list.
    fn search_items(&self, items: &[Value], name: &'static str, given: Given) -> Result<Value> {
        let [wanted, start, stop] = given.places(name, 1)?;
        let wanted = wanted.unwrap_or(Value::None);
        if name == "count" {
            if start.is_some() {
                return type_error("count() takes exactly one argument");
            }
            let mut count = 0;
            for item in items {
                count += i128::from(self.equal(item, &wanted)?);
            }
            return Ok(Value::Int(count));
        }
        let len = items.len() as i64;
        let bound = |value: Option<Value>, default: i64| -> Result<usize> {
            let at = value.map_or(Ok(default), |value| as_count("index", &value))?;
            Ok((if at < 0 { at + len } else { at }).clamp(0, len) as usize)
        };
        let (start, stop) = (bound(start, 0)?, bound(stop, len)?);
        for (at, item) in items.iter().enumerate().take(stop).skip(start) {
            if self.equal(item, &wanted)? {
                return Ok(Value::Int(at as i128));
            }
        }
        value_error("the value is not in the list")
    }
}

fn missing(of: &Value, name: &Value) -> Value {
    let kind = match of {
        Value::None => "None".to_owned(),
        other => format!("{} object", other.type_name()),
    };
    Value::undefined(match name {
        Value::Str(name) | Value::Markup(name) => format!("'{kind}' has no attribute '{name}'"),
        Value::Int(at) => format!("{kind} has no element {at}"),
        other => format!("{kind} has no element of type {}", other.type_name()),
    })
}
