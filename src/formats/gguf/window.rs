//! Bounded reads from the part of a header that has arrived.

use crate::formats::FormatError;

/// How far a header can reach.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) file_len: Option<u64>,
    pub(super) header_bytes: u64,
}

/// A read position in buffered bytes. Every read gives `None` where bytes are lacking.
#[derive(Debug)]
pub(super) struct Window<'a> {
    bytes: &'a [u8],
    /// Position in `bytes`.
    cursor: usize,
    /// File offset of the first of `bytes`.
    base: u64,
    bounds: Bounds,
}

impl<'a> Window<'a> {
    pub(super) fn new(bytes: &'a [u8], base: u64, bounds: Bounds) -> Self {
        Window { bytes, cursor: 0, base, bounds }
    }

    /// Bytes read.
    pub(super) fn used(&self) -> usize {
        self.cursor
    }

    /// Bytes not read yet.
    pub(super) fn available(&self) -> usize {
        self.bytes.len() - self.cursor
    }

    /// File offset of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.base.saturating_add(self.cursor as u64)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.cursor..)?.get(..count)?;
        self.cursor += count;
        Some(taken)
    }

    /// The next bytes, which stay unread.
    pub(super) fn peek<const COUNT: usize>(&self) -> Option<&'a [u8; COUNT]> {
        self.bytes.get(self.cursor..)?.first_chunk()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let bytes = self.peek()?;
        self.cursor += 4;
        Some(u32::from_le_bytes(*bytes))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let bytes = self.peek()?;
        self.cursor += 8;
        Some(u64::from_le_bytes(*bytes))
    }

    /// A length and that many bytes of UTF-8. The length is checked before the bytes are there; where they
    /// are lacking the position stays before the length.
    pub(super) fn string(
        &mut self,
        what: impl Fn() -> String,
        limit: u64,
    ) -> Result<Option<&'a str>, FormatError> {
        let at = self.position();
        let Some(len) = self.u64() else { return Ok(None) };
        self.claim(|| format!("length of {}", what()), at, len, limit, 1)?;
        let Some(bytes) = usize::try_from(len).ok().and_then(|len| self.take(len)) else {
            self.cursor -= 8;
            return Ok(None);
        };
        std::str::from_utf8(bytes).map(Some).map_err(|error| FormatError::Invalid {
            what: what(),
            at: at.saturating_add(8).saturating_add(error.valid_up_to() as u64),
            expected: "UTF-8".to_owned(),
            got: bytes
                .get(error.valid_up_to()..)
                .and_then(<[u8]>::first)
                .map_or_else(String::new, |byte| format!("byte 0x{byte:02x}")),
        })
    }

    /// Refuses a count of items, of at least `each` bytes, that can't follow: it is over `limit`, or the
    /// file or the longest header ends before. `at` is where the count stands.
    pub(super) fn claim(
        &self,
        what: impl Fn() -> String,
        at: u64,
        count: u64,
        limit: u64,
        each: u64,
    ) -> Result<(), FormatError> {
        let room = self.bounds.header_bytes.saturating_sub(self.position()) / each;
        let limit = limit.min(room);
        if count > limit {
            return Err(FormatError::Limit { what: what(), at, limit, got: count });
        }
        let expected = self.position().saturating_add(count.saturating_mul(each));
        match self.bounds.file_len {
            Some(got) if expected > got => Err(FormatError::Truncated { what: what(), at, expected, got }),
            _ => Ok(()),
        }
    }
}
