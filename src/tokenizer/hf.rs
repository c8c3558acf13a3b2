//! `tokenizer.json` through the `tokenizers` crate.

use std::sync::OnceLock;

use tokenizers::Tokenizer as Inner;

use super::error::TokenizerError;
use super::vocab::END_OF_GENERATION;
use super::{EncodeOptions, append_spelled, append_unescaped};

/// A tokenizer of the `tokenizers` crate with the roles of its tokens.
#[derive(Debug)]
pub(super) struct JsonTokenizer {
    inner: Inner,
    /// The same with special tokens in the text taken as text: a setting of the crate's tokenizer, not
    /// of a call. Made when first asked for.
    plain: OnceLock<Box<Inner>>,
    /// Ascending.
    specials: Vec<u32>,
    /// Ascending.
    eog: Vec<u32>,
    bos: Option<u32>,
    eos: Option<u32>,
    /// Whether token texts spell bytes in GPT-2's alphabet.
    byte_level: bool,
    vocab_size: u32,
}

fn failed(reason: impl ToString) -> TokenizerError {
    TokenizerError::Json { reason: reason.to_string() }
}

impl JsonTokenizer {
    pub fn new(json: &[u8]) -> Result<Self, TokenizerError> {
        let mut inner = Inner::from_bytes(json).map_err(failed)?;
        // Some files carry the padding and truncation they were trained with; a prompt wants neither.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(failed)?;
        let mut specials: Vec<u32> = inner
            .get_added_tokens_decoder()
            .into_iter()
            .filter_map(|(id, token)| token.special.then_some(id))
            .collect();
        specials.sort_unstable();
        let mut eog: Vec<u32> = END_OF_GENERATION.iter().filter_map(|text| inner.token_to_id(text)).collect();
        eog.sort_unstable();
        eog.dedup();

        let around = inner.encode("", true).map_err(failed)?;
        let is_end = |id: &u32| eog.binary_search(id).is_ok();
        let (bos, last) = match around.get_ids() {
            [only] if is_end(only) => (None, Some(*only)),
            [only] => (Some(*only), None),
            [first, .., last] => (Some(*first), Some(*last)),
            [] => (None, None),
        };
        let eos = last.or_else(|| END_OF_GENERATION.iter().find_map(|text| inner.token_to_id(text)));
        let decoder = inner.get_decoder().map(serde_json::to_string).transpose().map_err(failed)?;
        let byte_level = decoder.is_some_and(|decoder| decoder.contains("ByteLevel"));
        let vocab_size = inner.get_vocab(true).values().max().map_or(0, |&id| id + 1);
        Ok(JsonTokenizer { inner, plain: OnceLock::new(), specials, eog, bos, eos, byte_level, vocab_size })
    }

    pub fn encode(&self, text: &str, options: EncodeOptions) -> Result<Vec<u32>, TokenizerError> {
        let inner = if options.parse_special {
            &self.inner
        } else {
            self.plain.get_or_init(|| {
                let mut plain = self.inner.clone();
                plain.set_encode_special_tokens(true);
                Box::new(plain)
            })
        };
        let encoding = inner.encode(text, options.add_special).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        if let Some(&id) = ids.iter().find(|&&id| id >= self.vocab_size) {
            return Err(TokenizerError::UnknownId { id, vocab_size: self.vocab_size });
        }
        self.inner.decode(ids, skip_special).map_err(failed)
    }

    pub fn piece(&self, id: u32) -> Result<Vec<u8>, TokenizerError> {
        let text = self
            .inner
            .id_to_token(id)
            .ok_or(TokenizerError::UnknownId { id, vocab_size: self.vocab_size })?;
        let mut bytes = Vec::with_capacity(text.len());
        let hex = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
        if self.is_special(id) {
            bytes.extend_from_slice(text.as_bytes());
        } else if self.byte_level {
            append_spelled(text.as_bytes(), &mut bytes);
        } else if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
        } else {
            append_unescaped(text.as_bytes(), &mut bytes);
        }
        Ok(bytes)
    }

    pub fn id_of(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    pub fn vocab_size(&self) -> u32 {
        self.vocab_size
    }

    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    pub fn adds_bos(&self) -> bool {
        self.bos.is_some()
    }

    pub fn end_of_generation_ids(&self) -> &[u32] {
        &self.eog
    }

    pub fn is_special(&self, id: u32) -> bool {
        self.specials.binary_search(&id).is_ok()
    }
}

/// The last few ids of a stream. The crate's decoders treat the first token of a list in their own way
/// (no space before it), so new text is what decoding with the last finished tokens before it adds.
#[derive(Debug, Default)]
pub(super) struct Window {
    ids: Vec<u32>,
    /// The first ids that have been given out already.
    given: usize,
}

/// Ids of the prompt that stand before generated ones.
const CONTEXT: usize = 8;

impl Window {
    /// The window behind a prompt.
    pub fn after(prompt: &[u32]) -> Self {
        let ids = prompt.get(prompt.len().saturating_sub(CONTEXT)..).unwrap_or_default().to_vec();
        Window { given: ids.len(), ids }
    }

    pub fn push(
        &mut self,
        json: &JsonTokenizer,
        id: u32,
        skip_special: bool,
    ) -> Result<String, TokenizerError> {
        self.ids.push(id);
        let text = self.new_text(json, skip_special);
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                self.ids.pop();
                return Err(error);
            }
        };
        // An unfinished character decodes to U+FFFD: wait for the rest of it.
        if text.is_empty() || text.ends_with(char::REPLACEMENT_CHARACTER) {
            return Ok(String::new());
        }
        self.ids.drain(..self.given);
        self.given = self.ids.len();
        Ok(text)
    }

    pub fn finish(&mut self, json: &JsonTokenizer, skip_special: bool) -> String {
        let text = self.new_text(json, skip_special).unwrap_or_default();
        self.given = self.ids.len();
        text
    }

    fn new_text(&self, json: &JsonTokenizer, skip_special: bool) -> Result<String, TokenizerError> {
        let given = json.decode(self.ids.get(..self.given).unwrap_or_default(), skip_special)?;
        let mut all = json.decode(&self.ids, skip_special)?;
        Ok(all.split_off(all.floor_char_boundary(given.len())))
    }
}
