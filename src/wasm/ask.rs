//! Questions as they cross the wasm boundary: JSON in the words of `pkg/src/ask.ts`, offsets in UTF-16 units. Names no wasm-bindgen.

use serde::{Deserialize, Serialize};

use crate::session::{Session, SpanReader};
use crate::tasks::ask::index::{self, Similarities};
use crate::tasks::ask::indexes::{Indexes, Wanted};
use crate::tasks::ask::view::Compose;
use crate::tasks::ask::{self, AskError, Asking, Found, Library, PASSAGES, edges, free, library, text};

/// What an engine has open: documents, and a question about them.
#[derive(Default)]
pub(super) struct Desk {
    library: Option<Library>,
    asking: Option<Asking>,
    /// Of a free answer: what was asked, and what it was written from.
    free: Option<(String, Vec<Found>)>,
    /// Of a model that marks answers: what was asked, and the answer once the documents have been read.
    marked: Option<(String, Option<ask::Answer>)>,
    /// Of an embedder: the vectors of documents that others read.
    pub indexes: Indexes,
}

/// The model that reads.
pub(super) enum Reads<'a> {
    /// It writes text.
    Writes(&'a mut Session),
    /// It marks answers.
    Marks(&'a mut SpanReader),
}

/// Answers that are named beside the first.
const ALTERNATIVES: usize = 4;

#[derive(Deserialize)]
pub(super) struct Document {
    /// What it is called; may be empty.
    title: String,
    text: String,
    /// Where the sentences of its view end, in UTF-16 units.
    ends: Vec<usize>,
}

#[derive(Deserialize)]
pub(super) struct AskRequest {
    question: String,
    /// `null` for a sentence without a vector.
    similarities: Option<Similarities>,
    mode: String,
}

/// A document as an embedder knows it.
#[derive(Serialize, Deserialize)]
pub(super) struct Sentences {
    /// Of [`index::key`], in 16 hexadecimal digits.
    key: String,
    /// How many.
    sentences: usize,
}

/// What an embedder has of a document.
#[derive(Serialize)]
pub(super) struct Embedded {
    done: usize,
    /// Whether its sentences are here.
    texts: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Started {
    total: usize,
    /// What a free answer goes on with, or is said to a model with a chat template.
    prompt: Option<String>,
    message: Option<String>,
    max_tokens: usize,
    stop: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    answer: String,
    confidence: f64,
    null_score: f64,
    spans: Vec<Span>,
    passages: Vec<Passage>,
    alternatives: Vec<Span>,
}

#[derive(Serialize)]
struct Span {
    document: usize,
    start: usize,
    end: usize,
    text: String,
    confidence: f64,
}

#[derive(Serialize)]
struct Passage {
    document: usize,
    start: usize,
    end: usize,
    score: f64,
}

impl From<ask::Span> for Span {
    fn from(ask::Span { document, utf16, text, confidence, .. }: ask::Span) -> Self {
        Span { document, start: utf16.start, end: utf16.end, text, confidence }
    }
}

impl From<ask::Span> for Passage {
    fn from(ask::Span { document, utf16, confidence, .. }: ask::Span) -> Self {
        Passage { document, start: utf16.start, end: utf16.end, score: confidence }
    }
}

impl From<ask::Answer> for Answer {
    fn from(answer: ask::Answer) -> Self {
        Answer {
            answer: answer.answer,
            confidence: answer.confidence,
            null_score: answer.null_score,
            spans: answer.spans.into_iter().map(Into::into).collect(),
            passages: answer.passages.into_iter().map(Into::into).collect(),
            alternatives: answer.alternatives.into_iter().map(Into::into).collect(),
        }
    }
}

/// Nothing was asked before.
fn order(what: &'static str) -> AskError {
    AskError::Input { what, expected: "documents and a question before it".into(), got: "none".into() }
}

impl Desk {
    /// Takes in documents, composed by `compose`; what an embedder is told of the sentences of each.
    pub fn open(&mut self, documents: Vec<Document>, compose: Compose) -> Result<Vec<Sentences>, AskError> {
        (self.library, self.asking, self.free, self.marked) = (None, None, None, None);
        let texts: Vec<&str> = documents.iter().map(|document| document.text.as_str()).collect();
        let views = library::views(&texts, compose)?;
        let ends: Vec<Vec<usize>> = views
            .iter()
            .zip(&documents)
            .map(|(view, document)| text::bytes_of_utf16(view.text(), &document.ends))
            .collect();
        let titles: Vec<&str> = documents.iter().map(|document| document.title.as_str()).collect();
        let library = Library::new(views, &ends, compose)?.titled(&titles);
        let mut sentences: Vec<Vec<&str>> = vec![Vec::new(); documents.len()];
        for (document, sentence) in library.documents_of_sentences().zip(library.sentence_texts()) {
            if let Some(list) = sentences.get_mut(document) {
                list.push(sentence);
            }
        }
        let about =
            |list: Vec<&str>| Sentences { sentences: list.len(), key: format!("{:016x}", index::key(list)) };
        let about = sentences.into_iter().map(about).collect();
        self.library = Some(library);
        Ok(about)
    }

    /// The sentences of a document.
    pub fn sentences(&self, document: usize) -> Result<Vec<&str>, AskError> {
        let library = self.library.as_ref().ok_or_else(|| order("askSentences"))?;
        let all = library.documents_of_sentences().zip(library.sentence_texts());
        Ok(all.filter(|&(of, _)| of == document).map(|(_, sentence)| sentence).collect())
    }

    /// The sentences whose vectors a question needs: none for a model that reads documents whole.
    pub fn first(&self, reads: Reads<'_>, question: &str) -> Result<Vec<usize>, AskError> {
        let library = self.library.as_ref().ok_or_else(|| order("askFirst"))?;
        match reads {
            Reads::Writes(_) => index::first(library, question),
            Reads::Marks(_) => Ok(Vec::new()),
        }
    }

    /// Opens documents of an embedder.
    pub fn open_indexes(&mut self, documents: &[Sentences], width: usize) -> Result<(), AskError> {
        let wanted = |Sentences { key, sentences }: &Sentences| {
            let number = u64::from_str_radix(key, 16).map_err(|_| AskError::Input {
                what: "key",
                expected: "16 hexadecimal digits".to_owned(),
                got: key.clone(),
            })?;
            Ok(Wanted { key: number, sentences: *sentences })
        };
        let wanted: Vec<Wanted> = documents.iter().map(wanted).collect::<Result<_, AskError>>()?;
        self.indexes.open(&wanted, width);
        Ok(())
    }

    /// What an embedder has of each open document.
    pub fn embedded(&self) -> Vec<Embedded> {
        self.indexes.state().map(|(done, texts)| Embedded { done, texts }).collect()
    }

    /// Finds what is to be read.
    pub fn start(&mut self, reads: Reads<'_>, request: AskRequest) -> Result<Started, AskError> {
        let library = self.library.as_ref().ok_or_else(|| order("askStart"))?;
        let AskRequest { question, similarities, mode } = request;
        (self.asking, self.free, self.marked) = (None, None, None);
        let mut started = Started { total: 0, prompt: None, message: None, max_tokens: 0, stop: free::STOP };
        let session = match reads {
            Reads::Writes(session) => session,
            Reads::Marks(_) if mode == "free" => {
                return Err(AskError::Input {
                    what: "mode",
                    expected: "extract: this model marks answers and writes no text".into(),
                    got: mode,
                });
            }
            Reads::Marks(_) => {
                self.marked = Some((question, None));
                started.total = 1;
                return Ok(started);
            }
        };
        if mode == "free" {
            let mut found = library.find(&question, similarities.as_deref())?;
            found.truncate(PASSAGES);
            let prompt = free::prompt(session, library, &found, &question)?;
            started.max_tokens = prompt.tokens();
            match prompt {
                free::Prompt::Text(text) => started.prompt = Some(text),
                free::Prompt::Message(message) => started.message = Some(message),
            }
            self.free = Some((question, found));
            return Ok(started);
        }
        let asking = Asking::new(session, library, &question, similarities, PASSAGES, super::local_time())?;
        started.total = asking.total();
        self.asking = Some(asking);
        Ok(started)
    }

    /// Reads the next passage; how many have been read.
    pub async fn step(&mut self, reads: Reads<'_>) -> Result<usize, AskError> {
        let library = self.library.as_ref().ok_or_else(|| order("askStep"))?;
        match (reads, &mut self.asking, &mut self.marked) {
            (Reads::Writes(session), Some(asking), _) => {
                asking.step(session, library).await?;
                Ok(asking.done())
            }
            (Reads::Marks(reader), _, Some((question, answer))) => {
                *answer = Some(edges::answer(reader, library, question, ALTERNATIVES).await?);
                Ok(1)
            }
            _ => Err(order("askStep")),
        }
    }

    /// The answer from what has been read.
    pub fn answer(&self) -> Result<Answer, AskError> {
        match (&self.library, &self.asking, &self.marked) {
            (Some(library), Some(asking), _) => Ok(asking.answer(library).into()),
            (_, _, Some((_, Some(answer)))) => Ok(answer.clone().into()),
            _ => Err(order("askAnswer")),
        }
    }

    /// What supports a free answer.
    pub fn support(&self, said: &str) -> Result<Answer, AskError> {
        let (Some(library), Some((question, found))) = (&self.library, &self.free) else {
            return Err(order("askSupport"));
        };
        Ok(free::answer(library, found, question, said).into())
    }
}
