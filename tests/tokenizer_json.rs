//! The flat encoders against the `tokenizers` crate: one vocabulary, both encoders, the same ids. The
//! fixtures are made by tests/tools/make_token_fixtures.py.
#![cfg(feature = "tokenizer-json")]

mod tokenizer_support;

use rushlight::tokenizer::{EncodeOptions, FlatStrings, GgufVocab, Tokenizer};
use serde_json::{Value, json};
use tokenizer_support::{Random, random_text};

const BPE: &str = include_str!("fixtures/tokenizer/bpe.json");
const SPM: &str = include_str!("fixtures/tokenizer/spm.json");
const PLAIN: EncodeOptions = EncodeOptions { add_special: false, parse_special: false };
const PARSED: EncodeOptions = EncodeOptions { add_special: false, parse_special: true };

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// ASCII case in contractions, as GGUF files mean it.
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN35: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;

/// From the tokenizer.json of DeepSeek LLM.
const DEEPSEEK_LETTERS: &str = r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\x{1F7D}ᾀ-ᾴᾶ-ᾼ\x{1FBE}ῂ-ῄῆ-ῌῐ-\x{1FD3}ῖ-\x{1FDB}ῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\x{2126}ℨ\x{212A}-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+";

/// `tokenizer.ggml.pre`, the regular expressions it stands for, and whether a word that is a token is
/// taken as it is.
fn patterns() -> Vec<(&'static str, Vec<&'static str>, bool)> {
    vec![
        ("gpt-2", vec![GPT2], false),
        ("smollm", vec![r"\p{N}", GPT2], false),
        ("llama-bpe", vec![LLAMA3], true),
        ("qwen2", vec![QWEN2], false),
        ("qwen35", vec![QWEN35], false),
        ("gpt-4o", vec![GPT4O], false),
        ("tekken", vec![TEKKEN], true),
        ("deepseek-v3", vec![r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3], false),
        (
            "deepseek-llm",
            vec![
                "[\r\n]",
                DEEPSEEK_LETTERS,
                r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
                r"\s+$",
                "[一-龥ࠀ-一가-퟿]+",
                r"\p{N}+",
            ],
            false,
        ),
        ("deepseek-coder", vec!["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"], false),
        ("default", vec![r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"], false),
        ("falcon", vec![r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"], false),
    ]
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn json_tokenizer(json: &Value) -> Tokenizer {
    Tokenizer::from_json(&serde_json::to_vec(json).unwrap()).unwrap()
}

/// Tokens in id order with GGUF's types: 3 for special, 4 for other added tokens, 6 for bytes.
fn tokens_and_types(json: &Value) -> (Vec<String>, Vec<i32>) {
    let mut tokens: Vec<(u64, String, i32)> = json["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(text, id)| {
            let byte = text.len() == 6 && text.starts_with("<0x");
            (id.as_u64().unwrap(), text.clone(), if byte { 6 } else { 1 })
        })
        .collect();
    for added in json["added_tokens"].as_array().unwrap() {
        let kind = if added["special"].as_bool().unwrap() { 3 } else { 4 };
        let text = added["content"].as_str().unwrap().to_string();
        tokens.retain(|(_, other, _)| *other != text);
        tokens.push((added["id"].as_u64().unwrap(), text, kind));
    }
    tokens.sort();
    assert!(tokens.iter().zip(0..).all(|(token, place)| token.0 == place));
    tokens.into_iter().map(|(_, text, kind)| (text, kind)).unzip()
}

fn merges(json: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let merges = json["model"]["merges"].as_array().unwrap();
    merges.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn flat_bpe(json: &Value, pre: &str) -> Tokenizer {
    let (tokens, types) = tokens_and_types(json);
    let merges = merges(json).iter().map(|(left, right)| format!("{left} {right}")).collect::<FlatStrings>();
    Tokenizer::from_gguf(GgufVocab {
        pre: Some(pre),
        token_types: types.into(),
        merges,
        ..GgufVocab::new("gpt2", tokens.iter().collect())
    })
    .unwrap()
}

/// Random texts with added tokens among them.
fn text_with_added(random: &mut Random, added: &[&str]) -> String {
    let mut text = random_text(random);
    for _ in 0..random.below(3) {
        text.push_str(random.pick(added));
        text.push_str(&random_text(random));
    }
    text
}

#[test]
fn byte_level_bpe_equals_the_crate() {
    for (pre, patterns, ignore_merges) in patterns() {
        let mut json = parse(BPE);
        let flat = flat_bpe(&json, pre);
        let mut steps: Vec<Value> = patterns
            .iter()
            .map(|pattern| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}))
            .collect();
        steps.push(
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}),
        );
        json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": steps});
        json["model"]["ignore_merges"] = json!(ignore_merges);
        let oracle = json_tokenizer(&json);

        let mut random = Random(17);
        for round in 0..2000 {
            let added = [
                "<|im_end|>",
                "<|begin_of_text|>",
                "<tool>",
                "<tool><tool>",
                "<|im_end",
                "<tool><tool><tool>",
            ];
            let text = text_with_added(&mut random, &added);
            for options in [PLAIN, PARSED] {
                let ids = flat.encode(&text, options).unwrap();
                assert_eq!(ids, oracle.encode(&text, options).unwrap(), "{pre}, round {round}: {text:?}");
                assert_eq!(flat.decode(&ids, false).unwrap(), text, "{pre}, round {round}");
                assert_eq!(
                    flat.decode(&ids, true).unwrap(),
                    oracle.decode(&ids, true).unwrap(),
                    "{pre}, round {round}"
                );
            }
        }
    }
}

#[test]
fn sentencepiece_equals_the_crate() {
    let json = parse(SPM);
    let oracle = json_tokenizer(&json);
    let (tokens, types) = tokens_and_types(&json);
    // The score of a token is that of the merge that makes it: the earlier, the better.
    let mut scores = vec![-1e6; tokens.len()];
    for (rank, (left, right)) in merges(&json).iter().enumerate().rev() {
        let merged = format!("{left}{right}");
        scores[tokens.iter().position(|token| *token == merged).unwrap()] = -(rank as f32);
    }
    let flat = Tokenizer::from_gguf(GgufVocab {
        scores: scores.into(),
        token_types: types.into(),
        ..GgufVocab::new("llama", tokens.iter().collect())
    })
    .unwrap();
    assert_eq!((flat.bos(), flat.eos()), (Some(1), Some(2)), "the kind's own defaults");

    let mut random = Random(23);
    for round in 0..4000 {
        let text = text_with_added(&mut random, &["<s>", "</s>", "<unk>", "<s", "<s></s>"]);
        for options in [PLAIN, PARSED] {
            let ids = flat.encode(&text, options).unwrap();
            assert_eq!(ids, oracle.encode(&text, options).unwrap(), "round {round}: {text:?}");
            assert_eq!(flat.decode(&ids, false).unwrap(), text, "round {round}");
            let mut stream = flat.stream(false);
            let mut streamed: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
            streamed.push_str(&stream.finish());
            assert_eq!(streamed, text, "round {round}");
        }
    }
    let options = EncodeOptions { add_special: true, parse_special: true };
    let ids = flat.encode("the lamp", options).unwrap();
    assert_eq!(ids[0], 1);
    assert_eq!(flat.decode(&ids, true).unwrap(), "the lamp");
    // What follows a prompt keeps the space between the two.
    let more = flat.encode("the lamp is", options).unwrap();
    let mut stream = flat.stream_after(&ids, true);
    let text: String = more[ids.len()..].iter().map(|&id| stream.push(id).unwrap()).collect();
    assert_eq!(text, " is");
}

/// Ids that no text encodes to, so that characters fall apart between pushes.
#[test]
fn json_streams_equal_decoding_at_once() {
    let mut random = Random(29);
    for (name, json) in [("bpe", BPE), ("spm", SPM)] {
        let tokenizer = json_tokenizer(&parse(json));
        for round in 0..1000 {
            let text = random_text(&mut random);
            let mut ids = tokenizer.encode(&text, PLAIN).unwrap();
            if name == "bpe" && round % 2 == 0 {
                ids = (0..1 + random.below(12)).map(|_| random.below(849) as u32).collect();
            }
            for skip_special in [true, false] {
                let mut stream = tokenizer.stream(skip_special);
                let mut streamed: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
                streamed.push_str(&stream.finish());
                assert_eq!(streamed, tokenizer.decode(&ids, skip_special).unwrap(), "{name}, round {round}");
            }
        }
    }
}

#[test]
fn json_tokens_have_their_roles() {
    let mut json = parse(BPE);
    json["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [849], "tokens": ["<|begin_of_text|>"]}}
    });
    json["truncation"] =
        json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
    let tokenizer = json_tokenizer(&json);
    assert_eq!(tokenizer.name(), "tokenizer.json");
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.vocab_size()), (Some(849), Some(850), 853));
    assert!(
        tokenizer.adds_bos() && tokenizer.is_end_of_generation(850) && !tokenizer.is_end_of_generation(849)
    );
    assert!(tokenizer.is_special(850) && !tokenizer.is_special(851));
    let text = "The lamp and the lighthouse keeper <|im_end|>";
    let ids = tokenizer.encode(text, EncodeOptions::default()).unwrap();
    assert!(ids.len() > 5, "truncation is off");
    assert_eq!((ids[0], *ids.last().unwrap()), (849, 850));
    let pieces: Vec<u8> = ids[1..].iter().flat_map(|&id| tokenizer.piece(id).unwrap()).collect();
    assert_eq!(String::from_utf8(pieces).unwrap(), text);
    assert_eq!(tokenizer.id_of("<|im_end|>"), Some(850));
    assert_eq!(tokenizer.decode(&[853], true).unwrap_err().code(), "ERR_UNKNOWN_TOKEN");
    assert_eq!(Tokenizer::from_json(b"{}").unwrap_err().code(), "ERR_BAD_TOKENIZER_JSON");
}
