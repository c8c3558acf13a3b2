//! The few-shot frame: how a base model, without a chat template, is asked.

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

/// The passage with its label.
pub fn context(passage: &str) -> String {
    format!("Context: {passage}\n")
}

/// Before the question.
pub const QUESTION: &str = "Question:";

/// Between question and answer.
pub const ANSWER: &str = "\nAnswer:";
