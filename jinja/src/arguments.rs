//! What a function is called with.

use std::rc::Rc;

use super::error::{Result, type_error};
use super::value::Value;

#[derive(Default, Clone)]
pub(super) struct Given {
    pub positional: Vec<Value>,
    pub named: Vec<(Rc<str>, Value)>,
}

impl Given {
    pub fn none(&self) -> bool {
        self.positional.is_empty() && self.named.is_empty()
    }

    /// The values of parameters, by place or by name; the first `required` must be there.
    pub fn bind<const N: usize>(
        self,
        function: &str,
        names: [&str; N],
        required: usize,
    ) -> Result<[Option<Value>; N]> {
        if self.positional.len() > N {
            return type_error(format!(
                "{function}() takes at most {N} arguments ({} given)",
                self.positional.len()
            ));
        }
        let mut bound = [const { None }; N];
        for (slot, value) in bound.iter_mut().zip(self.positional) {
            *slot = Some(value);
        }
        for (name, value) in self.named {
            let Some(at) = names.iter().position(|known| !known.is_empty() && **known == *name) else {
                return type_error(format!("{function}() got an unexpected keyword argument '{name}'"));
            };
            if bound[at].replace(value).is_some() {
                return type_error(format!("{function}() got multiple values for argument '{name}'"));
            }
        }
        if bound.iter().take(required).any(Option::is_none) {
            return type_error(format!("{function}() misses a required argument"));
        }
        Ok(bound)
    }

    /// The values of parameters that have no names, as most methods of Python's have them.
    pub fn places<const N: usize>(self, function: &str, required: usize) -> Result<[Option<Value>; N]> {
        if !self.named.is_empty() {
            return type_error(format!("{function}() takes no keyword arguments"));
        }
        self.bind(function, [""; N], required)
    }
}

/// An integer as Python's C functions take it: no float, no text.
pub(super) fn as_index(function: &str, value: &Value) -> Result<i128> {
    match (value.as_int(), value) {
        (Some(value), _) => Ok(value),
        (None, other) => type_error(format!(
            "{function}: '{}' object cannot be interpreted as an integer",
            other.type_name()
        )),
    }
}

/// A text, as Python's methods of texts want it.
pub(super) fn as_text(function: &str, value: &Value) -> Result<Rc<str>> {
    match value.as_str() {
        Some(text) => Ok(text.clone()),
        None => type_error(format!("{function}: expected str, got {}", value.type_name())),
    }
}

/// A count or width: at most what memory could hold, so that it can be computed with.
pub(super) fn as_count(function: &str, value: &Value) -> Result<i64> {
    let value = as_index(function, value)?;
    Ok(value.clamp(i128::from(i64::MIN >> 2), i128::from(i64::MAX >> 2)) as i64)
}
