//! Values as Python has them, as far as a sandboxed template can meet them. All but namespaces and iterators are immutable: the
//! sandbox forbids what would change a list or an object.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::ast::Macro;
use super::data::Data;
use super::error::{JinjaError, Result, type_error};
use super::iterate::Loop;
use super::limits::{KEY, VALUE_DEPTH};
use super::render::Activation;

#[derive(Clone)]
pub(super) enum Value {
    /// With what is to be said where it is used.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Rc<str>),
    /// A text that `escape` or `safe` made.
    Markup(Rc<str>),
    List(Rc<Items>),
    Tuple(Rc<Items>),
    /// What `groupby` makes: a tuple of two whose parts have names.
    Group(Rc<Items>),
    Dict(Rc<Dict>),
    View(ViewKind, Rc<Dict>),
    Range(Rc<Range>),
    /// What can be gone through once.
    Generator(Rc<Generator>),
    Namespace(Rc<Namespace>),
    Macro(Rc<MacroValue>),
    Loop(Rc<Loop>),
    Cycler(Rc<Cycler>),
    Joiner(Rc<Joiner>),
    /// A function of a value, not yet called.
    Method(Rc<(Value, &'static str)>),
    Function(Function),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ViewKind {
    Keys,
    Values,
    Items,
}

/// Functions that every template has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Range,
    Dict,
    Namespace,
    Cycler,
    Joiner,
    Lipsum,
    RaiseException,
    StrftimeNow,
}

/// A list that knows how deep it is.
pub(super) struct Items {
    pub items: Vec<Value>,
    depth: u32,
}

pub(super) struct Range {
    pub start: i128,
    pub stop: i128,
    pub step: i128,
}

impl Range {
    pub fn len(&self) -> i128 {
        let (low, high, step) = if self.step > 0 {
            (self.start, self.stop, self.step)
        } else {
            (self.stop, self.start, -self.step)
        };
        if low >= high { 0 } else { (high - low - 1) / step + 1 }
    }
}

pub(super) struct Generator {
    /// What is still to come. An item that could not be made fails when it is reached.
    pub rest: RefCell<VecDeque<Result<Value>>>,
    depth: u32,
}

#[derive(Default)]
pub(super) struct Namespace {
    pub values: RefCell<Dict>,
}

pub(super) struct MacroValue {
    pub name: Rc<str>,
    pub code: Rc<Macro>,
    pub around: Rc<Activation>,
}

pub(super) struct Cycler {
    pub items: Rc<Items>,
    pub at: Cell<usize>,
}

pub(super) struct Joiner {
    pub separator: Value,
    pub used: Cell<bool>,
}

/// What stands for a value among the keys of an object. Equal numbers of any type are one key.
#[derive(PartialEq, Eq, Hash, Clone)]
pub(super) enum Key {
    Undefined,
    None,
    Int(i128),
    Float(u64),
    Str(Rc<str>),
    Tuple(Vec<Key>),
}

/// An object in the order of insertion.
#[derive(Default, Clone)]
pub(super) struct Dict {
    entries: Vec<(Value, Value)>,
    index: HashMap<Key, usize>,
    depth: u32,
}

impl Dict {
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Puts a value in, in place of the one with the same key.
    pub fn insert(&mut self, key: Value, value: Value) -> Result<()> {
        let known = Key::of(&key)?;
        self.depth = self.depth.max(deeper(&key)?).max(deeper(&value)?);
        if let Some(&at) = self.index.get(&known) {
            self.entries[at].1 = value;
        } else {
            self.index.insert(known, self.entries.len());
            self.entries.push((key, value));
        }
        Ok(())
    }

    /// # Errors
    /// The key can't be one.
    pub fn get(&self, key: &Value) -> Result<Option<&Value>> {
        let at = self.index.get(&Key::of(key)?);
        Ok(at.and_then(|&at| self.entries.get(at)).map(|(_, value)| value))
    }

    pub fn get_str(&self, key: &str) -> Option<&Value> {
        if self.entries.len() <= 8 {
            let is_it = |(known, _): &&(Value, Value)| known.as_str().is_some_and(|known| **known == *key);
            return self.entries.iter().find(is_it).map(|(_, value)| value);
        }
        let at = self.index.get(&Key::Str(key.into()))?;
        self.entries.get(*at).map(|(_, value)| value)
    }
}

impl Key {
    pub fn of(value: &Value) -> Result<Key> {
        Key::within(value, &mut 0)
    }

    /// Tuples may hold one another more often than could be counted.
    fn within(value: &Value, parts: &mut usize) -> Result<Key> {
        *parts += 1;
        if *parts > KEY {
            return Err(JinjaError::Limit { what: "parts of a key", most: KEY as u64 });
        }
        Ok(match value {
            Value::Undefined(_) => Key::Undefined,
            Value::None => Key::None,
            Value::Bool(value) => Key::Int((*value).into()),
            Value::Int(value) => Key::Int(*value),
            Value::Float(value) if value.fract() == 0.0 && value.abs() < 1e38 => Key::Int(*value as i128),
            Value::Float(value) => Key::Float(value.to_bits()),
            Value::Str(text) | Value::Markup(text) => Key::Str(text.clone()),
            Value::Tuple(items) | Value::Group(items) => {
                Key::Tuple(items.items.iter().map(|item| Key::within(item, parts)).collect::<Result<_>>()?)
            }
            other => return type_error(format!("unhashable type: '{}'", other.type_name())),
        })
    }
}

/// How deep what holds `value` is.
fn deeper(value: &Value) -> Result<u32> {
    let depth = value.depth() + 1;
    if depth > VALUE_DEPTH {
        return Err(JinjaError::Limit { what: "lists within one another", most: VALUE_DEPTH.into() });
    }
    Ok(depth)
}

impl Items {
    pub fn new(items: Vec<Value>) -> Result<Rc<Items>> {
        let mut depth = 0;
        for item in &items {
            depth = depth.max(deeper(item)?);
        }
        Ok(Rc::new(Items { items, depth }))
    }
}

impl Value {
    pub fn str(text: impl Into<Rc<str>>) -> Value {
        Value::Str(text.into())
    }

    pub fn undefined(said: impl Into<Rc<str>>) -> Value {
        Value::Undefined(said.into())
    }

    pub fn list(items: Vec<Value>) -> Result<Value> {
        Items::new(items).map(Value::List)
    }

    pub fn tuple(items: Vec<Value>) -> Result<Value> {
        Items::new(items).map(Value::Tuple)
    }

    pub fn dict(entries: Vec<(Value, Value)>) -> Result<Value> {
        let mut dict = Dict::default();
        for (key, value) in entries {
            dict.insert(key, value)?;
        }
        Ok(Value::Dict(Rc::new(dict)))
    }

    pub fn generator(items: Vec<Result<Value>>) -> Result<Value> {
        let mut depth = 0;
        for item in items.iter().flatten() {
            depth = depth.max(deeper(item)?);
        }
        Ok(Value::Generator(Rc::new(Generator { rest: RefCell::new(items.into()), depth })))
    }

    pub fn from_data(data: &Data) -> Result<Value> {
        Ok(match data {
            Data::Null => Value::None,
            Data::Bool(value) => Value::Bool(*value),
            Data::Int(value) => Value::Int(*value),
            Data::Float(value) => Value::Float(*value),
            Data::Text(text) => Value::str(text.as_str()),
            Data::List(items) => Value::list(items.iter().map(Value::from_data).collect::<Result<_>>()?)?,
            Data::Object(pairs) => {
                let pair =
                    |(key, value): &(String, Data)| Ok((Value::str(key.as_str()), Value::from_data(value)?));
                Value::dict(pairs.iter().map(pair).collect::<Result<_>>()?)?
            }
        })
    }

    /// How deep lists lie in it. A namespace counts as nothing: the renderer keeps it, so that dropping what holds it ends there.
    pub fn depth(&self) -> u32 {
        match self {
            Value::List(items) | Value::Tuple(items) | Value::Group(items) => items.depth,
            Value::Dict(dict) | Value::View(_, dict) => dict.depth,
            Value::Generator(generator) => generator.depth,
            Value::Method(method) => method.0.depth() + 1,
            Value::Cycler(cycler) => cycler.items.depth,
            Value::Joiner(joiner) => joiner.separator.depth() + 1,
            Value::Loop(state) => state.depth_of_items(),
            _ => 0,
        }
    }

    /// The text of a text.
    pub fn as_str(&self) -> Option<&Rc<str>> {
        match self {
            Value::Str(text) | Value::Markup(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i128> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Bool(value) => Some((*value).into()),
            _ => None,
        }
    }

    /// Python's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Undefined(_) => "Undefined",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::Markup(_) => "Markup",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Group(_) => "_GroupTuple",
            Value::Dict(_) => "dict",
            Value::View(ViewKind::Keys, _) => "dict_keys",
            Value::View(ViewKind::Values, _) => "dict_values",
            Value::View(ViewKind::Items, _) => "dict_items",
            Value::Range(_) => "range",
            Value::Generator(_) => "generator",
            Value::Namespace(_) => "Namespace",
            Value::Macro(_) => "Macro",
            Value::Loop(_) => "LoopContext",
            Value::Cycler(_) => "Cycler",
            Value::Joiner(_) => "Joiner",
            Value::Method(_) => "builtin_function_or_method",
            Value::Function(_) => "function",
        }
    }

    /// As Python's `bool`.
    pub fn truth(&self) -> bool {
        match self {
            Value::Undefined(_) | Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Str(text) | Value::Markup(text) => !text.is_empty(),
            // A loop exists only where there was something to go through.
            other => other.len().is_none_or(|len| len != 0),
        }
    }

    /// As Python's `len`, of what has one without being gone through.
    pub fn len(&self) -> Option<usize> {
        Some(match self {
            Value::Undefined(_) => 0,
            Value::Str(text) | Value::Markup(text) => text.chars().count(),
            Value::List(items) | Value::Tuple(items) | Value::Group(items) => items.items.len(),
            Value::Dict(dict) | Value::View(_, dict) => dict.len(),
            Value::Range(range) => usize::try_from(range.len()).ok()?,
            _ => return None,
        })
    }
}
