//! The rules around the encoders on vocabularies small enough to work out by hand, and bad vocabularies.

mod tokenizer_support;

use rushlight::formats::gguf::{Array, Metadata, Value};
use rushlight::tokenizer::{
    EncodeOptions, FlatStrings, GgufVocab, MAX_TEXT_BYTES, StopMatcher, Stopped, Tokenizer, TokenizerError,
};
use tokenizer_support::Random;

const PLAIN: EncodeOptions = EncodeOptions { add_special: false, parse_special: false };
const PARSED: EncodeOptions = EncodeOptions { add_special: false, parse_special: true };

/// A SentencePiece vocabulary from `(text, score, type)`, without the space prefix.
fn spm(tokens: &[(&str, f32, i32)]) -> GgufVocab<'static> {
    GgufVocab {
        scores: tokens.iter().map(|token| token.1).collect(),
        token_types: tokens.iter().map(|token| token.2).collect(),
        add_space_prefix: Some(false),
        ..GgufVocab::new("llama", tokens.iter().map(|token| token.0).collect())
    }
}

fn encode(source: GgufVocab<'_>, text: &str, options: EncodeOptions) -> Vec<u32> {
    Tokenizer::from_gguf(source).unwrap().encode(text, options).unwrap()
}

/// A longer special token takes its text before a shorter one that begins further left.
#[test]
fn special_tokens_go_by_length() {
    let tokens =
        [("a", 0.0, 1), ("b", 0.0, 1), ("c", 0.0, 1), ("ab", 0.0, 4), ("bca", 0.0, 4), ("c", 0.0, 4)];
    let tokens = &tokens[..5];
    assert_eq!(encode(spm(tokens), "abca", PLAIN), [0, 4]);
    assert_eq!(encode(spm(tokens), "abc", PLAIN), [3, 2]);
    assert_eq!(encode(spm(tokens), "abab", PLAIN), [3, 3]);
    assert_eq!(encode(spm(tokens), "bcabca", PLAIN), [4, 4]);
}

/// Published vocabularies have texts twice: both decode to it, and encoding takes the first.
#[test]
fn of_tokens_with_one_text_the_first_is_taken() {
    let spm_tokens = [
        ("a", 0.0, 1),
        ("b", 0.0, 1),
        ("ab", 0.0, 1),
        ("ab", 1.0, 1),
        ("<t>", 0.0, 4),
        ("<t>", 0.0, 3),
        ("<t>a", 0.0, 4),
    ];
    let tokenizer = Tokenizer::from_gguf(spm(&spm_tokens)).unwrap();
    assert_eq!(tokenizer.encode("ab<t>b<t>ab", PARSED).unwrap(), [2, 4, 1, 6, 1]);
    assert_eq!(tokenizer.encode("ab<t>b", PLAIN).unwrap(), [2, 4, 1]);
    assert_eq!(tokenizer.decode(&[2, 3, 4, 5], false).unwrap(), "abab<t><t>");
    let tokens: FlatStrings = ["a", "b", "ab", "ab", "a"].iter().collect();
    let merges: FlatStrings = ["a b"].iter().collect();
    let tokenizer = Tokenizer::from_gguf(GgufVocab { merges, ..GgufVocab::new("gpt2", tokens) }).unwrap();
    assert_eq!(tokenizer.encode("abaab", PLAIN).unwrap(), [2, 0, 2]);
    assert_eq!(tokenizer.decode(&[3, 4, 2], false).unwrap(), "abaab");
}

/// What llama.cpp does, as it is written there: each token, the longest first, takes what is left of each stretch.
fn cut(tokens: &[(&str, f32, i32)], text: &str) -> Vec<String> {
    let mut specials: Vec<&str> = tokens.iter().filter(|token| token.2 == 4).map(|token| token.0).collect();
    specials.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut parts = vec![(text.to_owned(), false)];
    for special in specials {
        let mut next = Vec::new();
        for (part, is_token) in parts {
            if is_token {
                next.push((part, true));
                continue;
            }
            for (index, piece) in part.split(special).enumerate() {
                if index > 0 {
                    next.push((special.to_owned(), true));
                }
                next.push((piece.to_owned(), false));
            }
        }
        parts = next;
    }
    let characters = |part: String| part.chars().map(String::from).collect();
    parts
        .into_iter()
        .flat_map(|(part, is_token)| if is_token { vec![part] } else { characters(part) })
        .collect()
}

/// Runs of line breaks are tokens by the dozen, and occur in each other everywhere: lists of them stay short.
#[test]
fn special_tokens_in_each_other_take_turns() {
    let names: Vec<String> =
        (1..=31).map(|count| "\n".repeat(count)).chain(["x\n".to_owned(), "\nx\n".to_owned()]).collect();
    let mut tokens: Vec<(&str, f32, i32)> = names.iter().map(|name| (name.as_str(), 0.0, 4)).collect();
    tokens.push(("x", 0.0, 1));
    let tokenizer = Tokenizer::from_gguf(spm(&tokens)).unwrap();
    let mut random = Random(5);
    for round in 0..60 {
        let mut text = String::new();
        while text.len() < 20_000 {
            text.push_str(&"\n".repeat(random.below(if round % 2 == 0 { 90 } else { 3_000 })));
            text.push('x');
        }
        let ids = tokenizer.encode(&text, PLAIN).unwrap();
        let got: Vec<String> = ids.iter().map(|&id| tokenizer.decode(&[id], false).unwrap()).collect();
        assert_eq!(got, cut(&tokens, &text), "round {round}");
    }
}

/// Control tokens only where they are asked for, user-defined ones always.
#[test]
fn control_tokens_are_text_unless_parsed() {
    let tokens = [("<", 0.0, 1), ("x", 0.0, 1), (">", 0.0, 1), ("<x>", 0.0, 3), ("x>", -1.0, 4)];
    assert_eq!(encode(spm(&tokens), "<x>x>", PARSED), [3, 4]);
    // As text, the characters still merge into any token of that text: "<" and "x>" are apart here.
    assert_eq!(encode(spm(&tokens), "<x>x>", PLAIN), [0, 4, 4]);
}

#[test]
fn equal_scores_merge_leftmost_first() {
    let tokens =
        [("a", -9.0, 1), ("aa", -1.0, 1), ("ab", -0.0, 1), ("bc", 0.0, 1), ("b", 0.0, 1), ("c", 0.0, 1)];
    assert_eq!(encode(spm(&tokens), "aaaaa", PLAIN), [1, 1, 0]);
    assert_eq!(encode(spm(&tokens), "abc", PLAIN), [2, 5], "-0.0 and 0.0 are equal scores");
    assert_eq!(encode(spm(&tokens), "aab", PLAIN), [0, 2], "the better score first");
}

#[test]
fn missing_characters_fall_back() {
    let bytes = [("a", 0.0, 1), ("<0xC3>", 0.0, 6), ("<0xA9>", 0.0, 6), ("<unk>", 0.0, 2)];
    let source = || GgufVocab { unk: Some(3), ..spm(&bytes) };
    assert_eq!(encode(source(), "aé", PLAIN), [0, 1, 2]);
    assert_eq!(encode(source(), "ö", PLAIN), [1, 3], "0xB6 has no token");
    let without = Tokenizer::from_gguf(GgufVocab { unk: None, ..spm(&[("a", 0.0, 1), ("<0xC3>", 0.0, 6)]) });
    // The kind's default for the unknown token is 0.
    assert_eq!(without.unwrap().encode("ö", PLAIN).unwrap(), [1, 0]);
}

/// Unused tokens and tokens of an unknown type have no text; empty ones get a name.
#[test]
fn tokens_without_use_are_silent() {
    let tokens = [("a", 0.0, 1), ("b", 0.0, 5), ("c", 0.0, 0), ("", 0.0, 1), ("", 0.0, 1)];
    let tokenizer = Tokenizer::from_gguf(spm(&tokens)).unwrap();
    assert_eq!(tokenizer.decode(&[0, 1, 2, 0], false).unwrap(), "aa");
    assert_eq!(tokenizer.id_of("[EMPTY_4]"), Some(4));
}

/// The space prefix comes at the start and after every special token, and decoding takes it away again.
#[test]
fn space_prefix_goes_in_and_out() {
    let tokens = [("▁", -1.0, 1), ("a", -2.0, 1), ("▁a", -0.5, 1), ("<s>", 0.0, 3), ("<t>", 0.0, 4)];
    let source = || GgufVocab { add_space_prefix: None, bos: Some(3), ..spm(&tokens) };
    let tokenizer = Tokenizer::from_gguf(source()).unwrap();
    let ids = tokenizer.encode("a<t>a a<s>a", EncodeOptions::default()).unwrap();
    assert_eq!(ids, [3, 2, 4, 2, 2, 3, 2]);
    assert_eq!(tokenizer.decode(&ids, false).unwrap(), "<s>a<t>a a<s>a");
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "a<t>a aa");
    assert_eq!(tokenizer.encode("", EncodeOptions::default()).unwrap(), [3]);
    assert_eq!(tokenizer.encode(" a", PLAIN).unwrap(), [0, 2]);
    assert_eq!(tokenizer.decode(&[0, 2], true).unwrap(), " a");
}

/// Phi-3's marks swallow the whitespace behind them; the family is known by its name only.
#[test]
fn marks_of_phi3_strip_to_the_right() {
    let tokens = [("▁", -1.0, 1), ("a", -2.0, 1), ("\n", -2.0, 1), ("<|user|>", 0.0, 3), ("<s>", 0.0, 3)];
    let named = GgufVocab { model_name: Some("Phi-3 mini"), ..spm(&tokens) };
    assert_eq!(encode(named, "a <|user|> \n a<s> a", PARSED), [1, 0, 3, 1, 4, 0, 1]);
    assert_eq!(encode(spm(&tokens), "<|user|> a", PARSED), [3, 0, 1]);
}

/// Types follow from some texts, whatever the file says.
#[test]
fn roles_follow_from_texts() {
    let ends = |tokens: &[(&str, f32, i32)], eos: Option<u32>| {
        Tokenizer::from_gguf(GgufVocab { eos, ..spm(tokens) }).unwrap().end_of_generation_ids().to_vec()
    };
    let base =
        [("x", 0.0, 1), ("<|end|>", 0.0, 3), ("<|return|>", 0.0, 3), ("<|call|>", 0.0, 3), ("<PAD>", 0.0, 1)];
    assert_eq!(ends(&base[..2], Some(0)), [0, 1]);
    assert_eq!(ends(&base[..3], Some(0)), [0, 1, 2]);
    assert_eq!(ends(&base[..4], Some(0)), [0, 2, 3], "<|end|> only separates messages here");
    assert_eq!(ends(&base, Some(0)), [0, 2, 3, 4]);
    let tag = [("x", 0.0, 1), ("</s>", 0.0, 4), ("<|tool_response>", 0.0, 3)];
    assert_eq!(ends(&tag[..2], None), [1], "default id 2 is out of range");
    assert_eq!(ends(&tag, None), [2]);
    // A user-defined </s> that ends a generation is a control token: text where nothing is parsed.
    let tokens = [("<", 0.0, 1), ("/", 0.0, 1), ("s", 0.0, 1), (">", 0.0, 1), ("</s>", 0.0, 4)];
    assert_eq!(encode(spm(&tokens), "</s>", PLAIN), [0, 1, 2, 3]);
    assert_eq!(encode(spm(&tokens), "</s>", PARSED), [4]);
}

#[test]
fn bos_and_eos_are_added_where_the_file_asks() {
    let tokens = [("a", 0.0, 1), ("<s>", 0.0, 3), ("</s>", 0.0, 3)];
    let all = EncodeOptions::default();
    assert_eq!(encode(spm(&tokens), "a", all), [1, 0]);
    assert_eq!(encode(GgufVocab { add_bos: Some(false), ..spm(&tokens) }, "a", all), [0]);
    assert_eq!(encode(GgufVocab { add_eos: Some(true), ..spm(&tokens) }, "a", all), [1, 0, 2]);
    assert_eq!(encode(GgufVocab { add_eos: Some(true), ..spm(&tokens) }, "a", PARSED), [0]);
}

/// Merges whose parts or results are no tokens still steer the others, and then fall apart.
#[test]
fn merges_outside_the_vocabulary() {
    let tokens = ["a", "b", "c", "Ġ", "Ġa", "abc"];
    let source = |merges: &[&str]| GgufVocab {
        pre: Some("gpt-2"),
        merges: merges.iter().collect(),
        ..GgufVocab::new("gpt2", tokens.iter().collect())
    };
    assert_eq!(encode(source(&["a b", "ab c"]), "abc", PLAIN), [5]);
    assert_eq!(encode(source(&["a b", "ab c"]), "ab", PLAIN), [0, 1]);
    assert_eq!(encode(source(&["a b", "Ġ a"]), " ab", PLAIN), [3, 0, 1]);
    assert_eq!(encode(source(&["Ġ a", "a b"]), " ab", PLAIN), [4, 1]);
    assert_eq!(
        encode(source(&["a b", "nospace", "", "Ġ a"]), " aé", PLAIN),
        [4],
        "bytes without a token are dropped"
    );
}

#[test]
fn bad_vocabularies_are_errors() {
    let code = |source: GgufVocab<'_>| Tokenizer::from_gguf(source).unwrap_err().code();
    let tokens = || ["a", "b"].iter().collect::<FlatStrings>();
    assert_eq!(code(GgufVocab::new("none", FlatStrings::default())), "ERR_NO_TOKENIZER");
    assert_eq!(code(GgufVocab::new("t5", tokens())), "ERR_UNSUPPORTED_TOKENIZER");
    assert_eq!(
        code(GgufVocab { pre: Some("martian"), ..GgufVocab::new("gpt2", tokens()) }),
        "ERR_UNSUPPORTED_TOKENIZER"
    );
    assert_eq!(code(GgufVocab::new("gpt2", tokens())), "ERR_BAD_VOCABULARY");
    let llama = || GgufVocab::new("llama", tokens());
    assert_eq!(code(GgufVocab { scores: vec![1.0].into(), ..llama() }), "ERR_BAD_VOCABULARY");
    assert_eq!(code(GgufVocab { scores: vec![1.0, f32::NAN].into(), ..llama() }), "ERR_BAD_VOCABULARY");
    assert_eq!(code(GgufVocab { token_types: vec![1].into(), ..llama() }), "ERR_BAD_VOCABULARY");
    for (bytes, ends) in [(vec![0; 3], vec![2, 1, 3]), (vec![0; 3], vec![1, 2]), (vec![0; 3], vec![4])] {
        assert!(FlatStrings::from_parts(bytes, ends).is_err());
    }

    // An empty vocabulary can't encode, but must not panic.
    let empty = Tokenizer::from_gguf(GgufVocab::new("llama", FlatStrings::default())).unwrap();
    assert!(empty.encode("", EncodeOptions::default()).unwrap().is_empty());
    assert!(matches!(empty.encode("a", PLAIN), Err(TokenizerError::Unencodable { byte: 0xE2 })));
    let long = " ".repeat(MAX_TEXT_BYTES + 1);
    assert_eq!(empty.encode(&long, PLAIN).unwrap_err().code(), "ERR_TEXT_TOO_LONG");
}

#[test]
fn metadata_is_read_by_key() {
    let strings = |texts: &[&str]| Value::Array(Array::Str(texts.iter().collect()));
    let mut entries = vec![
        ("tokenizer.ggml.model", Value::Str("llama".into())),
        ("tokenizer.ggml.tokens", strings(&["a", "▁", "ab", "b", "<s>"])),
        ("tokenizer.ggml.scores", Value::Array(Array::I32(vec![0, 0, 3, 0, 0]))),
        ("tokenizer.ggml.token_type", Value::Array(Array::I32(vec![1, 1, 1, 1, 3]))),
        ("tokenizer.ggml.bos_token_id", Value::U32(4)),
        ("tokenizer.ggml.eos_token_id", Value::U32(99)),
        ("tokenizer.ggml.unknown_token_id", Value::I32(-1)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(false)),
    ];
    let tokenizer = Tokenizer::from_metadata(&Metadata::from_iter(entries.clone())).unwrap();
    assert_eq!(tokenizer.encode("abb", EncodeOptions::default()).unwrap(), [4, 2, 3]);
    assert_eq!(tokenizer.eos(), Some(2), "99 is out of range: the kind's default");
    entries.push(("tokenizer.ggml.add_bos_token", Value::Str("yes".into())));
    let error = Tokenizer::from_metadata(&Metadata::from_iter(entries)).unwrap_err();
    assert!(error.to_string().contains("add_bos_token"), "{error}");
    let error = Tokenizer::from_metadata(&Metadata::default()).unwrap_err();
    assert_eq!(error.code(), "ERR_NO_TOKENIZER");
}

/// What a matcher should find in a whole text: the stop string that ends first, the longest of those.
fn first_stop(text: &str, stops: &[String]) -> (String, Option<Stopped>) {
    for end in (1..=text.len()).filter(|&end| text.is_char_boundary(end)) {
        let found = (0..stops.len())
            .filter(|&index| text[..end].ends_with(&stops[index]))
            .max_by_key(|&index| (stops[index].len(), std::cmp::Reverse(index)));
        if let Some(index) = found {
            return (text[..end - stops[index].len()].to_string(), Some(Stopped { index }));
        }
    }
    (text.to_string(), None)
}

/// Few different characters, so that stop strings begin, break off and overlap all the time.
#[test]
fn stop_strings_in_any_pieces() {
    let mut random = Random(31);
    let letters = ["a", "b", "é", "日"];
    let draw = |most: usize, random: &mut Random| -> String {
        (0..1 + random.below(most)).map(|_| random.pick(&letters)).collect()
    };
    let mut stopped = 0;
    for round in 0..20_000 {
        let stops: Vec<String> = (0..1 + random.below(3)).map(|_| draw(5, &mut random)).collect();
        let text = draw(16, &mut random);
        let expected = first_stop(&text, &stops);
        let mut matcher = StopMatcher::new(stops.clone()).unwrap();
        let (mut shown, mut found) = (String::new(), None);
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let cut = rest.ceil_char_boundary(random.below(rest.len() + 1));
            let (piece, next) = rest.split_at(cut);
            rest = next;
            let (safe, stop) = matcher.push(piece);
            shown.push_str(&safe);
            found = stop;
            // All that could be shown is shown: what is held back begins a stop string.
            let read = &text[..text.len() - rest.len()];
            let held = &read[shown.len()..];
            assert!(stop.is_some() || stops.iter().any(|stop| stop.starts_with(held)), "round {round}");
        }
        if found.is_none() {
            shown.push_str(&matcher.finish());
        }
        stopped += usize::from(found.is_some());
        assert_eq!((shown, found), expected, "round {round}: {stops:?} in {text:?}");
        assert_eq!(matcher.stopped(), expected.1);
    }
    assert!((4000..16_000).contains(&stopped), "{stopped}");
    let error = StopMatcher::new(["x", ""]).unwrap_err();
    assert_eq!((error.code(), error), ("ERR_EMPTY_STOP", TokenizerError::EmptyStop { index: 1 }));
}
