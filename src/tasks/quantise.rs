//! A model file in, the same model with other element types out, as GGUF.
//!
//! Both files stream: what is held is the header and the rows that a chunk has cut in two. Tensors come out in the order in which
//! they lie in the file that comes in.

use crate::formats::gguf::{GgufHead, GgufReader, Metadata};
use crate::formats::quant::{dequantise, quantise};
use crate::formats::safetensors::SafetensorsReader;
use crate::formats::{FormatError, Reader, TensorInfo};
use crate::model::blocks::names;
use crate::model::unread::Readable;
use crate::model::{Config, hf};
use crate::plan::ExecError;
use crate::session::SessionError;
use crate::tensor::{DType, TensorDesc, first_not_finite};
use crate::tokenizer::Tokenizer;

/// Types that a model can be written in, with the name that people give and GGUF's `general.file_type`.
pub const TARGETS: [(&str, DType, u32); 13] = [
    ("f32", DType::F32, 0),
    ("f16", DType::F16, 1),
    ("bf16", DType::BF16, 32),
    ("q4_0", DType::Q4_0, 2),
    ("q4_1", DType::Q4_1, 3),
    ("q5_0", DType::Q5_0, 8),
    ("q5_1", DType::Q5_1, 9),
    ("q8_0", DType::Q8_0, 7),
    ("q2_k", DType::Q2_K, 10),
    ("q3_k", DType::Q3_K, 12),
    ("q4_k", DType::Q4_K, 15),
    ("q5_k", DType::Q5_K, 17),
    ("q6_k", DType::Q6_K, 18),
];
/// What takes a type's place in rows that are not whole blocks of it, as in llama.cpp: some more bits in blocks of 32.
const SMALLER_BLOCKS: [(DType, DType); 5] = [
    (DType::Q2_K, DType::Q4_0),
    (DType::Q3_K, DType::Q4_0),
    (DType::Q4_K, DType::Q5_0),
    (DType::Q5_K, DType::Q5_1),
    (DType::Q6_K, DType::Q8_0),
];
/// Tables that stay as exact as they are: small, and added to every token.
const KEPT: [&str; 2] = [names::POSITION_EMBEDDING, names::TYPE_EMBEDDING];
/// Elements that one thread converts at a time: any fewer and starting it costs more.
const TASK_ELEMENTS: usize = 1 << 16;

/// What became of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// Name and shape as written.
    pub desc: TensorDesc,
    /// Type in the file that came in.
    pub from: DType,
    /// Whether another type was taken than was asked for, since the rows are not whole blocks of that.
    pub fell_back: bool,
    /// Bytes as written.
    pub bytes: usize,
    /// Sum of the squared differences that the conversion made.
    pub squared_error: f64,
    /// Sum of the squares of the elements.
    pub squares: f64,
}

impl Conversion {
    /// Root mean square error over the root mean square of the elements.
    pub fn relative_error(&self) -> f64 {
        if self.squares > 0.0 { (self.squared_error / self.squares).sqrt() } else { 0.0 }
    }
}

/// Converts a file.
pub struct Quantiser {
    target: DType,
    threads: usize,
    reader: Reader,
    beside: Option<Metadata>,
    output: Option<Output>,
}

/// What is known once the header has come.
struct Output {
    head: GgufHead,
    /// By the index of the input's tensor; `None` for tensors that are left out.
    tensors: Vec<Option<Conversion>>,
    /// Bytes of rows that have not come whole.
    partial: Vec<u8>,
}

impl Quantiser {
    /// For a GGUF file, or for safetensors with the files beside them. `file_len`, where known, lets a damaged file be named at its
    /// header.
    ///
    /// # Errors
    /// Files beside the weights that make no model.
    pub fn new(
        target: DType,
        threads: usize,
        files: Option<&hf::Files>,
        file_len: Option<u64>,
    ) -> Result<Self, SessionError> {
        let (reader, beside) = match files {
            Some(files) => {
                let reader = file_len.map_or_else(SafetensorsReader::new, SafetensorsReader::with_file_len);
                (Reader::Safetensors(reader), Some(whole_metadata(files)?))
            }
            None => {
                let reader = file_len.map_or_else(GgufReader::new, GgufReader::with_file_len);
                (Reader::Gguf(reader), None)
            }
        };
        Ok(Quantiser { target, threads: threads.max(1), reader, beside, output: None })
    }

    /// Takes the next bytes of the file that comes in; gives the next bytes of the one that goes out.
    ///
    /// # Errors
    /// A damaged file, a part of a split one, or numbers that the target can't hold.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<u8>, SessionError> {
        let pieces = self.reader.push(chunk)?;
        let mut out = Vec::new();
        if self.output.is_none()
            && let Some(tensors) = self.reader.tensors()
        {
            let output = match (&self.beside, self.reader.gguf()) {
                (Some(beside), _) => {
                    let readable = Readable::of(&Config::from_metadata(beside)?)?;
                    Output::new(self.target, tensors, beside, readable.tensors_of(&self.reader)?)?
                }
                (None, Some(header)) => {
                    let written = tensors.iter().map(|tensor| Some(tensor.desc.clone())).collect();
                    Output::new(self.target, tensors, &header.metadata, written)?
                }
                (None, None) => return Ok(out),
            };
            out = output.head.to_bytes();
            self.output = Some(output);
        }
        if let Some(output) = &mut self.output {
            for piece in pieces {
                let bytes = chunk.get(piece.range).unwrap_or_default();
                output.convert(piece.tensor, piece.offset, bytes, self.threads, &mut out)?;
            }
        }
        Ok(out)
    }

    /// Ends the file: what became of each tensor.
    ///
    /// # Errors
    /// The file that came in is truncated.
    pub fn finish(self) -> Result<Vec<Conversion>, SessionError> {
        self.reader.finish()?;
        Ok(self.output.map(|output| output.tensors.into_iter().flatten().collect()).unwrap_or_default())
    }
}

impl Output {
    /// For tensors of a file and what they are called in the one that is written; `None` for those that are left out.
    fn new(
        target: DType,
        tensors: &[TensorInfo],
        metadata: &Metadata,
        written: Vec<Option<TensorDesc>>,
    ) -> Result<Self, SessionError> {
        refuse_split(metadata)?;
        let mut head = GgufHead::new();
        for (key, value) in metadata.iter().filter(|(key, _)| !OWN_KEYS.contains(key)) {
            head.metadata(key, value.clone())?;
        }
        let file_type =
            TARGETS.iter().find(|(_, dtype, _)| *dtype == target).map_or(0, |(.., number)| *number);
        for (key, value) in OWN_KEYS.into_iter().zip([file_type, QUANTISATION_VERSION]) {
            head.metadata(key, value)?;
        }
        let mut order: Vec<(usize, &TensorInfo)> = tensors.iter().enumerate().collect();
        order.sort_by_key(|(_, info)| info.offset);
        let mut conversions = vec![None; tensors.len()];
        for (index, TensorInfo { desc, .. }) in order {
            let Some(Some(TensorDesc { name, .. })) = written.get(index).cloned() else { continue };
            let (dtype, fell_back) = type_for(target, desc, &name);
            let bytes = head.tensor(&name, dtype, desc.shape.clone())?;
            if let Some(conversion) = conversions.get_mut(index) {
                let desc = TensorDesc { name, dtype, shape: desc.shape.clone() };
                let from = tensors.get(index).map_or(dtype, |info| info.desc.dtype);
                *conversion =
                    Some(Conversion { desc, from, fell_back, bytes, squared_error: 0.0, squares: 0.0 });
            }
        }
        Ok(Output { head, tensors: conversions, partial: Vec::new() })
    }

    /// Appends what the next bytes of a tensor become.
    fn convert(
        &mut self,
        tensor: usize,
        offset: usize,
        bytes: &[u8],
        threads: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), SessionError> {
        let Some(Some(conversion)) = self.tensors.get_mut(tensor) else { return Ok(()) };
        let (from, to) = (conversion.from, conversion.desc.dtype);
        self.partial.extend_from_slice(bytes);
        let cols = conversion.desc.shape.cols();
        let row_bytes = from.bytes_for(cols).unwrap_or(0).max(1);
        let whole = self.partial.len() - self.partial.len() % row_bytes;
        let rows = self.partial.get(..whole).unwrap_or_default();
        // Whole rows for each thread, and enough of them.
        let least = TASK_ELEMENTS.div_ceil(cols.max(1));
        let each = (whole / row_bytes).div_ceil(threads).max(least) * row_bytes;
        let parts: Vec<&[u8]> = rows.chunks(each).collect();
        let name = &conversion.desc.name;
        let done: Vec<Result<Converted, SessionError>> = match parts.as_slice() {
            [only] => vec![convert_rows(name, from, to, only)],
            parts => std::thread::scope(|scope| {
                let running: Vec<_> = parts
                    .iter()
                    .map(|part| scope.spawn(move || convert_rows(name, from, to, part)))
                    .collect();
                running.into_iter().map(|thread| ended(name, thread.join())).collect()
            }),
        };
        for part in done {
            let part = part?;
            out.extend_from_slice(&part.bytes);
            conversion.squared_error += part.squared_error;
            conversion.squares += part.squares;
        }
        self.partial.drain(..whole);
        let all = TensorDesc { dtype: from, ..conversion.desc.clone() }.bytes();
        if all == Some(offset + bytes.len()) {
            out.resize(out.len() + self.head.padding(conversion.bytes), 0);
        }
        Ok(())
    }
}

/// What a thread gave. A panic is a fault of ours, and must not pass for somebody's wish to stop.
fn ended<T>(name: &str, thread: std::thread::Result<Result<T, SessionError>>) -> Result<T, SessionError> {
    thread.unwrap_or_else(|_| {
        Err(ExecError::Mismatch {
            operation: "conversion",
            name: name.to_owned(),
            expected: "a thread that ends".to_owned(),
            got: "one that panicked: please report this file".to_owned(),
        }
        .into())
    })
}

/// What some rows became.
struct Converted {
    bytes: Vec<u8>,
    squared_error: f64,
    squares: f64,
}

fn convert_rows(name: &str, from: DType, to: DType, rows: &[u8]) -> Result<Converted, SessionError> {
    let mut values = vec![0.0; rows.len() / from.block_bytes() * from.block_elements()];
    dequantise(from, rows, &mut values)?;
    // Scales are F16 too: the largest of a block must fit one. What is taken over as it is fits.
    let plain = from == to || matches!(to, DType::F32 | DType::BF16);
    let largest = if plain { f32::MAX } else { f32::from(half::f16::MAX) };
    let refused = |value: f32| FormatError::Write {
        what: format!("tensor {name:?}"),
        expected: format!("numbers up to {largest:e}, which {to} holds"),
        got: value.to_string(),
    };
    if let Some(&value) = values.iter().find(|value| value.is_nan() || value.abs() > largest) {
        return Err(refused(value).into());
    }
    if from == to {
        return Ok(Converted { bytes: rows.to_vec(), squared_error: 0.0, squares: 0.0 });
    }
    let mut bytes = Vec::with_capacity(to.bytes_for(values.len()).unwrap_or(0));
    quantise(to, &values, &mut bytes)?;
    let mut back = vec![0.0; values.len()];
    dequantise(to, &bytes, &mut back)?;
    // The largest F32 are rounded to infinity by types with fewer bits.
    if let Some(index) = first_not_finite(&back) {
        return Err(refused(values.get(index).copied().unwrap_or_default()).into());
    }
    let (mut squared_error, mut squares) = (0.0, 0.0);
    for (value, back) in values.iter().zip(&back) {
        let (value, error) = (f64::from(*value), f64::from(value - back));
        squares += value * value;
        squared_error += error * error;
    }
    Ok(Converted { bytes, squared_error, squares })
}

/// The type that a tensor is written in, and whether that is another one than it might have had.
fn type_for(target: DType, desc: &TensorDesc, name: &str) -> (DType, bool) {
    if desc.shape.rows() == 1 || KEPT.contains(&name) {
        return (DType::F32, false);
    }
    let fits = |dtype: &DType| desc.shape.cols().is_multiple_of(dtype.block_elements());
    let smaller = SMALLER_BLOCKS.iter().find(|(large, _)| *large == target).map(|(_, small)| *small);
    let choices = [Some(target), smaller, Some(DType::F16)];
    let dtype = choices.into_iter().flatten().find(fits).unwrap_or(DType::F32);
    (dtype, dtype != target)
}

/// Keys that say what is in the file that goes out, and not what was in the one that came in.
const OWN_KEYS: [&str; 2] = ["general.file_type", "general.quantization_version"];
/// Of the block layouts, as ggml counts.
const QUANTISATION_VERSION: u32 = 2;

/// A part of a split file would become a whole one without most of its tensors.
fn refuse_split(metadata: &Metadata) -> Result<(), SessionError> {
    match metadata.get::<u32>("split.count")? {
        Some(parts) if parts > 1 => Err(SessionError::Option {
            option: "IN",
            expected: "a whole file".to_owned(),
            got: format!("one of {parts} parts"),
        }),
        _ => Ok(()),
    }
}

/// The metadata of a GGUF file made from these files: what our loader reads, and what llama.cpp reads beside it.
fn whole_metadata(files: &hf::Files) -> Result<Metadata, SessionError> {
    let metadata = hf::metadata(files)?;
    let keys = Tokenizer::from_metadata(&metadata)?.gguf_keys();
    Ok(metadata.iter().map(|(key, value)| (key.to_owned(), value.clone())).chain(keys).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_no_abort() {
        let thread = std::thread::spawn(|| -> Result<(), SessionError> { panic!("a thread of the test") });
        let error = ended("blk.0.ffn_up.weight", thread.join()).expect_err("it panicked");
        assert_eq!(error.code(), "ERR_INTERNAL");
        assert!(error.to_string().contains("blk.0.ffn_up.weight"), "{error}");
    }
}
