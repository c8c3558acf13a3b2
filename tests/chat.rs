//! Conversations: templates give the text that Python's jinja2 gives, byte for byte; the prompt has its special tokens and one BOS;
//! a turn runs only what is new.
//!
//! `fixtures/chat` was made by `tools/make_chat_fixtures.py`.

mod session_support;
mod small;

use std::collections::BTreeMap;

use rushlight::sampler::Settings;
use rushlight::session::{GenerateOptions, Host, Session};
use rushlight::tasks::ask::frame::{self, Frame, NO_ANSWER};
use rushlight::tasks::ask::free::{self, Prompt};
use rushlight::tasks::ask::read::Reader;
use rushlight::tasks::ask::{Asking, Library, automaton};
use rushlight::tasks::chat::{self, ChatError, ChatTemplate, LocalTime, Message, Overflow};
use rushlight::tokenizer::EncodeOptions;
use serde::Deserialize;
use session_support::{Answer, drive, load, options, sampling};
use small::gguf::{Form, writer};
use small::specs::{self, Spec};

/// Templates of the fixture, by the names that its renderings have.
const TEMPLATES: [(&str, &str); 6] = [
    ("chatml", include_str!("fixtures/chat/chatml.jinja")),
    ("constructs", include_str!("fixtures/chat/constructs.jinja")),
    ("gemma", include_str!("fixtures/chat/gemma.jinja")),
    ("llama3", include_str!("fixtures/chat/llama3.jinja")),
    ("mistral", include_str!("fixtures/chat/mistral.jinja")),
    ("reasoning", include_str!("fixtures/chat/reasoning.jinja")),
];

#[derive(Deserialize)]
struct Fixture {
    now: i64,
    bos: String,
    eos: String,
    conversations: BTreeMap<String, Vec<Turn>>,
    renderings: BTreeMap<String, BTreeMap<String, Rendering>>,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rendering {
    Text(String),
    Error(String),
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/chat/expected.json")).expect("the fixture is JSON")
}

fn template(name: &str) -> &'static str {
    TEMPLATES.iter().find(|(known, _)| *known == name).expect("a name of the table").1
}

#[test]
fn renderings_are_those_of_jinja2() {
    let Fixture { now, bos, eos, conversations, renderings } = fixture();
    let (mut texts, mut errors) = (0, 0);
    assert_eq!(renderings.len(), TEMPLATES.len());
    for (name, source) in TEMPLATES {
        let template = ChatTemplate::with_tokens(source, bos.clone(), eos.clone()).expect("it parses");
        for (conversation, expected) in &renderings[name] {
            let turns = conversations[conversation].iter();
            let messages: Vec<Message> =
                turns.map(|turn| Message::new(&*turn.role, &*turn.content)).collect();
            match (template.render(&messages, LocalTime(now)), expected) {
                (Ok(got), Rendering::Text(text)) => {
                    assert_eq!(got, *text, "{name}, {conversation}");
                    texts += 1;
                }
                (Err(error), Rendering::Error(said)) => {
                    assert!(error.to_string().contains(said.as_str()), "{name}, {conversation}: {error}");
                    errors += 1;
                }
                (got, _) => panic!("{name}, {conversation}: {got:?}"),
            }
        }
    }
    println!("{texts} texts and {errors} refusals are those of jinja2");
    assert!(texts > 50 && errors > 2);
}

/// A small model whose file brings a template.
fn session(model: &str, template: Option<&str>) -> Session {
    session_of(specs::find(model), template)
}

fn session_of(spec: &Spec, template: Option<&str>) -> Session {
    let mut file = writer(spec, spec, Form::Published, Some);
    if let Some(template) = template {
        file.metadata("tokenizer.chat_template", template).expect("the key is new");
    }
    load(&[file.to_bytes()], options(), Host::native()).expect("the model loads")
}

fn tokens(count: usize) -> GenerateOptions {
    // The small models write bytes at random. A conversation is text, so what is written has to come back as it was tokenised:
    // these letters do.
    let letters = (0..331).filter(|id| !(68..=93).contains(id)).map(|id| (id, f32::NEG_INFINITY)).collect();
    let sampling = Settings { logit_bias: letters, ..sampling(3) };
    GenerateOptions { max_tokens: Some(count), ignore_eos: true, sampling, ..GenerateOptions::default() }
}

fn answer(session: &mut Session, messages: &[Message], options: GenerateOptions) -> Answer {
    chat::start(session, messages, options, LocalTime(0)).expect("the conversation fits");
    drive(session).expect("the run succeeds")
}

fn prompt(session: &Session, messages: &[Message]) -> Vec<u32> {
    chat::prompt(session, messages, LocalTime(0)).expect("it renders")
}

#[test]
fn special_tokens_are_tokens_and_bos_comes_once() {
    let hello = [Message::new("user", "hello")];
    let qwen = session("qwen2-bf16-64", Some(template("chatml")));
    let ids = prompt(&qwen, &hello);
    // `<|im_start|>` is 0 and `<|im_end|>` 2; this vocabulary puts no BOS before a text.
    let count = |id| ids.iter().filter(|&&other| other == id).count();
    assert_eq!((ids[0], count(0), count(2)), (0, 3, 2), "{ids:?}");
    let text = qwen.tokenizer().decode(&ids, false).expect("its own ids decode");
    let system = "<|im_start|>system\nAnswer briefly.<|im_end|>\n";
    assert_eq!(text, format!("{system}<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"));

    // A vocabulary that asks for BOS: `<s>` is 1, whether the template writes it or not.
    for source in [template("mistral"), "[INST] {{ messages[0].content }}[/INST]"] {
        let gemma = session("gemma3-f32-64", Some(source));
        let ids = prompt(&gemma, &hello);
        assert_eq!((ids[0], ids.iter().filter(|id| **id == 1).count()), (1, 1), "{ids:?}");
    }
}

#[test]
fn a_turn_runs_only_what_is_new() {
    let mut session_here = session("qwen2-bf16-64", Some(template("chatml")));
    let mut messages = vec![Message::new("system", "hello"), Message::new("user", "the capital of France")];
    let mut before = 0;
    for index in 0..4 {
        let got = answer(&mut session_here, &messages, tokens(8));
        let mut other = session("qwen2-bf16-64", Some(template("chatml")));
        let expected = answer(&mut other, &messages, tokens(8));
        assert_eq!((got.ids(), got.text()), (expected.ids(), expected.text()), "turn {index}");
        // The whole prompt of the turn before, and its answer but for the last token.
        assert_eq!(got.stats.cached_tokens, before, "turn {index}");
        assert_eq!(expected.stats.cached_tokens, 0);
        before = got.stats.prompt_tokens + 7;
        messages.push(Message::new("assistant", got.text()));
        messages.push(Message::new("user", "and of hello"));
    }
}

/// Messages without their `dropped` oldest turns; the first message is the system's.
fn without(messages: &[Message], dropped: usize) -> Vec<Message> {
    messages[..1].iter().chain(&messages[1 + 2 * dropped..]).cloned().collect()
}

#[test]
fn a_conversation_that_outgrows_the_context_drops_its_oldest_turns() {
    let mut here = session("qwen2-bf16-64", Some(template("chatml")));
    let context = here.info().context;
    let mut messages = vec![Message::new("system", "hello"), Message::new("user", "the capital of France 0")];
    let start = |session: &mut Session, messages: &[Message], overflow| {
        let template = chat::template(session).expect("it has one");
        chat::start_fitted(session, &template, messages, tokens(8), overflow, LocalTime(0))
    };
    let (mut before, mut kept_cache, mut drops) = (0, 0, 0);
    for turn in 1..40 {
        let dropped = start(&mut here, &messages, Overflow::Trim).expect("it is made to fit");
        let got = drive(&mut here).expect("the run succeeds");
        // What is left says what it says by itself: nothing of what was dropped is in it.
        let rest = without(&messages, dropped);
        let mut other = session("qwen2-bf16-64", Some(template("chatml")));
        assert_eq!(start(&mut other, &rest, Overflow::Error).expect("it fits"), 0);
        let expected = drive(&mut other).expect("the run succeeds");
        assert_eq!((got.ids(), got.text()), (expected.ids(), expected.text()), "turn {turn}");
        assert!(prompt(&other, &rest).len() + 8 <= context);
        // The last turn is there, and no more went than had to: with what is dropped put back it would not fit.
        assert!(dropped < turn && dropped >= before, "turn {turn}: {dropped} after {before}");
        if dropped > before {
            assert!(prompt(&other, &without(&messages, before)).len() + 8 > context, "turn {turn}");
            drops += 1;
        } else if dropped > 0 {
            assert!(got.stats.cached_tokens > got.stats.prompt_tokens / 2, "turn {turn}: {:?}", got.stats);
            kept_cache += 1;
        }
        before = dropped;
        messages.push(Message::new("assistant", got.text()));
        messages.push(Message::new("user", format!("and of hello {turn}")));
    }
    assert!(
        drops >= 3 && kept_cache >= drops,
        "{drops} times turns were dropped, {kept_cache} times the cache served"
    );

    let refused = chat::start(&mut here, &messages, tokens(8), LocalTime(0)).expect_err("it does not fit");
    assert_eq!(refused.code(), "ERR_CONTEXT");
    // A last turn that alone is too long is nobody's to shorten.
    messages.push(Message::new("user", "the capital ".repeat(200)));
    let refused = start(&mut here, &messages, Overflow::Trim);
    assert_eq!(refused.expect_err("it does not fit").code(), "ERR_CONTEXT");
    let alone = [Message::new("user", "the capital ".repeat(200))];
    let refused = start(&mut here, &alone, Overflow::Trim);
    assert_eq!(refused.expect_err("it does not fit").code(), "ERR_CONTEXT");
}

#[test]
fn models_without_a_template_and_templates_that_refuse_say_so() {
    let messages = [Message::new("user", "one"), Message::new("user", "two")];
    let start = |session: &mut Session, messages: &[Message]| -> ChatError {
        let error = chat::start(session, messages, tokens(1), LocalTime(0)).expect_err("it is refused");
        assert_eq!(pollster::block_on(session.next()).expect("nothing runs"), None);
        error
    };
    let mut plain = session("gemma3-f32-64", None);
    assert!(!plain.info().chat);
    let error = start(&mut plain, &messages);
    assert_eq!(error.code(), "ERR_NO_TEMPLATE");
    assert!(error.to_string().contains("gemma3-f32-64"), "{error}");

    let mut refusing = session("gemma3-f32-64", Some(template("gemma")));
    assert!(refusing.info().chat);
    let error = start(&mut refusing, &messages);
    assert_eq!(error.code(), "ERR_TEMPLATE");
    assert!(error.to_string().contains("take turns"), "{error}");
    assert_eq!(start(&mut refusing, &[]).code(), "ERR_BAD_ARGUMENT");
    let long = [Message::new("user", "hello ".repeat(400))];
    assert_eq!(start(&mut refusing, &long).code(), "ERR_CONTEXT");
    let mut broken = session("gemma3-f32-64", Some("{% for %}"));
    assert_eq!(start(&mut broken, &messages).code(), "ERR_TEMPLATE");
}

#[test]
fn a_free_answer_from_documents_is_a_turn_where_the_file_has_a_template() {
    let text = "The gate opens at six. Tickets cost two crowns.";
    let library = Library::of(&[text]).expect("a library");
    let question = "When does the gate open?";
    let found = library.find(question, None).expect("passages");
    let prompt = |session: &Session| free::prompt(session, &library, &found, question).expect("it fits");

    let spec = Spec { context: 1024, ..*specs::find("qwen2-bf16-64") };
    let mut chats = session_of(&spec, Some(template("chatml")));
    let Prompt::Message(message) = prompt(&chats) else { panic!("a text for a model that chats") };
    assert!(message.contains(&format!("Context: {text}")) && message.ends_with(question), "{message}");
    free::start(&mut chats, &Prompt::Message(message.clone()), LocalTime(0)).expect("it begins");
    let answer = drive(&mut chats).expect("the run succeeds");
    let expected = chat::prompt(&chats, &[Message::new("user", message)], LocalTime(0)).expect("it renders");
    assert_eq!(answer.stats.prompt_tokens, expected.len());

    // A token a byte or so: the few-shot frame is long.
    let spec = Spec { context: 4096, ..spec };
    let Prompt::Text(frame) = prompt(&session_of(&spec, None)) else { panic!("no template") };
    assert!(frame.ends_with(&format!("Context: {text}\nQuestion: {question}\nAnswer:")), "{frame}");
}

#[test]
fn spans_are_scored_behind_the_same_examples_whatever_the_template() {
    let text = "The gate opens at six. Tickets cost two crowns.";
    let library = Library::of(&[text]).expect("a library");
    let question = "When does the gate open?";
    // A token a byte or so: the examples are long.
    let spec = Spec { context: 4096, ..*specs::find("qwen2-bf16-64") };
    let shown = library.show(&library.passages()[0]).expect("a passage");
    let mut readings = Vec::new();
    for source in [None, Some(template("chatml")), Some("{% for %}")] {
        let mut session = session_of(&spec, source);
        let (automata, closers) =
            automaton::build(session.tokenizer(), std::slice::from_ref(&shown)).expect("an automaton");
        let frame = Frame::few_shot();
        let mut reader = Reader { session: &mut session, closers: &closers, frame: &frame, question };
        let reading = pollster::block_on(reader.read(&shown.text, &automata[0], &|_| 0.0)).expect("it reads");

        // By plain logits, token by token: the null answer, with what may end it.
        let prompt = format!("{}Context: {}\nQuestion: {question}\nAnswer:", frame::frame(), shown.text);
        let options = |add_special| EncodeOptions { add_special, parse_special: false };
        let mut ids = session.tokenizer().encode(&prompt, options(true)).expect("tokens");
        let answer = session.tokenizer().encode(&format!(" {NO_ANSWER}"), options(false)).expect("tokens");
        let mut logprobs = |ids: &[u32]| {
            let logits = pollster::block_on(session.logits(ids, 64)).expect("logits");
            let all = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
            logits.into_iter().map(|x| f64::from(x) - all).collect::<Vec<f64>>()
        };
        let begin = logprobs(&ids);
        let mut expected = 0.0;
        for &id in &answer {
            expected += logprobs(&ids)[id as usize];
            ids.push(id);
        }
        let last = logprobs(&ids);
        let ends = closers.line.iter().chain(&closers.stop);
        expected += ends.map(|&id| last[id as usize].exp()).sum::<f64>().ln();
        assert!((reading.null - expected).abs() < 0.02, "{} and {expected}", reading.null);
        // Spans begin behind the same prompt.
        assert!(!reading.candidates.is_empty());
        for candidate in &reading.candidates {
            let begins = automata[0].starts().iter().any(|(id, places)| {
                let here = places.iter().any(|place| place.start == candidate.start);
                here && (begin[*id as usize] - candidate.first).abs() < 1e-3
            });
            assert!(begins, "{candidate:?}");
        }

        let mut asking = Asking::new(&session, &library, question, None, 3).expect("a question");
        while pollster::block_on(asking.step(&mut session, &library)).expect("it reads") {}
        assert!(asking.ranked().iter().all(|span| text.get(span.bytes.clone()).is_some()));
        readings.push((reading.null, asking.ranked().len()));
    }
    assert!(readings.windows(2).all(|two| two[0] == two[1]), "{readings:?}");
}
