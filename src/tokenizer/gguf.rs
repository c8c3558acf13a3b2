//! A vocabulary as a GGUF file describes it: the `tokenizer.ggml.*` keys as a plain struct.

use super::pieces::FlatStrings;
use super::{Tokenizer, TokenizerError};
use crate::formats::FormatError;
use crate::formats::gguf::{FromValue, Metadata, StringArray};

/// The `tokenizer.ggml.*` metadata of a file. Texts are taken over, not copied; everything that is
/// absent in the file is `None` or empty.
///
/// ```
/// use rushlight::tokenizer::{EncodeOptions, FlatStrings, GgufVocab, Tokenizer};
/// let tokens: FlatStrings = ["<unk>", "<s>", "</s>", "▁", "h", "i", "hi", "▁hi"].iter().collect();
/// let scores = [0.0, 0.0, 0.0, -5.0, -6.0, -7.0, -1.0, -2.0];
/// let token_types = [2, 3, 3, 1, 1, 1, 1, 1];
/// let tokenizer = Tokenizer::from_gguf(GgufVocab {
///     scores: &scores,
///     token_types: &token_types,
///     ..GgufVocab::new("llama", tokens)
/// })?;
/// let ids = tokenizer.encode("hi hi", EncodeOptions::default())?;
/// assert_eq!(ids, [1, 7, 7]);
/// assert_eq!(tokenizer.decode(&ids, true)?, "hi hi");
/// # Ok::<(), rushlight::tokenizer::TokenizerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GgufVocab<'a> {
    /// `model`: `llama` (SentencePiece) or `gpt2` (byte-level BPE).
    pub model: &'a str,
    /// `pre`: name of the pre-tokenizer of a BPE vocabulary.
    pub pre: Option<&'a str>,
    /// `tokens`: texts, id order.
    pub tokens: FlatStrings,
    /// `scores`: a merge of higher score comes first. Empty: all equal.
    pub scores: &'a [f32],
    /// `token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty: all normal.
    pub token_types: &'a [i32],
    /// `merges`: `"left right"`, best first.
    pub merges: FlatStrings,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `eos_token_id`.
    pub eos: Option<u32>,
    /// `eot_token_id`.
    pub eot: Option<u32>,
    /// `eom_token_id`.
    pub eom: Option<u32>,
    /// `unknown_token_id`.
    pub unk: Option<u32>,
    /// `fim_{pre,suf,mid,pad,rep,sep}_token_id`, in this order.
    pub fim: [Option<u32>; 6],
    /// `add_bos_token`.
    pub add_bos: Option<bool>,
    /// `add_eos_token`.
    pub add_eos: Option<bool>,
    /// `add_space_prefix`.
    pub add_space_prefix: Option<bool>,
    /// `general.name`: a few families are known by it alone.
    pub model_name: Option<&'a str>,
}

impl GgufVocab<'_> {
    /// A vocabulary of these tokens with nothing else set.
    pub fn new(model: &str, tokens: FlatStrings) -> GgufVocab<'_> {
        GgufVocab {
            model,
            pre: None,
            tokens,
            scores: &[],
            token_types: &[],
            merges: FlatStrings::default(),
            bos: None,
            eos: None,
            eot: None,
            eom: None,
            unk: None,
            fim: [None; 6],
            add_bos: None,
            add_eos: None,
            add_space_prefix: None,
            model_name: None,
        }
    }
}

impl Tokenizer {
    /// The tokenizer of a GGUF file, from its `tokenizer.ggml.*` keys.
    ///
    /// # Errors
    /// A key that is missing or of another type, or a vocabulary that makes no sense.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, TokenizerError> {
        fn read<'a, T: FromValue<'a>>(metadata: &'a Metadata, key: &str) -> Result<Option<T>, FormatError> {
            metadata.get(&format!("tokenizer.ggml.{key}"))
        }
        let id = |key: &str| read::<u32>(metadata, key);
        let texts: &StringArray = metadata.require("tokenizer.ggml.tokens")?;
        let merges: Option<&StringArray> = read(metadata, "merges")?;
        let mut fim = [None; 6];
        for (id, part) in fim.iter_mut().zip(["pre", "suf", "mid", "pad", "rep", "sep"]) {
            *id = read(metadata, &format!("fim_{part}_token_id"))?;
        }
        Tokenizer::from_gguf(GgufVocab {
            model: metadata.require("tokenizer.ggml.model")?,
            pre: read(metadata, "pre")?,
            tokens: texts.iter().collect(),
            scores: read::<&[f32]>(metadata, "scores")?.unwrap_or_default(),
            token_types: read::<&[i32]>(metadata, "token_type")?.unwrap_or_default(),
            merges: merges.map(|merges| merges.iter().collect()).unwrap_or_default(),
            bos: id("bos_token_id")?,
            eos: id("eos_token_id")?,
            eot: id("eot_token_id")?,
            eom: id("eom_token_id")?,
            unk: id("unknown_token_id")?,
            fim,
            add_bos: read(metadata, "add_bos_token")?,
            add_eos: read(metadata, "add_eos_token")?,
            add_space_prefix: read(metadata, "add_space_prefix")?,
            model_name: metadata.get("general.name")?,
        })
    }
}
