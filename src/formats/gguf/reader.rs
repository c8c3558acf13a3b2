//! The incremental GGUF reader.

use super::header::{Header, HeaderParser, Limits};
use crate::formats::layout::DataCursor;
use crate::formats::{FormatError, Piece};

/// Bytes that go to the header parser at a time, so that a large chunk of mostly tensor data is not copied.
const SLICE: usize = 64 * 1024;

/// Reads a GGUF file from chunks of any size, given in order.
///
/// It buffers what is left of an incomplete header item and nothing else; after an error every further
/// `push` gives the same error.
///
/// ```
/// # use rushlight::formats::{FormatError, gguf::GgufReader};
/// # fn read(chunks: &[&[u8]], mut upload: impl FnMut(usize, usize, &[u8])) -> Result<(), FormatError> {
/// let mut reader = GgufReader::new();
/// for chunk in chunks {
///     for piece in reader.push(chunk)? {
///         upload(piece.tensor, piece.offset, &chunk[piece.range]);
///     }
/// }
/// reader.finish()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GgufReader {
    state: State,
    file_len: Option<u64>,
}

#[derive(Clone, Debug)]
enum State {
    Header(Box<HeaderParser>),
    Data(Box<Header>, DataCursor),
    Failed(FormatError),
}

impl Default for GgufReader {
    fn default() -> Self {
        Self::new()
    }
}

impl GgufReader {
    /// A reader for a file of unknown length.
    pub fn new() -> Self {
        Self::with_limits(None, Limits::default())
    }

    /// A reader for a file of `file_len` bytes: what can't fit into it is refused as soon as the header
    /// claims it, not when the file ends.
    pub fn with_file_len(file_len: u64) -> Self {
        Self::with_limits(Some(file_len), Limits::default())
    }

    /// A reader with limits of the caller's own.
    pub fn with_limits(file_len: Option<u64>, limits: Limits) -> Self {
        GgufReader { state: State::Header(Box::new(HeaderParser::new(file_len, limits))), file_len }
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
        let mut rest = chunk;
        while let State::Header(parser) = &mut self.state
            && !rest.is_empty()
        {
            let (slice, after) = rest.split_at(rest.len().min(SLICE));
            rest = after;
            if let Some((header, header_end, unused)) = parser.push(slice)? {
                let cursor = DataCursor::new(&header.tensors, header_end, self.file_len)?;
                rest = chunk.get(chunk.len() - after.len() - unused..).unwrap_or_default();
                self.state = State::Data(Box::new(header), cursor);
            }
        }
        match &mut self.state {
            State::Header(_) => Ok(Vec::new()),
            State::Data(_, cursor) => Ok(cursor.advance(chunk.len() - rest.len(), chunk.len())),
            State::Failed(error) => Err(error.clone()),
        }
    }

    /// The header, as soon as all of it has come.
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Data(header, _) => Some(header),
            State::Header(_) | State::Failed(_) => None,
        }
    }

    /// The header without its reader, once the file is read.
    pub fn into_header(self) -> Option<Header> {
        match self.state {
            State::Data(header, _) => Some(*header),
            State::Header(_) | State::Failed(_) => None,
        }
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        match &self.state {
            State::Header(parser) => parser.position(),
            State::Data(_, cursor) => cursor.position(),
            State::Failed(_) => 0,
        }
    }

    /// To be called at the end of the file: an error where the header or a tensor is incomplete.
    pub fn finish(&self) -> Result<(), FormatError> {
        match &self.state {
            State::Header(parser) => Err(parser.truncated()),
            State::Data(header, cursor) => cursor.finish(&header.tensors),
            State::Failed(error) => Err(error.clone()),
        }
    }
}
