//! Text to token ids and back.
//!
//! Two kinds of vocabulary stand behind one front, [`Tokenizer`]: those of GGUF files and BERT's, by encoders of our
//! own on flat tables ([`GgufVocab`]), and any other `tokenizer.json` by the `tokenizers` crate. A
//! [`StreamDecoder`] turns ids into text as they come, a [`StopMatcher`] watches that text for stop strings.

mod bert_json;
mod bert_table;
mod bert_text;
mod bpe;
mod error;
mod gguf;
#[cfg(feature = "tokenizer-json")]
mod hf;
mod patterns;
mod pieces;
mod pretokenize;
mod specials;
mod spm;
mod stop;
mod stream;
pub(crate) mod unicode;
mod unicode_table;
mod vocab;
mod windows;
mod wordpiece;

pub use error::TokenizerError;
pub use gguf::GgufVocab;
pub use pieces::FlatStrings;
pub use stop::{StopMatcher, Stopped};
pub use stream::StreamDecoder;

use std::sync::Arc;

use bert_json::BertJson;
use bert_text::Preparation;
use bpe::Bpe;
use patterns::PreTokenizer;
use specials::{Fragment, SpecialTokens};
use spm::Spm;
use vocab::{Attr, Vocab};
use wordpiece::WordPiece;

use crate::formats::gguf::{Metadata, TOKENIZER_JSON_KEY, Value};

/// Longest text that is encoded in one call, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 26;

/// How [`Tokenizer::encode`] treats special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Put the tokens around the text that the model was trained with: BOS before, EOS behind, each
    /// where the vocabulary asks for it.
    pub add_special: bool,
    /// Take `<bos>` and the like in the text for the tokens of that name. Otherwise they are plain text,
    /// which is what text from outside should be.
    pub parse_special: bool,
}

impl Default for EncodeOptions {
    /// A prompt: special tokens are added and recognised.
    fn default() -> Self {
        EncodeOptions { add_special: true, parse_special: true }
    }
}

/// A vocabulary with its encoder.
///
/// See [`GgufVocab`] for an example.
#[derive(Debug)]
pub struct Tokenizer {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Gguf(Box<Gguf>),
    #[cfg(feature = "tokenizer-json")]
    Json(Box<hf::JsonTokenizer>),
}

#[derive(Debug)]
struct Gguf {
    vocab: Vocab,
    specials: SpecialTokens,
    encoder: Encoder,
}

#[derive(Debug)]
enum Encoder {
    Spm(Spm),
    Bpe(Bpe),
    WordPiece(WordPiece),
}

impl Tokenizer {
    /// Builds the tables for a GGUF vocabulary.
    pub fn from_gguf(mut source: GgufVocab<'_>) -> Result<Self, TokenizerError> {
        let (vocab, encoder) = match source.model {
            "llama" => {
                let scores = std::mem::take(&mut source.scores);
                let add_space_prefix = source.add_space_prefix.unwrap_or(true);
                let vocab = Vocab::new(source, true, [Some(1), Some(2), Some(0)])?;
                let spm = Spm::new(&vocab, &scores, add_space_prefix)?;
                (vocab, Encoder::Spm(spm))
            }
            "gpt2" => {
                let pre = PreTokenizer::by_name(source.pre)?;
                let merges = std::mem::take(&mut source.merges);
                if merges.is_empty() {
                    return Err(TokenizerError::BadVocabulary {
                        what: "tokenizer.ggml.merges",
                        expected: "merges, which a gpt2 vocabulary is encoded with".into(),
                        got: "none".into(),
                    });
                }
                let mut vocab = Vocab::new(source, pre.add_bos, [Some(11), Some(11), None])?;
                let bpe = Bpe::new(&mut vocab, &merges, pre)?;
                (vocab, Encoder::Bpe(bpe))
            }
            "bert" => {
                let lowercase = source.lowercase.unwrap_or(true);
                let strip_accents = source.strip_accents.unwrap_or(lowercase);
                let preparation = Preparation { clean: true, chinese: true, strip_accents, lowercase };
                source.tokens = wordpiece::from_gguf_spelling(&source)?;
                source.bos = source.cls.or(source.bos);
                source.eos = source.sep;
                source.add_eos = Some(source.add_eos.unwrap_or(true));
                return Tokenizer::from_wordpiece(source, preparation, true);
            }
            "none" | "no_vocab" | "" => {
                return Err(TokenizerError::NoVocabulary { got: format!("{:?}", source.model) });
            }
            other => {
                return Err(TokenizerError::Unsupported {
                    what: "tokenizer.ggml.model",
                    expected: "llama, gpt2, bert",
                    got: other.into(),
                });
            }
        };
        Ok(Tokenizer::flat(vocab, encoder))
    }

    fn flat(vocab: Vocab, encoder: Encoder) -> Self {
        let specials = SpecialTokens::new(&vocab);
        Tokenizer { kind: Kind::Gguf(Box::new(Gguf { vocab, specials, encoder })) }
    }

    /// A BERT vocabulary whose tokens are spelled with `##`.
    fn from_wordpiece(
        source: GgufVocab<'_>,
        preparation: Preparation,
        cleanup: bool,
    ) -> Result<Self, TokenizerError> {
        let vocab = Vocab::new(source, true, wordpiece::DEFAULT_IDS)?;
        let encoder = WordPiece::new(&vocab, preparation, cleanup)?;
        Ok(Tokenizer::flat(vocab, Encoder::WordPiece(encoder)))
    }

    /// Builds the tables for the vocabulary in a GGUF file's metadata. A `tokenizer.json` in it (`tokenizer.huggingface.json`)
    /// says more of a BERT vocabulary than GGUF's own keys, and is taken first.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, TokenizerError> {
        let bert = metadata.get::<&str>("tokenizer.ggml.model")?.is_none_or(|model| model == "bert");
        match metadata.get::<&str>(TOKENIZER_JSON_KEY)? {
            Some(json) if bert => Tokenizer::from_json(json.as_bytes()),
            _ => Tokenizer::from_gguf(GgufVocab::from_metadata(metadata)?),
        }
    }

    /// Reads a `tokenizer.json`: BERT's by our own encoder, others by the `tokenizers` crate, where the build has it.
    pub fn from_json(json: &[u8]) -> Result<Self, TokenizerError> {
        if let Some(bert) = BertJson::read(json)? {
            let (preparation, cleanup) = (bert.preparation, bert.cleanup);
            return Tokenizer::from_wordpiece(bert.into_vocab(), preparation, cleanup);
        }
        Tokenizer::from_other_json(json)
    }

    /// Reads a `tokenizer.json` with the `tokenizers` crate, whatever it holds: the judge of our own encoders.
    #[cfg(feature = "tokenizer-json")]
    pub fn from_other_json(json: &[u8]) -> Result<Self, TokenizerError> {
        Ok(Tokenizer { kind: Kind::Json(Box::new(hf::JsonTokenizer::new(json)?)) })
    }

    #[cfg(not(feature = "tokenizer-json"))]
    fn from_other_json(_json: &[u8]) -> Result<Self, TokenizerError> {
        Err(TokenizerError::Unsupported {
            what: "tokenizer.json",
            expected: "a BERT vocabulary (WordPiece), which is all that this build reads",
            got: "another kind".into(),
        })
    }

    /// GGUF's keys for a BERT vocabulary, as llama.cpp reads them; empty for other kinds.
    pub fn gguf_keys(&self) -> Vec<(String, Value)> {
        match &self.kind {
            Kind::Gguf(gguf) => match &gguf.encoder {
                Encoder::WordPiece(encoder) => encoder.gguf_keys(&gguf.vocab),
                Encoder::Spm(_) | Encoder::Bpe(_) => Vec::new(),
            },
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(_) => Vec::new(),
        }
    }

    /// Token ids of `text`.
    pub fn encode(&self, text: &str, options: EncodeOptions) -> Result<Vec<u32>, TokenizerError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TokenizerError::TextTooLong { limit: MAX_TEXT_BYTES, got: text.len() });
        }
        match &self.kind {
            Kind::Gguf(gguf) => gguf.encode(text, options),
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.encode(text, options),
        }
    }

    /// Where the words stand that a BERT vocabulary cuts by themselves: tokens of each alone are those of the text. `None` for other
    /// vocabularies.
    pub fn word_ranges(&self, text: &str) -> Option<Vec<std::ops::Range<usize>>> {
        match &self.kind {
            Kind::Gguf(gguf) if matches!(gguf.encoder, Encoder::WordPiece(_)) => {
                Some(bert_text::word_ranges(text))
            }
            _ => None,
        }
    }

    /// Text of `ids`; bytes that are no UTF-8 become U+FFFD. With `skip_special` control tokens such as
    /// `<bos>` are left out.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        match &self.kind {
            Kind::Gguf(_) => {
                let bytes = self.decode_bytes(ids, skip_special)?;
                Ok(String::from_utf8(bytes)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
            }
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.decode(ids, skip_special),
        }
    }

    /// Bytes of `ids`. (A `tokenizer.json` only ever gives text.)
    pub fn decode_bytes(&self, ids: &[u32], skip_special: bool) -> Result<Vec<u8>, TokenizerError> {
        match &self.kind {
            Kind::Gguf(gguf) => {
                let mut bytes = Vec::with_capacity(ids.len() * 4);
                let mut after_special = true;
                for &id in ids {
                    gguf.decode_one(id, skip_special, &mut after_special, &mut bytes)?;
                }
                Ok(bytes)
            }
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => Ok(json.decode(ids, skip_special)?.into_bytes()),
        }
    }

    /// What one token reads as by itself: its text with spaces as spaces, its byte, or a special token's
    /// name. Not always whole characters.
    pub fn piece(&self, id: u32) -> Result<Vec<u8>, TokenizerError> {
        match &self.kind {
            Kind::Gguf(gguf) => {
                let mut bytes = Vec::new();
                gguf.append_piece(id, &mut bytes)?;
                Ok(bytes)
            }
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.piece(id),
        }
    }

    /// The token of this text as the vocabulary spells it (`▁` or `Ġ` for a space).
    pub fn id_of(&self, text: &str) -> Option<u32> {
        match &self.kind {
            Kind::Gguf(gguf) => gguf.vocab.find(text.as_bytes()),
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.id_of(text),
        }
    }

    /// Number of tokens.
    pub fn vocab_size(&self) -> u32 {
        match &self.kind {
            Kind::Gguf(gguf) => gguf.vocab.len() as u32,
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.vocab_size(),
        }
    }

    /// The token that begins a text, if there is one.
    pub fn bos(&self) -> Option<u32> {
        match &self.kind {
            Kind::Gguf(gguf) => gguf.vocab.bos,
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.bos(),
        }
    }

    /// The token that ends a text, if there is one.
    pub fn eos(&self) -> Option<u32> {
        match &self.kind {
            Kind::Gguf(gguf) => gguf.vocab.eos,
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.eos(),
        }
    }

    /// Whether [`EncodeOptions::add_special`] puts BOS before a text.
    pub fn adds_bos(&self) -> bool {
        match &self.kind {
            Kind::Gguf(gguf) => gguf.vocab.add_bos && gguf.vocab.bos.is_some(),
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.adds_bos(),
        }
    }

    /// Whether a model that says `id` has finished: end of text, of turn, of message, or a mark that only
    /// follows the end.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.end_of_generation_ids().binary_search(&id).is_ok()
    }

    /// All ids for which [`Tokenizer::is_end_of_generation`] holds, ascending.
    pub fn end_of_generation_ids(&self) -> &[u32] {
        match &self.kind {
            Kind::Gguf(gguf) => &gguf.vocab.eog,
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.end_of_generation_ids(),
        }
    }

    /// Whether `id` is a mark and not text: what `skip_special` leaves out.
    pub fn is_special(&self, id: u32) -> bool {
        match &self.kind {
            Kind::Gguf(gguf) => gguf.vocab.attr(id).is_some_and(|attr| attr.any(Attr::HIDDEN)),
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => json.is_special(id),
        }
    }

    /// Which encoder this is: `spm`, `bpe`, `wordpiece` or `tokenizer.json`.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Gguf(gguf) => match gguf.encoder {
                Encoder::Spm(_) => "spm",
                Encoder::Bpe(_) => "bpe",
                Encoder::WordPiece(_) => "wordpiece",
            },
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(_) => "tokenizer.json",
        }
    }

    /// Bytes of memory that the tables hold; `None` for a `tokenizer.json`, whose crate doesn't say.
    pub fn bytes(&self) -> Option<usize> {
        match &self.kind {
            Kind::Gguf(gguf) => {
                let encoder = match &gguf.encoder {
                    Encoder::Spm(spm) => spm.memory(),
                    Encoder::Bpe(bpe) => bpe.memory(),
                    Encoder::WordPiece(_) => 0,
                };
                Some(gguf.vocab.memory() + gguf.specials.memory() + encoder)
            }
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(_) => None,
        }
    }

    /// A decoder for ids as they come. It begins at the start of a text, so that its pieces
    /// together are [`Tokenizer::decode`] of all ids.
    pub fn stream(&self, skip_special: bool) -> StreamDecoder<&Tokenizer> {
        StreamDecoder::new(self, skip_special, &[])
    }

    /// A decoder for the ids that follow `prompt`: a space between the two is kept.
    pub fn stream_after(&self, prompt: &[u32], skip_special: bool) -> StreamDecoder<&Tokenizer> {
        StreamDecoder::new(self, skip_special, prompt)
    }

    /// As [`Tokenizer::stream_after`], for a decoder that outlives the borrow.
    pub fn stream_owned(this: Arc<Self>, prompt: &[u32], skip_special: bool) -> StreamDecoder<Arc<Self>> {
        StreamDecoder::new(this, skip_special, prompt)
    }
}

impl Gguf {
    fn encode(&self, text: &str, options: EncodeOptions) -> Result<Vec<u32>, TokenizerError> {
        let vocab = &self.vocab;
        let mut ids = Vec::with_capacity(text.len() / 3 + 2);
        ids.extend(vocab.bos.filter(|_| options.add_special && vocab.add_bos));
        let mut after_special = true;
        for fragment in self.specials.partition(text, options.parse_special) {
            match fragment {
                Fragment::Token(id) => {
                    ids.push(id);
                    after_special = true;
                }
                Fragment::Text { start, end } => {
                    let fragment = text.get(start..end).unwrap_or_default();
                    match &self.encoder {
                        Encoder::Spm(spm) => spm.encode(vocab, fragment, after_special, &mut ids)?,
                        Encoder::Bpe(bpe) => bpe.encode(vocab, fragment, &mut ids),
                        Encoder::WordPiece(wordpiece) => wordpiece.encode(vocab, fragment, &mut ids),
                    }
                    after_special = false;
                }
            }
        }
        ids.extend(vocab.eos.filter(|_| options.add_special && vocab.add_eos));
        Ok(ids)
    }

    fn attr(&self, id: u32) -> Result<Attr, TokenizerError> {
        let vocab_size = self.vocab.len() as u32;
        self.vocab.attr(id).ok_or(TokenizerError::UnknownId { id, vocab_size })
    }

    fn append_piece(&self, id: u32, bytes: &mut Vec<u8>) -> Result<(), TokenizerError> {
        let attr = self.attr(id)?;
        let text = self.vocab.pieces.text(id).unwrap_or_default();
        if attr.any(Attr::SPECIAL) {
            bytes.extend_from_slice(text);
        } else if attr.any(Attr::NORMAL) {
            match &self.encoder {
                Encoder::Spm(_) => append_unescaped(text, bytes),
                Encoder::Bpe(_) => append_spelled(text, bytes),
                Encoder::WordPiece(_) => bytes.extend_from_slice(text),
            }
        } else if attr.any(Attr::BYTE) {
            let digits = text.get(3..5).and_then(|digits| std::str::from_utf8(digits).ok());
            bytes.extend(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()));
        }
        Ok(())
    }

    /// Appends what `id` adds to a text. Undoes the space that encoding puts before a text at its start
    /// and after special tokens, so that decoding gives back what was encoded.
    fn decode_one(
        &self,
        id: u32,
        skip_special: bool,
        after_special: &mut bool,
        bytes: &mut Vec<u8>,
    ) -> Result<(), TokenizerError> {
        let attr = self.attr(id)?;
        let start = bytes.len();
        if let Encoder::WordPiece(wordpiece) = &self.encoder {
            if !(skip_special && attr.any(Attr::HIDDEN)) {
                wordpiece.append(self.vocab.pieces.text(id).unwrap_or_default(), bytes);
            }
            return Ok(());
        }
        if !(skip_special && attr.any(Attr::HIDDEN)) {
            self.append_piece(id, bytes)?;
        }
        let prefixed = matches!(&self.encoder, Encoder::Spm(spm) if spm.add_space_prefix) && *after_special;
        *after_special = attr.any(Attr::SPECIAL);
        if prefixed && !*after_special && bytes.get(start) == Some(&b' ') {
            bytes.remove(start);
        }
        Ok(())
    }
}

/// SentencePiece texts write a space as U+2581.
fn append_unescaped(text: &[u8], bytes: &mut Vec<u8>) {
    let mark = spm::SPACE_MARK.as_bytes();
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        if let Some(behind) = rest.strip_prefix(mark) {
            bytes.push(b' ');
            rest = behind;
        } else {
            bytes.push(byte);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

/// GPT-2 texts spell bytes as characters; a character outside that alphabet stands for itself.
fn append_spelled(text: &[u8], bytes: &mut Vec<u8>) {
    let Ok(text) = std::str::from_utf8(text) else {
        bytes.extend_from_slice(text);
        return;
    };
    for char in text.chars() {
        match bpe::char_byte(char) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
