//! Vectors of a document's sentences, as far as they are embedded, in memory and as bytes.
//!
//! A long document is not embedded before it is asked: the sentences of the passages that a question's words find are, [`first`], and
//! [`Library::find`] ranks the passages that are embedded whole before the others. What is embedded beside them only adds passages
//! that can win, so that an index on its way answers between the first one and the whole.
//!
//! As bytes, little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `RLIX` and the version, 1 |
//! | 8 | the embedder ([`Embedder::identity`](crate::session::Embedder::identity)) |
//! | 8 | [`key`] of the sentences |
//! | 4 · 4 | sentences, those that are embedded, elements of a vector, bytes of the title |
//! | | the title in UTF-8 |
//! | | a bit a sentence, the lowest first: whether it is embedded |
//! | 4 an element | their vectors in F32, in the order of the sentences |
//! | 8 | XXH64 of everything before |

use std::hash::Hasher;

use twox_hash::XxHash64;

use super::{AskError, Library};

/// Documents of so many sentences together are embedded whole before the first answer: some seconds of work at most.
pub const WHOLE: usize = 512;
/// Of longer ones so many are embedded first, and then as many as end a passage.
pub const FIRST: usize = 256;
/// Passages that are taken where no word of the question is left to go by, spread over the documents.
const SPREAD: usize = 64;

const MAGIC: [u8; 4] = *b"RLIX";
const VERSION: u32 = 1;
/// Bytes before the title.
const HEADER: usize = 40;
const CHECKSUM: usize = 8;
/// Bytes of a title that are kept.
const TITLE: usize = 200;

/// A product with each sentence's vector; `None` for a sentence that is not embedded.
pub type Similarities = Vec<Option<f32>>;

/// Tells the sentences of a document from all others. Of what they say and where each ends, so that another text, another way to cut
/// it, and another version of whatever cuts, are another document.
pub fn key<'a>(sentences: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = XxHash64::with_seed(u64::from(VERSION));
    for sentence in sentences {
        hash.write(&(sentence.len() as u64).to_le_bytes());
        hash.write(sentence.as_bytes());
    }
    hash.finish()
}

/// The sentences that are to be embedded before a question is answered: all of short documents, else those of the passages that its
/// words find, the best first.
///
/// # Errors
/// None of its own: as [`Library::find`].
pub fn first(library: &Library, question: &str) -> Result<Vec<usize>, AskError> {
    let sentences = library.documents_of_sentences().count();
    if sentences <= WHOLE {
        return Ok((0..sentences).collect());
    }
    let found = library.find(question, None)?;
    let (by_words, rest) = found.split_at(found.partition_point(|found| found.score > 0.0));
    let spread = rest.iter().step_by(rest.len().div_ceil(SPREAD).max(1));
    let mut taken = vec![false; sentences];
    let mut wanted = Vec::with_capacity(FIRST + WHOLE);
    for found in by_words.iter().chain(spread) {
        if wanted.len() >= FIRST {
            break;
        }
        let passage = library.passages().get(found.passage).map(|passage| passage.sentences.clone());
        for sentence in passage.unwrap_or_default() {
            if let Some(taken) = taken.get_mut(sentence)
                && !std::mem::replace(taken, true)
            {
                wanted.push(sentence);
            }
        }
    }
    Ok(wanted)
}

/// Vectors of a document's sentences.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    key: u64,
    width: usize,
    /// Of each sentence the number of its row, from 1; 0 where it has none.
    places: Vec<u32>,
    rows: Vec<f32>,
}

impl Vectors {
    /// None yet, of so many sentences with this [`key`], each to be of `width` elements.
    pub fn new(key: u64, sentences: usize, width: usize) -> Self {
        Vectors { key, width, places: vec![0; sentences], rows: Vec::new() }
    }

    /// The key of the sentences.
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Sentences of the document.
    pub fn sentences(&self) -> usize {
        self.places.len()
    }

    /// Sentences that are embedded.
    pub fn done(&self) -> usize {
        self.rows.len() / self.width.max(1)
    }

    /// Whether a sentence is embedded.
    pub fn has(&self, sentence: usize) -> bool {
        self.places.get(sentence).is_some_and(|&place| place != 0)
    }

    /// Elements of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        (self.places.len() + self.rows.capacity()) * 4
    }

    /// Forgets every vector.
    pub fn clear(&mut self) {
        self.places.fill(0);
        self.rows = Vec::new();
    }

    /// Takes a sentence's vector, unless it has one.
    ///
    /// # Errors
    /// A vector of another width or with elements that are no numbers, or no such sentence.
    pub fn put(&mut self, sentence: usize, vector: &[f32]) -> Result<(), AskError> {
        let count = self.places.len();
        if vector.len() != self.width || !vector.iter().all(|element| element.is_finite()) {
            return Err(AskError::Input {
                what: "vector of a sentence",
                expected: format!("{} numbers", self.width),
                got: format!("{} elements, not all of them numbers", vector.len()),
            });
        }
        let next = u32::try_from(self.done() + 1);
        let (Some(place), Ok(next)) = (self.places.get_mut(sentence), next) else {
            return Err(AskError::Input {
                what: "sentence",
                expected: format!("one of {count}"),
                got: sentence.to_string(),
            });
        };
        if *place == 0 {
            *place = next;
            if self.rows.capacity() < self.rows.len() + self.width {
                // Doubled, as a vector grows by itself, it would take up to twice its bound.
                self.rows.reserve_exact(self.width.max(self.rows.len() / 8));
            }
            self.rows.extend_from_slice(vector);
        }
        Ok(())
    }

    /// The products with a question's vector.
    pub fn similarities(&self, question: &[f32]) -> impl Iterator<Item = Option<f32>> {
        self.places.iter().map(move |&place| {
            let row = self.row(place)?;
            Some(row.iter().zip(question).map(|(a, b)| a * b).sum())
        })
    }

    fn row(&self, place: u32) -> Option<&[f32]> {
        let start = (place as usize).checked_sub(1)? * self.width;
        self.rows.get(start..start + self.width)
    }

    /// As bytes, with the embedder that they are of, and what to call the document.
    pub fn to_bytes(&self, embedder: u64, title: &str) -> Vec<u8> {
        let mut end = title.len().min(TITLE);
        while !title.is_char_boundary(end) {
            end -= 1;
        }
        let mut out =
            Vec::with_capacity(HEADER + end + self.places.len() / 8 + 1 + self.rows.len() * 4 + CHECKSUM);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(embedder.to_le_bytes());
        out.extend(self.key.to_le_bytes());
        for count in [self.places.len(), self.done(), self.width, end] {
            out.extend((count as u32).to_le_bytes());
        }
        out.extend(&title.as_bytes()[..end]);
        for eight in self.places.chunks(8) {
            let bit = |(at, &place): (usize, &u32)| u8::from(place != 0) << at;
            out.push(eight.iter().enumerate().map(bit).sum());
        }
        for row in self.places.iter().filter_map(|&place| self.row(place)) {
            row.iter().for_each(|element| out.extend(element.to_le_bytes()));
        }
        let checksum = XxHash64::oneshot(0, &out);
        out.extend(checksum.to_le_bytes());
        out
    }

    /// From bytes, as vectors of this embedder, of so many sentences with this key.
    ///
    /// # Errors
    /// Bytes that are damaged, cut off, of another version, or of anything else than what is expected here.
    pub fn from_bytes(
        bytes: &[u8],
        embedder: u64,
        key: u64,
        sentences: usize,
        width: usize,
    ) -> Result<Self, AskError> {
        let bad = |expected: &str, got: String| AskError::Input {
            what: "kept index",
            expected: expected.to_owned(),
            got,
        };
        let body = bytes.len().checked_sub(CHECKSUM).filter(|&body| body >= HEADER);
        let Some((body, checksum)) = body.map(|body| bytes.split_at(body)) else {
            return Err(bad("at least a header", format!("{} bytes", bytes.len())));
        };
        let word =
            |at: usize| body[at..at + 4].iter().rev().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if body[..4] != MAGIC || word(4) != VERSION {
            return Err(bad("RLIX of version 1", format!("{:?} of version {}", &body[..4], word(4))));
        }
        if checksum != XxHash64::oneshot(0, body).to_le_bytes() {
            return Err(bad("the bytes that were written", "another checksum".to_owned()));
        }
        let found = (long(8), long(16), word(24) as usize, word(32) as usize);
        if found != (embedder, key, sentences, width) {
            let say = |(embedder, key, sentences, width): (u64, u64, usize, usize)| {
                format!("embedder {embedder:016x}, document {key:016x}, {sentences} sentences, {width} wide")
            };
            return Err(bad(&say((embedder, key, sentences, width)), say(found)));
        }
        let (done, title) = (word(28) as usize, word(36) as usize);
        let bits = body.get(HEADER.saturating_add(title)..).unwrap_or_default();
        let Some((bits, rows)) = bits.split_at_checked(sentences.div_ceil(8)) else {
            return Err(bad("a bit a sentence", format!("{} bytes", bits.len())));
        };
        let mut places = Vec::with_capacity(sentences);
        let mut next = 0;
        for sentence in 0..sentences {
            let has = u32::from(bits[sentence / 8] >> (sentence % 8) & 1);
            next += has;
            places.push(next * has);
        }
        if next as usize != done
            || Some(rows.len()) != done.checked_mul(width).and_then(|count| count.checked_mul(4))
        {
            return Err(bad(&format!("{done} vectors"), format!("{next} bits and {} bytes", rows.len())));
        }
        let rows: Vec<f32> =
            rows.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if !rows.iter().all(|element| element.is_finite()) {
            return Err(bad("numbers", "an element that is none".to_owned()));
        }
        Ok(Vectors { key, width, places, rows })
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn some() -> Vectors {
        let mut vectors = Vectors::new(7, 11, 3);
        for (sentence, x) in [(9, 0.5), (0, -1.0), (4, 2.0)] {
            vectors.put(sentence, &[x, x * x, 1.0]).expect("three numbers");
        }
        vectors
    }

    #[test]
    fn products_are_those_of_what_is_embedded() {
        let vectors = some();
        let products: Vec<Option<f32>> = vectors.similarities(&[2.0, 1.0, 0.25]).collect();
        let mut expected = [None; 11];
        (expected[0], expected[4], expected[9]) = (Some(-0.75), Some(8.25), Some(1.5));
        assert_eq!(products, expected);
        assert_eq!((vectors.done(), vectors.sentences()), (3, 11));
        assert!(vectors.has(4) && !vectors.has(5) && !vectors.has(99));
    }

    #[test]
    fn a_vector_that_does_not_fit_is_refused() {
        let mut vectors = some();
        for (sentence, vector) in
            [(1, &[1.0, 2.0][..]), (11, &[1.0; 3]), (1, &[1.0, f32::NAN, 0.0]), (1, &[f32::INFINITY; 3])]
        {
            assert!(vectors.put(sentence, vector).is_err(), "{sentence} {vector:?}");
        }
        assert_eq!(vectors, some());
        vectors.put(4, &[9.0; 3]).expect("one that is there already changes nothing");
        assert_eq!(vectors, some());
    }

    #[test]
    fn bytes_come_back_and_no_other_bytes_do() {
        let vectors = some();
        let bytes = vectors.to_bytes(5, &"ä".repeat(300));
        let read = |bytes: &[u8]| Vectors::from_bytes(bytes, 5, 7, 11, 3);
        let back = read(&bytes).expect("what was written");
        let question = [0.3, 0.1, -2.0];
        assert!(back.similarities(&question).eq(vectors.similarities(&question)));
        assert_eq!(back.to_bytes(5, &"ä".repeat(300)), bytes, "written again, the same");
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "half written: {end}");
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x10;
            assert!(read(&other).is_err(), "a changed byte: {at}");
        }
        let other =
            |embedder, key, sentences, width| Vectors::from_bytes(&bytes, embedder, key, sentences, width);
        for wrong in [other(6, 7, 11, 3), other(5, 8, 11, 3), other(5, 7, 12, 3), other(5, 7, 11, 4)] {
            assert!(wrong.is_err());
        }
        // Sound by its checksum, and yet it claims more than it has.
        let mut lying = bytes[..bytes.len() - 8].to_vec();
        for (at, value) in [(28, 0xffu8), (36, 0xff), (39, 0xff)] {
            let before = std::mem::replace(&mut lying[at], value);
            let sum = XxHash64::oneshot(0, &lying).to_le_bytes();
            assert!(read(&[&lying[..], &sum].concat()).is_err(), "{at}");
            lying[at] = before;
        }
    }

    #[test]
    fn keys_tell_how_a_text_is_cut() {
        assert_eq!(key(["ab", "c"]), key(["ab", "c"]));
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
        assert_ne!(key(["abc"]), key(["ab", "c"]));
        assert_ne!(key(["abc"]), key(["abc", ""]));
    }

    /// A text of so many sentences, of which every tenth is about its own number.
    fn long(sentences: usize) -> String {
        (0..sentences)
            .map(|n| match n % 10 {
                0 => format!(
                    "The zebra with number z{n} drinks at noon and sleeps beside the gate of stable s{n}. "
                ),
                _ => "Nothing in particular is said by this one, though it goes on for a while. ".to_owned(),
            })
            .collect()
    }

    #[test]
    fn short_documents_are_embedded_whole_and_long_ones_by_their_words() {
        let short = Library::of(&[&long(WHOLE)]).expect("a library");
        assert_eq!(
            first(&short, "Where does z40 sleep?").expect("sentences"),
            (0..WHOLE).collect::<Vec<_>>()
        );
        let library = Library::of(&[&long(2000)]).expect("a library");
        let wanted = first(&library, "Where does z1940 sleep?").expect("sentences");
        assert!(wanted.len() >= FIRST && wanted.len() < FIRST + 100, "{}", wanted.len());
        assert!(library.sentence_texts()[wanted[0]..].len() < 80, "the passage of the word comes first");
        let mut each = wanted.clone();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each.len(), wanted.len(), "each once");
        // No word to go by: from all over the document.
        let blind = first(&library, "Wo schläft es?").expect("sentences");
        assert!(
            blind.len() >= FIRST && blind.iter().any(|&at| at > 1500) && blind.iter().any(|&at| at < 500)
        );
    }

    #[test]
    fn what_is_embedded_beside_only_adds_passages_and_all_is_the_whole_index() {
        let library = Library::of(&[&long(800)]).expect("a library");
        let question = "Which zebra drinks?";
        let whole: Vec<f32> =
            (0..800u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0).collect();
        let passages = |similarities: &[Option<f32>]| -> Vec<usize> {
            let found = library.find(question, Some(similarities)).expect("passages");
            found.iter().map(|found| found.passage).collect()
        };
        let all: Vec<Option<f32>> = whole.iter().copied().map(Some).collect();
        let ranked = passages(&all);
        let wanted = first(&library, question).expect("sentences");
        let mut some: Vec<Option<f32>> = vec![None; 800];
        wanted.iter().for_each(|&at| some[at] = Some(whole[at]));
        for step in 0..=8 {
            for at in (0..800).filter(|at| at % 8 < step) {
                some[at] = Some(whole[at]);
            }
            let embedded =
                |&passage: &usize| library.passages()[passage].sentences.clone().all(|at| some[at].is_some());
            let now = passages(&some);
            let expected: Vec<usize> = ranked.iter().copied().filter(embedded).collect();
            assert_eq!(
                now[..expected.len()],
                expected,
                "those that are embedded, in the order of the whole index"
            );
            assert!(!now[expected.len()..].iter().any(embedded));
            assert_eq!(now.len(), ranked.len());
        }
        assert_eq!(passages(&some), ranked);
    }
}
