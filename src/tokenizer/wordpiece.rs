//! WordPiece: each word is cut into the longest pieces that the vocabulary has, from its front on (Devlin et al. 2018, arXiv
//! 1810.04805; the pieces behind the first are spelled with `##` before them).

use super::bert_text::{Preparation, words};
use super::error::TokenizerError;
use super::gguf::GgufVocab;
use super::pieces::FlatStrings;
use super::vocab::{Attr, Vocab};
use crate::formats::gguf::{Array, StringArray, Value};

/// Longest word in characters; a longer one is unknown. Every published vocabulary has this number.
const LONGEST_WORD: usize = 100;
/// Before the pieces that continue a word.
pub(super) const CONTINUES: &str = "##";
/// Before the pieces that begin a word in GGUF, where those that continue one have nothing before them.
const GGUF_BEGINS: &str = "\u{2581}";
/// Where GGUF names no ids, they are those of Google's vocabularies: begin, separator, unknown.
pub(super) const DEFAULT_IDS: [Option<u32>; 3] = [Some(101), Some(102), Some(100)];

/// The encoder of a BERT vocabulary.
#[derive(Debug)]
pub(super) struct WordPiece {
    pub preparation: Preparation,
    /// Whether decoding takes the spaces before punctuation back out.
    pub cleanup: bool,
    unknown: u32,
}

impl WordPiece {
    /// An encoder for a vocabulary, which must have a token for what it can't spell.
    pub fn new(vocab: &Vocab, preparation: Preparation, cleanup: bool) -> Result<Self, TokenizerError> {
        let unknown = vocab.unk.ok_or_else(|| TokenizerError::BadVocabulary {
            what: "unknown token",
            expected: "a token for words that have no pieces".into(),
            got: "none".into(),
        })?;
        Ok(WordPiece { preparation, cleanup, unknown })
    }

    /// Appends the ids of a text without special tokens.
    pub fn encode(&self, vocab: &Vocab, text: &str, ids: &mut Vec<u32>) {
        let text = self.preparation.apply(text);
        let mut spelled = String::new();
        for word in words(&text) {
            let start = ids.len();
            if word.chars().count() > LONGEST_WORD || !cut(vocab, word, &mut spelled, ids) {
                ids.truncate(start);
                ids.push(self.unknown);
            }
        }
    }

    /// The keys of `tokenizer.ggml.` as llama.cpp's converter writes them.
    pub fn gguf_keys(&self, vocab: &Vocab) -> Vec<(String, Value)> {
        let ids = 0..vocab.len() as u32;
        let spelled: Vec<String> = ids.clone().map(|id| to_gguf_spelling(vocab, id)).collect();
        let special = |id| vocab.attr(id).is_some_and(|attr| attr.any(Attr::CONTROL));
        let types: Vec<i32> = ids.map(|id| if special(id) { 3 } else { 1 }).collect();
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let mut keys = vec![
            (key("model"), "bert".into()),
            (key("tokens"), spelled.iter().collect::<StringArray>().into()),
            (key("token_type"), Value::Array(Array::I32(types))),
            (key("normalizer.lowercase"), self.preparation.lowercase.into()),
            (key("normalizer.strip_accents"), self.preparation.strip_accents.into()),
            (key("unknown_token_id"), self.unknown.into()),
        ];
        // llama.cpp begins a text with `bos` and ends it with the separator.
        let roles =
            [("bos_token_id", vocab.bos), ("cls_token_id", vocab.bos), ("seperator_token_id", vocab.eos)];
        let roles = roles.into_iter().chain([("padding_token_id", vocab.find(b"[PAD]"))]);
        keys.extend(roles.filter_map(|(name, id)| Some((key(name), id?.into()))));
        keys
    }

    /// Appends what a token adds to a text that has `bytes` already.
    pub fn append(&self, text: &[u8], bytes: &mut Vec<u8>) {
        let token = String::from_utf8_lossy(text);
        let spaced = match token.strip_prefix(CONTINUES) {
            _ if bytes.is_empty() => token.into_owned(),
            Some(rest) => rest.to_owned(),
            None => format!(" {token}"),
        };
        let clean = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
        let added = if self.cleanup { CLEANUP.iter().fold(spaced, clean) } else { spaced };
        bytes.extend_from_slice(added.as_bytes());
    }
}

/// What the decoder of the `tokenizers` crate replaces in a token with the space before it.
const CLEANUP: [(&str, &str); 11] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// Appends the pieces of a word; whether it has some all the way. `spelled` is room to work in.
fn cut(vocab: &Vocab, word: &str, spelled: &mut String, ids: &mut Vec<u32>) -> bool {
    spelled.clear();
    spelled.push_str(word);
    let mut prefix = 0;
    while spelled.len() > prefix {
        let longest = (prefix + 1..=spelled.len())
            .rev()
            .filter_map(|end| Some((end, spelled.get(..end)?)))
            .find_map(|(end, piece)| Some((end, vocab.find(piece.as_bytes())?)));
        let Some((end, id)) = longest else { return false };
        ids.push(id);
        spelled.replace_range(..end, CONTINUES);
        prefix = CONTINUES.len();
    }
    true
}

/// The tokens of a GGUF vocabulary, spelled as WordPiece has them.
pub(super) fn from_gguf_spelling(source: &GgufVocab<'_>) -> Result<FlatStrings, TokenizerError> {
    let mut tokens = FlatStrings::default();
    for text in source.tokens.iter() {
        let special = text.starts_with(b"[") && text.ends_with(b"]");
        match text.strip_prefix(GGUF_BEGINS.as_bytes()) {
            Some(rest) => tokens.push(rest)?,
            None if special => tokens.push(text)?,
            None => tokens.push(&[CONTINUES.as_bytes(), text].concat())?,
        }
    }
    Ok(tokens)
}

/// A token as GGUF spells it.
pub(super) fn to_gguf_spelling(vocab: &Vocab, id: u32) -> String {
    let text = String::from_utf8_lossy(vocab.pieces.text(id).unwrap_or_default());
    let special = vocab.attr(id).is_some_and(|attr| attr.any(Attr::SPECIAL));
    match text.strip_prefix(CONTINUES) {
        _ if special || (text.starts_with('[') && text.ends_with(']')) => text.into_owned(),
        Some(rest) => rest.to_owned(),
        None => format!("{GGUF_BEGINS}{text}"),
    }
}
