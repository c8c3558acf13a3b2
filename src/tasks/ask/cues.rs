//! What kind of thing a question asks for, by its words, and whether a text is of that kind.

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

/// Beginnings or parts of questions that ask for a kind; the first that is found decides. English only: in other languages nothing is
/// found, and nothing is concluded from that.
const CUES: &[(&str, Kind)] = &[
    ("how many", Kind::Amount),
    ("how much", Kind::Amount),
    ("how often", Kind::Time),
    ("how long", Kind::Amount),
    ("how old", Kind::Amount),
    ("how big", Kind::Amount),
    ("how far", Kind::Amount),
    ("how fast", Kind::Amount),
    ("how tall", Kind::Amount),
    ("what percentage", Kind::Amount),
    ("what proportion", Kind::Amount),
    ("what share", Kind::Amount),
    ("what size", Kind::Amount),
    ("what price", Kind::Amount),
    ("when ", Kind::Time),
    ("what year", Kind::Time),
    ("which year", Kind::Time),
    ("what date", Kind::Time),
    ("which date", Kind::Time),
    ("what time", Kind::Time),
    ("which week", Kind::Time),
    ("who ", Kind::Name),
    ("whom ", Kind::Name),
    ("whose ", Kind::Name),
];
const NUMBERS: &[&str] = &[
    "zero",
    "no",
    "none",
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
    "single",
    "every",
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
    let question = format!("{} ", question.to_lowercase());
    let found = |cue: &str| question.find(cue).filter(|&at| at == 0 || question[..at].ends_with(' '));
    CUES.iter().find(|(cue, _)| found(cue).is_some()).map(|&(_, kind)| kind)
}

/// 1 where the text can be of the kind, -1 where not, 0 where the question does not say.
pub fn fits(kind: Option<Kind>, text: &str) -> f64 {
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let holds = |list: &[&str]| words().any(|word| list.contains(&word.to_lowercase().as_str()));
    let digit = || text.chars().any(|c| c.is_numeric());
    let fit = match kind {
        None => return 0.0,
        Some(Kind::Amount) => digit() || holds(NUMBERS),
        Some(Kind::Time) => digit() || holds(TIMES),
        Some(Kind::Name) => words().any(|word| word.starts_with(char::is_uppercase)),
    };
    if fit { 1.0 } else { -1.0 }
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
        assert_eq!(fits(kind("When?"), "on Mondays"), -1.0);
        assert_eq!(fits(kind("When?"), "on Monday"), 1.0);
        assert_eq!(fits(kind("Who?"), "Ishbel MacRae"), 1.0);
        assert_eq!(fits(None, "anything"), 0.0);
    }
}
