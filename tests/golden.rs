//! Gemma 3 270M says token for token what the reference implementation says.
//!
//! `fixtures/gemma_ref_exact.json` and `fixtures/gemma_nll.json` were made with llama.cpp (sdist 11434), every tensor dequantised
//! to F32, F32 arithmetic and KV cache.

mod common;

use common::{Reference, load};
use rushlight::session::{BackendChoice, Event, GenerateOptions};

/// Where the reference's own margin is smaller, another token may be chosen, and the comparison ends.
const DECISIVE_GAP: f64 = 0.05;

/// Writes greedily and compares until the reference is undecided; returns the number of tokens that were compared.
fn compare_greedy(session: &mut rushlight::session::Session, item: &common::Item, tokens: usize) -> usize {
    let options =
        GenerateOptions { max_tokens: Some(tokens), ignore_eos: true, ..GenerateOptions::default() };
    session.start(&item.prompt, options).expect("the prompt fits");
    let mut compared = 0;
    while let Some(event) = pollster::block_on(session.next()).expect("the run succeeds") {
        let Event::Piece(piece) = event else { break };
        if piece.id != item.greedy_ids[compared] {
            let gap = item.greedy_gap[compared];
            assert!(
                gap < DECISIVE_GAP,
                "{}: token {compared} is {} ({:?}), the reference says {} by a margin of {gap}",
                item.name,
                piece.id,
                piece.text,
                item.greedy_ids[compared]
            );
            return compared;
        }
        compared += 1;
    }
    assert_eq!(compared, tokens, "{}: the answer ended early", item.name);
    compared
}

#[test]
fn greedy_text_on_the_cpu_equals_the_reference() {
    let mut session = load(BackendChoice::Cpu);
    for item in Reference::read().items {
        let compared = compare_greedy(&mut session, &item, 32);
        println!("{}: {compared} tokens equal", item.name);
    }
}

#[test]
fn first_position_log_probabilities_equal_the_reference() {
    let mut session = load(BackendChoice::Cpu);
    for item in Reference::read().items {
        let options =
            GenerateOptions { max_tokens: Some(1), logprobs: Some(40), ..GenerateOptions::default() };
        session.start_ids(item.ids.clone(), options).expect("the prompt fits");
        let event = pollster::block_on(session.next()).expect("the run succeeds");
        let Some(Event::Piece(piece)) = event else { panic!("{}: no token", item.name) };
        for expected in &item.top20 {
            let got = piece.top.iter().find(|top| top.id == expected.id);
            let got =
                got.unwrap_or_else(|| panic!("{}: {} is not among the likeliest", item.name, expected.id));
            let difference = (f64::from(got.logprob) - expected.logprob).abs();
            assert!(difference < 0.03, "{}: {} differs by {difference}", item.name, expected.id);
        }
    }
}

#[test]
fn mean_negative_log_likelihood_equals_the_reference() {
    let mut session = load(BackendChoice::Cpu);
    let text = include_str!("fixtures/nll_text.txt");
    let score = pollster::block_on(session.score(text, 512, |_, _| {})).expect("the run succeeds");
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/gemma_nll.json")).expect("the fixture is JSON");
    // The text has five full windows; the reference scored the first four.
    let exact = &expected["exact"];
    let windows: Vec<f64> =
        exact["windows"].as_array().expect("a list").iter().filter_map(serde_json::Value::as_f64).collect();
    assert_eq!(511 * windows.len() as u64, expected["n_scored"].as_u64().expect("a number"));
    assert_eq!((score.tokens, score.windows.len()), (5 * 511, 5));
    for (index, (got, want)) in score.windows.iter().zip(&windows).enumerate() {
        assert!((got - want).abs() < 0.003, "window {index}: mean NLL is {got}, expected {want}");
    }
    let got = score.windows[..windows.len()].iter().sum::<f64>() / windows.len() as f64;
    let want = exact["mean_nll"].as_f64().expect("a number");
    println!("mean NLL {got} (reference {want}), windows {:?}", score.windows);
    assert!((got - want).abs() < 0.003, "mean NLL is {got}, expected {want}");
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::*;

    /// Tokens that the GPU backend has to get right here: software adapters take about a second for each.
    const TOKENS: usize = 8;

    #[test]
    fn greedy_text_on_the_gpu_equals_the_reference() {
        let mut session = load(BackendChoice::Gpu);
        println!("{:?}", session.info().backend);
        let chosen = ["short_capital", "chinese"];
        for item in Reference::read().items.iter().filter(|item| chosen.contains(&item.name.as_str())) {
            let compared = compare_greedy(&mut session, item, TOKENS);
            println!("{}: {compared} tokens equal", item.name);
            assert_eq!(
                compared, TOKENS,
                "{}: the reference is decided for more tokens than these",
                item.name
            );
        }
    }
}
