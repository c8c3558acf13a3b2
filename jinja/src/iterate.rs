//! Going through values, and what a loop knows of itself.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::ast::For;
use super::error::{Result, type_error, unsupported};
use super::render::{Activation, Renderer};
use super::value::{Dict, Generator, Items, Range, Value, ViewKind};

/// What is still to come of a value.
pub(super) enum Iter {
    Empty,
    Items(Rc<Items>, usize),
    Chars(Rc<str>, usize),
    Entries(Rc<Dict>, ViewKind, usize),
    Range(Rc<Range>, i128),
    Generator(Rc<Generator>),
    /// Items for which a loop's condition holds.
    Filtered(Box<Iter>, Rc<For>, Rc<Activation>),
}

impl Iter {
    pub fn next(&mut self, renderer: &Renderer<'_>) -> Result<Option<Value>> {
        renderer.budget.work(1)?;
        Ok(match self {
            Iter::Empty => None,
            Iter::Items(items, at) => {
                *at += 1;
                items.items.get(*at - 1).cloned()
            }
            Iter::Chars(text, at) => {
                let c = text[*at..].chars().next();
                *at += c.map_or(0, char::len_utf8);
                match c {
                    Some(c) => {
                        renderer.budget.grow(32)?;
                        Some(Value::str(c.to_string()))
                    }
                    None => None,
                }
            }
            Iter::Entries(dict, kind, at) => {
                *at += 1;
                match dict.entries().get(*at - 1) {
                    Some((key, value)) => Some(match kind {
                        ViewKind::Keys => key.clone(),
                        ViewKind::Values => value.clone(),
                        ViewKind::Items => {
                            renderer.budget.grow(128)?;
                            Value::tuple(vec![key.clone(), value.clone()])?
                        }
                    }),
                    None => None,
                }
            }
            Iter::Range(range, at) => {
                *at += 1;
                (*at <= range.len()).then(|| Value::Int(range.start + (*at - 1) * range.step))
            }
            Iter::Generator(generator) => {
                let next = generator.rest.borrow_mut().pop_front();
                next.transpose()?
            }
            Iter::Filtered(inner, code, inside) => loop {
                let Some(item) = inner.next(renderer)? else { return Ok(None) };
                if renderer.loop_test(code, &item, inside)? {
                    return Ok(Some(item));
                }
            },
        })
    }
}

impl Renderer<'_> {
    /// As Python's `iter`.
    pub fn iter(&self, value: &Value) -> Result<Iter> {
        Ok(match value {
            Value::Undefined(_) => Iter::Empty,
            Value::Str(text) | Value::Markup(text) => Iter::Chars(text.clone(), 0),
            Value::List(items) | Value::Tuple(items) | Value::Group(items) => Iter::Items(items.clone(), 0),
            Value::Dict(dict) => Iter::Entries(dict.clone(), ViewKind::Keys, 0),
            Value::View(kind, dict) => Iter::Entries(dict.clone(), *kind, 0),
            Value::Range(range) => Iter::Range(range.clone(), 0),
            Value::Generator(generator) => Iter::Generator(generator.clone()),
            Value::Loop(_) => return unsupported("going through a loop's own object"),
            other => return type_error(format!("'{}' object is not iterable", other.type_name())),
        })
    }

    /// All items, as Python's `list`.
    pub fn collect(&self, value: &Value) -> Result<Vec<Value>> {
        self.budget.grow(value.len().unwrap_or(0).saturating_mul(size_of::<Value>()))?;
        let mut items = self.iter(value)?;
        let mut all = Vec::new();
        while let Some(item) = items.next(self)? {
            self.budget.grow(size_of::<Value>())?;
            all.push(item);
        }
        Ok(all)
    }

    /// As Python's `len`.
    pub fn len(&self, value: &Value) -> Result<usize> {
        if let Some(text) = value.as_str() {
            self.budget.read(text.len())?;
        }
        match value {
            Value::Loop(state) => state.length(self),
            other => match other.len() {
                Some(len) => Ok(len),
                None => type_error(format!("object of type '{}' has no len()", other.type_name())),
            },
        }
    }
}

/// What `loop` is.
pub(super) struct Loop {
    items: RefCell<Iter>,
    depth_of_items: u32,
    length: Cell<Option<usize>>,
    /// Of the current iteration; -1 before the first.
    index0: Cell<i128>,
    before: RefCell<Option<Value>>,
    current: RefCell<Option<Value>>,
    /// What was looked at already.
    after: RefCell<Option<Value>>,
    changed: RefCell<Option<Value>>,
    depth0: usize,
    recurse: Option<(Rc<For>, Rc<Activation>)>,
}

impl Loop {
    pub fn new(
        items: Iter,
        depth_of_items: u32,
        length: Option<usize>,
        depth0: usize,
        recurse: Option<(Rc<For>, Rc<Activation>)>,
    ) -> Rc<Loop> {
        Rc::new(Loop {
            items: RefCell::new(items),
            depth_of_items,
            length: Cell::new(length),
            index0: Cell::new(-1),
            before: RefCell::default(),
            current: RefCell::default(),
            after: RefCell::default(),
            changed: RefCell::default(),
            depth0,
            recurse,
        })
    }

    pub fn depth_of_items(&self) -> u32 {
        self.depth_of_items + 1
    }

    /// On to the next item.
    pub fn advance(&self, renderer: &Renderer<'_>) -> Result<Option<Value>> {
        let next = match self.after.take() {
            Some(after) => Some(after),
            None => self.pull(renderer)?,
        };
        let Some(next) = next else { return Ok(None) };
        self.index0.set(self.index0.get() + 1);
        let before = self.current.replace(Some(next.clone()));
        self.before.replace(before);
        Ok(Some(next))
    }

    /// The next of the items. A condition that looks at this very loop finds it busy.
    fn pull(&self, renderer: &Renderer<'_>) -> Result<Option<Value>> {
        match self.items.try_borrow_mut() {
            Ok(mut items) => items.next(renderer),
            Err(_) => type_error("generator already executing"),
        }
    }

    fn peek(&self, renderer: &Renderer<'_>) -> Result<Option<Value>> {
        let known = self.after.borrow().clone();
        if known.is_some() {
            return Ok(known);
        }
        let next = self.pull(renderer)?;
        self.after.replace(next.clone());
        Ok(next)
    }

    /// How many items there are; of a filtered loop they are all looked at for that.
    pub fn length(&self, renderer: &Renderer<'_>) -> Result<usize> {
        if let Some(length) = self.length.get() {
            return Ok(length);
        }
        let mut rest = Vec::new();
        while let Some(item) = self.pull(renderer)? {
            renderer.budget.grow(size_of::<Value>())?;
            rest.push(item);
        }
        let seen = usize::try_from(self.index0.get() + 1).unwrap_or(0);
        let length = rest.len() + seen + usize::from(self.after.borrow().is_some());
        let rest = Items::new(rest)?;
        self.items.replace(Iter::Items(rest, 0));
        self.length.set(Some(length));
        Ok(length)
    }

    /// An attribute; `None` where it has no such.
    pub fn attribute(self: &Rc<Self>, name: &str, renderer: &Renderer<'_>) -> Result<Option<Value>> {
        let index0 = self.index0.get();
        let length = || Ok(self.length(renderer)? as i128);
        Ok(Some(match name {
            "index" => Value::Int(index0 + 1),
            "index0" => Value::Int(index0),
            "first" => Value::Bool(index0 == 0),
            "last" => Value::Bool(self.peek(renderer)?.is_none()),
            "length" => Value::Int(length()?),
            "revindex" => Value::Int(length()? - index0),
            "revindex0" => Value::Int(length()? - index0 - 1),
            "depth" => Value::Int(self.depth0 as i128 + 1),
            "depth0" => Value::Int(self.depth0 as i128),
            "previtem" if index0 == 0 => Value::undefined("there is no previous item"),
            "previtem" => self.before.borrow().clone().unwrap_or(Value::None),
            "nextitem" => self.peek(renderer)?.unwrap_or_else(|| Value::undefined("there is no next item")),
            "cycle" => Value::Method(Rc::new((Value::Loop(self.clone()), "cycle"))),
            "changed" => Value::Method(Rc::new((Value::Loop(self.clone()), "changed"))),
            _ => return Ok(None),
        }))
    }

    pub fn cycle(&self, items: &[Value]) -> Result<Value> {
        if items.is_empty() {
            return type_error("no items for cycling given");
        }
        let at = self.index0.get().rem_euclid(items.len() as i128) as usize;
        Ok(items[at].clone())
    }

    /// Whether the values differ from those that were asked for before.
    pub fn changed(&self, values: Vec<Value>, renderer: &Renderer<'_>) -> Result<bool> {
        let values = Value::tuple(values)?;
        let before = self.changed.borrow().clone();
        let same = match before {
            Some(before) => renderer.equal(&before, &values)?,
            None => false,
        };
        self.changed.replace(Some(values));
        Ok(!same)
    }

    /// The body of a recursive loop over other items.
    pub fn recurse(&self, over: Value, renderer: &Renderer<'_>) -> Result<Value> {
        let Some((code, around)) = &self.recurse else {
            return type_error("The loop must have the 'recursive' marker to be called recursively.");
        };
        let mut out = String::new();
        renderer.recursive_loop(code, around, over, self.depth0 + 1, &mut out)?;
        renderer.budget.grow(out.len())?;
        Ok(Value::str(out))
    }
}
