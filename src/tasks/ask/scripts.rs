//! What searching and cutting need to know of characters: which say nothing, which scripts put no spaces between words, how wide they
//! are, and how many words and tokens a text is likely to have.

use crate::tokenizer::unicode::{Class, class};

/// First and last of runs that ascend.
type Runs = [(u32, u32)];

/// Default ignorable code points (Unicode 16, `DerivedCoreProperties.txt`), unassigned ones among them: soft hyphens, joiners, marks of
/// direction, variation selectors, byte order marks. Nobody sees them, and nobody writes them in a question.
const IGNORABLE: &Runs = &[
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
];

/// Han, with the iteration mark and the number zero.
const HAN: &Runs = &[
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
];
const HIRAGANA: &Runs = &[(0x3041, 0x3096), (0x3099, 0x309A), (0x309D, 0x309F)];
const KATAKANA: &Runs = &[(0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)];
const HANGUL: &Runs = &[(0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97C), (0xAC00, 0xD7FB)];
const THAI: &Runs = &[(0xE01, 0xE3A), (0xE40, 0xE4E)];
const LAO: &Runs = &[(0xE81, 0xECF), (0xEDC, 0xEDF)];
const MYANMAR: &Runs = &[(0x1000, 0x103F), (0x1050, 0x109F), (0xA9E0, 0xA9FE), (0xAA60, 0xAA7F)];
const KHMER: &Runs = &[(0x1780, 0x17D3), (0x17D7, 0x17D7), (0x17DC, 0x17DD)];

/// What a line break vanishes between where it only wraps, as CSS Text 3, 4.1.3 has it ("segment break transformation rules"): wide and
/// full-width characters of East Asia, but not Hangul.
const WIDE: &Runs = &[
    (0x2E80, 0x303E),
    (0x3041, 0x312F),
    (0x3190, 0x4DBF),
    (0x4E00, 0xA4CF),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE4F),
    (0xFF01, 0xFF60),
    (0x20000, 0x323AF),
];

/// A script that is searched for by pairs of characters, since its words cannot be told apart without a dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Chinese characters, in Chinese and Japanese.
    Han,
    /// The Japanese syllables that inflections and particles are written in.
    Hiragana,
    /// Those of words from other languages.
    Katakana,
    /// Korean has spaces, but its particles stand at the words.
    Hangul,
    /// Thai.
    Thai,
    /// Lao.
    Lao,
    /// Burmese and others of Myanmar.
    Myanmar,
    /// Khmer.
    Khmer,
}

fn holds(runs: &Runs, c: char) -> bool {
    let code = u32::from(c);
    let behind = runs.partition_point(|&(first, _)| first <= code);
    behind.checked_sub(1).and_then(|run| runs.get(run)).is_some_and(|&(_, last)| code <= last)
}

/// Whether nobody sees this character.
pub fn is_ignorable(c: char) -> bool {
    !c.is_ascii() && holds(IGNORABLE, c)
}

/// Whether it belongs to the character before it (`\p{M}`).
pub fn is_mark(c: char) -> bool {
    u32::from(c) >= 0x300 && class(c) == Class::Mark
}

/// A letter, digit or mark: what words are made of, as in UAX #29, but that signs within a word (`don't`, `3.5`) part it.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || is_mark(c)
}

/// The script, if it is one of those that are searched for by pairs.
pub fn paired(c: char) -> Option<Script> {
    // Latin, Greek, Cyrillic, Hebrew, Arabic and the scripts of India come before Thai.
    if u32::from(c) < 0xE00 {
        return None;
    }
    const SCRIPTS: [(&Runs, Script); 8] = [
        (HAN, Script::Han),
        (HIRAGANA, Script::Hiragana),
        (KATAKANA, Script::Katakana),
        (HANGUL, Script::Hangul),
        (THAI, Script::Thai),
        (LAO, Script::Lao),
        (MYANMAR, Script::Myanmar),
        (KHMER, Script::Khmer),
    ];
    SCRIPTS.iter().find(|(runs, _)| holds(runs, c)).map(|&(_, script)| script)
}

/// Whether its script puts no spaces between words.
pub fn is_dense(c: char) -> bool {
    paired(c).is_some_and(|script| script != Script::Hangul)
}

/// Whether a line break between two such characters says nothing.
pub fn is_wide(c: char) -> bool {
    holds(WIDE, c)
}

/// Thai and Lao vowels that are written before or behind their consonant, and are letters of their own: no word begins with the latter
/// or ends with the former.
pub fn is_vowel_before(c: char) -> bool {
    matches!(c, '\u{E40}'..='\u{E44}' | '\u{EC0}'..='\u{EC4}')
}

/// See [`is_vowel_before`].
pub fn is_vowel_behind(c: char) -> bool {
    matches!(
        c,
        '\u{E30}'
            | '\u{E32}'
            | '\u{E33}'
            | '\u{E45}'
            | '\u{E46}'
            | '\u{EB0}'
            | '\u{EB2}'
            | '\u{EB3}'
            | '\u{EC6}'
    )
}

/// Punctuation as a span may end with: that of ASCII, and of East Asia.
pub fn is_sign(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(c, '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '！' | '，' | '．' | '：' | '；' | '？')
}

/// Letters as they are compared: without case, full-width ones as the others, ligatures as their letters.
pub fn fold(c: char, mut take: impl FnMut(char)) {
    if c.is_ascii() {
        return take(c.to_ascii_lowercase());
    }
    let c = match u32::from(c) {
        wide @ 0xFF01..=0xFF5E => char::from_u32(wide - 0xFEE0).unwrap_or(c),
        _ => c,
    };
    // By way of the upper case: that is where `ß` and `ss`, `ς` and `σ` meet.
    c.to_uppercase().flat_map(char::to_lowercase).for_each(take);
}

/// Columns of a line in a font of one width.
pub fn columns(line: &str) -> usize {
    line.chars()
        .map(|c| {
            if c.is_ascii() {
                1
            } else if is_wide(c) || holds(HANGUL, c) {
                2
            } else {
                usize::from(!is_mark(c))
            }
        })
        .sum()
}

/// Words of a text: what stands between white space, and in scripts without it two characters of Han or kana, or five of others.
pub fn words(text: &str) -> usize {
    let mut count = 0;
    // Tenths of words.
    let mut dense = 0;
    let mut within = false;
    for c in text.chars() {
        match paired(c) {
            _ if c.is_whitespace() => within = false,
            Some(Script::Hangul) | None => {
                count += usize::from(!within);
                within = true;
            }
            // What follows without a space begins no word of its own: mostly a sign, or a number before its unit.
            Some(Script::Han | Script::Hiragana | Script::Katakana) => {
                dense += 5;
                within = true;
            }
            Some(_) => {
                dense += 2;
                within = true;
            }
        }
    }
    count + usize::div_ceil(dense, 10)
}

/// Letters of a word that a vocabulary is likely to know.
const KNOWN_WORD: usize = 14;

/// Tokens that a text is likely to have at most, by the classes of its characters: vocabularies know words, but not what is encoded in
/// letters and digits, and of characters beyond Latin a token or two each. No tokenizer is at hand where documents are cut.
pub fn likely_tokens(text: &str) -> usize {
    // Halves of tokens.
    let mut halves = 0;
    let (mut letters, mut before) = (0, ' ');
    for c in text.chars() {
        // Signs in a row, as lines are drawn with, are tokens of several as well.
        let known = c.is_ascii_alphabetic() || (c == before && c.is_ascii_punctuation());
        before = c;
        if known {
            letters += 1;
            let begins = letters % 4 == 1 || (letters > KNOWN_WORD && c.is_ascii_alphabetic());
            halves += if begins { 2 } else { 0 };
            continue;
        }
        letters = 0;
        halves += match c {
            ' ' => 0,
            _ if c.is_ascii() => 2,
            _ if u32::from(c) < 0x2E80 => 1,
            _ if u32::from(c) < 0x10000 => 2,
            _ => 4,
        };
    }
    usize::div_ceil(halves, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_ascend() {
        for runs in [IGNORABLE, HAN, HIRAGANA, KATAKANA, HANGUL, THAI, LAO, MYANMAR, KHMER, WIDE] {
            assert!(runs.iter().all(|(first, last)| first <= last));
            assert!(runs.windows(2).all(|pair| pair[0].1 < pair[1].0), "{runs:x?}");
        }
    }

    #[test]
    fn characters_are_told_apart() {
        for c in "\u{AD}\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{FE0F}\u{202E}\u{2066}\u{E0001}".chars() {
            assert!(is_ignorable(c), "{c:?}");
        }
        assert!("a -é\u{301}中😀\u{3000}\u{A0}".chars().all(|c| !is_ignorable(c)));
        for (text, script) in [
            ("沈々〇", Script::Han),
            ("さくら", Script::Hiragana),
            ("パンー", Script::Katakana),
            ("등대", Script::Hangul),
            ("ประภาคาร", Script::Thai),
            ("ປະເທດ", Script::Lao),
            ("မီးပြတိုက်", Script::Myanmar),
            ("ប៉មភ្លើង", Script::Khmer),
        ] {
            assert!(text.chars().all(|c| paired(c) == Some(script)), "{text}");
        }
        assert!("Aé4жאب。、हि".chars().all(|c| paired(c).is_none()));
        assert!("，。沈パ「」".chars().all(is_wide) && !is_wide('a') && !is_wide('등') && !is_wide('ก'));
    }

    #[test]
    fn words_are_counted_with_and_without_spaces() {
        for text in
            ["", " ", "one", "two words", " The ferry\nleaves, at 7. ", "Où est l'été?", "등대는 1931년에"]
        {
            assert_eq!(words(text), text.split_whitespace().count(), "{text:?}");
        }
        assert_eq!(words("灯塔由工程师建成"), 4);
        assert_eq!(words("高42米"), 1);
        assert!((2..=6).contains(&words("เรือเฟอร์รี่ออกเวลา")));
    }

    #[test]
    fn what_no_vocabulary_knows_has_many_tokens() {
        let plain = "The ferry to Holm leaves at seven in the morning from pier four. ".repeat(6);
        assert!(likely_tokens(&plain) < 2 * words(&plain), "{}", likely_tokens(&plain));
        assert!(likely_tokens(&"q".repeat(1000)) > 900);
        assert!(likely_tokens(&"eUK98iEG8IR3YvDzy012".repeat(50)) > 400);
        assert_eq!(likely_tokens(&"灯".repeat(100)), 100);
    }

    #[test]
    fn letters_are_compared_without_case() {
        let folded = |text: &str| {
            let mut out = String::new();
            text.chars().for_each(|c| fold(c, |c| out.push(c)));
            out
        };
        for (one, other) in
            [("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("É", "é"), ("ﬁnd", "FIND"), ("１９Ａ", "19a")]
        {
            assert_eq!(folded(one), folded(other), "{one}");
        }
    }
}
