//! Comparisons as Python makes them.

use std::cmp::Ordering;
use std::rc::Rc;

use super::ast::Comparison;
use super::error::{Result, type_error, undefined_error, unsupported};
use super::render::Renderer;
use super::value::{Value, ViewKind};

impl Renderer<'_> {
    pub fn compare(&self, operator: Comparison, left: &Value, right: &Value) -> Result<bool> {
        match operator {
            Comparison::Equal => self.equal(left, right),
            Comparison::NotEqual => Ok(!self.equal(left, right)?),
            Comparison::In => self.contains(right, left),
            Comparison::NotIn => Ok(!self.contains(right, left)?),
            Comparison::Less => Ok(self.order(left, right)? == Some(Ordering::Less)),
            Comparison::LessEqual => {
                Ok(matches!(self.order(left, right)?, Some(Ordering::Less | Ordering::Equal)))
            }
            Comparison::Greater => Ok(self.order(left, right)? == Some(Ordering::Greater)),
            Comparison::GreaterEqual => {
                Ok(matches!(self.order(left, right)?, Some(Ordering::Greater | Ordering::Equal)))
            }
        }
    }

    pub fn equal(&self, left: &Value, right: &Value) -> Result<bool> {
        self.budget.work(1)?;
        if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
            self.budget.read(left.len().min(right.len()))?;
            return Ok(left == right);
        }
        Ok(match (left, right) {
            (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => true,
            (Value::List(left), Value::List(right))
            | (Value::Tuple(left) | Value::Group(left), Value::Tuple(right) | Value::Group(right)) => {
                self.equal_items(&left.items, &right.items)?
            }
            (Value::Dict(left), Value::Dict(right)) => {
                let _deeper = self.budget.deeper()?;
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (key, value) in left.entries() {
                    match right.get(key)? {
                        Some(other) if self.equal(value, other)? => {}
                        _ => return Ok(false),
                    }
                }
                true
            }
            (Value::Range(left), Value::Range(right)) => {
                let (count, other) = (left.len(), right.len());
                count == other
                    && (count == 0 || left.start == right.start && (count == 1 || left.step == right.step))
            }
            (Value::View(ViewKind::Values, _), Value::View(..)) => false,
            (Value::View(..), Value::View(..)) => return unsupported("comparing the keys of objects"),
            (Value::Namespace(left), Value::Namespace(right)) => Rc::ptr_eq(left, right),
            (Value::Macro(left), Value::Macro(right)) => Rc::ptr_eq(left, right),
            (Value::Generator(left), Value::Generator(right)) => Rc::ptr_eq(left, right),
            (Value::Loop(left), Value::Loop(right)) => Rc::ptr_eq(left, right),
            (Value::Cycler(left), Value::Cycler(right)) => Rc::ptr_eq(left, right),
            (Value::Joiner(left), Value::Joiner(right)) => Rc::ptr_eq(left, right),
            (Value::Function(left), Value::Function(right)) => left == right,
            (Value::Method(_), Value::Method(_)) => return unsupported("comparing methods"),
            _ => numbers(left, right) == Some(Some(Ordering::Equal)),
        })
    }

    fn equal_items(&self, left: &[Value], right: &[Value]) -> Result<bool> {
        let _deeper = self.budget.deeper()?;
        if left.len() != right.len() {
            return Ok(false);
        }
        for (left, right) in left.iter().zip(right) {
            if !self.equal(left, right)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Which comes first; `None` where one is no number.
    ///
    /// # Errors
    /// Values of types that have no order.
    pub fn order(&self, left: &Value, right: &Value) -> Result<Option<Ordering>> {
        self.budget.work(1)?;
        if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
            self.budget.read(left.len().min(right.len()))?;
            return Ok(Some(left.cmp(right)));
        }
        match (left, right) {
            (Value::Undefined(said), _) | (_, Value::Undefined(said)) => undefined_error(&**said),
            (Value::List(left), Value::List(right))
            | (Value::Tuple(left) | Value::Group(left), Value::Tuple(right) | Value::Group(right)) => {
                let _deeper = self.budget.deeper()?;
                for (left, right) in left.items.iter().zip(&right.items) {
                    if !self.equal(left, right)? {
                        return self.order(left, right);
                    }
                }
                Ok(Some(left.items.len().cmp(&right.items.len())))
            }
            (Value::View(..), Value::View(..)) => unsupported("comparing the keys of objects"),
            _ => match numbers(left, right) {
                Some(ordering) => Ok(ordering),
                None => type_error(format!(
                    "'<' not supported between instances of '{}' and '{}'",
                    left.type_name(),
                    right.type_name()
                )),
            },
        }
    }

    /// As Python's `in`.
    pub fn contains(&self, container: &Value, item: &Value) -> Result<bool> {
        match container {
            Value::Str(text) | Value::Markup(text) => match item.as_str() {
                Some(part) => {
                    self.budget.read(text.len())?;
                    Ok(text.contains(&**part))
                }
                None => type_error(format!(
                    "'in <string>' requires string as left operand, not {}",
                    item.type_name()
                )),
            },
            Value::Dict(dict) | Value::View(ViewKind::Keys, dict) => Ok(dict.get(item)?.is_some()),
            Value::Range(range) => match item {
                Value::Int(_) | Value::Bool(_) => {
                    let at = item.as_int().unwrap_or(0) - range.start;
                    Ok(at % range.step == 0 && (0..range.len()).contains(&(at / range.step)))
                }
                _ => self.is_among(container, item),
            },
            Value::Namespace(_) | Value::Loop(_) | Value::Cycler(_) | Value::Joiner(_) | Value::Macro(_) => {
                type_error(format!("argument of type '{}' is not iterable", container.type_name()))
            }
            _ => self.is_among(container, item),
        }
    }

    fn is_among(&self, container: &Value, item: &Value) -> Result<bool> {
        let mut items = self.iter(container)?;
        while let Some(other) = items.next(self)? {
            if self.equal(&other, item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts values in order by keys, those with equal keys as they were.
    pub fn sorted(&self, keyed: Vec<(Value, Value)>, reverse: bool) -> Result<Vec<Value>> {
        let mut failure = None;
        let mut keyed = keyed;
        let order = |left: &(Value, Value), right: &(Value, Value), failure: &mut Option<_>| {
            if failure.is_some() {
                return Ordering::Equal;
            }
            match self.order(&left.0, &right.0) {
                Ok(ordering) => ordering.unwrap_or(Ordering::Equal),
                Err(error) => {
                    *failure = Some(error);
                    Ordering::Equal
                }
            }
        };
        self.budget.grow(2 * size_of::<Value>() * keyed.len())?;
        if reverse {
            keyed.sort_by(|left, right| order(right, left, &mut failure));
        } else {
            keyed.sort_by(|left, right| order(left, right, &mut failure));
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(keyed.into_iter().map(|(_, value)| value).collect()),
        }
    }
}

/// The order of two numbers; `None`: they are not both numbers.
fn numbers(left: &Value, right: &Value) -> Option<Option<Ordering>> {
    Some(match (left, right) {
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Float(left), right) => mixed(right.as_int()?, *left).map(Ordering::reverse),
        (left, Value::Float(right)) => mixed(left.as_int()?, *right),
        (left, right) => Some(left.as_int()?.cmp(&right.as_int()?)),
    })
}

/// An integer and a float, compared exactly.
fn mixed(left: i128, right: f64) -> Option<Ordering> {
    if right.is_nan() {
        return None;
    }
    if right.abs() >= 1.7e38 {
        return Some(if right > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let whole = right.trunc();
    let ordering = left.cmp(&(whole as i128));
    Some(ordering.then(0.0.partial_cmp(&(right - whole)).unwrap_or(Ordering::Equal)))
}
