//! Metadata values: scalars, strings, arrays stored flat.

use super::types::ValueType;
use std::fmt;

/// A metadata value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // The names of the variants are the types.
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(String),
    Array(Array),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// An array, one vector whatever its length.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // The names of the variants are the element types.
pub enum Array {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    Bool(Vec<bool>),
    Str(StringArray),
    Array(Vec<Array>),
    U64(Vec<u64>),
    I64(Vec<i64>),
    F64(Vec<f64>),
}

/// Strings one after the other in one allocation: a vocabulary of 262,144 pieces is two vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringArray {
    text: String,
    /// Where each string ends in `text`.
    ends: Vec<u32>,
}

impl StringArray {
    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// String `index`, `None` past the end.
    pub fn get(&self, index: usize) -> Option<&str> {
        let to = *self.ends.get(index)?;
        let from = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.text.get(from as usize..to as usize)
    }

    /// The strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Bytes of all strings together.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Appends a string; `false` where all of them together would pass 4 GiB.
    pub fn push(&mut self, string: &str) -> bool {
        let Ok(end) = u32::try_from(self.text.len() + string.len()) else { return false };
        self.text.push_str(string);
        self.ends.push(end);
        true
    }

    /// Room for `strings` more, where the caller knows that many can come.
    pub(super) fn reserve(&mut self, strings: usize) {
        self.ends.reserve(strings);
    }
}

impl<S: AsRef<str>> FromIterator<S> for StringArray {
    /// # Panics
    /// Where the strings together pass 4 GiB.
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut array = StringArray::default();
        for string in strings {
            assert!(array.push(string.as_ref()), "a string array holds at most 4 GiB");
        }
        array
    }
}

/// Calls a macro with one `Variant rust_type` row for every fixed-size value type but bool. Reading,
/// writing and conversion of the numbers are written once over this list.
macro_rules! with_numbers {
    ($use:ident) => {
        $use! { U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, F32 f32, U64 u64, I64 i64, F64 f64 }
    };
}
pub(super) use with_numbers;

macro_rules! value_impls {
    ($($variant:ident $ty:ty),*) => {
        impl Value {
            /// Type of the value.
            pub fn value_type(&self) -> ValueType {
                match self {
                    $(Value::$variant(_) => ValueType::$variant,)*
                    Value::Bool(_) => ValueType::Bool,
                    Value::Str(_) => ValueType::Str,
                    Value::Array(_) => ValueType::Array,
                }
            }

            /// A scalar from the front of `bytes`; `None` where they are too few, or the type is no scalar.
            pub(super) fn scalar(value_type: ValueType, bytes: &[u8]) -> Option<Self> {
                Some(match value_type {
                    $(ValueType::$variant => Value::$variant(<$ty>::from_le_bytes(*bytes.first_chunk()?)),)*
                    ValueType::Bool => Value::Bool(*bytes.first()? != 0),
                    ValueType::Str | ValueType::Array => return None,
                })
            }
        }

        impl Array {
            /// Type of the elements.
            pub fn element_type(&self) -> ValueType {
                match self {
                    $(Array::$variant(_) => ValueType::$variant,)*
                    Array::Bool(_) => ValueType::Bool,
                    Array::Str(_) => ValueType::Str,
                    Array::Array(_) => ValueType::Array,
                }
            }

            /// Number of elements.
            pub fn len(&self) -> usize {
                match self {
                    $(Array::$variant(elements) => elements.len(),)*
                    Array::Bool(elements) => elements.len(),
                    Array::Str(elements) => elements.len(),
                    Array::Array(elements) => elements.len(),
                }
            }

            /// An array without elements, with room for `capacity`.
            pub(super) fn with_capacity(element: ValueType, capacity: usize) -> Self {
                match element {
                    $(ValueType::$variant => Array::$variant(Vec::with_capacity(capacity)),)*
                    ValueType::Bool => Array::Bool(Vec::with_capacity(capacity)),
                    ValueType::Array => Array::Array(Vec::with_capacity(capacity)),
                    ValueType::Str => {
                        let mut strings = StringArray::default();
                        strings.reserve(capacity);
                        Array::Str(strings)
                    }
                }
            }

            /// Appends the elements that `bytes` holds whole; strings and arrays come by other ways.
            pub(super) fn extend_fixed(&mut self, bytes: &[u8]) {
                match self {
                    $(Array::$variant(elements) => {
                        let (whole, _) = bytes.as_chunks();
                        elements.extend(whole.iter().map(|b| <$ty>::from_le_bytes(*b)));
                    })*
                    Array::Bool(elements) => elements.extend(bytes.iter().map(|b| *b != 0)),
                    Array::Str(_) | Array::Array(_) => {}
                }
            }
        }

        $(
            impl From<$ty> for Value {
                fn from(value: $ty) -> Self {
                    Value::$variant(value)
                }
            }
            impl From<Vec<$ty>> for Value {
                fn from(elements: Vec<$ty>) -> Self {
                    Value::Array(Array::$variant(elements))
                }
            }
        )*
    };
}
with_numbers!(value_impls);

impl Array {
    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<Vec<bool>> for Value {
    fn from(elements: Vec<bool>) -> Self {
        Value::Array(Array::Bool(elements))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Str(text)
    }
}

impl From<StringArray> for Value {
    fn from(strings: StringArray) -> Self {
        Value::Array(Array::Str(strings))
    }
}

/// Elements or characters that `Display` shows before it cuts off.
const SHOWN: usize = 6;
/// Characters of a string that `Display` shows before it cuts off.
const SHOWN_CHARS: usize = 60;

impl fmt::Display for Value {
    /// One line for people: long strings and arrays are cut, with their length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        macro_rules! show {
            ($($variant:ident $ty:ty),*) => {
                match self {
                    $(Value::$variant(value) => write!(f, "{value}"),)*
                    Value::Bool(value) => write!(f, "{value}"),
                    Value::Str(text) => show_text(f, text),
                    Value::Array(array) => array.fmt(f),
                }
            };
        }
        with_numbers!(show)
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} [", self.len(), self.element_type().name())?;
        macro_rules! show {
            ($($variant:ident $ty:ty),*) => {
                match self {
                    $(Array::$variant(elements) => show_list(f, elements, |f, e| write!(f, "{e}"))?,)*
                    Array::Bool(elements) => show_list(f, elements, |f, e| write!(f, "{e}"))?,
                    Array::Str(strings) => show_list(f, strings.iter(), show_text)?,
                    Array::Array(arrays) => show_list(f, arrays, |f, array| array.fmt(f))?,
                }
            };
        }
        with_numbers!(show);
        f.write_str("]")
    }
}

fn show_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((cut, _)) => write!(f, "{:?}... ({} bytes)", text.get(..cut).unwrap_or_default(), text.len()),
        None => write!(f, "{text:?}"),
    }
}

fn show_list<I: IntoIterator>(
    f: &mut fmt::Formatter<'_>,
    elements: I,
    show: impl Fn(&mut fmt::Formatter<'_>, I::Item) -> fmt::Result,
) -> fmt::Result {
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        if index == SHOWN {
            return f.write_str("...");
        }
        show(f, element)?;
    }
    Ok(())
}
