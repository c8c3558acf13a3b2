//! Operators as Python has them.

use super::ast::Operator;
use super::error::{Result, type_error, undefined_error, unsupported, value_error};
use super::filters::markup::escaped;
use super::render::Renderer;
use super::value::Value;

impl Renderer<'_> {
    #[inline(never)]
    pub fn binary(&self, operator: Operator, left: &Value, right: &Value) -> Result<Value> {
        if let (Operator::Mod, Some(pattern)) = (operator, left.as_str()) {
            if matches!(left, Value::Markup(_)) {
                return unsupported("formatting of escaped text");
            }
            return self.percent_format(pattern, right);
        }
        for operand in [left, right] {
            if let Value::Undefined(said) = operand {
                return undefined_error(&**said);
            }
        }
        if let (Some(left), Some(right)) = (left.as_int(), right.as_int()) {
            return integers(operator, left, right);
        }
        if let (Some(left), Some(right)) = (number(left), number(right)) {
            return floats(operator, left?, right?);
        }
        match (operator, left, right) {
            (Operator::Add, Value::Str(left), Value::Str(right)) => {
                self.budget.grow(left.len() + right.len())?;
                Ok(Value::str([&**left, &**right].concat()))
            }
            (Operator::Add, Value::Str(_) | Value::Markup(_), Value::Str(_) | Value::Markup(_)) => {
                let (left, right) = (escaped(self, left)?, escaped(self, right)?);
                self.budget.grow(left.len() + right.len())?;
                Ok(Value::Markup([&*left, &*right].concat().into()))
            }
            (Operator::Add, Value::List(left), Value::List(right)) => {
                self.budget.grow(size_of::<Value>() * (left.items.len() + right.items.len()))?;
                Value::list([&left.items[..], &right.items[..]].concat())
            }
            (Operator::Add, Value::Tuple(left), Value::Tuple(right)) => {
                self.budget.grow(size_of::<Value>() * (left.items.len() + right.items.len()))?;
                Value::tuple([&left.items[..], &right.items[..]].concat())
            }
            (Operator::Mul, sequence, count) if count.as_int().is_some() => self.repeated(sequence, count),
            (Operator::Mul, count, sequence) if count.as_int().is_some() => self.repeated(sequence, count),
            _ => type_error(format!(
                "unsupported operand types: '{}' and '{}'",
                left.type_name(),
                right.type_name()
            )),
        }
    }

    fn repeated(&self, sequence: &Value, count: &Value) -> Result<Value> {
        let count = usize::try_from(count.as_int().unwrap_or(0).max(0)).unwrap_or(usize::MAX);
        let fits = |bytes: usize| self.budget.grow(bytes.saturating_mul(count));
        Ok(match sequence {
            Value::Str(text) if text.is_empty() => sequence.clone(),
            Value::Str(text) => {
                fits(text.len())?;
                Value::str(text.repeat(count))
            }
            Value::Markup(text) if !text.is_empty() => {
                fits(text.len())?;
                Value::Markup(text.repeat(count).into())
            }
            Value::Markup(_) => sequence.clone(),
            Value::List(items) | Value::Tuple(items) if items.items.is_empty() => sequence.clone(),
            Value::List(items) => {
                fits(size_of::<Value>() * items.items.len())?;
                Value::list(repeated(&items.items, count))?
            }
            Value::Tuple(items) => {
                fits(size_of::<Value>() * items.items.len())?;
                Value::tuple(repeated(&items.items, count))?
            }
            other => return type_error(format!("can't multiply '{}' by an integer", other.type_name())),
        })
    }

    pub fn negative(&self, value: &Value) -> Result<Value> {
        match value {
            Value::Float(value) => Ok(Value::Float(-value)),
            Value::Undefined(said) => undefined_error(&**said),
            other => match other.as_int().and_then(i128::checked_neg) {
                Some(value) => Ok(Value::Int(value)),
                None => type_error(format!("bad operand type for unary -: '{}'", other.type_name())),
            },
        }
    }

    pub fn positive(&self, value: &Value) -> Result<Value> {
        match value {
            Value::Float(value) => Ok(Value::Float(*value)),
            Value::Undefined(said) => undefined_error(&**said),
            other => match other.as_int() {
                Some(value) => Ok(Value::Int(value)),
                None => type_error(format!("bad operand type for unary +: '{}'", other.type_name())),
            },
        }
    }
}

fn repeated(items: &[Value], count: usize) -> Vec<Value> {
    std::iter::repeat_n(items, count).flatten().cloned().collect()
}

/// A number as a float; an integer that is none is refused, since Python would round or fail.
fn number(value: &Value) -> Option<Result<f64>> {
    match value {
        Value::Float(value) => Some(Ok(*value)),
        other => other.as_int().map(|value| Ok(value as f64)),
    }
}

fn whole(value: Option<i128>) -> Result<Value> {
    match value {
        Some(value) => Ok(Value::Int(value)),
        None => unsupported("an integer of over 127 bits"),
    }
}

fn zero_division<T>() -> Result<T> {
    value_error("division by zero")
}

fn integers(operator: Operator, left: i128, right: i128) -> Result<Value> {
    match operator {
        Operator::Add => whole(left.checked_add(right)),
        Operator::Sub => whole(left.checked_sub(right)),
        Operator::Mul => whole(left.checked_mul(right)),
        Operator::Div | Operator::FloorDiv | Operator::Mod if right == 0 => zero_division(),
        Operator::Div if [left, right].into_iter().any(|whole| (whole as f64) as i128 != whole) => {
            unsupported("division of integers that are no floats")
        }
        Operator::Div => Ok(Value::Float(left as f64 / right as f64)),
        Operator::FloorDiv => whole(
            left.checked_div(right)
                .map(|quotient| quotient - i128::from(left % right != 0 && (left < 0) != (right < 0))),
        ),
        Operator::Mod => {
            let rest = left.checked_rem(right);
            whole(rest.map(|rest| if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest }))
        }
        Operator::Pow if right < 0 => floats(Operator::Pow, left as f64, right as f64),
        Operator::Pow => match (left, u32::try_from(right)) {
            (0 | 1, _) => Ok(Value::Int(if right == 0 { 1 } else { left })),
            (-1, _) => Ok(Value::Int(if right % 2 == 0 { 1 } else { -1 })),
            (_, Ok(right)) => whole(left.checked_pow(right)),
            _ => whole(None),
        },
    }
}

fn floats(operator: Operator, left: f64, right: f64) -> Result<Value> {
    Ok(Value::Float(match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mul => left * right,
        Operator::Div | Operator::FloorDiv | Operator::Mod if right == 0.0 => return zero_division(),
        Operator::Div => left / right,
        Operator::FloorDiv => floor_and_rest(left, right).0,
        Operator::Mod => floor_and_rest(left, right).1,
        Operator::Pow if left == 0.0 && right < 0.0 => return zero_division(),
        Operator::Pow if left < 0.0 && right.is_finite() && right.fract() != 0.0 => {
            return unsupported("a complex number");
        }
        Operator::Pow => {
            let power = left.powf(right);
            if power.is_infinite() && left.is_finite() && right.is_finite() {
                return value_error("numerical result out of range");
            }
            power
        }
    }))
}

/// Python's `divmod` of floats.
fn floor_and_rest(left: f64, right: f64) -> (f64, f64) {
    let mut rest = left % right;
    let mut quotient = (left - rest) / right;
    if rest == 0.0 {
        rest = 0.0f64.copysign(right);
    } else if (right < 0.0) != (rest < 0.0) {
        rest += right;
        quotient -= 1.0;
    }
    let mut floor = quotient.floor();
    if quotient == 0.0 {
        floor = 0.0f64.copysign(left / right);
    } else if quotient - floor > 0.5 {
        floor += 1.0;
    }
    (floor, rest)
}
