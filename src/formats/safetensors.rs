//! safetensors: incremental reader.
//!
//! A file: length n of the header (u64, little-endian), n bytes of JSON, then the data. The JSON is one object:
//! `"name": {"dtype": "F32", "shape": [rows, cols], "data_offsets": [begin, end]}` for each tensor, offsets from
//! the beginning of the data, and optionally `"__metadata__"` with strings. The tensors cover the data without
//! gaps or overlaps, in any order.

use super::layout::DataCursor;
use super::{FormatError, Piece, TensorInfo, mistaken};
use crate::tensor::{DType, Shape, TensorDesc};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// Longest header that is read, the same limit that the reference implementation has.
pub(super) const MAX_HEADER_BYTES: u64 = 100_000_000;
/// Bytes before the JSON.
const LENGTH_BYTES: usize = 8;
/// Its name, for errors.
const FORMAT: &str = "safetensors";
/// What error messages offer instead of an unsupported type.
const SUPPORTED: &str = "F32, F16, BF16";

/// Element types of the format with their bits per element and the [`DType`] that computes with them.
/// Tensors of the others are passed over: published encoders carry index buffers such as
/// `embeddings.position_ids` (I64) that no computation here needs.
const TYPES: &[(&str, u64, Option<DType>)] = &[
    ("F32", 32, Some(DType::F32)),
    ("F16", 16, Some(DType::F16)),
    ("BF16", 16, Some(DType::BF16)),
    ("BOOL", 8, None),
    ("U8", 8, None),
    ("I8", 8, None),
    ("U16", 16, None),
    ("I16", 16, None),
    ("U32", 32, None),
    ("I32", 32, None),
    ("U64", 64, None),
    ("I64", 64, None),
    ("F64", 64, None),
];

/// Everything before the tensor data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The strings of `__metadata__`, in the file's order.
    pub metadata: Vec<(String, String)>,
    /// Tensors with a supported element type, in the file's order.
    pub tensors: Vec<TensorInfo>,
    /// Tensors that are passed over because nothing computes with their element type.
    pub skipped: Vec<Skipped>,
    /// File offset where the data begins.
    pub data_start: u64,
}

/// A tensor without a [`DType`]; none of its bytes are given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Name in the file.
    pub name: String,
    /// Element type as the file writes it.
    pub dtype: &'static str,
    /// Bytes in the file.
    pub bytes: u64,
}

/// Reads a safetensors file from chunks of any size, given in order. Only the header is buffered; after an
/// error every further `push` gives the same error.
#[derive(Clone, Debug)]
pub struct SafetensorsReader {
    state: State,
    file_len: Option<u64>,
}

#[derive(Clone, Debug)]
enum State {
    /// The length and the JSON, as far as they have come.
    Header(Vec<u8>),
    Data {
        header: Box<Header>,
        cursor: DataCursor,
        /// File offset where the data ends, which is the end of the file.
        data_end: u64,
    },
    Failed(FormatError),
}

impl Default for SafetensorsReader {
    fn default() -> Self {
        Self::new()
    }
}

impl SafetensorsReader {
    /// A reader for a file of unknown length.
    pub fn new() -> Self {
        SafetensorsReader { state: State::Header(Vec::new()), file_len: None }
    }

    /// A reader for a file of `file_len` bytes: what can't fit into it is refused as soon as the header
    /// claims it.
    pub fn with_file_len(file_len: u64) -> Self {
        SafetensorsReader { file_len: Some(file_len), ..Self::new() }
    }

    /// Takes the next bytes of the file and says which of them are tensor data, in file order.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, FormatError> {
        let pieces = self.advance(chunk);
        if let Err(error) = &pieces {
            self.state = State::Failed(error.clone());
        }
        pieces
    }

    fn advance(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, FormatError> {
        let mut from = 0;
        if let State::Header(buffer) = &mut self.state {
            from += fill(buffer, LENGTH_BYTES, chunk);
            if let Some(length) = json_length(buffer, self.file_len)? {
                from += fill(buffer, LENGTH_BYTES + length, chunk.get(from..).unwrap_or_default());
                if buffer.len() == LENGTH_BYTES + length {
                    let (header, data_end) = parse(buffer, self.file_len)?;
                    let cursor = DataCursor::new(&header.tensors, header.data_start, self.file_len)?;
                    self.state = State::Data { header: Box::new(header), cursor, data_end };
                }
            }
        }
        match &mut self.state {
            State::Header(_) => Ok(Vec::new()),
            State::Failed(error) => Err(error.clone()),
            State::Data { cursor, data_end, .. } => {
                let pieces = cursor.advance(from, chunk.len());
                if cursor.position() > *data_end {
                    return Err(trailing(*data_end, "more".to_owned()));
                }
                Ok(pieces)
            }
        }
    }

    /// The header, as soon as all of it has come.
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Data { header, .. } => Some(header),
            State::Header(_) | State::Failed(_) => None,
        }
    }

    /// To be called at the end of the file: an error where the header or a tensor is incomplete.
    pub fn finish(&self) -> Result<(), FormatError> {
        let truncated = |what: &str, at, expected, got| FormatError::Truncated {
            what: what.to_owned(),
            at,
            expected,
            got,
        };
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            State::Header(buffer) => {
                let got = buffer.len() as u64;
                match json_length(buffer, self.file_len)? {
                    None => Err(truncated("safetensors header length", 0, LENGTH_BYTES as u64, got)),
                    Some(length) => {
                        Err(truncated("safetensors header", 8, (LENGTH_BYTES + length) as u64, got))
                    }
                }
            }
            State::Data { header, cursor, data_end } => {
                cursor.finish(&header.tensors)?;
                if cursor.position() < *data_end {
                    // The tensors that are passed over are part of the file too.
                    return Err(truncated(
                        "data of skipped tensors",
                        header.data_start,
                        *data_end,
                        cursor.position(),
                    ));
                }
                Ok(())
            }
        }
    }
}

/// Extends `buffer` to at most `wanted` bytes from the front of `chunk`; how many it took.
fn fill(buffer: &mut Vec<u8>, wanted: usize, chunk: &[u8]) -> usize {
    let count = wanted.saturating_sub(buffer.len()).min(chunk.len());
    buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
    count
}

/// Length of the JSON, once its eight bytes are there and say something possible.
fn json_length(buffer: &[u8], file_len: Option<u64>) -> Result<Option<usize>, FormatError> {
    let Some(bytes) = buffer.first_chunk() else { return Ok(None) };
    let got = u64::from_le_bytes(*bytes);
    let what = "safetensors header length".to_owned();
    let mistaken = |certain| mistaken::instead_of_number(FORMAT, buffer, certain);
    if got > MAX_HEADER_BYTES {
        let limit = FormatError::Limit { what, at: 0, limit: MAX_HEADER_BYTES, got };
        return Err(mistaken(true).unwrap_or(limit));
    }
    let expected = got + LENGTH_BYTES as u64;
    if let Some(len) = file_len.filter(|len| expected > *len) {
        let truncated = FormatError::Truncated { what, at: 0, expected, got: len };
        return Err(mistaken(false).unwrap_or(truncated));
    }
    Ok(usize::try_from(got).ok())
}

fn trailing(expected: u64, got: String) -> FormatError {
    FormatError::Invalid {
        what: "end of the safetensors data".to_owned(),
        at: expected,
        expected: format!("a file of {expected} bytes"),
        got,
    }
}

/// The header from the length and the JSON, and the file offset where the data ends.
fn parse(buffer: &[u8], file_len: Option<u64>) -> Result<(Header, u64), FormatError> {
    let json = buffer.get(LENGTH_BYTES..).unwrap_or_default();
    let data_start = buffer.len() as u64;
    let invalid = |what: String, expected: &str, got: String| FormatError::Invalid {
        what,
        at: LENGTH_BYTES as u64,
        expected: expected.to_owned(),
        got,
    };
    if json.first() != Some(&b'{') {
        if let Some(error) = mistaken::instead_of_number(FORMAT, buffer, true) {
            return Err(error);
        }
        let got = json.first().map_or("nothing".to_owned(), |byte| format!("byte 0x{byte:02x}"));
        return Err(invalid("safetensors header".to_owned(), "a JSON object, beginning with {", got));
    }
    let object: JsonHeader = serde_json::from_slice(json).map_err(|error| {
        invalid("safetensors header".to_owned(), "a JSON object of tensors", error.to_string())
    })?;
    let mut header =
        Header { metadata: object.metadata, tensors: Vec::new(), skipped: Vec::new(), data_start };
    let mut names = HashSet::new();
    let mut ranges = Vec::with_capacity(object.tensors.len());
    for (name, tensor) in object.tensors {
        let at = LENGTH_BYTES as u64;
        if !names.insert(name.clone()) {
            return Err(FormatError::Duplicate { what: "tensor", name, at });
        }
        let Some((dtype, bits, supported)) = TYPES.iter().find(|(known, ..)| *known == tensor.dtype) else {
            return Err(FormatError::UnsupportedType { name, expected: SUPPORTED, got: tensor.dtype });
        };
        let (begin, end) = tensor.data_offsets;
        let expected = tensor
            .shape
            .iter()
            .try_fold(1u64, |product, extent| product.checked_mul(*extent))
            .and_then(|elements| elements.checked_mul(bits / 8));
        if expected.is_none() || end.checked_sub(begin) != expected {
            let expected =
                expected.map_or("a size that does not overflow".to_owned(), |e| format!("{e} bytes"));
            let what = format!("data_offsets of tensor {name:?}, {dtype} {:?}", tensor.shape);
            return Err(invalid(what, &expected, format!("[{begin}, {end}]")));
        }
        ranges.push((begin, end, name.clone()));
        let Some(dtype) = *supported else {
            header.skipped.push(Skipped { name, dtype, bytes: end - begin });
            continue;
        };
        let extents: Option<Vec<usize>> = tensor.shape.iter().map(|e| usize::try_from(*e).ok()).collect();
        let (Some(extents), Ok(bytes)) = (extents, usize::try_from(end - begin)) else {
            let what = format!("shape of tensor {name:?}");
            let expected = format!("at most {} bytes in all", usize::MAX);
            return Err(invalid(what, &expected, format!("{:?}", tensor.shape)));
        };
        let Some(offset) = data_start.checked_add(begin) else {
            let what = format!("data offset of tensor {name:?}");
            return Err(FormatError::Limit { what, at, limit: u64::MAX - data_start, got: begin });
        };
        let desc = TensorDesc { name, dtype, shape: Shape::new(extents) };
        header.tensors.push(TensorInfo { desc, offset, bytes });
    }
    let data_end = check_coverage(ranges, data_start, file_len)?;
    Ok((header, data_end))
}

/// That the tensors cover the data from its beginning without gaps or overlaps, and to the end of the file
/// where its length is known. Gives that end.
fn check_coverage(
    mut ranges: Vec<(u64, u64, String)>,
    data_start: u64,
    file_len: Option<u64>,
) -> Result<u64, FormatError> {
    ranges.sort_unstable();
    let mut covered = 0;
    let mut previous = String::new();
    for (begin, end, name) in ranges {
        if begin < covered {
            return Err(FormatError::Overlap { name, other: previous, expected: covered, got: begin });
        }
        if begin > covered {
            return Err(FormatError::Invalid {
                what: format!("data_offsets of tensor {name:?}"),
                at: LENGTH_BYTES as u64,
                expected: format!("to begin at {covered}, where the one before ends"),
                got: begin.to_string(),
            });
        }
        covered = end;
        previous = name;
    }
    let Some(data_end) = data_start.checked_add(covered) else {
        let what = format!("data offset of tensor {previous:?}");
        return Err(FormatError::Limit { what, at: 8, limit: u64::MAX - data_start, got: covered });
    };
    match file_len {
        Some(got) if got < data_end => Err(FormatError::Truncated {
            what: format!("data of tensor {previous:?}"),
            at: data_start,
            expected: data_end,
            got,
        }),
        Some(got) if got > data_end => Err(trailing(data_end, got.to_string())),
        _ => Ok(data_end),
    }
}

/// The JSON object with its entries in order; repeated names are kept, to be refused with their name.
struct JsonHeader {
    metadata: Vec<(String, String)>,
    tensors: Vec<(String, JsonTensor)>,
}

#[derive(serde::Deserialize)]
struct JsonTensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl<'de> Deserialize<'de> for JsonHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = JsonHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonHeader, A::Error> {
                let mut header = JsonHeader { metadata: Vec::new(), tensors: Vec::new() };
                let mut metadata = None;
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        // `null` stands for none, as in the reference implementation.
                        if metadata.replace(map.next_value::<Option<Strings>>()?).is_some() {
                            return Err(A::Error::duplicate_field("__metadata__"));
                        }
                    } else {
                        header.tensors.push((name, map.next_value()?));
                    }
                }
                header.metadata = metadata.flatten().map(|Strings(entries)| entries).unwrap_or_default();
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// An object whose values are strings, in order.
struct Strings(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Strings(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
