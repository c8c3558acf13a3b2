//! `rushlight ask`

use rushlight::session::{Embedder, Event, Host, LoadOptions, Session, SessionInfo};
use rushlight::tasks::ask::{Answer, AskError, Asking, Library, Scored, Span, edges, features, free};
use serde_json::{Value, json};

use crate::args::{AskArgs, AskMode, text_or_file};
use crate::chat::now;
use crate::error::CliError;
use crate::model_file::{self, Reader};
use crate::output::{note, print};

/// A task's error as the command line says it.
fn said(error: AskError) -> CliError {
    match error {
        AskError::Session(error) => CliError::from(error),
        error => CliError::failure(error.code(), error.to_string()),
    }
}

pub fn run(args: &AskArgs) -> Result<(), CliError> {
    let text = text_or_file(None, Some(&args.context_file))?;
    let mut questions = args.question.clone();
    if args.question_file.is_some() {
        questions.extend(text_or_file(None, args.question_file.as_ref())?.lines().map(str::to_owned));
    }
    // Before anything is loaded: nobody should wait to hear that there is nothing to read or to answer.
    let library = Library::of(&[&text]).map_err(said)?;
    if let Some(empty) = questions.iter().find(|question| !question.chars().any(char::is_alphanumeric)) {
        return Err(said(AskError::EmptyQuestion { got: empty.clone() }));
    }
    pollster::block_on(async {
        let vectors = match &args.embedder {
            Some(path) => Some(embed(args, path, &library, &questions).await?),
            None => None,
        };
        let load = args.run.load_options(&args.common, args.context);
        let mut session = match model_file::load_reader(&args.common.model, load, Host::native()).await? {
            Reader::Session(session) => session,
            Reader::Spans(mut reader) => {
                for question in &questions {
                    let answer = edges::answer(&mut reader, &library, question, 0).await.map_err(said)?;
                    show(args, &answer, &reader.info())?;
                }
                return Ok(());
            }
        };
        for (index, question) in questions.iter().enumerate() {
            let similarities = vectors.as_ref().map(|vectors| vectors.similarities(index));
            let asked = Asked { args, library: &library, text: &text, question, similarities };
            match args.mode {
                AskMode::Extract => asked.extract(&mut session).await?,
                AskMode::Free | AskMode::Plain => asked.write(&mut session).await?,
            }
        }
        Ok(())
    })
}

/// Vectors of the sentences and of the questions.
struct Vectors {
    sentences: Vec<Vec<f32>>,
    questions: Vec<Vec<f32>>,
}

impl Vectors {
    fn similarities(&self, question: usize) -> Vec<f32> {
        let Some(question) = self.questions.get(question) else { return Vec::new() };
        let product = |sentence: &Vec<f32>| sentence.iter().zip(question).map(|(a, b)| a * b).sum();
        self.sentences.iter().map(product).collect()
    }
}

async fn embed(
    args: &AskArgs,
    path: &std::path::Path,
    library: &Library,
    questions: &[String],
) -> Result<Vectors, CliError> {
    let options = LoadOptions {
        backend: args.common.backend.into(),
        threads: args.run.threads,
        precision: rushlight::plan::Precision::Exact,
        ..LoadOptions::default()
    };
    let mut embedder: Embedder = model_file::load_embedder(path, options, Host::native()).await?;
    let sentences = embedder.embed(&library.sentence_texts()).await?.vectors;
    let questions = embedder.embed(questions).await?.vectors;
    Ok(Vectors { sentences, questions })
}

/// A question with all that it is answered from.
struct Asked<'a> {
    args: &'a AskArgs,
    library: &'a Library,
    text: &'a str,
    question: &'a str,
    similarities: Option<Vec<f32>>,
}

impl Asked<'_> {
    async fn extract(self, session: &mut Session) -> Result<(), CliError> {
        let mut asking =
            Asking::new(session, self.library, self.question, self.similarities, self.args.passages)
                .map_err(said)?;
        while asking.step(session, self.library).await.map_err(said)? {}
        let answer = asking.answer(self.library);
        if self.args.evidence {
            let mut value = to_json(&answer);
            value["evidence"] = asking.ranked().iter().map(|span| evidence(self.text, span)).collect();
            return print(&format!("{value}\n"));
        }
        show(self.args, &answer, &session.info())
    }

    /// In the model's own words.
    async fn write(self, session: &mut Session) -> Result<(), CliError> {
        let mut found = self.library.find(self.question, self.similarities.as_deref()).map_err(said)?;
        found.truncate(self.args.passages);
        match self.args.mode {
            AskMode::Plain => {
                let prompt = free::plain_prompt(session, self.text, self.question).map_err(said)?;
                free::start_text(session, &prompt).map_err(said)?;
            }
            _ => {
                let prompt = free::prompt(session, self.library, &found, self.question).map_err(said)?;
                free::start(session, &prompt, now()).map_err(said)?;
            }
        }
        let mut answer = String::new();
        while let Some(event) = session.next().await? {
            match event {
                Event::Piece(piece) => answer.push_str(&piece.text),
                Event::Done { text, .. } => answer.push_str(&text),
            }
        }
        let answer = free::answer(self.library, &found, self.question, &answer);
        if self.args.common.json {
            return print(&format!("{}\n", to_json(&answer)));
        }
        let shown =
            if answer.answer.is_empty() { "The document does not answer this." } else { &answer.answer };
        print(&format!("{shown}\n"))
    }
}

fn span(span: &Span) -> Value {
    json!({
        "start": span.bytes.start,
        "end": span.bytes.end,
        "start_utf16": span.utf16.start,
        "end_utf16": span.utf16.end,
        "text": span.text,
    })
}

fn to_json(answer: &Answer) -> Value {
    json!({
        "answer": answer.answer,
        "confidence": answer.confidence,
        "null_score": answer.null_score,
        "spans": answer.spans.iter().map(span).collect::<Vec<_>>(),
    })
}

/// What speaks for a span.
fn evidence(text: &str, span: &Scored) -> Value {
    let features: serde_json::Map<String, Value> = features::NAMES
        .iter()
        .zip(span.features)
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let words = text.get(span.bytes.clone()).unwrap_or_default();
    json!({ "start": span.bytes.start, "end": span.bytes.end, "text": words, "score": span.score, "features": features })
}

fn show(args: &AskArgs, answer: &Answer, info: &SessionInfo) -> Result<(), CliError> {
    if args.common.json {
        return print(&format!("{}\n", to_json(answer)));
    }
    let percent = answer.confidence * 100.0;
    let text = match answer.spans.first() {
        None => format!("The document does not answer this ({percent:.0}% sure).\n"),
        Some(span) => format!(
            "{}\n  {percent:.0}% sure, bytes {} to {}\n",
            answer.answer, span.bytes.start, span.bytes.end
        ),
    };
    print(&text)?;
    note(&format!("backend {} ({}): {}", info.backend.kind, info.backend.device, info.reason));
    Ok(())
}
