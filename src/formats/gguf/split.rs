//! Models in several files, `NAME-00001-of-0000N.gguf`: each part is a GGUF file of its own, the first one's
//! metadata is the model's, and the tensors of all parts together are the model's.

use super::{Header, Metadata};
use crate::formats::{FormatError, TensorInfo};
use std::collections::HashSet;

const COUNT_KEY: &str = "split.count";
const NUMBER_KEY: &str = "split.no";
const TENSORS_KEY: &str = "split.tensors.count";
/// What a name ends in.
const END: &str = ".gguf";
/// Most parts that a name has digits for.
const MAX_PARTS: usize = 99_999;

/// Names of all parts of a split model, in order, from the name (or address) of any of them: `None` where it
/// does not end in `-NNNNN-of-NNNNN.gguf`, the end in either case. What stands before that, and a query after it, stay.
///
/// ```
/// use rushlight::formats::gguf::split_names;
/// let (number, names) = split_names("m-00002-of-00002.gguf").unwrap();
/// assert_eq!((number, names), (2, vec!["m-00001-of-00002.gguf".to_owned(), "m-00002-of-00002.gguf".to_owned()]));
/// assert_eq!(split_names("m.gguf"), None);
/// ```
///
/// The number counts from 1.
pub fn split_names(any: &str) -> Option<(usize, Vec<String>)> {
    let (path, query) = match any.find(['?', '#']) {
        Some(at) => any.split_at(at),
        None => (any, ""),
    };
    let (before, end) = path.split_at_checked(path.len().checked_sub(END.len())?)?;
    let (stem, total) = before.rsplit_once("-of-")?;
    let (stem, number) = stem.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !end.eq_ignore_ascii_case(END) || !digits(total) || !digits(number) {
        return None;
    }
    let count: usize = total.parse().ok().filter(|count| (1..=MAX_PARTS).contains(count))?;
    let number = number.parse().ok().filter(|number| (1..=count).contains(number))?;
    let name = |part| format!("{stem}-{part:05}-of-{total}{end}{query}");
    Some((number, (1..=count).map(name).collect()))
}

/// A tensor of a split model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitTensor {
    /// The part that holds it, from 0.
    pub part: usize,
    /// Its description; the offset counts from the beginning of that part.
    pub info: TensorInfo,
}

/// Merges the headers of the parts of a split model, added in order. A model in one file is a set of one.
#[derive(Clone, Debug, Default)]
pub struct SplitSet {
    metadata: Metadata,
    tensors: Vec<SplitTensor>,
    names: HashSet<String>,
    parts: usize,
    /// From the first part: how many parts there are, and tensors in all of them where it says so.
    count: usize,
    tensor_count: Option<usize>,
}

impl SplitSet {
    /// A set without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next part. Gives the index that its first tensor has in [`SplitSet::tensors`]: a piece's
    /// `tensor` plus this is the tensor of the model.
    pub fn add(&mut self, header: &Header) -> Result<usize, FormatError> {
        let metadata = &header.metadata;
        let count = metadata.get::<usize>(COUNT_KEY)?.unwrap_or(1);
        let number = metadata.get::<usize>(NUMBER_KEY)?.unwrap_or(0);
        let part = self.parts;
        let differs = |what, expected: usize, got: usize| FormatError::Split {
            part: part + 1,
            what,
            expected: expected.to_string(),
            got: got.to_string(),
        };
        if part == 0 {
            self.count = count;
            self.tensor_count = metadata.get::<usize>(TENSORS_KEY)?;
            self.metadata = metadata.clone();
        } else if count != self.count {
            return Err(differs("split.count", self.count, count));
        }
        if part == 0 && number > 0 {
            return Err(FormatError::LaterPart { part: number + 1, count });
        }
        if part >= self.count {
            return Err(differs("number of parts", self.count, part + 1));
        }
        if number != part {
            return Err(differs("split.no (counted from 0)", part, number));
        }
        let first = self.tensors.len();
        for info in &header.tensors {
            if !self.names.insert(info.desc.name.clone()) {
                return Err(FormatError::Duplicate {
                    what: "tensor",
                    name: info.desc.name.clone(),
                    at: info.offset,
                });
            }
            self.tensors.push(SplitTensor { part, info: info.clone() });
        }
        self.parts += 1;
        Ok(first)
    }

    /// Parts that are still to be added; 0 before the first one, which says how many there are.
    pub fn missing(&self) -> usize {
        self.count.saturating_sub(self.parts)
    }

    /// The first part's metadata, which is the model's.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Tensors of the parts added so far.
    pub fn tensors(&self) -> &[SplitTensor] {
        &self.tensors
    }

    /// That all parts came and together have the tensors that the first one announced.
    pub fn finish(&self) -> Result<(), FormatError> {
        let lacks = |what, expected: usize, got: usize| FormatError::Split {
            part: self.parts,
            what,
            expected: expected.to_string(),
            got: got.to_string(),
        };
        if self.parts == 0 || self.parts < self.count {
            return Err(FormatError::PartsMissing { count: self.count.max(1), got: self.parts });
        }
        match self.tensor_count {
            Some(expected) if expected != self.tensors.len() => {
                Err(lacks("split.tensors.count", expected, self.tensors.len()))
            }
            _ => Ok(()),
        }
    }
}
