//! Shared by the tokenizer tests: the vocabulary of a GGUF file by a reader of its own (so that a fault in
//! `formats` shows there and not here), random texts, and the real model's place.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rushlight::tokenizer::{FlatStrings, GgufVocab, Tokenizer};

/// A metadata value, as far as vocabularies need them.
pub enum Value {
    Unsigned(u64),
    Bool(bool),
    Text(Vec<u8>),
    Texts(FlatStrings),
    Floats(Vec<f32>),
    Ints(Vec<i32>),
    Other,
}

/// Reads the metadata of a GGUF file. Panics on a bad one: this is a test.
pub fn read_metadata(path: &Path) -> HashMap<String, Value> {
    let mut file = BufReader::new(File::open(path).unwrap());
    let mut magic = [0; 8];
    file.read_exact(&mut magic).unwrap();
    assert_eq!(&magic[..4], b"GGUF", "{}", path.display());
    let _tensors = number(&mut file, 8);
    let pairs = number(&mut file, 8);
    (0..pairs)
        .map(|_| {
            let key = String::from_utf8(text(&mut file)).unwrap();
            let kind = number(&mut file, 4);
            let value = value(&mut file, kind);
            (key, value)
        })
        .collect()
}

fn number(file: &mut impl Read, bytes: usize) -> u64 {
    let mut raw = [0; 8];
    file.read_exact(&mut raw[..bytes]).unwrap();
    u64::from_le_bytes(raw)
}

fn text(file: &mut impl Read) -> Vec<u8> {
    let mut bytes = vec![0; number(file, 8) as usize];
    file.read_exact(&mut bytes).unwrap();
    bytes
}

fn value(file: &mut impl Read, kind: u64) -> Value {
    let size = |kind: u64| [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][kind as usize];
    match kind {
        7 => Value::Bool(number(file, 1) != 0),
        8 => Value::Text(text(file)),
        9 => {
            let (kind, count) = (number(file, 4), number(file, 8));
            match kind {
                8 => Value::Texts((0..count).map(|_| text(file)).collect()),
                6 => Value::Floats((0..count).map(|_| f32::from_bits(number(file, 4) as u32)).collect()),
                5 => Value::Ints((0..count).map(|_| number(file, 4) as i32).collect()),
                _ => {
                    (0..count).for_each(|_| {
                        number(file, size(kind));
                    });
                    Value::Other
                }
            }
        }
        _ => Value::Unsigned(number(file, size(kind))),
    }
}

/// The vocabulary in `metadata`, handed to `build`.
pub fn with_vocab<T>(metadata: &HashMap<String, Value>, build: impl FnOnce(GgufVocab<'_>) -> T) -> T {
    let get = |key: &str| metadata.get(&format!("tokenizer.ggml.{key}"));
    let id = |key: &str| match get(key) {
        Some(Value::Unsigned(id)) => Some(*id as u32),
        _ => None,
    };
    let flag = |key: &str| match get(key) {
        Some(Value::Bool(flag)) => Some(*flag),
        _ => None,
    };
    let text = |value: Option<&Value>| match value {
        Some(Value::Text(text)) => Some(String::from_utf8(text.clone()).unwrap()),
        _ => None,
    };
    let texts = |key: &str| match get(key) {
        Some(Value::Texts(texts)) => texts.clone(),
        _ => FlatStrings::default(),
    };
    let scores: &[f32] = match get("scores") {
        Some(Value::Floats(scores)) => scores,
        _ => &[],
    };
    let token_types: &[i32] = match get("token_type") {
        Some(Value::Ints(types)) => types,
        _ => &[],
    };
    let model = text(get("model")).unwrap();
    let pre = text(get("pre"));
    let name = text(metadata.get("general.name"));
    build(GgufVocab {
        pre: pre.as_deref(),
        scores: scores.into(),
        token_types: token_types.into(),
        merges: texts("merges"),
        bos: id("bos_token_id"),
        eos: id("eos_token_id"),
        eot: id("eot_token_id"),
        eom: id("eom_token_id"),
        unk: id("unknown_token_id"),
        add_bos: flag("add_bos_token"),
        add_eos: flag("add_eos_token"),
        add_space_prefix: flag("add_space_prefix"),
        model_name: name.as_deref(),
        ..GgufVocab::new(&model, texts("tokens"))
    })
}

/// The tokenizer of a GGUF file.
pub fn tokenizer_of(path: &Path) -> Tokenizer {
    with_vocab(&read_metadata(path), Tokenizer::from_gguf).unwrap()
}

/// Gemma 3 270M, from `RUSHLIGHT_MODEL` or the cache that `cargo xtask fetch-model` fills.
pub fn gemma_path() -> PathBuf {
    let path = std::env::var_os("RUSHLIGHT_MODEL").map(PathBuf::from).unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
        cache.join("rushlight/models/gemma-3-270m-q4_k_m.gguf")
    });
    assert!(path.exists(), "{} is missing: run `cargo xtask fetch-model`", path.display());
    path
}

/// Measures what this thread computes. On Linux that is processor time, so that other work on the machine
/// doesn't count; elsewhere it is time on the clock.
pub struct Stopwatch {
    clock: Instant,
    processor: Option<u64>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch { clock: Instant::now(), processor: processor_nanoseconds() }
    }

    pub fn elapsed(&self) -> Duration {
        match (self.processor, processor_nanoseconds()) {
            (Some(start), Some(now)) => Duration::from_nanos(now - start),
            _ => self.clock.elapsed(),
        }
    }
}

/// First field of `schedstat` in proc(5): time on the processor, which the kernel brings up to date at
/// least when the thread yields.
fn processor_nanoseconds() -> Option<u64> {
    std::thread::yield_now();
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// SplitMix64: small, seeded, good enough to pick test texts.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What random texts are mixed from: what tokenizers trip over.
const PARTS: &[&str] = &[
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "\u{a0}",
    "\u{3000}",
    "\u{200d}",
    "\u{2028}",
    "\0",
    "\u{7f}",
    "'s",
    "'LL",
    "'re",
    "don't",
    "I'Ve",
    "the",
    "The",
    " quick",
    "brown",
    "Fox",
    "1",
    "22",
    "333",
    "4444",
    "3.14",
    "½",
    "²",
    "٣٤",
    "Ⅻ",
    "...",
    "!?",
    "—",
    "“q”",
    "$",
    "€",
    "<",
    ">",
    "<|",
    "|>",
    "</s>",
    "<bos>",
    "a\u{301}",
    "é",
    "ÉCOLE",
    "straße",
    "ǅ",
    "ﬁ",
    "你好",
    "世界",
    "日本語",
    "かな",
    "カナ",
    "한국어",
    "שלום",
    "مرحبا",
    "हिन्दी",
    "ไทย",
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "👍🏽",
    "😀",
    "𓀀",
    "\u{10ffff}",
    "\u{fffd}",
    "\u{feff}",
    "_",
    "__init__",
    "->",
    "==",
    "{",
    "}",
    "();",
    "/",
    "//",
    "aaaaaaaa",
    "zzz",
    "\u{1f}",
    "ſ",
    "K",
];

/// A text of `PARTS`, of characters from all of Unicode, or of ASCII; never U+2581.
pub fn random_text(random: &mut Random) -> String {
    let kind = random.below(4);
    let length = 1 + random.below(24);
    let mut text = String::new();
    for _ in 0..length {
        match kind {
            0 | 1 => text.push_str(random.pick(PARTS)),
            2 => {
                let limit = [0x80, 0x800, 0x1_0000, 0x11_0000][random.below(4)];
                text.extend(char::from_u32(random.below(limit) as u32).filter(|&char| char != '\u{2581}'));
            }
            _ => text.push(char::from(32 + random.below(95) as u8)),
        }
    }
    text
}
