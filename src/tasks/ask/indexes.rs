//! The vectors that an embedder has of documents: bounded, those asked last first.

use super::AskError;
use super::index::{self, Similarities, Vectors};
use crate::session::Embedder;

/// Bytes of vectors and sentences that are held, of all documents together.
pub const LIMIT: usize = 96 << 20;
/// Sentences that are embedded at once, of a question's: what an abort loses, and a step of the progress.
pub const BATCH: usize = 32;
/// As many in the background: some tens of milliseconds, so that whoever comes next does not wait.
pub const BACKGROUND_BATCH: usize = 4;

/// A document: its vectors, and its sentences where any of them may have to be embedded.
struct Document {
    vectors: Vectors,
    texts: Vec<String>,
}

impl Document {
    fn bytes(&self) -> usize {
        self.vectors.bytes() + self.texts.iter().map(|text| text.len() + size_of::<String>()).sum::<usize>()
    }
}

/// A document to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// [`index::key`] of its sentences.
    pub key: u64,
    /// Number of its sentences.
    pub sentences: usize,
}

/// Documents with their vectors. Those that were opened last are asked; sentences are counted through them.
pub struct Indexes {
    limit: usize,
    open: Vec<Document>,
    /// Others, the one that was used last at the end.
    shelf: Vec<Document>,
}

impl Default for Indexes {
    fn default() -> Self {
        Indexes::new(LIMIT)
    }
}

impl Indexes {
    /// Holds so many bytes, or what a single question needs.
    pub fn new(limit: usize) -> Self {
        Indexes { limit, open: Vec::new(), shelf: Vec::new() }
    }

    /// Bytes of all documents.
    pub fn bytes(&self) -> usize {
        self.open.iter().chain(&self.shelf).map(Document::bytes).sum()
    }

    /// Opens documents in place of those that were; vectors of a `width`.
    pub fn open(&mut self, wanted: &[Wanted], width: usize) {
        self.shelf.append(&mut self.open);
        for &Wanted { key, sentences } in wanted {
            let known = |document: &Document| {
                document.vectors.key() == key && document.vectors.sentences() == sentences
            };
            let document = match self.shelf.iter().position(known) {
                Some(at) => self.shelf.remove(at),
                // The same document twice has its vectors twice.
                None => Document { vectors: Vectors::new(key, sentences, width), texts: Vec::new() },
            };
            self.open.push(document);
        }
        self.make_room(0);
    }

    /// Takes the place of a document's vectors with those that were kept as bytes; nothing where these are fewer.
    ///
    /// # Errors
    /// Bytes that are damaged, or of another document or embedder.
    pub fn take(&mut self, embedder: &Embedder, document: usize, bytes: &[u8]) -> Result<(), AskError> {
        let document = self.document(document)?;
        let vectors = &mut document.vectors;
        let (key, sentences) = (vectors.key(), vectors.sentences());
        let kept = Vectors::from_bytes(bytes, embedder.identity(), key, sentences, embedder.dimensions())?;
        if kept.done() > vectors.done() {
            *vectors = kept;
        }
        Ok(())
    }

    /// Takes the sentences of a document.
    ///
    /// # Errors
    /// Sentences of another document.
    pub fn take_texts(&mut self, document: usize, texts: Vec<String>) -> Result<(), AskError> {
        let document = self.document(document)?;
        let key = index::key(texts.iter().map(String::as_str));
        if key != document.vectors.key() || texts.len() != document.vectors.sentences() {
            return Err(AskError::Input {
                what: "sentences",
                expected: format!("those with the key {:016x}", document.vectors.key()),
                got: format!("{key:016x}"),
            });
        }
        document.texts = texts;
        Ok(())
    }

    /// Of each open document: sentences that are embedded, and whether their texts are here.
    pub fn state(&self) -> impl Iterator<Item = (usize, bool)> {
        self.open.iter().map(|document| (document.vectors.done(), !document.texts.is_empty()))
    }

    /// Sentences of the open documents that are embedded, and all.
    pub fn progress(&self) -> (usize, usize) {
        let vectors = || self.open.iter().map(|document| &document.vectors);
        (vectors().map(Vectors::done).sum(), vectors().map(Vectors::sentences).sum())
    }

    /// Those of some sentences that are not embedded. Makes room for them, if need be in place of what is embedded and not wanted.
    pub fn lacking(&mut self, sentences: &[usize]) -> Vec<usize> {
        let lacking = |indexes: &Indexes| {
            let lacks = |&sentence: &usize| {
                indexes.place(sentence).is_some_and(|(document, at)| !indexes.open[document].vectors.has(at))
            };
            sentences.iter().copied().filter(lacks).collect::<Vec<usize>>()
        };
        let wanted = lacking(self);
        if !wanted.is_empty() && !self.make_room(wanted.len()) {
            self.open.iter_mut().for_each(|document| document.vectors.clear());
            return lacking(self);
        }
        wanted
    }

    /// The next sentences to embed in the background, at most so many; none where all are, or where there is no more room.
    pub fn next(&mut self, most: usize) -> Vec<usize> {
        if !self.make_room(most) {
            return Vec::new();
        }
        let mut next = Vec::with_capacity(most);
        let mut first = 0;
        for Document { vectors, .. } in &self.open {
            let missing = (0..vectors.sentences()).filter(|&at| !vectors.has(at)).map(|at| first + at);
            next.extend(missing.take(most - next.len()));
            first += vectors.sentences();
        }
        next
    }

    /// Embeds sentences of the open documents.
    ///
    /// # Errors
    /// A document whose texts are not here, a failing run, or an abort.
    pub async fn embed(&mut self, embedder: &mut Embedder, sentences: &[usize]) -> Result<(), AskError> {
        let mut texts = Vec::with_capacity(sentences.len());
        for &sentence in sentences {
            let place = self.place(sentence);
            let text = place.and_then(|(document, at)| self.open[document].texts.get(at));
            texts.push(text.map(String::as_str).ok_or_else(|| AskError::Input {
                what: "sentence to embed",
                expected: "one of an open document whose sentences are here".to_owned(),
                got: sentence.to_string(),
            })?);
        }
        let vectors = embedder.embed(&texts).await?.vectors;
        for (&sentence, vector) in sentences.iter().zip(&vectors) {
            if let Some((document, at)) = self.place(sentence) {
                self.open[document].vectors.put(at, vector)?;
            }
        }
        Ok(())
    }

    /// The product of a question's vector with that of each sentence of the open documents.
    ///
    /// # Errors
    /// A failing run, or an abort.
    pub async fn compare(&self, embedder: &mut Embedder, question: &str) -> Result<Similarities, AskError> {
        let vectors = embedder.embed(&[question]).await?.vectors;
        let question = vectors.first().map(Vec::as_slice).unwrap_or_default();
        // What is not a number would pass for a sentence without a vector.
        if !question.iter().all(|element| element.is_finite()) {
            return Err(AskError::Input {
                what: "vector of the question",
                expected: "numbers".to_owned(),
                got: "an element that is none".to_owned(),
            });
        }
        Ok(self.open.iter().flat_map(|document| document.vectors.similarities(question)).collect())
    }

    /// A document's vectors as bytes.
    ///
    /// # Errors
    /// No such document is open.
    pub fn to_bytes(
        &mut self,
        embedder: &Embedder,
        document: usize,
        title: &str,
    ) -> Result<Vec<u8>, AskError> {
        Ok(self.document(document)?.vectors.to_bytes(embedder.identity(), title))
    }

    /// The document of a sentence, and its number there.
    fn place(&self, mut sentence: usize) -> Option<(usize, usize)> {
        for (index, Document { vectors, .. }) in self.open.iter().enumerate() {
            if sentence < vectors.sentences() {
                return Some((index, sentence));
            }
            sentence -= vectors.sentences();
        }
        None
    }

    fn document(&mut self, index: usize) -> Result<&mut Document, AskError> {
        let count = self.open.len();
        self.open.get_mut(index).ok_or_else(|| AskError::Input {
            what: "document",
            expected: format!("one of {count} open ones"),
            got: index.to_string(),
        })
    }

    /// Lets documents go that are not open until there is room for so many more vectors; whether there is.
    fn make_room(&mut self, vectors: usize) -> bool {
        let width = self.open.first().map_or(0, |document| document.vectors.width());
        let more = vectors * width * 4;
        while self.bytes() + more > self.limit && !self.shelf.is_empty() {
            self.shelf.remove(0);
        }
        self.bytes() + more <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(key: u64, sentences: usize) -> Wanted {
        Wanted { key, sentences }
    }

    fn fill(indexes: &mut Indexes, sentences: impl IntoIterator<Item = usize>) {
        for sentence in sentences {
            let (document, at) = indexes.place(sentence).expect("a place");
            indexes.open[document].vectors.put(at, &[1.0; 4]).expect("a vector");
        }
    }

    #[test]
    fn sentences_are_counted_through_documents() {
        let mut indexes = Indexes::new(1 << 20);
        indexes.open(&[wanted(1, 3), wanted(2, 0), wanted(3, 2)], 4);
        assert_eq!(indexes.place(2), Some((0, 2)));
        assert_eq!(indexes.place(3), Some((2, 0)));
        assert_eq!(indexes.place(5), None);
        fill(&mut indexes, [1, 4]);
        assert_eq!(indexes.progress(), (2, 5));
        assert_eq!(indexes.lacking(&[4, 3, 1, 0, 99]), [3, 0]);
        assert_eq!(indexes.next(2), [0, 2]);
        assert_eq!(indexes.next(9), [0, 2, 3]);
        fill(&mut indexes, [0, 2, 3]);
        assert!(indexes.next(9).is_empty());
    }

    #[test]
    fn documents_come_back_from_the_shelf_until_there_is_no_room() {
        let mut indexes = Indexes::new(4096);
        indexes.open(&[wanted(1, 100)], 4);
        fill(&mut indexes, 0..50);
        indexes.open(&[wanted(2, 10)], 4);
        assert_eq!(indexes.progress(), (0, 10));
        indexes.open(&[wanted(1, 100)], 4);
        assert_eq!(indexes.progress(), (50, 100), "it was kept");
        indexes.open(&[wanted(1, 101)], 4);
        assert_eq!(indexes.progress(), (0, 101), "another document, though by an accident of the same key");
        for key in 10..40 {
            indexes.open(&[wanted(key, 100)], 4);
            assert!(indexes.bytes() <= 4096, "{}", indexes.bytes());
            fill(&mut indexes, 0..20);
        }
        indexes.open(&[wanted(1, 100)], 4);
        assert_eq!(indexes.progress(), (0, 100), "the oldest has gone");
    }

    #[test]
    fn a_question_has_room_where_the_background_has_none() {
        let mut indexes = Indexes::new(2000);
        indexes.open(&[wanted(1, 300)], 4);
        let mut steps = 0;
        loop {
            let next = indexes.next(8);
            if next.is_empty() {
                break;
            }
            fill(&mut indexes, next);
            steps += 1;
            assert!(steps < 50, "it comes to an end");
        }
        let (done, all) = indexes.progress();
        assert!(done > 0 && done < all);
        let lacking = indexes.lacking(&[5, 299, 298]);
        assert_eq!(lacking.last(), Some(&298));
        fill(&mut indexes, lacking);
        assert!(indexes.lacking(&[5, 299, 298]).is_empty(), "all that the question wants is here");
        assert!(indexes.bytes() <= 2000);
    }
}
