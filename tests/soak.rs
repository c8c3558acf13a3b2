//! Two hundred answers of one session: memory and threads are as after the tenth.
//!
//! `RUSHLIGHT_SOAK` sets another number of answers. What is measured is the kernel's own count of this process, so the test is of
//! Linux; elsewhere it only sees that every answer comes.

mod common;

use std::fs::read_to_string;

use common::load_with;
use rushlight::sampler::Settings;
use rushlight::session::{BackendChoice, Event, GenerateOptions, LoadOptions, Session};

/// Answers whose first ones may still take memory: each kind below has come at least once.
const SETTLED: usize = 10;
/// Tokens of an answer.
const TOKENS: usize = 8;
/// Growth that is allowed after that: an allocator keeps some pages. A leak of 24 kB an answer would be found.
const ALLOWED_GROWTH: u64 = 4 << 20;

fn answers() -> usize {
    std::env::var("RUSHLIGHT_SOAK").ok().map_or(200, |text| text.parse().expect("RUSHLIGHT_SOAK is a number"))
}

/// Resident bytes and threads of this process.
fn now() -> Option<(u64, u64)> {
    let status = read_to_string("/proc/self/status").ok()?;
    let number = |key: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some((number("VmRSS:")? * 1024, number("Threads:")?))
}

/// The kinds of answers by turns: greedy, sampled, with log-probabilities, with a stop text, left half-way.
fn answer(session: &mut Session, turn: usize) {
    const PROMPTS: [&str; 3] =
        ["The capital of France is", "def add(a, b):\n    return", "Es war einmal ein"];
    let kind = turn % 5;
    let sampling = match kind {
        1 => Settings { temperature: 0.9, top_k: 40, seed: turn as u64, ..Settings::default() },
        _ => GenerateOptions::default().sampling,
    };
    let options = GenerateOptions {
        max_tokens: Some(TOKENS),
        sampling,
        logprobs: (kind == 2).then_some(5),
        stop: if kind == 3 { vec!["never to be seen".to_owned()] } else { Vec::new() },
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    session.start(PROMPTS[turn % PROMPTS.len()], options).expect("the prompt fits");
    let mut tokens = 0;
    while let Some(event) = pollster::block_on(session.next()).expect("the run succeeds") {
        match event {
            Event::Piece(_) => tokens += 1,
            Event::Done { .. } => break,
        }
        if kind == 4 && tokens == TOKENS / 2 {
            session.cancel_flag().cancel();
        }
    }
    assert_eq!(tokens, if kind == 4 { TOKENS / 2 } else { TOKENS }, "answer {turn}");
}

#[test]
fn memory_and_threads_are_flat_after_ten_answers() {
    let mut session =
        load_with(LoadOptions { backend: BackendChoice::Cpu, context: Some(512), ..LoadOptions::default() });
    let (mut settled, mut most, mut threads) = (None, 0, Vec::new());
    let count = answers();
    assert!(count > SETTLED, "RUSHLIGHT_SOAK: expected more than {SETTLED}, got {count}");
    for turn in 0..count {
        answer(&mut session, turn);
        let Some((bytes, running)) = now() else { continue };
        if turn + 1 >= SETTLED {
            settled.get_or_insert(bytes);
            most = most.max(bytes);
            threads.push(running);
        }
    }
    let Some(settled) = settled else {
        println!("{count} answers; no /proc/self/status here, so nothing was measured");
        return;
    };
    let (growth, mib) = (most.saturating_sub(settled), |bytes: u64| bytes as f64 / f64::from(1 << 20));
    println!(
        "{count} answers of {TOKENS} tokens: {:.1} MiB after the first {SETTLED}, {:.1} MiB at most, {} threads",
        mib(settled),
        mib(most),
        threads[0]
    );
    assert!(growth <= ALLOWED_GROWTH, "memory grew by {:.1} MiB", mib(growth));
    assert!(threads.iter().all(|running| *running == threads[0]), "threads came or went: {threads:?}");
}
