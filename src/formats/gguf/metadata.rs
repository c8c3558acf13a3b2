//! The key-value part of a GGUF header, with typed access.

use super::value::{Array, StringArray, Value};
use crate::formats::FormatError;
use std::collections::HashMap;

/// Keys and values in the file's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
    /// Position of each key in `entries`.
    index: HashMap<String, usize>,
}

impl Metadata {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values in the file's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The value as it stands in the file.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.index.get(key).and_then(|position| self.entries.get(*position)).map(|(_, value)| value)
    }

    /// The value as a `T`, `None` where the key is missing. Integers convert between widths and signs
    /// as long as the value fits, since writers differ there; other types must be the ones asked for.
    ///
    /// ```
    /// use rushlight::formats::gguf::Metadata;
    /// let metadata = Metadata::from_iter([("llama.block_count", 12u32.into())]);
    /// assert_eq!(metadata.get::<usize>("llama.block_count").unwrap(), Some(12));
    /// assert!(metadata.get::<&str>("llama.block_count").is_err());
    /// assert!(metadata.require::<u32>("llama.context_length").is_err());
    /// ```
    pub fn get<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<Option<T>, FormatError> {
        let Some(value) = self.value(key) else { return Ok(None) };
        T::from_value(value).map(Some).ok_or_else(|| FormatError::KeyType {
            key: key.to_owned(),
            expected: T::NAME,
            got: format!("{} {value}", value.value_type().name()),
        })
    }

    /// As [`Metadata::get`], but a missing key is an error.
    pub fn require<'a, T: FromValue<'a>>(&'a self, key: &str) -> Result<T, FormatError> {
        self.get(key)?.ok_or_else(|| FormatError::MissingKey { key: key.to_owned(), expected: T::NAME })
    }

    /// Appends a key; gives the value back where the key is there already.
    pub(super) fn insert(&mut self, key: String, value: Value) -> Result<(), Value> {
        if self.index.contains_key(&key) {
            return Err(value);
        }
        self.index.insert(key.clone(), self.entries.len());
        self.entries.push((key, value));
        Ok(())
    }
}

impl<K: Into<String>> FromIterator<(K, Value)> for Metadata {
    /// For tests and writers; of a repeated key the first value stays.
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut metadata = Metadata::default();
        for (key, value) in entries {
            let _first_stays = metadata.insert(key.into(), value);
        }
        metadata
    }
}

/// Types that [`Metadata::get`] can give.
pub trait FromValue<'a>: Sized {
    /// Name of the type in errors.
    const NAME: &'static str;
    /// The value as this type, `None` where it is another one or does not fit.
    fn from_value(value: &'a Value) -> Option<Self>;
}

impl Value {
    /// Any integer type; every one of them fits i128.
    fn integer(&self) -> Option<i128> {
        Some(match *self {
            Value::U8(v) => v.into(),
            Value::I8(v) => v.into(),
            Value::U16(v) => v.into(),
            Value::I16(v) => v.into(),
            Value::U32(v) => v.into(),
            Value::I32(v) => v.into(),
            Value::U64(v) => v.into(),
            Value::I64(v) => v.into(),
            Value::F32(_) | Value::F64(_) | Value::Bool(_) | Value::Str(_) | Value::Array(_) => return None,
        })
    }
}

macro_rules! integers {
    ($($ty:ident),*) => {$(
        impl FromValue<'_> for $ty {
            const NAME: &'static str = stringify!($ty);
            fn from_value(value: &Value) -> Option<Self> {
                value.integer()?.try_into().ok()
            }
        }

        impl FromValue<'_> for Vec<$ty> {
            const NAME: &'static str = concat!("array of ", stringify!($ty));
            fn from_value(value: &Value) -> Option<Self> {
                let Value::Array(array) = value else { return None };
                match array {
                    Array::U8(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::I8(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::U16(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::I16(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::U32(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::I32(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::U64(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::I64(v) => v.iter().map(|&x| x.try_into().ok()).collect(),
                    Array::F32(_) | Array::F64(_) | Array::Bool(_) | Array::Str(_) | Array::Array(_) => None,
                }
            }
        }
    )*};
}
integers!(u32, i32, u64, i64, usize);

/// Types that are borrowed or copied out of one variant.
macro_rules! exact {
    ($($ty:ty, $name:literal, $pattern:pat => $out:expr;)*) => {$(
        impl<'a> FromValue<'a> for $ty {
            const NAME: &'static str = $name;
            fn from_value(value: &'a Value) -> Option<Self> {
                match value {
                    $pattern => Some($out),
                    _ => None,
                }
            }
        }
    )*};
}
exact! {
    bool, "bool", Value::Bool(v) => *v;
    &'a str, "string", Value::Str(v) => v;
    &'a Array, "array", Value::Array(v) => v;
    &'a StringArray, "array of strings", Value::Array(Array::Str(v)) => v;
    &'a [u32], "array of u32", Value::Array(Array::U32(v)) => v;
    &'a [i32], "array of i32", Value::Array(Array::I32(v)) => v;
    &'a [f32], "array of f32", Value::Array(Array::F32(v)) => v;
    &'a [bool], "array of bool", Value::Array(Array::Bool(v)) => v;
}

impl FromValue<'_> for f32 {
    const NAME: &'static str = "f32";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::F32(v) => Some(*v),
            Value::F64(v) => Some(*v as f32),
            _ => None,
        }
    }
}

impl FromValue<'_> for f64 {
    const NAME: &'static str = "f64";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::F32(v) => Some((*v).into()),
            Value::F64(v) => Some(*v),
            _ => None,
        }
    }
}
