//! Quality does not pay for speed: how far the fast path, which multiplies with activations in int8, is from exact arithmetic.
//!
//! `fixtures/int8_quality.json` holds what llama.cpp says at the first new position of 72 texts with everything in F32, and what it
//! says as it usually runs, with activations in int8 (made by `tools/int8_quality.sh`). Its own distance is the measure of ours.
//! `fixtures/int8_quality_chats.json` is the same of a chat model, SmolLM2-135M-Instruct, at the first token of 64 answers.

mod common;

use std::path::Path;

use common::{load_file, model_path, smollm_path};
use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, Event, GenerateOptions, LoadOptions, Session};
use rushlight::tasks::chat::{self, LocalTime, Message};
use rushlight::tensor::DType;
use serde::Deserialize;

/// Our distance to exact arithmetic over llama.cpp's, both averaged over all texts.
const ALLOWED_RATIO: f64 = 1.25;
/// What rounding in another order may do to an exact log-probability.
const EXACT_TOLERANCE: f64 = 0.03;
/// Growth of the mean negative log-likelihood, in nats.
const ALLOWED_NLL: f64 = 0.006;

#[derive(Deserialize)]
struct Fixture {
    /// Mean over the items of llama.cpp's own.
    mean_deviation: f64,
    items: Vec<Item>,
}

/// A text with the 20 likeliest tokens after it.
#[derive(Deserialize)]
struct Item {
    text: String,
    ids: Vec<u32>,
    top: Vec<u32>,
    /// Log-probabilities of `top`, with everything in F32.
    exact: Vec<f64>,
    /// Log-probabilities of `top`, with activations in int8.
    int8: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/int8_quality.json")).expect("the fixture is JSON")
}

fn chats() -> Fixture {
    serde_json::from_str(include_str!("fixtures/int8_quality_chats.json")).expect("the fixture is JSON")
}

/// The real model on the CPU; the fast path with the cache that people get.
fn session(precision: Precision) -> Session {
    session_of(&model_path(), precision)
}

fn session_of(model: &Path, precision: Precision) -> Session {
    let kv = if precision == Precision::Exact { DType::F32 } else { DType::F16 };
    let options = LoadOptions {
        backend: BackendChoice::Cpu,
        precision,
        kv,
        context: Some(512),
        ..LoadOptions::default()
    };
    load_file(model, options)
}

/// Our log-probabilities of some tokens at the first new position.
fn logprobs(session: &mut Session, item: &Item) -> Vec<f64> {
    // Far down the list, should ours be in another order.
    let options = GenerateOptions { max_tokens: Some(1), logprobs: Some(2000), ..GenerateOptions::default() };
    session.start_ids(item.ids.clone(), options).expect("the prompt fits");
    let event = pollster::block_on(session.next()).expect("the run succeeds");
    let piece = match event {
        Some(Event::Piece(piece)) => piece,
        other => panic!("{:?}: expected a token, got {other:?}", item.text),
    };
    let of = |id: &u32| {
        let found = piece.top.iter().find(|top| top.id == *id);
        f64::from(found.unwrap_or_else(|| panic!("{:?}: {id} is not among ours", item.text)).logprob)
    };
    item.top.iter().map(of).collect()
}

/// Mean distance of two lists.
fn distance(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(a, b)| (a - b).abs()).sum::<f64>() / left.len() as f64
}

#[test]
fn the_fixtures_are_what_they_say() {
    for fixture in [fixture(), chats()] {
        assert!(fixture.items.len() >= 60, "{} texts", fixture.items.len());
        let mean = fixture.items.iter().map(|item| distance(&item.exact, &item.int8)).sum::<f64>()
            / fixture.items.len() as f64;
        assert!((mean - fixture.mean_deviation).abs() < 1e-5, "{mean} and {}", fixture.mean_deviation);
        for item in &fixture.items {
            assert_eq!(item.top.len(), 20, "{:?}", item.text);
            assert!(item.exact.is_sorted_by(|a, b| a >= b), "{:?}", item.text);
        }
    }
}

#[test]
fn the_texts_have_the_ids_that_llama_cpp_gave_them() {
    let gemma = session(Precision::Fast);
    let encode = rushlight::tokenizer::EncodeOptions { add_special: true, parse_special: false };
    for item in fixture().items {
        assert_eq!(
            gemma.tokenizer().encode(&item.text, encode).expect("it encodes"),
            item.ids,
            "{:?}",
            item.text
        );
    }
    let smollm = session_of(&smollm_path(), Precision::Fast);
    for item in chats().items {
        let messages = [Message::new("user", &item.text)];
        let ids = chat::prompt(&smollm, &messages, LocalTime(0)).expect("it renders");
        assert_eq!(ids, item.ids, "{:?}", item.text);
    }
}

#[test]
fn exact_equals_exact_arithmetic() {
    for (model, fixture) in [(model_path(), fixture()), (smollm_path(), chats())] {
        let mut session = session_of(&model, Precision::Exact);
        let mut worst = (0.0, String::new());
        for item in fixture.items {
            for (ours, exact) in logprobs(&mut session, &item).iter().zip(&item.exact) {
                let difference = (ours - exact).abs();
                if difference > worst.0 {
                    worst = (difference, item.text.clone());
                }
            }
        }
        println!(
            "{}: largest difference of a log-probability: {:.1e} ({:?})",
            model.display(),
            worst.0,
            worst.1
        );
        assert!(worst.0 <= EXACT_TOLERANCE, "{:?}: a log-probability differs by {}", worst.1, worst.0);
    }
}

#[test]
fn fast_is_not_much_further_from_exact_than_llama_cpp() {
    for (model, fixture) in [(model_path(), fixture()), (smollm_path(), chats())] {
        let mut session = session_of(&model, Precision::Fast);
        let distances = fixture
            .items
            .iter()
            .map(|item| distance(&logprobs(&mut session, item), &item.exact))
            .collect::<Vec<f64>>();
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        let ratio = mean / fixture.mean_deviation;
        let (name, theirs) = (model.display(), fixture.mean_deviation);
        println!(
            "{name}: mean distance of the top 20: ours {mean:.4}, llama.cpp's {theirs:.4}: {ratio:.2} times"
        );
        assert!(mean > 1e-3, "the fast path is exact: was it taken at all?");
        assert!(ratio <= ALLOWED_RATIO, "{name}: {ratio:.3} times as far from exact as llama.cpp");
    }
}

#[test]
fn fast_predicts_a_text_as_well_as_exact() {
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/gemma_nll.json")).expect("the fixture is JSON");
    let exact = reference["exact"]["mean_nll"].as_f64().expect("a number");
    // The text has a window more than the reference scored.
    let windows = reference["exact"]["windows"].as_array().expect("a list").len();
    let text = include_str!("fixtures/nll_text.txt");
    let mut session = session(Precision::Fast);
    let score = pollster::block_on(session.score(text, 512, |_, _| {})).expect("the run succeeds");
    let fast = score.windows[..windows].iter().sum::<f64>() / windows as f64;
    let theirs = reference["int8"]["mean_nll"].as_f64().expect("a number");
    println!("mean NLL: fast {fast:.6}, exact {exact:.6}, llama.cpp's int8 {theirs:.6}");
    assert!((fast - exact).abs() <= ALLOWED_NLL, "exact {exact}, fast {fast}");
}
