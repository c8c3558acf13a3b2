//! From the stream of a file's bytes to pieces of tensors.

use super::{FormatError, Piece, TensorInfo};

/// Follows the data part of a file. Tensors may lie in any order and have gaps between them.
#[derive(Clone, Debug)]
pub(super) struct DataCursor {
    /// Tensors by position in the file.
    spans: Vec<Span>,
    /// The first span that is not complete.
    next: usize,
    /// File offset of the next byte to come.
    position: u64,
}

#[derive(Clone, Debug)]
struct Span {
    tensor: usize,
    start: u64,
    end: u64,
}

impl DataCursor {
    /// Starts at file offset `position`. Refuses tensors that overlap or whose end is past `file_len`,
    /// where that is known.
    pub(super) fn new(
        tensors: &[TensorInfo],
        position: u64,
        file_len: Option<u64>,
    ) -> Result<Self, FormatError> {
        let mut spans = Vec::with_capacity(tensors.len());
        for (tensor, info) in tensors.iter().enumerate() {
            let end = u64::try_from(info.bytes).ok().and_then(|bytes| info.offset.checked_add(bytes));
            let Some(end) = end else {
                return Err(FormatError::Limit {
                    what: format!("data offset of tensor {:?}", info.desc.name),
                    at: info.offset,
                    limit: u64::MAX - info.bytes as u64,
                    got: info.offset,
                });
            };
            if let Some(got) = file_len.filter(|len| end > *len) {
                return Err(truncated(info, end, got));
            }
            spans.push(Span { tensor, start: info.offset, end });
        }
        // Tensors without elements have a place too, before one that begins there.
        spans.sort_unstable_by_key(|span| (span.start, span.end));
        for pair in spans.windows(2) {
            let [before, after] = pair else { continue };
            if after.start < before.end {
                let name = |span: &Span| tensors.get(span.tensor).map(|t| t.desc.name.clone());
                return Err(FormatError::Overlap {
                    name: name(after).unwrap_or_default(),
                    other: name(before).unwrap_or_default(),
                    expected: before.end,
                    got: after.start,
                });
            }
        }
        Ok(DataCursor { spans, next: 0, position })
    }

    /// Moves on by the bytes of a chunk from index `from` to index `to`; the tensor data among them.
    pub(super) fn advance(&mut self, from: usize, to: usize) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let begin = self.position;
        let end = begin.saturating_add((to - from) as u64);
        while let Some(span) = self.spans.get(self.next) {
            let start = span.start.max(begin);
            let stop = span.end.min(end);
            if start < stop {
                // All differences are within the chunk or within one tensor, whose length is a usize.
                pieces.push(Piece {
                    tensor: span.tensor,
                    offset: (start - span.start) as usize,
                    range: from + (start - begin) as usize..from + (stop - begin) as usize,
                });
            }
            if span.end > end {
                break;
            }
            self.next += 1;
        }
        self.position = end;
        pieces
    }

    /// That every tensor came whole.
    pub(super) fn finish(&self, tensors: &[TensorInfo]) -> Result<(), FormatError> {
        match self.spans.get(self.next) {
            None => Ok(()),
            Some(span) => Err(match tensors.get(span.tensor) {
                Some(info) => truncated(info, span.end, self.position),
                None => FormatError::Truncated {
                    what: "tensor data".to_owned(),
                    at: span.start,
                    expected: span.end,
                    got: self.position,
                },
            }),
        }
    }

    /// File offset of the next byte to come.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

fn truncated(info: &TensorInfo, expected: u64, got: u64) -> FormatError {
    FormatError::Truncated {
        what: format!("data of tensor {:?}", info.desc.name),
        at: info.offset,
        expected,
        got,
    }
}
