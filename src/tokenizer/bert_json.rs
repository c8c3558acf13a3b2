//! `tokenizer.json` of BERT models, read without the `tokenizers` crate, which would make the web package three times as large.

use serde_json::Value;

use super::bert_text::Preparation;
use super::error::TokenizerError;
use super::gguf::GgufVocab;
use super::pieces::FlatStrings;
use super::wordpiece::CONTINUES;

/// What the file says.
pub(super) struct BertJson {
    /// Texts in id order.
    pub tokens: FlatStrings,
    /// GGUF's numbers: 1 normal, 3 control, 4 user-defined.
    pub token_types: Vec<i32>,
    pub preparation: Preparation,
    pub unknown: u32,
    /// Before and behind a text.
    pub around: [Option<u32>; 2],
    pub cleanup: bool,
}

impl BertJson {
    /// Reads a file; `None` where it asks for anything that the encoder here does not do.
    pub fn read(json: &[u8]) -> Result<Option<Self>, TokenizerError> {
        let file: Value = serde_json::from_slice(json)
            .map_err(|error| TokenizerError::Json { reason: error.to_string() })?;
        Ok(Self::recognise(&file))
    }

    fn recognise(file: &Value) -> Option<Self> {
        let is = |part: &str, kind: &str| file[part]["type"] == kind;
        let model = &file["model"];
        let usual =
            model["continuing_subword_prefix"] == CONTINUES && model["max_input_chars_per_word"] == 100;
        // Older files name no type; only WordPiece has a longest word.
        let word_piece = is("model", "WordPiece") || model["type"].is_null();
        if !word_piece
            || !usual
            || !is("normalizer", "BertNormalizer")
            || !is("pre_tokenizer", "BertPreTokenizer")
        {
            return None;
        }
        let vocab = model["vocab"].as_object()?;
        let added = match &file["added_tokens"] {
            Value::Null => &[],
            list => list.as_array()?.as_slice(),
        };
        let largest = vocab.values().chain(added.iter().map(|token| &token["id"]));
        let count =
            largest.map(Value::as_u64).try_fold(0_u64, |most, id| Some(most.max(id?.checked_add(1)?)))?;
        // Ids with gaps between them are refused: no published vocabulary has any.
        let most = (vocab.len() + added.len()) as u64;
        let mut texts = vec![""; usize::try_from(count).ok().filter(|_| count <= most)?];
        let mut token_types = vec![1; texts.len()];
        for (text, id) in vocab {
            *texts.get_mut(id.as_u64()? as usize)? = text;
        }
        for token in added {
            let id = token["id"].as_u64()? as usize;
            let plain = ["single_word", "lstrip", "rstrip"].iter().all(|flag| token[flag] != true);
            let special = token["special"] == true;
            // A normalised token would have to be looked for in the prepared text.
            if !plain || token["normalized"] != false {
                return None;
            }
            *texts.get_mut(id)? = token["content"].as_str()?;
            *token_types.get_mut(id)? = if special { 3 } else { 4 };
        }
        let normalizer = &file["normalizer"];
        let lowercase = normalizer["lowercase"].as_bool()?;
        let unknown = vocab.get(model["unk_token"].as_str()?)?.as_u64()?;
        let around = around(&file["post_processor"])?;
        if around.into_iter().flatten().chain([u32::try_from(unknown).ok()?]).any(|id| u64::from(id) >= count)
        {
            return None;
        }
        Some(BertJson {
            tokens: texts.into_iter().collect(),
            token_types,
            preparation: Preparation {
                clean: normalizer["clean_text"].as_bool()?,
                chinese: normalizer["handle_chinese_chars"].as_bool()?,
                strip_accents: normalizer["strip_accents"].as_bool().unwrap_or(lowercase),
                lowercase,
            },
            unknown: u32::try_from(unknown).ok()?,
            around,
            cleanup: is("decoder", "WordPiece") && file["decoder"]["cleanup"] != false,
        })
    }

    /// As the vocabulary of a file.
    pub fn into_vocab(self) -> GgufVocab<'static> {
        GgufVocab {
            token_types: self.token_types.into(),
            bos: self.around[0],
            eos: self.around[1],
            unk: Some(self.unknown),
            add_bos: Some(self.around[0].is_some()),
            add_eos: Some(self.around[1].is_some()),
            ..GgufVocab::new("bert", self.tokens)
        }
    }
}

/// The tokens before and behind a text; `None` where there are others.
fn around(processor: &Value) -> Option<[Option<u32>; 2]> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match processor["type"].as_str() {
        None => Some([None, None]),
        Some("BertProcessing") => Some([Some(id(&processor["cls"][1])?), Some(id(&processor["sep"][1])?)]),
        Some("TemplateProcessing") => {
            let special = |piece: &Value| {
                let name = piece["SpecialToken"]["id"].as_str()?;
                match processor["special_tokens"][name]["ids"].as_array()?.as_slice() {
                    [only] => id(only),
                    _ => None,
                }
            };
            let is_text = |piece: &Value| piece["Sequence"]["id"] == "A";
            match processor["single"].as_array()?.as_slice() {
                [text] if is_text(text) => Some([None, None]),
                [first, text] if is_text(text) => Some([Some(special(first)?), None]),
                [text, last] if is_text(text) => Some([None, Some(special(last)?)]),
                [first, text, last] if is_text(text) => Some([Some(special(first)?), Some(special(last)?)]),
                _ => None,
            }
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A file of four tokens, with one id changed.
    fn with(path: &str, id: u64) -> Value {
        let mut file = json!({
            "added_tokens": [{ "id": 3, "content": "[MASK]", "special": true, "normalized": false }],
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": { "type": "BertProcessing", "sep": ["b", 2], "cls": ["a", 1] },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": CONTINUES,
                "max_input_chars_per_word": 100, "vocab": { "[UNK]": 0, "a": 1, "b": 2 }
            }
        });
        *file.pointer_mut(path).expect("the file has it") = id.into();
        file
    }

    #[test]
    fn ids_that_no_vocabulary_has_are_not_recognised() {
        let places =
            ["/model/vocab/b", "/added_tokens/0/id", "/post_processor/sep/1", "/post_processor/cls/1"];
        for (place, sound) in places.into_iter().zip([2, 3, 2, 1]) {
            assert!(BertJson::recognise(&with(place, sound)).is_some(), "{place}");
            for id in [4, 1 << 32, (1 << 32) + sound, u64::MAX - 1, u64::MAX] {
                assert!(BertJson::recognise(&with(place, id)).is_none(), "{place}: {id}");
            }
        }
    }
}
