//! Conversations with a real chat model, SmolLM2-135M-Instruct: what it says, what a turn costs, what is taken up again.

mod common;
mod session_support;
mod small;

use common::{load_file, smollm_path};
use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, Finish, GenerateOptions, LoadOptions, Session};
use rushlight::tasks::chat::{self, LocalTime, Message, Overflow};
use rushlight::tensor::DType;
use session_support::{Answer, drive};

fn session(precision: Precision, context: usize) -> Session {
    let kv = if precision == Precision::Exact { DType::F32 } else { DType::F16 };
    load_file(
        &smollm_path(),
        LoadOptions {
            backend: BackendChoice::Cpu,
            precision,
            kv,
            context: Some(context),
            ..LoadOptions::default()
        },
    )
}

fn tokens(count: usize) -> GenerateOptions {
    GenerateOptions { max_tokens: Some(count), ..GenerateOptions::default() }
}

fn answer(session: &mut Session, messages: &[Message], options: GenerateOptions) -> Answer {
    chat::start(session, messages, options, LocalTime(0)).expect("it begins");
    drive(session).expect("the run succeeds")
}

/// llama.cpp's answer with everything in F32.
#[test]
fn it_greets_as_the_reference_does() {
    let mut session = session(Precision::Exact, 512);
    assert!(session.info().chat);
    let got = answer(&mut session, &[Message::new("user", "Hello")], tokens(32));
    assert_eq!(got.text(), "Hello! How can I assist you today?");
    assert_eq!(got.finish(), Finish::EndToken);
}

#[test]
fn three_turns_cost_what_is_new_and_are_taken_up_again() {
    let mut here = session(Precision::Exact, 1024);
    let mut messages = Vec::new();
    let mut prompt_before = 0;
    let mut saved = Vec::new();
    let asked =
        ["Name three colours.", "Which of them is the colour of grass?", "Name a fruit of that colour."];
    for (turn, said) in asked.into_iter().enumerate() {
        messages.push(Message::new("user", said));
        let got = answer(&mut here, &messages, tokens(24));
        let expected = answer(&mut session(Precision::Exact, 1024), &messages, tokens(24));
        assert_eq!((got.ids(), got.text()), (expected.ids(), expected.text()), "turn {turn}");
        // The prompt of the turn before, whatever became of the text of its answer.
        assert!(got.stats.cached_tokens >= prompt_before, "turn {turn}: {:?}", got.stats);
        assert_eq!(expected.stats.cached_tokens, 0);
        prompt_before = got.stats.prompt_tokens;
        messages.push(Message::new("assistant", got.text()));
        if turn == 1 {
            saved = pollster::block_on(here.export()).expect("it is kept");
        }
    }
    // Another process takes the conversation up after its second answer.
    let mut later = session(Precision::Exact, 1024);
    let held = later.import(&saved).expect("it is of this model");
    let last = messages.pop().expect("the third answer");
    let again = answer(&mut later, &messages, tokens(24));
    assert_eq!(again.text(), last.text().expect("it is text"));
    assert!(
        held > 40 && again.stats.cached_tokens + 40 > again.stats.prompt_tokens,
        "{held}, {:?}",
        again.stats
    );
}

#[test]
fn a_long_conversation_goes_on() {
    let mut here = session(Precision::Fast, 256);
    let mut messages = vec![Message::new("system", "You answer in one short sentence.")];
    let template = chat::template(&here).expect("it has one");
    let (mut dropped, mut most) = (0, 0);
    for turn in 0..12 {
        messages.push(Message::new("user", format!("Tell me something about the number {turn}, please.")));
        dropped =
            chat::start_fitted(&mut here, &template, &messages, tokens(40), Overflow::Trim, LocalTime(0))
                .expect("it fits");
        let got = drive(&mut here).expect("the run succeeds");
        assert!(!got.text().trim().is_empty(), "turn {turn}");
        most = most.max(got.stats.prompt_tokens);
        messages.push(Message::new("assistant", got.text()));
    }
    assert!(dropped > 2 && most <= 256 - 40, "{dropped} turns were left out, a prompt had {most} tokens");
}
