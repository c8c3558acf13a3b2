//! The word patterns of published vocabularies, as data: which names in `tokenizer.ggml.pre` mean which
//! pattern, and in which points the patterns differ. [`super::pretokenize`] runs them.
//!
//! The facts are llama.cpp's table in `llm_tokenizer_bpe` and the models' own `tokenizer.json`.

use super::unicode::{Class, class};

/// The pattern behind one or more `tokenizer.ggml.pre` names.
#[derive(Debug)]
pub(crate) struct PreTokenizer {
    pub passes: &'static [Pass],
    /// A word that is a token needs no merges.
    pub whole_words: bool,
    /// The default of `add_bos_token`.
    pub add_bos: bool,
    pub names: &'static [&'static str],
}

#[derive(Debug)]
pub(super) enum Pass {
    /// The pattern with alternatives for words, numbers, symbols and whitespace.
    Words(Words),
    /// Runs of characters of a set, cut to at most so many characters; what lies between is one piece.
    Runs(fn(char) -> bool, usize),
    /// The same with an optional whitespace character before the run.
    SpacedRuns(fn(char) -> bool),
    /// Whitespace at the end of a piece: `\s+$`.
    TrailingSpace,
    /// Exactly so many characters of a set, leftmost first.
    Groups(fn(char) -> bool, usize),
}

/// Points in which the word patterns differ. In order of the alternatives:
/// contraction, word, number, symbols, line breaks, whitespace before a word, whitespace.
#[derive(Debug)]
pub(super) struct Words {
    pub contractions: Contractions,
    pub lead: Lead,
    pub letters: Letters,
    pub numbers: Numbers,
    pub symbols: Symbols,
    /// May follow a run of symbols.
    pub tail: Tail,
    /// Whether a run of whitespace ends behind its last line break: `\s*[\r\n]+`.
    pub breaks: bool,
}

#[derive(Debug, PartialEq)]
pub(super) enum Contractions {
    /// None of its own.
    No,
    /// `'s|'t|'re|'ve|'m|'ll|'d`
    Lower,
    /// The same in either case.
    AnyCase,
    /// The same, but as the end of a word.
    AtWordEnd,
}

#[derive(Debug, PartialEq)]
pub(super) enum Letters {
    /// `\p{L}+`
    Plain,
    /// `[\p{L}\p{M}]+`
    WithMarks,
    /// With `U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]` and `l = [\p{Ll}\p{Lm}\p{Lo}\p{M}]`: `U*l+`, else `U+l*`.
    /// (llama.cpp takes every letter outside ASCII for both; this is the models' own pattern.)
    Cased,
}

#[derive(Debug, PartialEq)]
pub(super) enum Lead {
    /// ` ?` before letters.
    Space,
    /// `[^\r\n\p{L}\p{N}]?` before letters.
    AnyOther,
    /// `[^\r\n\p{L}\p{P}\p{S}]?` before letters, and one ASCII punctuation mark before ASCII letters.
    AnyPlain,
}

#[derive(Debug)]
pub(super) enum Numbers {
    /// ` ?\p{N}+`
    Run,
    /// `\p{N}{1,n}`
    UpTo(usize),
    /// No alternative: they are symbols, or were cut off by an earlier pass.
    No,
}

#[derive(Debug, PartialEq)]
pub(super) enum Symbols {
    /// ` ?[^\s\p{L}\p{N}]+`
    Others,
    /// The same without marks.
    OthersButMarks,
    /// ` ?[\p{P}\p{S}]+`
    Punctuation,
}

#[derive(Debug, PartialEq)]
pub(super) enum Tail {
    No,
    /// `[\r\n]*`
    Breaks,
    /// `[\r\n/]*`
    BreaksAndSlash,
}

pub(super) fn number(char: char) -> bool {
    class(char) == Class::Number
}

fn ascii_digit(char: char) -> bool {
    char.is_ascii_digit()
}

pub(super) fn line_break(char: char) -> bool {
    matches!(char, '\r' | '\n')
}

fn punctuation_and_signs(char: char) -> bool {
    class(char) == Class::Punctuation || matches!(char, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|')
}

fn punctuation_signs_and_backtick(char: char) -> bool {
    punctuation_and_signs(char) || char == '`'
}

fn punctuation(char: char) -> bool {
    class(char) == Class::Punctuation
}

pub(super) fn any_letter(char: char) -> bool {
    class(char).is_letter()
}

/// `[一-龥ࠀ-一가-퟿]`
fn cjk_wide(char: char) -> bool {
    matches!(char, '\u{800}'..='\u{9FA5}' | '\u{AC00}'..='\u{D7FF}')
}

/// `[一-龥぀-ゟ゠-ヿ]`
fn cjk_and_kana(char: char) -> bool {
    matches!(char, '\u{4E00}'..='\u{9FA5}' | '\u{3040}'..='\u{30FF}')
}

/// `[!-/:-~！-／：-～‘-‟　-。]`, which holds the ASCII letters too.
fn half_and_full_width_signs(char: char) -> bool {
    matches!(char, '!'..='/' | ':'..='~' | '！'..='／' | '：'..='～' | '‘'..='‟' | '\u{3000}'..='。')
}

/// Letters with two cases, as DeepSeek LLM's own pattern lists them: first and last of each run.
#[rustfmt::skip]
const CASED_LETTERS: &[(char, char)] = &[
    ('A', 'Z'), ('a', 'z'), ('µ', 'µ'), ('À', 'Ö'), ('Ø', 'ö'), ('ø', 'ƺ'), ('Ƽ', 'ƿ'), ('Ǆ', 'ʓ'), ('ʕ', 'ʯ'), ('Ͱ', 'ͳ'),
    ('Ͷ', 'ͷ'), ('ͻ', 'ͽ'), ('Ϳ', 'Ϳ'), ('Ά', 'Ά'), ('Έ', 'Ί'), ('Ό', 'Ό'), ('Ύ', 'Ρ'), ('Σ', 'ϵ'), ('Ϸ', 'ҁ'), ('Ҋ', 'ԯ'),
    ('Ա', 'Ֆ'), ('Ⴀ', 'Ⴥ'), ('Ꭰ', 'Ᏽ'), ('ᏸ', 'ᏽ'), ('Ა', 'Ჺ'), ('Ჽ', 'Ჿ'), ('ᴀ', 'ᴫ'), ('ᵫ', 'ᵷ'), ('ᵹ', 'ᶚ'), ('Ḁ', 'ἕ'),
    ('Ἐ', 'Ἕ'), ('ἠ', 'ὅ'), ('Ὀ', 'Ὅ'), ('ὐ', 'ὗ'), ('Ὑ', 'Ὑ'), ('Ὓ', 'Ὓ'), ('Ὕ', 'Ὕ'), ('Ὗ', '\u{1F7D}'), ('ᾀ', 'ᾴ'), ('ᾶ', 'ᾼ'),
    ('\u{1FBE}', '\u{1FBE}'), ('ῂ', 'ῄ'), ('ῆ', 'ῌ'), ('ῐ', '\u{1FD3}'), ('ῖ', '\u{1FDB}'), ('ῠ', 'Ῥ'), ('ῲ', 'ῴ'), ('ῶ', 'ῼ'),
    ('ℂ', 'ℂ'), ('ℇ', 'ℇ'), ('ℊ', 'ℓ'), ('ℕ', 'ℕ'), ('ℙ', 'ℝ'), ('ℤ', 'ℤ'), ('\u{2126}', '\u{2126}'), ('ℨ', 'ℨ'),
    ('\u{212A}', 'ℭ'), ('ℯ', 'ℴ'), ('ℹ', 'ℹ'), ('ℼ', 'ℿ'), ('ⅅ', 'ⅉ'), ('ⅎ', 'ⅎ'), ('Ↄ', 'ↄ'), ('Ⰰ', 'ⱻ'), ('Ȿ', 'ⳤ'),
    ('Ⳬ', 'ⳮ'), ('Ⳳ', 'ⳳ'), ('Ꙁ', 'ꙭ'), ('Ꚁ', 'ꚛ'), ('Ꜣ', 'ꝯ'), ('ꝱ', 'ꞇ'), ('Ꞌ', 'ꞎ'), ('ꭰ', 'ꮿ'), ('ﬀ', 'ﬆ'),
    ('ﬓ', 'ﬗ'), ('Ａ', 'Ｚ'), ('ａ', 'ｚ'), ('𐐀', '𐑏'), ('𐒰', '𐓓'), ('𐓘', '𐓻'), ('𐲀', '𐲲'), ('𐳀', '𐳲'), ('𑢠', '𑣟'),
    ('𞤀', '𞥃'),
];

fn cased_letter(char: char) -> bool {
    let behind = CASED_LETTERS.partition_point(|&(first, _)| first <= char);
    behind.checked_sub(1).and_then(|place| CASED_LETTERS.get(place)).is_some_and(|&(_, last)| char <= last)
}

const GPT2: Words = Words {
    contractions: Contractions::Lower,
    lead: Lead::Space,
    letters: Letters::Plain,
    numbers: Numbers::Run,
    symbols: Symbols::Others,
    tail: Tail::No,
    breaks: false,
};

const LLAMA3: Words = Words {
    contractions: Contractions::AnyCase,
    lead: Lead::AnyOther,
    letters: Letters::Plain,
    numbers: Numbers::UpTo(3),
    symbols: Symbols::Others,
    tail: Tail::Breaks,
    breaks: true,
};

const QWEN2: Words = Words { numbers: Numbers::UpTo(1), ..LLAMA3 };
const QWEN35: Words = Words { letters: Letters::WithMarks, symbols: Symbols::OthersButMarks, ..QWEN2 };

const DEEPSEEK3: Words = Words {
    contractions: Contractions::No,
    lead: Lead::AnyPlain,
    letters: Letters::WithMarks,
    numbers: Numbers::No,
    symbols: Symbols::Punctuation,
    tail: Tail::Breaks,
    breaks: true,
};

const GPT4O: Words = Words {
    contractions: Contractions::AtWordEnd,
    letters: Letters::Cased,
    tail: Tail::BreaksAndSlash,
    ..LLAMA3
};

/// Every supported name. The first row is the one for files that name none.
pub(super) static PRE_TOKENIZERS: &[PreTokenizer] = &[
    PreTokenizer {
        names: &["default"],
        passes: &[
            Pass::Runs(punctuation_and_signs, usize::MAX),
            Pass::Words(GPT2),
            Pass::Runs(number, usize::MAX),
            Pass::Groups(ascii_digit, 3),
        ],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &[
            "gpt-2",
            "phi-2",
            "jina-es",
            "jina-de",
            "gigachat",
            "jina-v2-es",
            "jina-v2-de",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "jina-v1-en",
            "jina-v2-code",
            "roberta-bpe",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
        ],
        passes: &[Pass::Words(GPT2)],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &[
            "smollm",
            "starcoder",
            "refact",
            "command-r",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        passes: &[Pass::Runs(number, 1), Pass::Words(GPT2)],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        passes: &[Pass::Words(LLAMA3)],
        whole_words: true,
        add_bos: true,
    },
    PreTokenizer {
        names: &["glm4", "glm5"],
        passes: &[Pass::Words(LLAMA3)],
        whole_words: true,
        add_bos: false,
    },
    PreTokenizer {
        names: &["dbrx", "smaug-bpe", "chatglm-bpe"],
        passes: &[Pass::Words(LLAMA3)],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &[
            "qwen2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "stablelm2",
            "megrez",
            "hunyuan",
            "solar-open",
            "grok-2",
            "bailingmoe",
            "bailingmoe2",
            "llada-moe",
        ],
        passes: &[Pass::Words(QWEN2)],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer { names: &["qwen35"], passes: &[Pass::Words(QWEN35)], whole_words: false, add_bos: false },
    PreTokenizer {
        names: &["ufakzeka"],
        passes: &[Pass::Words(Words { contractions: Contractions::No, ..QWEN2 })],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["seed-coder"],
        passes: &[Pass::Words(Words { tail: Tail::No, ..QWEN2 })],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        passes: &[Pass::Runs(number, 3), Pass::Runs(cjk_and_kana, usize::MAX), Pass::Words(DEEPSEEK3)],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        passes: &[
            Pass::Runs(line_break, 1),
            Pass::SpacedRuns(any_letter),
            Pass::SpacedRuns(punctuation),
            Pass::Runs(cjk_wide, usize::MAX),
            Pass::Runs(number, 1),
        ],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-llm"],
        passes: &[
            Pass::Runs(line_break, 1),
            Pass::SpacedRuns(cased_letter),
            Pass::SpacedRuns(half_and_full_width_signs),
            Pass::TrailingSpace,
            Pass::Runs(cjk_wide, usize::MAX),
            Pass::Runs(number, usize::MAX),
        ],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        passes: &[Pass::Words(GPT4O)],
        whole_words: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["tekken"],
        passes: &[Pass::Words(Words { contractions: Contractions::No, numbers: Numbers::UpTo(1), ..GPT4O })],
        whole_words: true,
        add_bos: true,
    },
    PreTokenizer {
        names: &["falcon"],
        passes: &[
            Pass::Runs(punctuation_signs_and_backtick, usize::MAX),
            Pass::Words(GPT2),
            Pass::Groups(ascii_digit, 3),
        ],
        whole_words: false,
        add_bos: false,
    },
];

/// The names of [`PRE_TOKENIZERS`] that errors list.
pub(super) const COMMON_NAMES: &str = "default, gpt-2, llama-bpe, qwen2, smollm, deepseek-llm, deepseek-v3, gpt-4o, tekken, falcon and their kin";
