//! The texts of all tokens in one arena, and the way back from a text to its id.
//!
//! 262,144 tokens as `String`s would cost 24 bytes of header and an allocation each; here a token is
//! one end offset, and the hash table holds one `u32` a slot: 24 bits of id, 8 bits of hash.

use super::error::TokenizerError;

/// Byte strings laid end to end: string `i` is `bytes[ends[i-1]..ends[i]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlatStrings {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl FlatStrings {
    /// Takes over an arena; `ends` must not fall and must end inside `bytes`.
    pub fn from_parts(bytes: Vec<u8>, ends: Vec<u32>) -> Result<Self, TokenizerError> {
        let rising = ends.windows(2).all(|pair| pair[0] <= pair[1]);
        let last = ends.last().copied().unwrap_or(0) as usize;
        if !rising || last != bytes.len() {
            return Err(TokenizerError::BadVocabulary {
                what: "string ends",
                expected: format!("rising offsets up to {}", bytes.len()),
                got: format!("{} offsets, the last one {last}, rising: {rising}", ends.len()),
            });
        }
        Ok(FlatStrings { bytes, ends })
    }

    /// Appends a string; fails when the arena would pass 4 GiB.
    pub fn push(&mut self, text: &[u8]) -> Result<(), TokenizerError> {
        let end =
            u32::try_from(self.bytes.len() + text.len()).map_err(|_| TokenizerError::BadVocabulary {
                what: "token texts",
                expected: "less than 4 GiB together".into(),
                got: format!("{} bytes", self.bytes.len() + text.len()),
            })?;
        self.bytes.extend_from_slice(text);
        self.ends.push(end);
        Ok(())
    }

    /// Makes room for so many strings of so many bytes together.
    pub fn reserve(&mut self, strings: usize, bytes: usize) {
        self.ends.reserve_exact(strings);
        self.bytes.reserve_exact(bytes);
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// String `index`, or `None` past the end.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(previous) => *self.ends.get(previous)? as usize,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// All strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for FlatStrings {
    /// Collects strings. For tests and small vocabularies: past 4 GiB the rest is left out.
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut flat = FlatStrings::default();
        for string in strings {
            if flat.push(string.as_ref()).is_err() {
                break;
            }
        }
        flat
    }
}

/// Ids above this don't fit beside the 8 hash bits of a slot.
const MAX_PIECES: usize = (1 << 24) - 1;
const EMPTY_SLOT: u32 = u32::MAX;

/// Token texts with an open-addressing table from text to id.
#[derive(Clone, Debug)]
pub(crate) struct PieceTable {
    texts: FlatStrings,
    /// Power-of-two slots: `hash_tag << 24 | id`, or [`EMPTY_SLOT`].
    slots: Vec<u32>,
    longest: usize,
}

impl PieceTable {
    /// Indexes `texts`, ids in order. Of two tokens of one text, which published files have, the first is what the text is
    /// encoded to; both decode to it.
    pub fn new(texts: FlatStrings) -> Result<Self, TokenizerError> {
        if texts.len() > MAX_PIECES {
            return Err(TokenizerError::BadVocabulary {
                what: "number of tokens",
                expected: format!("at most {MAX_PIECES}"),
                got: texts.len().to_string(),
            });
        }
        let mut table = PieceTable { texts, slots: Vec::new(), longest: 0 };
        table.rebuild();
        Ok(table)
    }

    /// The id of `text`.
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        if text.len() > self.longest || self.slots.is_empty() {
            return None;
        }
        let hash = hash(text);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let entry = *self.slots.get(slot)?;
            if entry == EMPTY_SLOT {
                return None;
            }
            if entry >> 24 == tag(hash) {
                let id = entry & MAX_PIECES as u32;
                if self.texts.get(id as usize) == Some(text) {
                    return Some(id);
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// The id of `text`, which is added when it is not there yet.
    pub fn intern(&mut self, text: &[u8]) -> Result<u32, TokenizerError> {
        if let Some(id) = self.find(text) {
            return Ok(id);
        }
        if self.texts.len() >= MAX_PIECES {
            return Err(TokenizerError::BadVocabulary {
                what: "number of tokens and merge parts",
                expected: format!("at most {MAX_PIECES}"),
                got: (self.texts.len() + 1).to_string(),
            });
        }
        let id = self.texts.len() as u32;
        self.texts.push(text)?;
        if self.texts.len() * 2 > self.slots.len() {
            self.rebuild();
        } else {
            self.longest = self.longest.max(text.len());
            self.place(id);
        }
        Ok(id)
    }

    /// Text of a token.
    pub fn text(&self, id: u32) -> Option<&[u8]> {
        self.texts.get(id as usize)
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.texts.memory() + self.slots.capacity() * size_of::<u32>()
    }

    fn rebuild(&mut self) {
        // At most half full, so that a probe is short.
        let capacity = (self.texts.len() * 2).next_power_of_two().max(16);
        self.slots = vec![EMPTY_SLOT; capacity];
        self.longest = self.texts.iter().map(<[u8]>::len).max().unwrap_or(0);
        for id in 0..self.texts.len() as u32 {
            self.place(id);
        }
    }

    /// Puts `id` into its slot, unless an earlier token has the same text.
    fn place(&mut self, id: u32) {
        let Some(text) = self.texts.get(id as usize) else { return };
        let hash = hash(text);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while let Some(&entry) = self.slots.get(slot).filter(|&&entry| entry != EMPTY_SLOT) {
            let other = entry & MAX_PIECES as u32;
            if entry >> 24 == tag(hash) && self.texts.get(other as usize) == Some(text) {
                return;
            }
            slot = (slot + 1) & mask;
        }
        if let Some(entry) = self.slots.get_mut(slot) {
            *entry = tag(hash) << 24 | id;
        }
    }
}

/// The top 8 bits of the hash; the table's index uses the low ones.
fn tag(hash: u64) -> u32 {
    (hash >> 56) as u32
}

/// Multiply-and-fold over 8-byte words. Only this process ever sees the values.
fn hash(text: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let fold = |state: u64, word: u64| {
        let mixed = (state ^ word).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 29)
    };
    let mut state = fold(MULTIPLIER, text.len() as u64);
    let mut words = text.chunks_exact(8);
    for word in &mut words {
        state = fold(state, word.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    }
    let rest = words.remainder().iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let last = fold(state, rest).wrapping_mul(MULTIPLIER);
    last ^ (last >> 32)
}
