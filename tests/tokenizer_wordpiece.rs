//! Our own WordPiece against the `tokenizers` crate: the same `tokenizer.json`, the same ids and texts.
#![cfg(feature = "tokenizer-json")]

mod common;
mod tokenizer_support;

use proptest::prelude::*;
use rushlight::formats::gguf::Metadata;
use rushlight::tokenizer::{EncodeOptions, Tokenizer};
use serde_json::{Value, json};
use tokenizer_support::{Random, random_text};

const PLAIN: EncodeOptions = EncodeOptions { add_special: false, parse_special: false };
const WHOLE: EncodeOptions = EncodeOptions { add_special: true, parse_special: true };

/// MiniLM's file, which is that of `bert-base-uncased`.
fn published() -> Value {
    let path = common::minilm_path().join("tokenizer.json");
    serde_json::from_slice(&std::fs::read(path).expect("the tokenizer")).expect("it is JSON")
}

/// Ours and the crate's.
fn both(file: &Value) -> [Tokenizer; 2] {
    let bytes = serde_json::to_vec(file).expect("JSON");
    let ours = Tokenizer::from_json(&bytes).expect("ours reads it");
    assert_eq!(ours.name(), "wordpiece");
    let theirs = Tokenizer::from_other_json(&bytes).expect("the crate reads it");
    assert_eq!(theirs.name(), "tokenizer.json");
    assert_eq!(ours.vocab_size(), theirs.vocab_size());
    [ours, theirs]
}

fn assert_same([ours, theirs]: &[Tokenizer; 2], text: &str) {
    for options in [WHOLE, PLAIN] {
        let ids = ours.encode(text, options).expect("ours encodes");
        assert_eq!(ids, theirs.encode(text, options).expect("the crate encodes"), "{text:?} {options:?}");
        for skip_special in [false, true] {
            let decoded = ours.decode(&ids, skip_special).expect("ours decodes");
            assert_eq!(decoded, theirs.decode(&ids, skip_special).expect("the crate decodes"), "{text:?}");
        }
    }
}

#[test]
fn texts_of_the_reference_and_hard_ones() {
    let pair = both(&published());
    let file: Value =
        serde_json::from_str(include_str!("fixtures/minilm_ref.json")).expect("the fixture is JSON");
    for item in file["items"].as_array().expect("items") {
        let text = item["text"].as_str().expect("a text");
        assert_same(&pair, text);
        assert_eq!(json!(pair[0].encode(text, WHOLE).expect("ours encodes")), item["ids"]);
    }
    let long = "x".repeat(101);
    for text in [
        "",
        " ",
        "Crème Brûlée, naïve façade, Ångström, Ελληνικά, ĲSSELMEER, ŒUVRE, straße, İstanbul",
        "don't stop ' now ' they're we've I'm it's n't . , ! ? do not",
        "日本語のテキスト 中文字符 한국어 각 텍스트 \u{F900}\u{2F800}",
        "tab\tnew\nline\r\u{A0}nbsp\u{3000}wide\u{200B}zero\u{FEFF}bom\u{0}nul\u{FFFD}x\u{85}nel",
        "[CLS] a [SEP] b [MASK][PAD] [UNK] [cls] [[SEP]] [unused1]",
        "¿Qué? «guillemets» “quotes” — dash … ¡ 100€ $5.00 #tag @you a_b c^d `e` f~g h|i",
        "\u{1F600} emoji \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} family",
        "e\u{301}\u{323} combining a\u{300}\u{315}\u{35C}",
        "supercalifragilisticexpialidocious antidisestablishmentarianism",
        &long,
        &long[1..],
    ] {
        assert_same(&pair, text);
    }
}

/// A vocabulary of the characters themselves, so that what becomes of each can be told from the ids.
fn of_characters(normalizer: &Value) -> Value {
    let ranges = [
        0x21..0xD800,
        0xE000..0x1_0000,
        0x1_0A00..0x1_1D00,
        0x1_D100..0x1_D250,
        0x1_E000..0x1_EA00,
        0x2_F800..0x2_FA20,
    ];
    let chars = ranges.into_iter().flatten().filter_map(char::from_u32);
    let mut vocab = serde_json::Map::new();
    for text in ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] {
        vocab.insert(text.to_owned(), vocab.len().into());
    }
    for char in chars {
        for text in [char.to_string(), format!("##{char}")] {
            vocab.insert(text, vocab.len().into());
        }
    }
    let mut file = published();
    file["model"]["vocab"] = Value::Object(vocab);
    let added: Vec<Value> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        .iter()
        .enumerate()
        .map(|(id, text)| {
            json!({ "id": id, "special": true, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false })
        })
        .collect();
    file["added_tokens"] = added.into();
    for (id, name) in [(2, "[CLS]"), (3, "[SEP]")] {
        file["post_processor"]["special_tokens"][name]["ids"] = json!([id]);
    }
    for (flag, value) in normalizer.as_object().expect("flags") {
        file["normalizer"][flag] = value.clone();
    }
    file
}

#[test]
fn every_character_is_prepared_alike() {
    for flags in [
        json!({}),
        json!({ "lowercase": false }),
        json!({ "strip_accents": false, "handle_chinese_chars": false }),
        json!({ "clean_text": false, "strip_accents": true, "lowercase": false }),
    ] {
        let pair = both(&of_characters(&flags));
        let chars: Vec<char> = (0..=0x10_FFFF).filter_map(char::from_u32).collect();
        for group in chars.chunks(128) {
            let text: String = group.iter().map(|char| format!("a{char}b {char} ")).collect();
            let [ours, theirs] = &pair;
            let ids = ours.encode(&text, PLAIN).expect("ours encodes");
            if ids != theirs.encode(&text, PLAIN).expect("the crate encodes") {
                // Which one it was.
                group.iter().for_each(|char| assert_same(&pair, &format!("a{char}b {char} ")));
                panic!("only together: {text:?}");
            }
        }
    }
}

#[test]
fn random_texts() {
    let pair = both(&published());
    let mut random = Random(7);
    for _ in 0..4000 {
        assert_same(&pair, &random_text(&mut random));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_texts(texts in prop::collection::vec("\\PC{0,40}|[a-zA-Z' .,!?\u{e0}-\u{17f}]{0,60}|[ -~\u{4e00}-\u{4e40}\t\n]{0,50}", 8)) {
        let pair = both(&published());
        for text in &texts {
            assert_same(&pair, text);
        }
    }
}

#[test]
fn a_gguf_of_the_vocabulary_encodes_alike() {
    let [ours, theirs] = both(&published());
    let metadata: Metadata = ours.gguf_keys().into_iter().collect();
    let model: &str = metadata.require("tokenizer.ggml.model").expect("a model");
    assert_eq!(model, "bert");
    let back = Tokenizer::from_metadata(&metadata).expect("the keys are a vocabulary");
    assert_eq!(back.name(), "wordpiece");
    let mut random = Random(11);
    for _ in 0..500 {
        let text = random_text(&mut random);
        let ids = back.encode(&text, WHOLE).expect("it encodes");
        assert_eq!(ids, theirs.encode(&text, WHOLE).expect("the crate encodes"), "{text:?}");
    }
}

#[test]
fn what_our_encoder_does_not_do_goes_to_the_crate() {
    let file = published();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut file = file.clone();
        change(&mut file);
        Tokenizer::from_json(&serde_json::to_vec(&file).expect("JSON")).map(|tokenizer| tokenizer.name())
    };
    assert_eq!(changed(&|_| ()).expect("ours"), "wordpiece");
    for change in [
        (&|file: &mut Value| file["normalizer"] = json!({ "type": "Lowercase" })) as &dyn Fn(&mut Value),
        &|file| file["pre_tokenizer"] = json!({ "type": "Whitespace" }),
        &|file| file["model"]["continuing_subword_prefix"] = json!("~~"),
        &|file| file["added_tokens"][4]["lstrip"] = json!(true),
    ] {
        assert_eq!(changed(change).expect("the crate reads it"), "tokenizer.json");
    }
    let error = changed(&|file| file["model"]["vocab"] = json!([])).expect_err("no vocabulary");
    assert_eq!(error.code(), "ERR_BAD_TOKENIZER_JSON");
}
