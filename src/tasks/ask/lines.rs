//! Lines that only wrap a paragraph: what stands between two of them once they are one.

use std::collections::HashSet;

use super::scripts::{columns, fold, is_dense, is_ignorable, is_mark, is_wide, is_word};

/// A line of at least so many columns was probably ended by its length.
const WRAPPED: usize = 40;
/// The same in scripts without spaces, where the next line is not much longer.
const WRAPPED_DENSE: usize = 12;
/// How much longer: two characters, since some may neither begin nor end a line.
const LONGER: usize = 4;

/// Marks at the end of a line that say: this word goes on. They are no part of it.
const UNSEEN_HYPHENS: [char; 2] = ['\u{AD}', '\u{200B}'];
const HYPHENS: [char; 2] = ['-', '\u{2010}'];
/// Beginnings of words that mostly keep their hyphen.
const KEEPING: [&str; 8] = ["all", "cross", "ex", "half", "non", "quasi", "self", "well"];
/// Words behind a hyphen that stands for something to come: `pre- and post-war`.
const LINKS: [&str; 9] = ["and", "or", "to", "und", "oder", "et", "ou", "y", "o"];
/// Letters of two words that stand by themselves elsewhere, so that a hyphen between them is likely to be meant.
const LEAST_WORD: usize = 4;

/// What two lines have between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// The paragraph, item or heading is over.
    Break,
    /// It goes on with a new word.
    Space,
    /// It goes on with the same word, or in a script without spaces; the white space around goes, and `without` at its end.
    Nothing {
        /// Signs that are no part of the word.
        without: &'static [char],
    },
}

/// Decides for the lines of a document.
pub struct Joints<'a> {
    document: &'a str,
    /// Its words; found when they are first asked for.
    known: Option<HashSet<String>>,
}

impl<'a> Joints<'a> {
    /// For this document.
    pub fn new(document: &'a str) -> Self {
        Joints { document, known: None }
    }

    /// What stands between a line and the next.
    pub fn between(&mut self, line: &str, next: &str) -> Joint {
        let visible = |text: &str| text.chars().filter(|&c| !is_ignorable(c)).collect::<String>();
        let soft = line.trim_end().ends_with(UNSEEN_HYPHENS);
        let (line, next) = (visible(line), visible(next));
        let (line, next) = (line.trim(), next.trim());
        let (Some(last), Some(first)) = (line.chars().next_back(), next.chars().next()) else {
            return Joint::Break;
        };
        if !goes_on(next) {
            return Joint::Break;
        }
        let begins = is_word(first) && !is_mark(first);
        if soft && begins {
            return Joint::Nothing { without: &[] };
        }
        if HYPHENS.contains(&last)
            && begins
            && let Some(joint) = self.hyphen(line, next)
        {
            return joint;
        }
        let width = columns(line);
        let dense = |c: char| is_wide(c) || is_dense(c);
        if dense(last) && dense(first) && !is_mark(first) {
            let full = width >= WRAPPED || (width >= WRAPPED_DENSE && columns(next) <= width + LONGER);
            return if full { Joint::Nothing { without: &[] } } else { Joint::Break };
        }
        if width >= WRAPPED { Joint::Space } else { Joint::Break }
    }

    /// Between a line that ends with a hyphen and one that begins with a letter or digit.
    fn hyphen(&mut self, line: &str, next: &str) -> Option<Joint> {
        let within = |c: char| is_word(c) || HYPHENS.contains(&c);
        let line = line.strip_suffix(HYPHENS)?;
        let start = line
            .rfind(|c| !within(c))
            .map_or(0, |at| at + line[at..].chars().next().map_or(0, char::len_utf8));
        let begun = &line[start..];
        let rest = &next[..next.find(|c| !within(c)).unwrap_or(next.len())];
        let (last, first) = (begun.chars().next_back()?, rest.chars().next()?);
        if !is_word(last) {
            return None;
        }
        if LINKS.contains(&folded(rest).as_str()) {
            return Some(Joint::Space);
        }
        let hyphen = Joint::Nothing { without: &[] };
        let small = |c: char| c.is_lowercase() || is_mark(c);
        if small(last) && small(first) {
            let kept = self.keeps(&folded(begun), &folded(rest));
            return Some(if kept { hyphen } else { Joint::Nothing { without: &HYPHENS } });
        }
        // A name or a number; but a word alone may be an entry of a list.
        (start > 0).then_some(hyphen)
    }

    /// Whether a hyphen at a line's end is a part of the word.
    fn keeps(&mut self, begun: &str, rest: &str) -> bool {
        if begun.contains('-') || rest.contains('-') || KEEPING.contains(&begun) {
            return true;
        }
        let known = self.known.get_or_insert_with(|| words(self.document));
        if known.contains(&format!("{begun}{rest}")) {
            return false;
        }
        let alone = |word: &str| word.chars().count() >= LEAST_WORD && known.contains(word);
        known.contains(&format!("{begun}-{rest}")) || (alone(begun) && alone(rest))
    }
}

fn folded(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    word.chars().filter(|&c| !is_ignorable(c)).for_each(|c| {
        let c = if HYPHENS.contains(&c) { '-' } else { c };
        fold(c, |c| out.push(c));
    });
    out
}

/// The words of a document, with the hyphens within them; without those that a line's end parts.
fn words(document: &str) -> HashSet<String> {
    let mut known = HashSet::new();
    let mut parted = false;
    for line in document.split(['\n', '\r']) {
        let mut first = true;
        let line = line.trim_end();
        let within = |c: char| is_word(c) || HYPHENS.contains(&c) || is_ignorable(c);
        for word in line.split(|c| !within(c)).filter(|word| !word.is_empty()) {
            let parted = (first && parted) || word.ends_with(HYPHENS) || word.ends_with(UNSEEN_HYPHENS);
            if !parted {
                known.insert(folded(word));
            }
            first = false;
        }
        parted = line.ends_with(HYPHENS) || line.ends_with(UNSEEN_HYPHENS);
    }
    known
}

/// Whether a line can be the rest of a paragraph: it does not begin as an item, a heading or a field.
fn goes_on(line: &str) -> bool {
    let mut chars = line.chars();
    match chars.next() {
        None | Some('-' | '*' | '•' | '・' | ':' | '#' | '|' | '=' | '>' | '+') => false,
        Some('(' | '（') => !line.chars().skip(1).take(4).any(|c| matches!(c, ')' | '）')),
        Some(first) if first.is_ascii_digit() => {
            let behind = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            !(behind.starts_with(' ') && line.trim_end_matches(behind).ends_with('.'))
        }
        Some(_) => !matches!(chars.next(), Some(')')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text that comes of some lines.
    fn joined(text: &str) -> String {
        let mut joints = Joints::new(text);
        let mut out = String::new();
        let mut last: Option<&str> = None;
        for line in text.split('\n') {
            let mut line_shown = line;
            match last.map(|last| joints.between(last, line)) {
                None => {}
                Some(Joint::Break) => out.push('\n'),
                Some(Joint::Space) => out.push(' '),
                Some(Joint::Nothing { without }) => {
                    out.truncate(out.trim_end().trim_end_matches(without).len());
                    line_shown = line.trim_start();
                }
            }
            out.push_str(line_shown);
            last = Some(line);
        }
        out
    }

    #[test]
    fn lines_are_joined_where_a_paragraph_goes_on() {
        let text = "The licensor provides the work on a basis\nthat is as it is.\n\n- an item of which the text is long enough\n- the next\n:Field: of which the text is long enough, too\n:Donor: Nick\n";
        let joined_text = joined(text);
        assert!(joined_text.contains("basis that is"));
        assert!(joined_text.contains("long enough\n- the next"));
        assert!(joined_text.contains("too\n:Donor"));
        for item in ["1.2. Next", "(b) next", "a) next", "2. Next", ""] {
            let text = format!("{}\n{item}", "x".repeat(50));
            assert_eq!(joined(&text), text);
        }
        for line in ["2016 was a year", "(see below)", "4.5 litres"] {
            let text = format!("{}\n{line}", "x".repeat(50));
            assert_eq!(joined(&text), text.replace('\n', " "), "{line}");
        }
    }

    #[test]
    fn a_hyphen_at_a_lines_end_is_kept_where_it_is_meant() {
        for (text, wanted) in [
            ("sold by the inter-\nnational board", "sold by the international board"),
            ("and the state-of-the-\nart radar", "and the state-of-the-art radar"),
            ("and the state-\nof-the-art radar", "and the state-of-the-art radar"),
            ("The North-\nSea ferry", "The North-Sea ferry"),
            ("it costs 3-\n4 crowns", "it costs 3-4 crowns"),
            ("both pre-\nand post-war", "both pre- and post-war"),
            ("a self-\nregulating burner", "a self-regulating burner"),
            ("die Groß-\nzügigkeit", "die Großzügigkeit"),
            ("an in\u{AD}\nfor\u{AD}mation", "an in\u{AD}for\u{AD}mation"),
            ("an inter\u{2010}\nnational board", "an international board"),
            // What stands elsewhere decides.
            ("a long-term plan; the long-\nterm plan", "a long-term plan; the long-term plan"),
            ("an iron frame, framed well: iron-\nframed", "an iron frame, framed well: iron-framed"),
            ("something was some-\nthing; some thing", "something was something; some thing"),
        ] {
            let shown = joined(text).replace('\u{AD}', "");
            assert_eq!(shown, wanted.replace('\u{AD}', ""), "{text:?}");
        }
        for text in ["pre-\nBefore something.", "a dash -\nand more", "one --\ntwo", "one--\ntwo", "- a\n- b"]
        {
            assert_eq!(joined(text), text, "nothing is joined");
        }
    }

    #[test]
    fn han_and_kana_are_joined_without_a_space() {
        for text in [
            "灯塔由工程师沈若兰于一九三一年建成，高四十二米，从海上三十\n公里外就能看见灯光。",
            "渡轮每天早上七点从四号码头出发，中午返回，\n遇到大风时由港务长",
            "灯台は技師の沢田美咲が建てました。高さは\n四十二メートルです。",
            "ประภาคารสร้างโดยวิศวกรสมชายในปีพุทธศักราชสองพันสี่ร้อย\nเจ็ดสิบสี่",
        ] {
            assert_eq!(joined(text), text.replace('\n', ""), "{text}");
        }
        // A heading is shorter than what follows; Hangul has spaces.
        let heading = "第一章\n灯塔由工程师沈若兰于一九三一年建成，高四十二米。";
        assert_eq!(joined(heading), heading);
        let korean = "등대는 기술자 김서연이 천구백삼십일년에 세웠으며 높이는\n사십이 미터이다.";
        assert_eq!(joined(korean), korean.replace('\n', " "));
    }
}
