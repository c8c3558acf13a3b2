//! Vocabularies of 331 tokens that encode any text: all 256 bytes, and merges up to some common English words.

use super::specs::VOCABULARY;
use rushlight::formats::FormatError;
use rushlight::formats::gguf::{GgufWriter, StringArray};

/// What kind of vocabulary, and for which pre-tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `llama`: pieces with scores, byte fallback.
    SentencePiece,
    /// `gpt2` with `llama-bpe`.
    LlamaBpe,
    /// `gpt2` with `qwen2`.
    Qwen2Bpe,
}

/// Merges, best first, with `_` for a space: the left and the right part are bytes or results of earlier merges.
const MERGES: &[&str] = &[
    "_ t",
    "h e",
    "_t he",
    "i n",
    "a n",
    "_ a",
    "e r",
    "o n",
    "r e",
    "_ s",
    "_ w",
    "o r",
    "an d",
    "_a nd",
    "_ o",
    "_o f",
    "i s",
    "_ is",
    "_ c",
    "a l",
    "_c a",
    "_ F",
    "r an",
    "c e",
    "_F ran",
    "_Fran ce",
    "i t",
    "_ca p",
    "_cap it",
    "_capit al",
    "l l",
    "l o",
    "he ll",
    "hell o",
];

/// Letters that SentencePiece has pieces of their own for; other bytes take the fallback.
const LETTERS: &str = "▁etaoinshrdlucmfwgypbvkxjqzTAIFHW,.";

/// One token as the metadata lists it.
struct Token {
    text: String,
    score: f32,
    /// `tokenizer.ggml.token_type`.
    kind: i32,
}

const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// Adds the `tokenizer.ggml.*` keys.
pub fn describe(kind: Kind, writer: &mut GgufWriter<'_>) -> Result<(), FormatError> {
    let (tokens, merges) = match kind {
        Kind::SentencePiece => (sentence_pieces(), None),
        Kind::LlamaBpe | Kind::Qwen2Bpe => {
            let (tokens, merges) = byte_pairs(kind);
            (tokens, Some(merges))
        }
    };
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let is_bpe = merges.is_some();
    writer.metadata(&key("model"), if is_bpe { "gpt2" } else { "llama" })?;
    if let Some(merges) = merges {
        writer.metadata(&key("pre"), if kind == Kind::LlamaBpe { "llama-bpe" } else { "qwen2" })?;
        writer.metadata(&key("merges"), merges.iter().collect::<StringArray>())?;
    } else {
        writer.metadata(&key("scores"), tokens.iter().map(|token| token.score).collect::<Vec<f32>>())?;
        writer.metadata(&key("unknown_token_id"), 0u32)?;
    }
    writer.metadata(&key("tokens"), tokens.iter().map(|token| &token.text).collect::<StringArray>())?;
    writer.metadata(&key("token_type"), tokens.iter().map(|token| token.kind).collect::<Vec<i32>>())?;
    writer.metadata(&key("bos_token_id"), 1u32)?;
    writer.metadata(&key("eos_token_id"), 2u32)?;
    writer.metadata(&key("add_bos_token"), kind != Kind::Qwen2Bpe)?;
    Ok(())
}

/// Fills up to the size of the vocabulary with tokens that nothing encodes to.
fn fill_up(tokens: &mut Vec<Token>) {
    assert!(tokens.len() <= VOCABULARY, "{} tokens are too many", tokens.len());
    for index in tokens.len()..VOCABULARY {
        tokens.push(Token { text: format!("<unused{index}>"), score: -1e9, kind: UNUSED });
    }
}

fn sentence_pieces() -> Vec<Token> {
    let special = |text: &str, kind| Token { text: text.to_owned(), score: 0.0, kind };
    let mut tokens = vec![special("<unk>", UNKNOWN), special("<s>", CONTROL), special("</s>", CONTROL)];
    tokens.extend((0..=255u8).map(|byte| special(&format!("<0x{byte:02X}>"), BYTE)));
    let merged = MERGES.iter().map(|merge| merge.replace(' ', "").replace('_', "▁"));
    let letters = LETTERS.chars().map(String::from);
    for (rank, text) in merged.chain(letters).enumerate() {
        if tokens.iter().all(|token| token.text != text) {
            tokens.push(Token { text, score: -(rank as f32), kind: NORMAL });
        }
    }
    fill_up(&mut tokens);
    tokens
}

/// Tokens and merges of a byte-level vocabulary (the alphabet of GPT-2).
fn byte_pairs(kind: Kind) -> (Vec<Token>, Vec<String>) {
    let specials = match kind {
        Kind::LlamaBpe => ["<|reserved|>", "<|begin_of_text|>", "<|end_of_text|>"],
        _ => ["<|im_start|>", "<|endoftext|>", "<|im_end|>"],
    };
    let token = |text: String, kind| Token { text, score: 0.0, kind };
    let mut tokens: Vec<Token> = specials.iter().map(|text| token((*text).to_owned(), CONTROL)).collect();
    tokens.extend((0..=255).map(|byte| token(byte_letter(byte).to_string(), NORMAL)));
    let mut merges = Vec::new();
    for merge in MERGES {
        let merge = merge.replace('_', "Ġ");
        let text = merge.replace(' ', "");
        if tokens.iter().all(|token| token.text != text) {
            tokens.push(token(text, NORMAL));
            merges.push(merge);
        }
    }
    fill_up(&mut tokens);
    (tokens, merges)
}

/// The character that stands for a byte in GPT-2's vocabularies: itself where it is printable Latin-1, else one from U+0100 on,
/// in the order of the bytes.
fn byte_letter(byte: u8) -> char {
    let printable = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&earlier| !printable(earlier)).count();
    char::from_u32(0x100 + before as u32).expect("below the surrogates")
}
