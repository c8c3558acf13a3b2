//! The resumable parser of a GGUF header: one small item at a time, retried when more bytes are there.

use super::metadata::Metadata;
use super::types::{SUPPORTED, TENSOR_TYPES, ValueType};
use super::value::{Array, Value};
use super::window::{Bounds, Window};
use super::{
    ALIGNMENT_KEY, ALIGNMENT_RULE, DEFAULT_ALIGNMENT, MAGIC, MAX_EXTENTS, MAX_KEY_BYTES, MAX_NAME_BYTES,
    is_alignment,
};
use crate::formats::{FormatError, TensorInfo, mistaken};
use crate::tensor::{DType, Shape, TensorDesc};
use std::collections::HashSet;

/// Everything before the tensor data.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// Every tensor's data begins at a multiple of this.
    pub alignment: u32,
    /// Keys and values.
    pub metadata: Metadata,
    /// In the order of the header, which need not be the order of the data.
    pub tensors: Vec<TensorInfo>,
    /// File offset where the data begins.
    pub data_start: u64,
}

/// The most that a header may claim. What it claims is allocated only as its bytes arrive, so these bound
/// what a hostile file can make the reader keep, not what it can make it allocate at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole header.
    pub header_bytes: u64,
    /// Metadata keys.
    pub keys: u64,
    /// Tensors.
    pub tensors: u64,
    /// Arrays within arrays.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // The largest vocabularies in use take under 20 MB; models of 400B parameters, under 3,000 tensors.
        Limits { header_bytes: 128 << 20, keys: 65_536, tensors: 262_144, depth: 4 }
    }
}

/// Magic, version, number of tensors, number of keys.
const PREAMBLE_BYTES: usize = 24;

/// Elements that are reserved before any has come.
const RESERVE: usize = 4_096;

/// What the parser reads next.
#[derive(Clone, Debug)]
enum Item {
    Preamble,
    Key,
    Value,
    Elements,
    TensorName,
    Tensor,
    Done,
}

/// An array that is being filled, and how many elements it lacks.
#[derive(Clone, Debug)]
struct OpenArray {
    array: Array,
    missing: usize,
}

/// Parses a header from slices of any size. Time is linear in the bytes, whatever the slices: an item that
/// lacks bytes is retried from its own beginning, and that costs a length check.
#[derive(Clone, Debug)]
pub(super) struct HeaderParser {
    bounds: Bounds,
    limits: Limits,
    /// Bytes that no item has used yet.
    buffer: Vec<u8>,
    /// File offset of the buffer's first byte.
    base: u64,
    item: Item,
    version: u32,
    keys_left: u64,
    tensors_left: u64,
    /// Key of the value, or name of the tensor, that is being read.
    name: String,
    metadata: Metadata,
    /// The innermost array is the last.
    open: Vec<OpenArray>,
    /// Offsets are relative to the data until it is known where that begins.
    tensors: Vec<TensorInfo>,
    names: HashSet<String>,
}

impl HeaderParser {
    pub(super) fn new(file_len: Option<u64>, limits: Limits) -> Self {
        HeaderParser {
            bounds: Bounds { file_len, header_bytes: limits.header_bytes },
            limits,
            buffer: Vec::new(),
            base: 0,
            item: Item::Preamble,
            version: 0,
            keys_left: 0,
            tensors_left: 0,
            name: String::new(),
            metadata: Metadata::default(),
            open: Vec::new(),
            tensors: Vec::new(),
            names: HashSet::new(),
        }
    }

    /// File offset after the last byte pushed.
    pub(super) fn position(&self) -> u64 {
        self.base.saturating_add(self.buffer.len() as u64)
    }

    /// The error for a file that ends here.
    pub(super) fn truncated(&self) -> FormatError {
        let is_other = matches!(self.item, Item::Preamble) && !self.buffer.is_empty();
        if is_other && !MAGIC.starts_with(self.buffer.get(..MAGIC.len()).unwrap_or(&self.buffer)) {
            return mistaken::magic("GGUF", &self.buffer);
        }
        let what = match &self.item {
            Item::Preamble => "GGUF preamble".to_owned(),
            Item::Key => "metadata key".to_owned(),
            Item::Value | Item::Elements => format!("value of metadata key {:?}", self.name),
            Item::TensorName => format!("name of tensor {}", self.tensors.len()),
            Item::Tensor => format!("description of tensor {:?}", self.name),
            Item::Done => "padding after the header".to_owned(),
        };
        let got = self.position();
        FormatError::Truncated { what, at: self.base, expected: got.saturating_add(1), got }
    }

    /// Takes the next bytes. Once the header is complete: itself, the file offset of its end, and how many
    /// of the bytes just pushed come after it.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<(Header, u64, usize)>, FormatError> {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let mut window = Window::new(&buffer, self.base, self.bounds);
        let mut used = 0;
        while !matches!(self.item, Item::Done) && self.step(&mut window)?.is_some() {
            used = window.used();
            self.base = window.position();
        }
        self.buffer = buffer;
        self.buffer.drain(..used);
        if matches!(self.item, Item::Done) {
            let unused = self.buffer.len();
            return Ok(Some((self.complete()?, self.base, unused)));
        }
        if self.position() > self.limits.header_bytes {
            return Err(FormatError::Limit {
                what: "header length".to_owned(),
                at: self.base,
                limit: self.limits.header_bytes,
                got: self.position(),
            });
        }
        Ok(None)
    }

    /// Reads one item, or some elements of an array; `None` where bytes are lacking, and then nothing but
    /// the window has changed.
    fn step(&mut self, window: &mut Window<'_>) -> Result<Option<()>, FormatError> {
        match &self.item {
            Item::Preamble => self.preamble(window),
            Item::Key => self.key(window),
            Item::Value => self.value(window),
            Item::Elements => self.elements(window),
            Item::TensorName => self.tensor_name(window),
            Item::Tensor => {
                let Some(info) = tensor(&self.name, window)? else { return Ok(None) };
                self.tensors.push(info);
                self.tensors_left -= 1;
                self.next_tensor();
                Ok(Some(()))
            }
            Item::Done => Ok(None),
        }
    }

    fn preamble(&mut self, window: &mut Window<'_>) -> Result<Option<()>, FormatError> {
        // Judged with all of the preamble at hand, so that what is said does not depend on how the bytes came.
        let Some(preamble) = window.peek::<PREAMBLE_BYTES>() else { return Ok(None) };
        if !preamble.starts_with(MAGIC) {
            return Err(mistaken::magic("GGUF", preamble));
        }
        let (Some(_), Some(version)) = (window.u32(), window.u32()) else { return Ok(None) };
        let (tensors_at, Some(tensors)) = (window.position(), window.u64()) else { return Ok(None) };
        let (keys_at, Some(keys)) = (window.position(), window.u64()) else { return Ok(None) };
        // A small version number read in the wrong byte order has its low half empty.
        if version != 0 && version & 0xffff == 0 {
            let got = format!("{}, big-endian", version.swap_bytes());
            return Err(FormatError::Version { expected: "2 or 3, little-endian", got });
        }
        if !(2..=3).contains(&version) {
            return Err(FormatError::Version { expected: "2 or 3", got: version.to_string() });
        }
        // The smallest key is an empty name and a one-byte value, the smallest tensor one without extents.
        window.claim(|| "number of tensors".to_owned(), tensors_at, tensors, self.limits.tensors, 24)?;
        window.claim(|| "number of metadata keys".to_owned(), keys_at, keys, self.limits.keys, 13)?;
        (self.version, self.tensors_left, self.keys_left) = (version, tensors, keys);
        self.next_key();
        Ok(Some(()))
    }

    fn next_key(&mut self) {
        if self.keys_left > 0 {
            self.item = Item::Key;
        } else {
            self.next_tensor();
        }
    }

    fn next_tensor(&mut self) {
        self.item = if self.tensors_left > 0 { Item::TensorName } else { Item::Done };
    }

    fn key(&mut self, window: &mut Window<'_>) -> Result<Option<()>, FormatError> {
        let at = window.position();
        let Some(key) = window.string(|| "metadata key".to_owned(), MAX_KEY_BYTES)? else { return Ok(None) };
        if self.metadata.value(key).is_some() {
            return Err(FormatError::Duplicate { what: "metadata key", name: key.to_owned(), at });
        }
        self.name = key.to_owned();
        self.item = Item::Value;
        Ok(Some(()))
    }

    fn tensor_name(&mut self, window: &mut Window<'_>) -> Result<Option<()>, FormatError> {
        let at = window.position();
        let what = || format!("name of tensor {}", self.tensors.len());
        let Some(name) = window.string(what, MAX_NAME_BYTES)? else { return Ok(None) };
        if !self.names.insert(name.to_owned()) {
            return Err(FormatError::Duplicate { what: "tensor", name: name.to_owned(), at });
        }
        self.name = name.to_owned();
        self.item = Item::Tensor;
        Ok(Some(()))
    }

    /// A value, or the head of an array.
    fn value(&mut self, window: &mut Window<'_>) -> Result<Option<()>, FormatError> {
        let Some(value_type) = value_type(&self.name, window)? else { return Ok(None) };
        let what = || format!("value of metadata key {:?}", self.name);
        let value = match value_type {
            ValueType::Array => {
                let opened = self.open_array(window)?;
                if opened.is_some() {
                    self.item = Item::Elements;
                }
                return Ok(opened);
            }
            ValueType::Str => {
                window.string(what, self.limits.header_bytes)?.map(|text| Value::Str(text.to_owned()))
            }
            scalar => {
                let at = window.position();
                let Some(bytes) = window.take(scalar.min_bytes()) else { return Ok(None) };
                check_bools(scalar, bytes, what, at)?;
                Value::scalar(scalar, bytes)
            }
        };
        let Some(value) = value else { return Ok(None) };
        self.insert(value);
        Ok(Some(()))
    }

    /// The value of the current key, which was compared with the ones before it when it was read.
    fn insert(&mut self, value: Value) {
        let _not_repeated = self.metadata.insert(std::mem::take(&mut self.name), value);
        self.keys_left -= 1;
        self.next_key();
    }

    /// Element type and count of an array, which then is the innermost open one.
    fn open_array(&mut self, window: &mut Window<'_>) -> Result<Option<()>, FormatError> {
        let at = window.position();
        let Some(element) = value_type(&self.name, window)? else { return Ok(None) };
        let count_at = window.position();
        let Some(count) = window.u64() else { return Ok(None) };
        if self.open.len() >= self.limits.depth {
            return Err(FormatError::Limit {
                what: format!("depth of nested arrays in metadata key {:?}", self.name),
                at,
                limit: self.limits.depth as u64,
                got: self.open.len() as u64 + 1,
            });
        }
        let what = || format!("array length of metadata key {:?}", self.name);
        window.claim(what, count_at, count, u64::MAX, element.min_bytes() as u64)?;
        let missing = usize::try_from(count).unwrap_or(usize::MAX);
        self.open.push(OpenArray { array: Array::with_capacity(element, missing.min(RESERVE)), missing });
        Ok(Some(()))
    }

    /// As many elements of the innermost open array as there are bytes for; closes it when it is full.
    fn elements(&mut self, window: &mut Window<'_>) -> Result<Option<()>, FormatError> {
        let what = || format!("element of metadata key {:?}", self.name);
        match self.open.last_mut() {
            None | Some(OpenArray { missing: 0, .. }) => {
                self.close_array();
                Ok(Some(()))
            }
            Some(OpenArray { array: Array::Array(_), .. }) => self.open_array(window),
            Some(OpenArray { array: Array::Str(strings), missing }) => {
                let mut taken = None;
                while *missing > 0
                    && let Some(text) = window.string(what, self.limits.header_bytes)?
                {
                    if !strings.push(text) {
                        return Err(FormatError::Limit {
                            what: format!("bytes of all strings of metadata key {:?}", self.name),
                            at: window.position(),
                            limit: u32::MAX.into(),
                            got: strings.text_bytes() as u64 + text.len() as u64,
                        });
                    }
                    *missing -= 1;
                    taken = Some(());
                }
                Ok(taken)
            }
            Some(OpenArray { array, missing }) => {
                let element = array.element_type();
                let whole = window.available() / element.min_bytes();
                let count = whole.min(*missing);
                let at = window.position();
                let Some(bytes) = window.take(count * element.min_bytes()) else { return Ok(None) };
                check_bools(element, bytes, what, at)?;
                array.extend_fixed(bytes);
                *missing -= count;
                Ok((count > 0).then_some(()))
            }
        }
    }

    /// Moves the innermost array into the one around it, or into the metadata.
    fn close_array(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(OpenArray { array: Array::Array(arrays), missing }) => {
                arrays.push(closed.array);
                *missing -= 1;
            }
            _ => self.insert(Value::Array(closed.array)),
        }
    }

    /// Alignment and the absolute offsets, which need the end of the header.
    fn complete(&mut self) -> Result<Header, FormatError> {
        let metadata = std::mem::take(&mut self.metadata);
        let mut tensors = std::mem::take(&mut self.tensors);
        let alignment = metadata.get::<u32>(ALIGNMENT_KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
        if !is_alignment(alignment) {
            return Err(FormatError::KeyType {
                key: ALIGNMENT_KEY.to_owned(),
                expected: ALIGNMENT_RULE,
                got: alignment.to_string(),
            });
        }
        let data_start = self.base.next_multiple_of(alignment.into());
        for info in &mut tensors {
            let what = || format!("data offset of tensor {:?}", info.desc.name);
            if !info.offset.is_multiple_of(alignment.into()) {
                return Err(FormatError::Invalid {
                    what: what(),
                    at: data_start,
                    expected: format!("a multiple of the alignment {alignment}"),
                    got: info.offset.to_string(),
                });
            }
            info.offset = info.offset.checked_add(data_start).ok_or_else(|| FormatError::Limit {
                what: what(),
                at: data_start,
                limit: u64::MAX - data_start,
                got: info.offset,
            })?;
        }
        Ok(Header { version: self.version, alignment, metadata, tensors, data_start })
    }
}

/// The number of a value type; unknown ones are an error.
fn value_type(key: &str, window: &mut Window<'_>) -> Result<Option<ValueType>, FormatError> {
    let at = window.position();
    let Some(number) = window.u32() else { return Ok(None) };
    ValueType::from_number(number).map(Some).ok_or_else(|| FormatError::Invalid {
        what: format!("value type of metadata key {key:?}"),
        at,
        expected: "a number from 0 to 12".to_owned(),
        got: number.to_string(),
    })
}

/// The format allows 0 and 1 for a bool and nothing else.
fn check_bools(
    value_type: ValueType,
    bytes: &[u8],
    what: impl Fn() -> String,
    at: u64,
) -> Result<(), FormatError> {
    match bytes.iter().enumerate().find(|(_, byte)| **byte > 1) {
        Some((index, byte)) if value_type == ValueType::Bool => Err(FormatError::Invalid {
            what: what(),
            at: at.saturating_add(index as u64),
            expected: "0 or 1".to_owned(),
            got: byte.to_string(),
        }),
        _ => Ok(()),
    }
}

/// What follows a tensor's name. Its offset is the one in the file, relative to the data.
fn tensor(name: &str, window: &mut Window<'_>) -> Result<Option<TensorInfo>, FormatError> {
    let at = window.position();
    let invalid = |what: &str, expected: String, got: String| FormatError::Invalid {
        what: format!("{what} of tensor {name:?}"),
        at,
        expected,
        got,
    };
    let Some(count) = window.u32() else { return Ok(None) };
    if count > MAX_EXTENTS {
        let expected = format!("at most {MAX_EXTENTS}");
        return Err(invalid("number of extents", expected, count.to_string()));
    }
    let mut extents = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let Some(extent) = window.u64() else { return Ok(None) };
        extents.push(
            usize::try_from(extent)
                .map_err(|_| invalid("extent", format!("at most {}", usize::MAX), extent.to_string()))?,
        );
    }
    // The file writes the fastest extent first.
    extents.reverse();
    let (Some(number), Some(offset)) = (window.u32(), window.u64()) else { return Ok(None) };
    let dtype = dtype(name, number)?;
    let desc = TensorDesc { name: name.to_owned(), dtype, shape: Shape::new(extents) };
    let Some(bytes) = desc.bytes() else {
        let expected = format!(
            "rows of whole {dtype} blocks ({} elements) and at most {} bytes in all",
            dtype.block_elements(),
            usize::MAX
        );
        return Err(invalid("shape", expected, desc.shape.to_string()));
    };
    Ok(Some(TensorInfo { desc, offset, bytes }))
}

fn dtype(tensor: &str, number: u32) -> Result<DType, FormatError> {
    let known = TENSOR_TYPES.iter().find(|(known, ..)| *known == number);
    if let Some((_, _, Some(dtype))) = known {
        return Ok(*dtype);
    }
    Err(FormatError::UnsupportedType {
        name: tensor.to_owned(),
        expected: SUPPORTED,
        got: known.map_or_else(|| format!("number {number}"), |(_, name, _)| (*name).to_owned()),
    })
}
