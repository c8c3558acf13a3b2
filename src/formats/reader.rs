//! One reader for both formats: the first bytes decide.

use super::gguf::{self, GgufReader};
use super::safetensors::{self, SafetensorsReader};
use super::{FormatError, Piece, TensorInfo, mistaken};

/// Bytes that decide the format at most: the header length of safetensors.
const DECIDING: usize = 8;

/// Reads GGUF or safetensors, whichever the first bytes are of.
///
/// A safetensors file begins with its header length; to begin with the letters `GGUF` that would have to be
/// over a gigabyte, and the limit is 100 MB, so the two can't be confused.
#[derive(Clone, Debug)]
pub enum Reader {
    /// Too few bytes have come to tell.
    Unknown {
        /// These bytes.
        first: Vec<u8>,
        /// Length of the file, where it is known.
        file_len: Option<u64>,
    },
    /// A GGUF file.
    Gguf(GgufReader),
    /// A safetensors file.
    Safetensors(SafetensorsReader),
}

impl Reader {
    /// A reader for a file whose length may be known.
    pub fn new(file_len: Option<u64>) -> Self {
        Reader::Unknown { first: Vec::new(), file_len }
    }

    /// Takes the next bytes of the file and says which of them are tensor data, in file order.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, FormatError> {
        let mut taken = 0;
        if let Reader::Unknown { first, file_len } = self {
            taken = chunk.len().min(DECIDING.saturating_sub(first.len()));
            first.extend_from_slice(chunk.get(..taken).unwrap_or_default());
            let first = first.clone();
            match Self::detect(&first, *file_len)? {
                Some(reader) => *self = reader,
                None => return Ok(Vec::new()),
            }
            self.push_known(&first)?;
        }
        let mut pieces = self.push_known(chunk.get(taken..).unwrap_or_default())?;
        for piece in &mut pieces {
            piece.range = piece.range.start + taken..piece.range.end + taken;
        }
        Ok(pieces)
    }

    /// The reader for a file that begins with `first`; `None` where that is too little to tell.
    fn detect(first: &[u8], file_len: Option<u64>) -> Result<Option<Self>, FormatError> {
        if first.starts_with(gguf::MAGIC) {
            return Ok(Some(Reader::Gguf(match file_len {
                Some(len) => GgufReader::with_file_len(len),
                None => GgufReader::new(),
            })));
        }
        let Some(length) = first.first_chunk() else { return Ok(None) };
        if u64::from_le_bytes(*length) <= safetensors::MAX_HEADER_BYTES {
            return Ok(Some(Reader::Safetensors(match file_len {
                Some(len) => SafetensorsReader::with_file_len(len),
                None => SafetensorsReader::new(),
            })));
        }
        Err(mistaken::magic("GGUF or safetensors", first))
    }

    fn push_known(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, FormatError> {
        match self {
            Reader::Unknown { .. } => Ok(Vec::new()),
            Reader::Gguf(reader) => reader.push(chunk),
            Reader::Safetensors(reader) => reader.push(chunk),
        }
    }

    /// The tensors, as soon as the header has come: what [`Piece::tensor`] counts.
    pub fn tensors(&self) -> Option<&[TensorInfo]> {
        match self {
            Reader::Unknown { .. } => None,
            Reader::Gguf(reader) => reader.header().map(|header| header.tensors.as_slice()),
            Reader::Safetensors(reader) => reader.header().map(|header| header.tensors.as_slice()),
        }
    }

    /// The header of a GGUF file, as soon as it has come.
    pub fn gguf(&self) -> Option<&gguf::Header> {
        match self {
            Reader::Gguf(reader) => reader.header(),
            Reader::Unknown { .. } | Reader::Safetensors(_) => None,
        }
    }

    /// The header of a safetensors file, as soon as it has come.
    pub fn safetensors(&self) -> Option<&safetensors::Header> {
        match self {
            Reader::Safetensors(reader) => reader.header(),
            Reader::Unknown { .. } | Reader::Gguf(_) => None,
        }
    }

    /// To be called at the end of the file: an error where anything is incomplete.
    pub fn finish(&self) -> Result<(), FormatError> {
        match self {
            Reader::Unknown { first, .. } => Err(FormatError::Truncated {
                what: "model file".to_owned(),
                at: 0,
                expected: DECIDING as u64,
                got: first.len() as u64,
            }),
            Reader::Gguf(reader) => reader.finish(),
            Reader::Safetensors(reader) => reader.finish(),
        }
    }
}
