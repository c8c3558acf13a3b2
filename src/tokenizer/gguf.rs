//! A vocabulary as a GGUF file describes it: the `tokenizer.ggml.*` keys as a plain struct.

use std::borrow::Cow;

use super::error::TokenizerError;
use super::pieces::FlatStrings;
use crate::formats::gguf::{Metadata, StringArray};

/// The `tokenizer.ggml.*` metadata of a file. Texts are taken over, not copied; everything that is
/// absent in the file is `None` or empty.
///
/// ```
/// use rushlight::tokenizer::{EncodeOptions, FlatStrings, GgufVocab, Tokenizer};
/// let tokens: FlatStrings = ["<unk>", "<s>", "</s>", "▁", "h", "i", "hi", "▁hi"].iter().collect();
/// let tokenizer = Tokenizer::from_gguf(GgufVocab {
///     scores: vec![0.0, 0.0, 0.0, -5.0, -6.0, -7.0, -1.0, -2.0].into(),
///     token_types: vec![2, 3, 3, 1, 1, 1, 1, 1].into(),
///     ..GgufVocab::new("llama", tokens)
/// })?;
/// let ids = tokenizer.encode("hi hi", EncodeOptions::default())?;
/// assert_eq!(ids, [1, 7, 7]);
/// assert_eq!(tokenizer.decode(&ids, true)?, "hi hi");
/// # Ok::<(), rushlight::tokenizer::TokenizerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct GgufVocab<'a> {
    /// `model`: `llama` (SentencePiece), `gpt2` (byte-level BPE) or `bert` (WordPiece).
    pub model: &'a str,
    /// `pre`: name of the pre-tokenizer of a BPE vocabulary.
    pub pre: Option<&'a str>,
    /// `tokens`: texts, id order.
    pub tokens: FlatStrings,
    /// `scores`: a merge of higher score comes first. Empty: all equal.
    pub scores: Cow<'a, [f32]>,
    /// `token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty: all normal.
    pub token_types: Cow<'a, [i32]>,
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
    /// `cls_token_id`: begins a text in BERT.
    pub cls: Option<u32>,
    /// `seperator_token_id` (spelled so): ends a text in BERT.
    pub sep: Option<u32>,
    /// `normalizer.lowercase`: whether BERT's texts are brought to lower case; they are by default.
    pub lowercase: Option<bool>,
    /// `normalizer.strip_accents`: as `lowercase` by default.
    pub strip_accents: Option<bool>,
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

impl<'v> GgufVocab<'v> {
    /// A vocabulary of these tokens with nothing else set.
    pub fn new(model: &'v str, tokens: FlatStrings) -> Self {
        GgufVocab {
            model,
            pre: None,
            tokens,
            scores: Cow::Borrowed(&[]),
            token_types: Cow::Borrowed(&[]),
            merges: FlatStrings::default(),
            bos: None,
            eos: None,
            eot: None,
            eom: None,
            unk: None,
            cls: None,
            sep: None,
            lowercase: None,
            strip_accents: None,
            fim: [None; 6],
            add_bos: None,
            add_eos: None,
            add_space_prefix: None,
            model_name: None,
        }
    }

    /// Reads the keys out of a file's metadata. A file without `tokenizer.ggml.model` holds no vocabulary.
    pub fn from_metadata(metadata: &'v Metadata) -> Result<Self, TokenizerError> {
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let Some(model) = metadata.get::<&str>(&key("model"))? else {
            return Err(TokenizerError::NoVocabulary { got: "absent".into() });
        };
        let strings = |name: &str| -> Result<FlatStrings, TokenizerError> {
            let mut flat = FlatStrings::default();
            if let Some(array) = metadata.get::<&StringArray>(&key(name))? {
                flat.reserve(array.len(), array.text_bytes());
                array.iter().try_for_each(|text| flat.push(text.as_bytes()))?;
            }
            Ok(flat)
        };
        let flag = |name: &str| metadata.get::<bool>(&key(name));
        // Some writers put -1 where there is no such token.
        let id = |name: &str| -> Result<Option<u32>, TokenizerError> {
            Ok(metadata.get::<i64>(&key(name))?.and_then(|id| u32::try_from(id).ok()))
        };
        let either = |name: &str, deprecated: &str| Ok::<_, TokenizerError>(id(name)?.or(id(deprecated)?));
        // The converter of some old files wrote scores as integers.
        let scores = match metadata.get::<&[f32]>(&key("scores")) {
            Ok(scores) => Cow::Borrowed(scores.unwrap_or_default()),
            Err(error) => match metadata.get::<Vec<i32>>(&key("scores")) {
                Ok(Some(scores)) => scores.iter().map(|&score| score as f32).collect(),
                _ => return Err(error.into()),
            },
        };
        let token_types = match metadata.get::<&[i32]>(&key("token_type")) {
            Ok(types) => Cow::Borrowed(types.unwrap_or_default()),
            Err(_) => metadata.get::<Vec<i32>>(&key("token_type"))?.unwrap_or_default().into(),
        };
        Ok(GgufVocab {
            pre: metadata.get(&key("pre"))?,
            scores,
            token_types,
            merges: strings("merges")?,
            bos: id("bos_token_id")?,
            eos: id("eos_token_id")?,
            eot: id("eot_token_id")?,
            eom: id("eom_token_id")?,
            unk: id("unknown_token_id")?,
            cls: id("cls_token_id")?,
            sep: id("seperator_token_id")?,
            lowercase: flag("normalizer.lowercase")?,
            strip_accents: flag("normalizer.strip_accents")?,
            fim: [
                either("fim_pre_token_id", "prefix_token_id")?,
                either("fim_suf_token_id", "suffix_token_id")?,
                either("fim_mid_token_id", "middle_token_id")?,
                id("fim_pad_token_id")?,
                id("fim_rep_token_id")?,
                id("fim_sep_token_id")?,
            ],
            add_bos: flag("add_bos_token")?,
            add_eos: flag("add_eos_token")?,
            add_space_prefix: flag("add_space_prefix")?,
            model_name: metadata.get("general.name")?,
            ..GgufVocab::new(model, strings("tokens")?)
        })
    }
}
