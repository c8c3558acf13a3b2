//! `rushlight ask`

use rushlight::session::{Event, Host, ModelInfo, Session};
use rushlight::tasks::ask::index::Similarities;
use rushlight::tasks::ask::{Answer, AskError, Asking, Library, Scored, Span, edges, features, free};
use serde_json::{Value, json};

use crate::args::{AskArgs, AskMode};
use crate::ask_index::SentenceIndex;
use crate::chat::now;
use crate::decode::{text_file, text_or_file};
use crate::error::CliError;
use crate::model_file::{self, Reader};
use crate::output::{note, print};

/// A task's error as the command line says it.
pub fn said(error: AskError) -> CliError {
    match error {
        AskError::Session(error) => CliError::from(error),
        error => CliError::failure(error.code(), error.to_string()),
    }
}

pub fn run(args: &AskArgs) -> Result<(), CliError> {
    let text = text_file(&args.context_file)?;
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
        let load = args.run.load_options(&args.common, args.context);
        let mut session = match model_file::load_reader(&args.common.model, load, Host::native()).await? {
            Reader::Session(session) => session,
            Reader::Spans(mut reader) => {
                for question in &questions {
                    let answer = edges::answer(&mut reader, &library, question, 0).await.map_err(said)?;
                    show(args, &answer, &reader.model().info())?;
                }
                return Ok(());
            }
        };
        let mut index = match &args.embedder {
            Some(embedder) => Some(SentenceIndex::open(args, embedder, &library).await?),
            None => None,
        };
        for question in &questions {
            let similarities = match &mut index {
                Some(index) => Some(index.similarities(&library, question).await?),
                None => None,
            };
            let asked = Asked { args, library: &library, text: &text, question, similarities };
            match args.mode {
                AskMode::Extract => asked.extract(&mut session).await?,
                AskMode::Free | AskMode::Plain => asked.write(&mut session).await?,
            }
        }
        match index {
            Some(index) => index.complete().await,
            None => Ok(()),
        }
    })
}

/// A question with all that it is answered from.
struct Asked<'a> {
    args: &'a AskArgs,
    library: &'a Library,
    text: &'a str,
    question: &'a str,
    similarities: Option<Similarities>,
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
                let prompt = free::plain_prompt(session, self.library, self.question).map_err(said)?;
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

fn show(args: &AskArgs, answer: &Answer, info: &ModelInfo) -> Result<(), CliError> {
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
