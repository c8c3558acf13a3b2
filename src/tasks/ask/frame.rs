//! How a model is asked. Spans are read behind a few examples whatever the model, chat model or not: the examples show what an answer
//! looks like, so that its probabilities are of short spans. As a turn of its template a chat model is asked to write freely only: its
//! turns are sentences.

use super::AskError;
use crate::session::SessionError;
use crate::tokenizer::{EncodeOptions, Tokenizer};

/// What the model says where a text does not answer.
pub const NO_ANSWER: &str = "unanswerable";

/// A question about a text, as an example.
struct Example {
    context: &'static str,
    question: &'static str,
    answer: &'static str,
}

/// What is asked of the model before anything else.
pub const INSTRUCTION: &str =
    "Answer the question from the context. If the context does not answer it, write: unanswerable.";

/// Short answers in the words of the text, of several kinds; two of six have none.
const EXAMPLES: &[Example] = &[
    Example {
        context: "The bakery in Mill Lane opens at six in the morning and closes at two. It is shut on Mondays.",
        question: "When does the bakery close?",
        answer: "at two",
    },
    Example {
        context: "The bakery in Mill Lane opens at six in the morning and closes at two. It is shut on Mondays.",
        question: "Who owns the bakery?",
        answer: NO_ANSWER,
    },
    Example {
        context: "The survey counted 312 herons on the lower lake. It was led by Marta Lindqvist, who had worked in Uppsala before.",
        question: "Who led the survey?",
        answer: "Marta Lindqvist",
    },
    Example {
        context: "The survey counted 312 herons on the lower lake. It was led by Marta Lindqvist, who had worked in Uppsala before.",
        question: "How many herons were counted?",
        answer: "312",
    },
    Example {
        context: "To clear the memory, hold the reset key for five seconds. The lamp turns green when the device is ready.",
        question: "What shows that the device is ready?",
        answer: "The lamp turns green",
    },
    Example {
        context: "To clear the memory, hold the reset key for five seconds. The lamp turns green when the device is ready.",
        question: "How much does the device weigh?",
        answer: NO_ANSWER,
    },
];

/// The frame before the passage that is asked about. It is the same for every question, so that its keys and values are computed once.
pub fn frame() -> String {
    let mut out = format!("{INSTRUCTION}\n\n");
    for Example { context, question, answer } in EXAMPLES {
        out.push_str(&format!("Context: {context}\nQuestion: {question}\nAnswer: {answer}\n\n"));
    }
    out
}

/// The plain frame of two examples, for comparison: what the span decoder and the search have to beat.
pub fn plain_frame() -> String {
    let mut out = format!("{INSTRUCTION}\n\n");
    for Example { context, question, answer } in &EXAMPLES[..2] {
        out.push_str(&format!("Context: {context}\nQuestion: {question}\nAnswer: {answer}\n\n"));
    }
    out
}

/// How a passage and a question become the prompt that an answer follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(pub String);

impl Frame {
    /// Behind the examples.
    pub fn few_shot() -> Self {
        Frame(frame())
    }

    /// The tokens of a prompt. Without a question they are those of one up to where the question begins, and from its end on.
    ///
    /// # Errors
    /// A text that the vocabulary has no tokens for.
    pub fn prompt(&self, tokenizer: &Tokenizer, passage: &str, question: &str) -> Result<Vec<u32>, AskError> {
        let (before, behind) = around_text(&self.0, question);
        let text = format!("{before}{passage}{behind}");
        let options = EncodeOptions { add_special: true, parse_special: false };
        Ok(tokenizer.encode(&text, options).map_err(SessionError::from)?)
    }

    /// What is said behind the colon where there is no answer.
    pub fn no_answer(&self) -> String {
        format!(" {NO_ANSWER}")
    }
}

/// What stands before and behind the passages in a text that begins with `examples`.
pub fn around_text(examples: &str, question: &str) -> (String, String) {
    (format!("{examples}Context: "), format!("\n{}\nAnswer:", labelled(question)))
}

/// What stands before and behind the passages in a turn.
pub fn around_turn(question: &str) -> (String, String) {
    (format!("{INSTRUCTION}\n\nContext: "), format!("\n\n{}", labelled(question)))
}

fn labelled(question: &str) -> String {
    let space = if question.is_empty() { "" } else { " " };
    format!("Question:{space}{question}")
}
