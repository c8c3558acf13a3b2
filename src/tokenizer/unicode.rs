//! The Unicode classes that pre-tokenizer patterns speak of: `\p{L}`, `\p{N}` and so on.
//!
//! Rust's `char::is_alphabetic` and `is_numeric` are other sets (alphabetic holds some marks, for one).

use super::unicode_table::RUNS;

/// General category, as coarse as the patterns need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `\p{Z}`, `\p{C}` and unassigned.
    Other,
    /// `\p{Lu}`, `\p{Lt}`
    UpperLetter,
    /// `\p{Ll}`
    LowerLetter,
    /// `\p{Lm}`, `\p{Lo}`
    OtherLetter,
    /// `\p{M}`
    Mark,
    /// `\p{N}`
    Number,
    /// `\p{P}`
    Punctuation,
    /// `\p{S}`
    Symbol,
}

impl Class {
    /// `\p{L}`
    pub fn is_letter(self) -> bool {
        matches!(self, Class::UpperLetter | Class::LowerLetter | Class::OtherLetter)
    }

    /// `[\p{L}\p{M}]`
    pub fn is_letter_or_mark(self) -> bool {
        self.is_letter() || self == Class::Mark
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
    pub fn may_be_upper(self) -> bool {
        matches!(self, Class::UpperLetter | Class::OtherLetter | Class::Mark)
    }

    /// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
    pub fn may_be_lower(self) -> bool {
        matches!(self, Class::LowerLetter | Class::OtherLetter | Class::Mark)
    }
}

/// The class of `char`.
pub(crate) fn class(char: char) -> Class {
    let code = u32::from(char);
    let behind = RUNS.partition_point(|&run| run >> 4 <= code);
    let run = behind.checked_sub(1).and_then(|place| RUNS.get(place)).copied().unwrap_or(0);
    match run & 15 {
        1 => Class::UpperLetter,
        2 => Class::LowerLetter,
        3 => Class::OtherLetter,
        4 => Class::Mark,
        5 => Class::Number,
        6 => Class::Punctuation,
        7 => Class::Symbol,
        _ => Class::Other,
    }
}
