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

/// Words of questions that ask for a kind; the first that is found decides. Where a language has none here nothing is found, and
/// nothing is concluded from that.
const CUES: &[(&str, Kind)] = &[
    ("how many", Kind::Amount),
    ("how much", Kind::Amount),
    ("how often", Kind::Time),
    ("how long", Kind::Amount),
    ("how old", Kind::Amount),
    ("how big", Kind::Amount),
    ("how small", Kind::Amount),
    ("how far", Kind::Amount),
    ("how fast", Kind::Amount),
    ("how tall", Kind::Amount),
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
    ("when", Kind::Time),
    ("what year", Kind::Time),
    ("which year", Kind::Time),
    ("what date", Kind::Time),
    ("which date", Kind::Time),
    ("what time", Kind::Time),
    ("which week", Kind::Time),
    ("who", Kind::Name),
    ("whom", Kind::Name),
    ("whose", Kind::Name),
];
/// The same in scripts that are not cut into words: found anywhere.
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
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
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
    "after",
    "before",
    "when",
    "winter",
    "spring",
    "summer",
    "autumn",
    "date",
];

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
    CUES.iter().find(|(cue, _)| found(cue)).or_else(other).map(|&(_, kind)| kind)
}

/// 1 where the text is of the kind, less where it may be, -1 where not, 0 where the question does not say.
pub fn fits(kind: Option<Kind>, text: &str) -> f64 {
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let holds = |list: &[&str]| words().any(|word| list.contains(&word.to_lowercase().as_str()));
    let digit = text.chars().any(char::is_numeric);
    let other = text.chars().any(|c| paired(c).is_some());
    match kind {
        None => 0.0,
        Some(Kind::Name) if other => f64::from(if digit { -1 } else { 1 }),
        Some(Kind::Amount) if !digit && text.contains(|c| HAN_NUMBERS.contains(c)) => 0.5,
        Some(Kind::Time) if other && !digit && OTHER_TIMES.iter().any(|time| text.contains(time)) => 0.5,
        Some(Kind::Amount | Kind::Time) if digit => 1.0,
        Some(Kind::Amount) if holds(NUMBERS) => 0.5,
        Some(Kind::Time) if holds(TIMES) => 0.5,
        Some(Kind::Name) if words().any(|word| word.starts_with(char::is_uppercase)) => 1.0,
        Some(_) => -1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_say_what_they_ask_for() {
        assert_eq!(kind("How many notes does it keep?"), Some(Kind::Amount));
        assert_eq!(kind("In what year was it built?"), Some(Kind::Time));
        assert_eq!(kind("Who designed it?"), Some(Kind::Name));
        assert_eq!(kind("What does the light mean?"), None);
        assert_eq!(kind("Somehow many?"), None);
        assert_eq!(fits(kind("How many?"), "the last 200 notes"), 1.0);
        assert_eq!(fits(kind("How many?"), "offline mode"), -1.0);
        assert_eq!(fits(kind("When?"), "in the tank"), -1.0);
        assert_eq!(fits(kind("When?"), "on Monday"), 0.5);
        assert_eq!(fits(kind("Who?"), "Ishbel MacRae"), 1.0);
        assert_eq!(fits(None, "anything"), 0.0);
        assert_eq!(kind("灯塔是谁建成的？"), Some(Kind::Name));
        assert_eq!(kind("パン屋はいつ休みますか？"), Some(Kind::Time));
        assert_eq!(kind("등대의 높이는 얼마입니까?"), Some(Kind::Amount));
        assert_eq!((fits(kind("誰が？"), "沢田美咲"), fits(kind("誰が？"), "1931年")), (1.0, -1.0));
        assert_eq!((fits(kind("几点？"), "七点"), fits(kind("什么时候？"), "星期一")), (0.5, 0.5));
    }
}
