//! Words as they are searched for, and BM25 over them.

use std::collections::HashMap;

use super::pairs::pairs;
use super::scripts::{Script, fold, is_mark, is_word, paired};

/// Words that say nothing about what a text is about; they are not searched for.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if",
    "in", "into", "is", "it", "its", "may", "me", "might", "must", "my", "no", "not", "of", "on", "or",
    "our", "shall", "she", "should", "so", "some", "such", "than", "that", "the", "their", "them", "there",
    "these", "they", "this", "those", "to", "was", "we", "were", "what", "when", "where", "which", "who",
    "whom", "whose", "why", "will", "with", "would", "you", "your", "many", "much", "also",
];
/// Endings that are taken off, longest first, and how much of the word must be left.
const ENDINGS: &[(&str, &str, usize)] = &[
    ("ations", "ate", 3),
    ("ation", "ate", 3),
    ("ments", "ment", 3),
    ("ings", "", 3),
    ("ies", "y", 2),
    ("ing", "", 3),
    ("ers", "er", 3),
    ("ed", "", 3),
    ("es", "", 3),
    ("'s", "", 1),
    ("s", "", 3),
    ("e", "", 3),
];

/// Term saturation and length normalisation of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// A word in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// As it is compared, without its ending; in scripts without spaces a pair of characters.
    pub stem: String,
    /// First byte.
    pub at: usize,
    /// A character that is also given within a pair: it counts where no pair is known.
    pub single: bool,
}

/// The words of a text without those that say nothing, and without the characters of pairs.
pub fn terms(text: &str) -> Vec<Term> {
    let mut found = all(text);
    found.retain(|term| !term.single);
    found
}

/// The words of a text without those that say nothing.
pub fn all(text: &str) -> Vec<Term> {
    let mut found = Vec::new();
    // The stretch of one script that has begun, and the script right before it.
    let mut begun: Option<(usize, Option<Script>)> = None;
    let mut before = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let script = paired(c);
        let goes_on = match begun {
            Some((_, kind)) => is_mark(c) || (is_word(c) && script == kind),
            None => !is_word(c),
        };
        if goes_on {
            continue;
        }
        if let Some((from, kind)) = begun.take() {
            take(from, text.get(from..at).unwrap_or_default(), kind, before, &mut found);
            before = kind;
        }
        if is_word(c) {
            begun = Some((at, script));
        } else {
            before = None;
        }
    }
    found
}

fn take(from: usize, word: &str, script: Option<Script>, before: Option<Script>, found: &mut Vec<Term>) {
    let folded = |word: &str| {
        let mut out = String::with_capacity(word.len());
        word.chars().for_each(|c| fold(c, |c| out.push(c)));
        out
    };
    if let Some(script) = script {
        let add = |(at, part, single)| found.push(Term { stem: folded(part), at: from + at, single });
        return pairs(word, script, before, add);
    }
    let word = folded(word);
    if !STOP_WORDS.contains(&word.as_str()) {
        found.push(Term { stem: stem(&word), at: from, single: false });
    }
}

/// A word without a common English ending. Crude, but the same for questions and documents; words of other languages are mostly
/// left as they are.
fn stem(word: &str) -> String {
    for &(ending, instead, least) in ENDINGS {
        if let Some(rest) = word.strip_suffix(ending)
            && rest.chars().count() >= least
            && !(ending == "s" && rest.ends_with('s'))
        {
            return match instead {
                "" => trim_double(rest),
                _ => stem_tail(&format!("{rest}{instead}")).to_owned(),
            };
        }
    }
    word.to_owned()
}

fn stem_tail(word: &str) -> &str {
    word.strip_suffix('e').filter(|rest| rest.len() >= 3).unwrap_or(word)
}

/// `planned` and `plan` are one word; where the word itself has a double, as `call`, it is mostly one of these (Porter, 1980).
fn trim_double(word: &str) -> String {
    let mut chars: Vec<char> = word.chars().collect();
    if let [.., a, b] = chars[..]
        && a == b
        && a.is_alphabetic()
        && !matches!(a, 'l' | 's' | 'z')
        && chars.len() > 3
    {
        chars.pop();
    }
    let word: String = chars.into_iter().collect();
    stem_tail(&word).to_owned()
}

/// How often which words stand in which of some texts.
pub struct Index {
    /// Of each text: stems with their counts, and the number of terms.
    texts: Vec<(HashMap<String, u32>, usize)>,
    /// Number of texts that have the stem.
    spread: HashMap<String, u32>,
    mean_length: f64,
}

impl Index {
    /// Counts the words of texts.
    pub fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut spread: HashMap<String, u32> = HashMap::new();
        let mut counted = Vec::new();
        for text in texts {
            let terms = all(text);
            let mut counts: HashMap<String, u32> = HashMap::new();
            let length = terms.iter().filter(|term| !term.single).count();
            for term in terms {
                *counts.entry(term.stem).or_default() += 1;
            }
            for stem in counts.keys() {
                *spread.entry(stem.clone()).or_default() += 1;
            }
            counted.push((counts, length));
        }
        let total: usize = counted.iter().map(|(_, length)| length).sum();
        let mean_length = total as f64 / counted.len().max(1) as f64;
        Index { texts: counted, spread, mean_length: mean_length.max(1.0) }
    }

    /// A question's words as these texts know them: for a pair of characters that none has, since it may lie across two words, the two.
    pub fn known(&self, query: Vec<String>) -> Vec<String> {
        let mut known: Vec<String> = Vec::with_capacity(query.len());
        let mut add = |stem: String| {
            if !known.contains(&stem) {
                known.push(stem);
            }
        };
        for stem in query {
            if self.spread.contains_key(&stem) || !stem.chars().all(|c| paired(c).is_some()) {
                add(stem);
                continue;
            }
            let singles = all(&stem).into_iter().filter(|term| term.single).map(|term| term.stem);
            let singles: Vec<String> = singles.collect();
            if singles.is_empty() { add(stem) } else { singles.into_iter().for_each(&mut add) }
        }
        known
    }

    /// How much a word sets texts apart: `ln(1 + (n - d + 0.5) / (d + 0.5))` where `d` of `n` texts have it.
    pub fn idf(&self, stem: &str) -> f64 {
        let with = f64::from(self.spread.get(stem).copied().unwrap_or(0));
        (1.0 + (self.texts.len() as f64 - with + 0.5) / (with + 0.5)).ln()
    }

    /// BM25 of a text for some words.
    pub fn bm25(&self, text: usize, query: &[String]) -> f64 {
        let Some((counts, length)) = self.texts.get(text) else { return 0.0 };
        let norm = K1 * (1.0 - B + B * *length as f64 / self.mean_length);
        let score = |stem: &String| {
            let count = f64::from(counts.get(stem).copied().unwrap_or(0));
            self.idf(stem) * count * (K1 + 1.0) / (count + norm)
        };
        query.iter().map(score).sum()
    }

    /// Share of the words, weighted by how much they set apart, that the text has.
    pub fn coverage(&self, text: usize, query: &[String]) -> f64 {
        let Some((counts, _)) = self.texts.get(text) else { return 0.0 };
        let all: f64 = query.iter().map(|stem| self.idf(stem)).sum();
        let found: f64 =
            query.iter().filter(|stem| counts.contains_key(*stem)).map(|stem| self.idf(stem)).sum();
        if all > 0.0 { found / all } else { 0.0 }
    }
}

/// The different stems of a question.
pub fn query(question: &str) -> Vec<String> {
    let mut stems: Vec<String> = Vec::new();
    for term in terms(question) {
        if !stems.contains(&term.stem) {
            stems.push(term.stem);
        }
    }
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one() {
        for (one, other) in [
            ("document", "documents"),
            ("plan", "planned"),
            ("call", "called"),
            ("licence", "licences"),
            ("repeat", "repeated"),
            ("study", "studies"),
            ("store", "stored"),
            ("measure", "measured"),
        ] {
            assert_eq!(stem(one), stem(other), "{one}");
        }
        assert_ne!(stem("bus"), stem("but"));
        assert_eq!(
            query("What does the Tank hold, and what do tanks cost?"),
            [stem("tank"), stem("hold"), stem("cost")]
        );
    }

    #[test]
    fn words_of_other_scripts_are_whole() {
        let stems = |text: &str| -> Vec<String> { terms(text).into_iter().map(|term| term.stem).collect() };
        assert_eq!(stems("हिन्दी में Ödegårds Straße"), ["हिन्दी", "में", "ödegård", "strass"]);
        assert_eq!(stems("x\u{328}\u{323}y \u{FB01}nd"), ["x\u{328}\u{323}y", "find"]);
        assert_eq!(stems("灯塔于1931年建成"), ["灯塔", "塔于", "1931", "年建", "建成"]);
        assert_eq!(stems("灯台は1931年に建てました。りんごを"), ["灯台", "1931", "年", "建", "りん", "んご"]);
        let at: Vec<usize> = terms("a灯塔b").iter().map(|term| term.at).collect();
        assert_eq!(at, [1, 7]);
        assert_eq!(
            all("灯塔").iter().map(|term| term.stem.as_str()).collect::<Vec<_>>(),
            ["灯", "灯塔", "塔"]
        );
    }

    #[test]
    fn a_pair_across_two_words_is_looked_for_as_two_characters() {
        let index = Index::new(["灯塔由沈若兰建成，高42米。", "面包店休息。"].into_iter());
        let query = |question: &str| index.known(query(question));
        assert_eq!(query("灯塔高多少米？"), ["灯塔", "塔", "高", "米"]);
        assert!((index.coverage(0, &query("灯塔高多少米？")) - 1.0).abs() < 1e-12);
        assert!(index.coverage(0, &query("门票价格是多少？")) < 0.1, "nothing is said of it");
        assert!(index.coverage(1, &query("面包店什么时候休息？")) > 0.99);
        assert_eq!(query("ticket"), ["ticket"], "others stay as they are");
    }

    #[test]
    fn bm25_is_as_in_the_paper() {
        let texts = ["red fish", "blue fish", "one two red red"];
        let index = Index::new(texts.into_iter());
        // 2 of 3 texts have it: ln(1 + 1.5 / 2.5); lengths 2, 2, 4 with a mean of 8/3.
        let idf = (1.0_f64 + 1.5 / 2.5).ln();
        let norm = 1.2 * (0.25 + 0.75 * 4.0 / (8.0 / 3.0));
        let expected = idf * 2.0 * 2.2 / (2.0 + norm);
        assert!((index.bm25(2, &query("red")) - expected).abs() < 1e-12);
        assert_eq!(index.bm25(1, &query("red")), 0.0);
        assert!(index.bm25(0, &query("red fish")) > index.bm25(1, &query("red fish")));
        assert!((index.coverage(0, &query("red fish")) - 1.0).abs() < 1e-12);
        assert!(index.coverage(0, &query("red whale")) < 0.5, "an unknown word weighs most");
    }
}
