//! Writes GGUF version 3. Where the bytes go is the caller's: a vector, a file, a download.

use super::types::TENSOR_TYPES;
use super::value::{Array, Value, with_numbers};
use super::{
    ALIGNMENT_KEY, ALIGNMENT_RULE, DEFAULT_ALIGNMENT, MAGIC, MAX_EXTENTS, MAX_KEY_BYTES, MAX_NAME_BYTES,
    Metadata, is_alignment,
};
use crate::formats::FormatError;
use crate::tensor::{DType, Shape, TensorDesc};
use std::borrow::Cow;
use std::collections::HashSet;

/// The version written.
const VERSION: u32 = 3;

/// Collects metadata and tensors, then writes them as one file.
///
/// ```
/// use rushlight::{formats::gguf::GgufWriter, tensor::{DType, Shape}};
/// let mut writer = GgufWriter::new();
/// writer.metadata("general.architecture", "llama").unwrap();
/// writer.tensor("output_norm.weight", DType::F32, Shape::new([2]), vec![0u8; 8]).unwrap();
/// let file = writer.to_bytes();
/// assert_eq!(&file[..4], b"GGUF");
/// ```
#[derive(Clone, Debug, Default)]
pub struct GgufWriter<'a> {
    head: GgufHead,
    tensors: Vec<Cow<'a, [u8]>>,
}

/// The beginning of a file whose tensors come later, in the order in which they are named here, each followed by
/// [`padding`](GgufHead::padding).
#[derive(Clone, Debug, Default)]
pub struct GgufHead {
    metadata: Metadata,
    /// With the number of the element type.
    tensors: Vec<(TensorDesc, u32)>,
    names: HashSet<String>,
}

impl GgufHead {
    /// A file without metadata and tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key. `general.alignment` (u32, a power of two up to 1 MiB) also sets the alignment of the file.
    pub fn metadata(&mut self, key: &str, value: impl Into<Value>) -> Result<&mut Self, FormatError> {
        let refuse = |expected: String, got: String| FormatError::Write {
            what: format!("metadata key {key:?}"),
            expected,
            got,
        };
        let value = value.into();
        if key.len() as u64 > MAX_KEY_BYTES {
            return Err(refuse(format!("at most {MAX_KEY_BYTES} bytes"), key.len().to_string()));
        }
        if key == ALIGNMENT_KEY && !matches!(value, Value::U32(alignment) if is_alignment(alignment)) {
            let got = format!("{} {value}", value.value_type().name());
            return Err(refuse(ALIGNMENT_RULE.to_owned(), got));
        }
        if let Value::Array(array) = &value
            && !uniform(array)
        {
            return Err(refuse("inner arrays of one element type".to_owned(), value.to_string()));
        }
        self.metadata
            .insert(key.to_owned(), value)
            .map_err(|value| refuse("each key once".to_owned(), format!("it again, with {value}")))?;
        Ok(self)
    }

    /// Names the next tensor; gives the bytes of its data.
    pub fn tensor(&mut self, name: &str, dtype: DType, shape: Shape) -> Result<usize, FormatError> {
        let refuse = |expected: String, got: String| FormatError::Write {
            what: format!("tensor {name:?}"),
            expected,
            got,
        };
        if name.len() as u64 > MAX_NAME_BYTES {
            return Err(refuse(format!("a name of at most {MAX_NAME_BYTES} bytes"), name.len().to_string()));
        }
        if shape.extents().len() > MAX_EXTENTS as usize {
            return Err(refuse(format!("at most {MAX_EXTENTS} extents"), shape.to_string()));
        }
        let Some((number, ..)) = TENSOR_TYPES.iter().find(|(.., known)| *known == Some(dtype)) else {
            return Err(refuse("a weight type".to_owned(), dtype.to_string()));
        };
        let desc = TensorDesc { name: name.to_owned(), dtype, shape };
        let Some(bytes) = desc.bytes() else {
            return Err(refuse(format!("rows of whole {dtype} blocks"), desc.shape.to_string()));
        };
        if !self.names.insert(name.to_owned()) {
            return Err(refuse("each name once".to_owned(), "it again".to_owned()));
        }
        self.tensors.push((desc, *number));
        Ok(bytes)
    }

    fn alignment(&self) -> usize {
        match self.metadata.value(ALIGNMENT_KEY) {
            Some(Value::U32(alignment)) => *alignment as usize,
            _ => DEFAULT_ALIGNMENT as usize,
        }
    }

    /// Zeros that follow so many bytes of a tensor's data.
    pub fn padding(&self, bytes: usize) -> usize {
        bytes.next_multiple_of(self.alignment()) - bytes
    }

    /// The file up to the first tensor's data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        header.extend(VERSION.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in self.metadata.iter() {
            put_string(&mut header, key);
            header.extend(value.value_type().number().to_le_bytes());
            put_value(&mut header, value);
        }
        let mut offset = 0;
        for (desc, number) in &self.tensors {
            put_string(&mut header, &desc.name);
            header.extend((desc.shape.extents().len() as u32).to_le_bytes());
            for extent in desc.shape.extents().iter().rev() {
                header.extend((*extent as u64).to_le_bytes());
            }
            header.extend(number.to_le_bytes());
            header.extend((offset as u64).to_le_bytes());
            // Its bytes were computed when it was named.
            let bytes = desc.bytes().unwrap_or_default();
            offset += bytes + self.padding(bytes);
        }
        header.resize(header.len() + self.padding(header.len()), 0);
        header
    }
}

impl<'a> GgufWriter<'a> {
    /// A file without metadata and tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key; see [`GgufHead::metadata`].
    pub fn metadata(&mut self, key: &str, value: impl Into<Value>) -> Result<&mut Self, FormatError> {
        self.head.metadata(key, value)?;
        Ok(self)
    }

    /// Adds a tensor; `bytes` is its data as it will stand in the file.
    pub fn tensor(
        &mut self,
        name: &str,
        dtype: DType,
        shape: Shape,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<&mut Self, FormatError> {
        let bytes = bytes.into();
        let whole = TensorDesc { name: name.to_owned(), dtype, shape: shape.clone() }.bytes();
        if let Some(expected) = whole.filter(|expected| *expected != bytes.len()) {
            return Err(FormatError::Write {
                what: format!("tensor {name:?}"),
                expected: format!("{expected} bytes of {dtype} {shape}"),
                got: bytes.len().to_string(),
            });
        }
        self.head.tensor(name, dtype, shape)?;
        self.tensors.push(bytes);
        Ok(self)
    }

    /// The file as one vector.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let Ok(()) = self.write(&mut |bytes: &[u8]| {
            file.extend_from_slice(bytes);
            Ok::<(), std::convert::Infallible>(())
        });
        file
    }

    /// Gives the file's bytes to `sink` in order; the data of a tensor comes in one call. An error of the
    /// sink ends the writing.
    pub fn write<E>(&self, sink: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let zeros = vec![0; self.head.alignment()];
        sink(&self.head.to_bytes())?;
        for bytes in &self.tensors {
            sink(bytes)?;
            sink(zeros.get(..self.head.padding(bytes.len())).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Whether arrays within an array have one element type, as the readers of other projects expect.
fn uniform(array: &Array) -> bool {
    let Array::Array(inner) = array else { return true };
    let same = inner.windows(2).all(|pair| pair[0].element_type() == pair[1].element_type());
    same && inner.iter().all(uniform)
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    macro_rules! put {
        ($($variant:ident $ty:ty),*) => {
            match value {
                $(Value::$variant(value) => out.extend(value.to_le_bytes()),)*
                Value::Bool(value) => out.push(u8::from(*value)),
                Value::Str(text) => put_string(out, text),
                Value::Array(array) => put_array(out, array),
            }
        };
    }
    with_numbers!(put);
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    out.extend(array.element_type().number().to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    macro_rules! put {
        ($($variant:ident $ty:ty),*) => {
            match array {
                $(Array::$variant(elements) => out.extend(elements.iter().flat_map(|e| e.to_le_bytes())),)*
                Array::Bool(elements) => out.extend(elements.iter().map(|e| u8::from(*e))),
                Array::Str(strings) => strings.iter().for_each(|text| put_string(out, text)),
                Array::Array(arrays) => arrays.iter().for_each(|array| put_array(out, array)),
            }
        };
    }
    with_numbers!(put);
}
