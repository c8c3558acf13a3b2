//! What kind of thing a question asks for, by its words, and whether a text is of that kind.

use super::scripts::paired;

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number or an amount.
    Amount,
    /// A day, a year, an hour, or how often.
    Time,
    /// A person or an organisation.
    Name,
}

/// Words of questions that ask for a kind wherever they stand; the first that is found decides. Where a language has none here nothing
/// is found, and nothing is concluded from that.
const CUES: &[(&str, Kind)] = &[
    ("how many", Kind::Amount),
    ("how much", Kind::Amount),
    ("how long", Kind::Amount),
    ("how soon", Kind::Amount),
    ("how old", Kind::Amount),
    ("how big", Kind::Amount),
    ("how small", Kind::Amount),
    ("how large", Kind::Amount),
    ("how far", Kind::Amount),
    ("how fast", Kind::Amount),
    ("how tall", Kind::Amount),
    ("how high", Kind::Amount),
    ("how deep", Kind::Amount),
    ("how heavy", Kind::Amount),
    ("what percentage", Kind::Amount),
    ("what proportion", Kind::Amount),
    ("what share", Kind::Amount),
    ("what size", Kind::Amount),
    ("what price", Kind::Amount),
    ("what dose", Kind::Amount),
    ("cost", Kind::Amount),
    ("the default", Kind::Amount),
    ("the maximum", Kind::Amount),
    ("the minimum", Kind::Amount),
    ("upper bound", Kind::Amount),
    ("part number", Kind::Amount),
    ("which number", Kind::Amount),
    ("which version", Kind::Amount),
    ("which release", Kind::Amount),
    ("how often", Kind::Time),
    ("what year", Kind::Time),
    ("which year", Kind::Time),
    ("what date", Kind::Time),
    ("which date", Kind::Time),
    ("what time", Kind::Time),
    ("which week", Kind::Time),
    ("which day", Kind::Time),
    ("which days", Kind::Time),
    ("which month", Kind::Time),
];
/// The same of words that ask only where the question begins: elsewhere they mostly join a clause. A word may stand before them, as in
/// `since when`.
const OPENING: &[(&str, Kind)] =
    &[("when", Kind::Time), ("who", Kind::Name), ("whom", Kind::Name), ("whose", Kind::Name)];
/// Behind these a question says what it asks the number of,
const COUNTS: &[&str] = &["how many ", "how much "];
/// which ends before one of these.
const COUNTED_ENDS: &[&str] = &[
    "is", "are", "was", "were", "be", "been", "do", "does", "did", "has", "have", "had", "can", "could",
    "may", "might", "must", "shall", "should", "will", "would", "to", "in", "on", "at", "of", "per", "a",
    "the", "for", "before", "after",
];
/// Words behind a number among which what is counted is looked for.
const COUNTED_WITHIN: usize = 3;
/// Small words of names.
const WITHIN_NAMES: &[&str] =
    &["of", "and", "the", "de", "von", "van", "di", "la", "le", "for", "a", "an", "jr", "in"];
/// Words that ask for a kind in scripts that are not cut into words: found anywhere.
const OTHER_CUES: &[(&str, Kind)] = &[
    ("什么时候", Kind::Time),
    ("什麼時候", Kind::Time),
    ("何时", Kind::Time),
    ("何時", Kind::Time),
    ("哪年", Kind::Time),
    ("哪一年", Kind::Time),
    ("何年", Kind::Time),
    ("いつ", Kind::Time),
    ("언제", Kind::Time),
    ("เมื่อไ", Kind::Time),
    ("多少", Kind::Amount),
    ("有多", Kind::Amount),
    ("几", Kind::Amount),
    ("幾", Kind::Amount),
    ("いくつ", Kind::Amount),
    ("いくら", Kind::Amount),
    ("高さ", Kind::Amount),
    ("長さ", Kind::Amount),
    ("重さ", Kind::Amount),
    ("몇", Kind::Amount),
    ("얼마", Kind::Amount),
    ("กี่", Kind::Amount),
    ("เท่าไ", Kind::Amount),
    ("谁", Kind::Name),
    ("誰", Kind::Name),
    ("だれ", Kind::Name),
    ("누가", Kind::Name),
    ("누구", Kind::Name),
    ("ใคร", Kind::Name),
];
/// Numbers in Han characters.
const HAN_NUMBERS: &str = "〇一二三四五六七八九十百千万萬億亿两兩半";
/// Parts of times in scripts that are not cut into words.
const OTHER_TIMES: &[&str] = &[
    "年",
    "月",
    "日",
    "时",
    "時",
    "点",
    "點",
    "星期",
    "周",
    "週",
    "曜",
    "早",
    "朝",
    "晚",
    "夜",
    "春",
    "夏",
    "秋",
    "冬",
    "년",
    "월",
    "일",
    "시",
    "아침",
    "저녁",
    "โมง",
    "วัน",
    "เดือน",
    "ปี",
    "เช้า",
    "เย็น",
];
const NUMBERS: &[&str] = &[
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
    "hundred",
    "thousand",
    "million",
    "billion",
    "half",
    "dozen",
    "unlimited",
];
const TIMES: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "hour",
    "hours",
    "morning",
    "noon",
    "evening",
    "night",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "once",
    "twice",
    "every",
    "after",
    "before",
    "when",
    "winter",
    "spring",
    "summer",
    "autumn",
    "date",
];

/// Words that no answer ends with, or consists of: they need another behind them.
const FUNCTION_WORDS: &[&str] = &[
    "a", "an", "the", "of", "to", "in", "on", "at", "by", "for", "from", "with", "into", "and", "or", "but",
    "nor", "if", "because", "than", "as", "is", "are", "was", "were", "be", "been", "being", "am", "do",
    "does", "did", "has", "have", "had", "can", "could", "may", "might", "must", "shall", "should", "will",
    "would", "not", "that", "which", "who", "whom", "whose", "this", "these", "those", "it", "its", "he",
    "she", "they", "his", "her", "their", "your", "my", "our", "i", "you", "we", "there", "also", "so",
];

/// Whether a text ends with a word that needs another behind it.
pub fn ends_with_function_word(text: &str) -> bool {
    let end = text.trim_end_matches(|c: char| !c.is_alphanumeric());
    words(end).last().is_some_and(|word| listed(FUNCTION_WORDS, word))
}

/// Signs that join what stands at both sides of them to one word: `quixotry-4471`, `MPL/2.0`.
const JOINERS: &str = "-/_@.:'’";

/// Whether a span parts what belongs together: a word, a number and its unit, or the words of a name. `before` and `behind` are what
/// stands around it.
pub fn cuts(before: &str, span: &str, behind: &str) -> bool {
    is_one(before, span) || is_one(span, behind)
}

/// Whether what ends the one text and what begins the other belong together.
fn is_one(left: &str, right: &str) -> bool {
    let ends = |text: &str| text.ends_with(char::is_alphanumeric);
    let begins = |text: &str| text.starts_with(char::is_alphanumeric);
    if !left.ends_with(char::is_whitespace) && !right.starts_with(char::is_whitespace) {
        let behind = right.trim_start_matches(|c| JOINERS.contains(c));
        let ahead = left.trim_end_matches(|c| JOINERS.contains(c));
        return (behind.len() < right.len() && ends(left) && begins(behind))
            || (ahead.len() < left.len() && ends(ahead) && begins(right));
    }
    let (left, right) = (left.trim_end(), right.trim_start());
    if !ends(left) || !begins(right) {
        return false;
    }
    let mut words = left.rsplit(char::is_whitespace);
    let (last, earlier) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let first = right.split(char::is_whitespace).next().unwrap_or_default();
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let (last, first) = (bare(last), bare(first));
    let capital = |word: &str| word.starts_with(char::is_uppercase) && !listed(FUNCTION_WORDS, word);
    let unit = first.starts_with(char::is_lowercase) && !listed(FUNCTION_WORDS, &first);
    // The number of a name has no unit: `Android 8 ends`. May is a month before a number.
    let named = capital(&last) || (last.starts_with(char::is_uppercase) && listed(TIMES, &last));
    (is_number(&last) && unit && !capital(earlier))
        || (capital(&last) && capital(&first))
        || (named && is_number(&first))
}

/// Whether a text is little but a number where the question asks for none.
pub fn is_unasked_number(question: Option<Kind>, text: &str) -> bool {
    question.is_none() && words(text).next().is_some_and(is_count) && words(text).count() <= 2
}

/// What a question asks for, if its words say so.
pub fn kind(question: &str) -> Option<Kind> {
    let question = question.to_lowercase();
    let found = |cue: &str| {
        question.match_indices(cue).any(|(at, _)| {
            let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
            ends(question[..at].chars().next_back()) && ends(question[at + cue.len()..].chars().next())
        })
    };
    let other = || OTHER_CUES.iter().find(|(cue, _)| question.contains(cue));
    let opens = |cue: &str| words(&question).take(2).any(|word| word == cue);
    let anywhere = CUES.iter().find(|(cue, _)| found(cue));
    let opening = || OPENING.iter().find(|(cue, _)| opens(cue));
    anywhere.or_else(opening).or_else(other).map(|&(_, kind)| kind)
}

/// What a question asks the number of, in its words: `images` in `How many images are there?`; nothing where it does not.
pub fn counted(question: &str) -> &str {
    let lower = question.to_ascii_lowercase();
    let begin = COUNTS.iter().find_map(|cue| lower.find(cue).map(|at| at + cue.len()));
    let rest = begin.and_then(|at| question.get(at..)).unwrap_or_default();
    let mut end = 0;
    for word in rest.split_inclusive(char::is_whitespace) {
        if COUNTED_ENDS.contains(&word.trim().to_lowercase().as_str()) {
            break;
        }
        end += word.len();
    }
    rest.get(..end).unwrap_or_default()
}

/// The few words behind the last number of a text's first `length` bytes; none where these hold no number.
pub fn behind_number(text: &str, length: usize) -> Option<&str> {
    let mut found = None;
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if at >= length {
            break;
        }
        at += word.len();
        if word.trim().split('-').any(is_number) {
            found = Some(at);
        }
    }
    let rest = text.get(found?..)?;
    let words: usize = rest.split_inclusive(char::is_whitespace).take(COUNTED_WITHIN).map(str::len).sum();
    rest.get(..words)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn listed(list: &[&str], word: &str) -> bool {
    list.contains(&word.to_lowercase().as_str())
}

fn is_number(word: &str) -> bool {
    word.chars().any(char::is_numeric) || listed(NUMBERS, word.trim_matches(|c: char| !c.is_alphanumeric()))
}

/// A number, and no name that holds one: `600`, `750KiB`, `ten`.
fn is_count(word: &str) -> bool {
    word.starts_with(char::is_numeric) || listed(NUMBERS, word)
}

/// 1 where the text is of the kind, less where it may be, -1 where not, 0 where the question does not say. The first word of a sentence
/// has a capital letter whether it is a name or not.
///
/// `behind` is what follows the text: in scripts without spaces a number is a time or not by the character behind it.
pub fn fits(kind: Option<Kind>, text: &str, behind: &str, opens_sentence: bool) -> f64 {
    let digit = text.chars().any(char::is_numeric);
    let other = text.chars().any(|c| paired(c).is_some());
    match kind {
        None => 0.0,
        Some(Kind::Name) if other => f64::from(if digit { -1 } else { 1 }),
        Some(Kind::Amount) if numbers_a_time(text, behind) => 0.5,
        Some(Kind::Amount) if words(text).any(is_count) => 1.0,
        Some(Kind::Amount) if !digit && text.contains(|c| HAN_NUMBERS.contains(c)) => 0.5,
        Some(Kind::Time) if digit => 1.0,
        Some(Kind::Time) if other && OTHER_TIMES.iter().any(|time| text.contains(time)) => 0.5,
        Some(Kind::Time) if words(text).any(|word| listed(TIMES, word)) => 0.7,
        Some(Kind::Name) => name(text, opens_sentence),
        Some(_) => -1.0,
    }
}

/// Whether the last number of a text is that of a year, a month and the like, by the unit that stands at it in scripts without spaces.
fn numbers_a_time(text: &str, behind: &str) -> bool {
    let Some((at, digit)) = text.char_indices().rev().find(|(_, c)| c.is_numeric()) else { return false };
    let within = text.get(at + digit.len_utf8()..).unwrap_or_default();
    let unit = if within.is_empty() { behind } else { within };
    OTHER_TIMES.iter().any(|time| unit.starts_with(time))
}

/// Whether a text is a name, by its capital letters.
fn name(text: &str, opens_sentence: bool) -> f64 {
    let capitals: Vec<bool> = words(text)
        .filter(|word| !listed(WITHIN_NAMES, word))
        .map(|word| word.starts_with(char::is_uppercase))
        .collect();
    if capitals.is_empty() {
        return -1.0;
    }
    if capitals.iter().all(|&capital| capital) {
        return 1.0;
    }
    let telling = capitals.iter().skip(usize::from(opens_sentence)).filter(|&&capital| capital).count();
    match telling {
        0 => -1.0,
        _ if 2 * telling >= capitals.len() => 0.5,
        _ => -0.3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_say_what_they_ask_for() {
        assert_eq!(kind("How many notes does it keep?"), Some(Kind::Amount));
        assert_eq!(kind("In what year was it built?"), Some(Kind::Time));
        assert_eq!(kind("Since when is it open?"), Some(Kind::Time));
        assert_eq!(kind("Who designed it?"), Some(Kind::Name));
        assert_eq!(kind("To whom was it sold?"), Some(Kind::Name));
        assert_eq!(kind("What does the light mean?"), None);
        assert_eq!(kind("What does it mean when the light is red?"), None);
        assert_eq!(kind("Somehow many?"), None);
        assert_eq!(kind("灯塔是谁建成的？"), Some(Kind::Name));
        assert_eq!(kind("パン屋はいつ休みますか？"), Some(Kind::Time));
        assert_eq!(kind("등대의 높이는 얼마입니까?"), Some(Kind::Amount));
        assert_eq!(counted("How many malignant cases are there?").trim(), "malignant cases");
        assert_eq!(counted("How many?"), "");
        assert_eq!(counted("İ: how much wine of ten?").trim(), "wine");
        assert_eq!(counted("Which cases?"), "");
    }

    #[test]
    fn texts_are_of_a_kind() {
        let fits = |question: &str, text: &str| fits(kind(question), text, "", false);
        assert_eq!(fits("How many?", "the last 200 notes"), 1.0);
        assert_eq!(fits("How many?", "twenty-one"), 1.0);
        assert_eq!(fits("How many?", "offline mode"), -1.0);
        assert_eq!(fits("When?", "in the tank"), -1.0);
        assert_eq!(fits("When?", "on Monday"), 0.7);
        assert_eq!(fits("Who?", "Ishbel MacRae"), 1.0);
        assert_eq!(fits("Who?", "the Bank of England"), 1.0);
        assert_eq!(fits("Who?", "Ishbel wrote"), 0.5);
        assert_eq!(fits("Who?", "the"), -1.0);
        assert_eq!(super::fits(kind("Who?"), "The dataset has images", "", true), -1.0);
        assert_eq!(fits("Why?", "anything"), 0.0);
        let amount = |text: &str, behind: &str| super::fits(Some(Kind::Amount), text, behind, false);
        assert_eq!(
            (amount("1931", "년에"), amount("1931년에", " 세"), amount("42미터", "이다")),
            (0.5, 0.5, 1.0)
        );
        assert_eq!((amount("1931", " by"), amount("42", "米，")), (1.0, 1.0));
        assert_eq!((fits("誰が？", "沢田美咲"), fits("誰が？", "1931年")), (1.0, -1.0));
        assert_eq!((fits("几点？", "七点"), fits("什么时候？", "星期一")), (0.5, 0.5));
    }

    #[test]
    fn what_belongs_together_is_not_to_be_parted() {
        for (before, span, behind) in [
            ("costs ", "61", " mg per litre"),
            ("were ", "3", " pallets delivered"),
            ("in May", " 1873", "."),
            ("by ", "Marta", " Lindqvist"),
            ("is ", "quixotry", "-4471."),
            ("quixotry-", "4471", "."),
            ("see ", "MPL", "/2.0"),
        ] {
            assert!(cuts(before, span, behind), "{before}|{span}|{behind}");
        }
        for (before, span, behind) in [
            ("for ", "Android 8", " ends"),
            ("is ", "quixotry-4471", "."),
            ("opens ", "at six", " in the morning"),
            ("The ", "bakery", " opens"),
            ("was ", "312", "."),
            ("(", "fifty percent", ") of"),
        ] {
            assert!(!cuts(before, span, behind), "{before}|{span}|{behind}");
        }
        assert!(is_unasked_number(None, "145 pounds") && is_unasked_number(None, "ten"));
        assert!(!is_unasked_number(None, "quixotry-4471") && !is_unasked_number(None, "Windows 7"));
        assert!(!is_unasked_number(Some(Kind::Amount), "145 pounds"));
        assert!(
            ends_with_function_word("because the")
                && ends_with_function_word("to")
                && !ends_with_function_word("in my car")
        );
    }

    #[test]
    fn numbers_have_something_behind_them() {
        assert_eq!(behind_number("ten different images of each", 3), Some("different images of "));
        assert_eq!(behind_number("from 100K hits/day", 9), Some("hits/day"));
        assert_eq!(behind_number("nothing but 3 words", 11), None);
        assert_eq!(behind_number("", 0), None);
    }
}
