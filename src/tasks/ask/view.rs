//! A document as it is searched and read: NFC, without what nobody sees, wrapped lines joined; with the way back to the document as it
//! is.

use std::ops::Range;

use super::lines::{Joint, Joints};
use super::scripts::{is_ignorable, is_mark};

/// Brings a text into Unicode's normalization form C. It is given from outside, since a browser has the tables for it.
pub type Compose = fn(&str) -> String;

/// NFC by the `unicode-normalization` crate.
#[cfg(not(target_arch = "wasm32"))]
pub fn compose(text: &str) -> String {
    use unicode_normalization::{UnicodeNormalization, is_nfc};
    if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// A document and its view.
#[derive(Clone, Debug)]
pub struct View {
    document: String,
    text: String,
    runs: Vec<Run>,
}

/// A stretch of the view and where it comes from. It ends where the next one begins.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// First byte of the view.
    at: usize,
    /// First byte of the document.
    from: usize,
    /// Bytes of the document.
    length: usize,
    /// Byte for byte as the document has it: places within it correspond.
    copied: bool,
}

/// The text on one line as it is compared: NFC, without what nobody sees, white space as single spaces.
pub fn one_line(text: &str, compose: Compose) -> String {
    let text: String = text.chars().filter(|&c| !is_ignorable(c)).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    compose(&words.join(" "))
}

impl View {
    /// Looks at a document.
    pub fn new(document: &str, compose: Compose) -> Self {
        let mut view = View {
            document: document.to_owned(),
            text: String::with_capacity(document.len()),
            runs: Vec::new(),
        };
        let mut joints = Joints::new(document);
        let mut last: Option<(&str, Range<usize>)> = None;
        for (line, end) in lines(document) {
            let mut start = line.start;
            let text = document.get(line.clone()).unwrap_or_default();
            if let Some((before, ended)) = last {
                match joints.between(before, text) {
                    Joint::Break => view.push("\n", ended, false),
                    Joint::Space => view.push(" ", ended, false),
                    Joint::Nothing { without } => {
                        let kept = view.text.trim_end().trim_end_matches(without).len();
                        view.truncate(kept);
                        start = line.end - text.trim_start().len();
                    }
                }
            }
            view.push_line(start..line.end, compose);
            last = Some((text, end));
        }
        view
    }

    fn push(&mut self, text: &str, from: Range<usize>, copied: bool) {
        let at = self.text.len();
        self.text.push_str(text);
        if let Some(last) = self.runs.last_mut()
            && copied
            && last.copied
            && last.from + last.length == from.start
        {
            last.length += from.len();
        } else if !text.is_empty() {
            self.runs.push(Run { at, from: from.start, length: from.len(), copied });
        }
    }

    /// Takes back what was pushed beyond so many bytes.
    fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
        while self.runs.last().is_some_and(|run| run.at >= length) {
            self.runs.pop();
        }
        if let Some(last) = self.runs.last_mut()
            && last.copied
        {
            last.length = length - last.at;
        }
    }

    fn push_line(&mut self, bytes: Range<usize>, compose: Compose) {
        let document = std::mem::take(&mut self.document);
        let line = document.get(bytes.clone()).unwrap_or_default();
        // Below U+0300 everything is in form C.
        let simple = |text: &str| text.chars().all(|c| c < '\u{300}');
        let mut seen: Vec<(usize, char)> = Vec::new();
        let hides = line.chars().any(is_ignorable);
        let visible: String = line.chars().filter(|&c| !is_ignorable(c)).collect();
        if simple(&visible) || compose(&visible) == visible {
            if hides {
                for (at, c) in line.char_indices().filter(|&(_, c)| !is_ignorable(c)) {
                    let from = bytes.start + at;
                    self.push(c.encode_utf8(&mut [0; 4]), from..from + c.len_utf8(), true);
                }
            } else {
                self.push(line, bytes, true);
            }
        } else {
            for (at, c) in line.char_indices().filter(|&(_, c)| !is_ignorable(c)) {
                if !attaches(c) {
                    self.push_cluster(&seen, compose);
                    seen.clear();
                }
                seen.push((bytes.start + at, c));
            }
            self.push_cluster(&seen, compose);
        }
        self.document = document;
    }

    /// A character with what belongs to it, and where each stands in the document.
    fn push_cluster(&mut self, cluster: &[(usize, char)], compose: Compose) {
        let (Some(&(first, _)), Some(&(last, behind))) = (cluster.first(), cluster.last()) else { return };
        let text: String = cluster.iter().map(|&(_, c)| c).collect();
        let composed = if text.is_ascii() { text.clone() } else { compose(&text) };
        if composed == text {
            for &(at, c) in cluster {
                self.push(c.encode_utf8(&mut [0; 4]), at..at + c.len_utf8(), true);
            }
        } else {
            self.push(&composed, first..last + behind.len_utf8(), false);
        }
    }

    /// The document as it is.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The view.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn run_at(&self, byte: usize) -> Option<(Run, usize)> {
        let index = self.runs.partition_point(|run| run.at <= byte).checked_sub(1)?;
        let end = self.runs.get(index + 1).map_or(self.text.len(), |next| next.at);
        Some((*self.runs.get(index)?, end))
    }

    /// Bytes of the document for a stretch of the view: from its first character to its last, with what nobody sees between them.
    pub fn to_document(&self, bytes: &Range<usize>) -> Range<usize> {
        let start = match self.run_at(bytes.start) {
            Some((run, _)) if run.copied => run.from + (bytes.start - run.at).min(run.length),
            Some((run, _)) => run.from,
            None => 0,
        };
        let Some(last) = bytes.end.checked_sub(1).filter(|_| bytes.end > bytes.start) else {
            return start..start;
        };
        let end = match self.run_at(last) {
            Some((run, _)) if run.copied => run.from + (bytes.end - run.at).min(run.length),
            Some((run, _)) => run.from + run.length,
            None => start,
        };
        start..end.max(start)
    }

    /// Bytes of the view for a stretch of the document: all that comes from it.
    pub fn from_document(&self, bytes: &Range<usize>) -> Range<usize> {
        let first = self.runs.partition_point(|run| run.from + run.length <= bytes.start);
        let behind = self.runs.partition_point(|run| run.from < bytes.end);
        let place = |index: usize| self.runs.get(index).map_or(self.text.len(), |run| run.at);
        let start = match self.runs.get(first) {
            Some(run) if run.copied => run.at + bytes.start.saturating_sub(run.from),
            _ => place(first),
        };
        let end = match behind.checked_sub(1).and_then(|last| self.runs.get(last)) {
            Some(run) if run.copied => place(behind).min(run.at + bytes.end.saturating_sub(run.from)),
            _ => place(behind),
        };
        start..end.max(start)
    }

    /// A stretch of the document in words: as the view has it, on one line.
    pub fn words(&self, bytes: &Range<usize>) -> String {
        let text = self.text.get(self.from_document(bytes)).unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ")
    }
}

/// Whether a character may be composed with those before it: marks, and the vowels and final consonants of Hangul.
fn attaches(c: char) -> bool {
    is_mark(c) || ('\u{1160}'..='\u{11FF}').contains(&c)
}

/// The lines of a text, each with its end: a line feed, a carriage return, or both.
fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let mut at = Some(0);
    std::iter::from_fn(move || {
        let start = at?;
        let rest = text.get(start..)?;
        let Some(length) = rest.find(['\n', '\r']) else {
            at = None;
            return Some((start..text.len(), text.len()..text.len()));
        };
        let end = start + length;
        let behind = end + if rest[length..].starts_with("\r\n") { 2 } else { 1 };
        at = Some(behind);
        Some((start..end, end..behind))
    })
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn view(text: &str) -> View {
        View::new(text, compose)
    }

    #[test]
    fn what_nobody_sees_is_left_out_and_found_again() {
        let document = "\u{FEFF}Ka\u{AD}rin  sold\u{200B} 3\u{FE0F} ap\u{2060}ples\u{200D}.";
        let view = view(document);
        assert_eq!(view.text(), "Karin  sold 3 apples.");
        for (part, wanted) in [("Karin", "Ka\u{AD}rin"), ("sold", "sold"), ("apples", "ap\u{2060}ples")] {
            let at = view.text().find(part).unwrap();
            let bytes = view.to_document(&(at..at + part.len()));
            assert_eq!(&document[bytes.clone()], wanted);
            assert_eq!(view.words(&bytes), part);
        }
        assert_eq!(super::View::new("\u{FEFF}", compose).text(), "");
    }

    #[test]
    fn accents_are_composed() {
        let (composed, apart) = ("Ingrid Ödegård, Tromsø", "Ingrid O\u{308}dega\u{30A}rd, Tromsø");
        let view = view(apart);
        assert_eq!(view.text(), composed);
        let at = composed.find("Ödegård").unwrap();
        let bytes = view.to_document(&(at..at + "Ödegård".len()));
        assert_eq!(&apart[bytes], "O\u{308}dega\u{30A}rd");
        // Hangul as macOS writes it in the names of files, and a sign that is another one's double.
        assert_eq!(
            super::View::new("\u{1103}\u{1173}\u{11BC}\u{1103}\u{1162} 5\u{2126}", compose).text(),
            "등대 5Ω"
        );
    }

    #[test]
    fn line_ends_of_any_system_are_one() {
        for end in ["\n", "\r\n", "\r"] {
            let document =
                format!("The licensor provides the work on a basis{end}that is as it is.{end}{end}New.");
            let view = view(&document);
            assert_eq!(view.text(), "The licensor provides the work on a basis that is as it is.\n\nNew.");
            let at = view.text().find("that is").unwrap();
            assert_eq!(&document[view.to_document(&(at..at + 4))], "that");
            assert_eq!(view.words(&(0..document.len())), view.text().replace("\n\n", " "));
        }
    }

    #[test]
    fn a_word_over_two_lines_is_one() {
        let document = "The treaty was signed by the inter-  \n   national commission.";
        let view = view(document);
        assert_eq!(view.text(), "The treaty was signed by the international commission.");
        let at = view.text().find("international").unwrap();
        let bytes = view.to_document(&(at..at + 13));
        assert_eq!(&document[bytes.clone()], "inter-  \n   national");
        assert_eq!(view.words(&bytes), "international");
    }

    #[test]
    fn a_document_of_any_kind_takes_a_time_in_line_with_its_length() {
        let time = |text: &str, times: usize| {
            let begin = std::time::Instant::now();
            for _ in 0..times {
                assert!(!view(text).text().is_empty());
            }
            begin.elapsed()
        };
        for unit in ["a\u{301}", "x\u{AD}", "灯", "in-\nter ", "a\n", "é\u{323}\u{302} "] {
            let ratio = || {
                let (parts, whole) = (time(&unit.repeat(4_000), 32), time(&unit.repeat(128_000), 1));
                whole.as_secs_f64() / parts.as_secs_f64()
            };
            // As much text at once as in 32 parts; were it the square of the length, 32 times as long. The machine may be busy.
            assert!((0..3).any(|_| ratio() < 8.0), "{unit:?}");
        }
    }

    proptest! {
        #[test]
        fn every_place_leads_back(text in "[a-cé\u{AD}\u{200B}\u{FEFF}\u{301}\u{308}\u{323}\u{1100}\u{1161}\u{11A8}灯塔กา \n\r-]{0,40}") {
            let view = view(&text);
            let mut last = 0;
            for (at, c) in view.text().char_indices() {
                let bytes = view.to_document(&(at..at + c.len_utf8()));
                // On whole characters, in order, and with what is left out around it.
                let part = &text[bytes.clone()];
                prop_assert!(bytes.start >= last && bytes.start < bytes.end, "{bytes:?} {last}");
                last = bytes.start;
                prop_assert!(view.from_document(&bytes).contains(&at));
                if c != ' ' && c != '\n' {
                    let cleaned: String = part.chars().filter(|&c| !is_ignorable(c)).collect();
                    prop_assert!(compose(&cleaned).contains(c), "{part:?} {c:?}");
                }
            }
            prop_assert!(!view.text().chars().any(is_ignorable));
            let whole = view.to_document(&(0..view.text().len()));
            prop_assert!(text.get(whole).is_some());
        }

        #[test]
        fn a_view_of_a_view_is_the_same(text in "[a-cé\u{AD}\u{200B}\u{301}\u{308}\u{323}\u{1100}\u{1161}\u{11A8}灯塔กา -]{0,40}") {
            let once = view(&text);
            let twice = view(once.text());
            prop_assert_eq!(once.text(), twice.text());
            prop_assert_eq!(compose(once.text()), once.text());
        }

        #[test]
        fn any_text_is_looked_at(text in "\\PC{0,60}|[\\s\\S]{0,60}") {
            let view = view(&text);
            let whole = view.to_document(&(0..view.text().len()));
            prop_assert!(text.get(whole).is_some());
        }
    }
}
