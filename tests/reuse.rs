//! Turns of a conversation: a prompt that begins as the last one did runs only what is new, and its answer is that of a session
//! that never saw anything else; whatever happened to the caches in between.

mod common;
mod session_support;
mod small;

use rushlight::kernel::case::SplitMix64;
use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, Finish, GenerateOptions, LoadOptions, MAX_CHUNK, Session};
use rushlight::tensor::DType;
use session_support::{
    Answer, answer, cancel_after, drive, file, load, options, sampling, session, slow_host,
};
use small::specs::VOCABULARY;

/// The ring of the small Gemmas' local layers: a window of 16, and room for a chunk.
const WINDOW: usize = 16;
const SLOTS: usize = WINDOW + MAX_CHUNK;

fn tokens(count: usize) -> GenerateOptions {
    GenerateOptions {
        max_tokens: Some(count),
        ignore_eos: true,
        sampling: sampling(11),
        ..GenerateOptions::default()
    }
}

/// Random tokens.
fn ids(count: usize, seed: u64) -> Vec<u32> {
    let mut random = SplitMix64(seed);
    (0..count).map(|_| (random.next_u64() % VOCABULARY as u64) as u32).collect()
}

/// An answer, and the tokens that the model ran for its prompt.
fn turn(session: &mut Session, prompt: &[u32], options: GenerateOptions) -> (Answer, usize) {
    let before = session.tokens_run();
    session.start_ids(prompt.to_vec(), options).expect("the prompt fits");
    let answer = drive(session).expect("the run succeeds");
    // The last token of an answer is shown and not run.
    let decoded = answer.pieces.len().saturating_sub(1);
    let prefilled = (session.tokens_run() - before) as usize - decoded;
    assert_eq!(answer.stats.prompt_tokens, prompt.len());
    assert_eq!(answer.stats.cached_tokens, prompt.len() - prefilled, "what is counted as cached");
    (answer, prefilled)
}

/// The same from a session that has seen nothing.
fn fresh(name: &str, prompt: &[u32], count: usize) -> Answer {
    let mut session = session(name);
    let (answer, prefilled) = turn(&mut session, prompt, tokens(count));
    assert_eq!(prefilled, prompt.len());
    answer
}

#[track_caller]
fn same(got: &Answer, expected: &Answer) {
    assert_eq!((got.ids(), got.text()), (expected.ids(), expected.text()));
}

#[test]
fn a_turn_runs_only_what_is_new() {
    for name in ["gemma3-f32-64", "qwen2-bf16-64", "llama-f16-64-factors"] {
        let mut session = session(name);
        let mut prompt = ids(30, 1);
        let mut held = 0;
        // Over the end of the rings, whose wrapping must not matter when nothing is taken back.
        for index in 0..6 {
            let (answer, prefilled) = turn(&mut session, &prompt, tokens(9));
            assert_eq!(prefilled, prompt.len() - held, "{name}, turn {index}");
            same(&answer, &fresh(name, &prompt, 9));
            // The answer's last token was never run.
            held = prompt.len() + 8;
            prompt.extend(answer.ids());
            prompt.extend(ids(17, 100 + index));
        }
        assert!(held > SLOTS, "{held}");
    }
}

#[test]
fn texts_of_a_conversation_are_found_again() {
    let mut session = session("gemma3-f32-64");
    let first = "the capital of France is";
    let said = answer(&mut session, first, tokens(10)).text();
    let second = format!("{first}{said} and the capital of hello");
    let answered = answer(&mut session, &second, tokens(10));
    assert!(
        answered.stats.cached_tokens
            >= session.tokenizer().encode(first, Default::default()).expect("it encodes").len()
    );
    let mut other = session_support::session("gemma3-f32-64");
    same(&answered, &answer(&mut other, &second, tokens(10)));
}

#[test]
fn the_same_prompt_runs_its_last_token_again() {
    let mut session = session("qwen2-bf16-64");
    let prompt = ids(40, 2);
    let expected = fresh("qwen2-bf16-64", &prompt, 5);
    assert_eq!(turn(&mut session, &prompt, tokens(5)).1, 40);
    let (again, prefilled) = turn(&mut session, &prompt, tokens(5));
    assert_eq!(prefilled, 1);
    same(&again, &expected);
    let (whole, prefilled) = turn(&mut session, &prompt, GenerateOptions { reuse: false, ..tokens(5) });
    assert_eq!(prefilled, 40, "reuse can be left");
    same(&whole, &expected);
    // A shorter prompt, and one that parts in its middle.
    let (shorter, prefilled) = turn(&mut session, &prompt[..20], tokens(5));
    assert_eq!(prefilled, 1);
    same(&shorter, &fresh("qwen2-bf16-64", &prompt[..20], 5));
    let parted = [&prompt[..12], &ids(9, 3)].concat();
    let (answer, prefilled) = turn(&mut session, &parted, tokens(5));
    assert_eq!(prefilled, 9);
    same(&answer, &fresh("qwen2-bf16-64", &parted, 5));
}

#[test]
fn what_a_ring_has_lost_is_run_again() {
    let name = "gemma3-f32-64";
    let long = ids(150, 4);
    // Back by as much as a ring can give, and by one more.
    for (back, kept) in
        [(1, true), (MAX_CHUNK - 1, true), (MAX_CHUNK + 1, true), (MAX_CHUNK + 2, false), (140, false)]
    {
        let mut session = session(name);
        turn(&mut session, &long, tokens(1));
        let common = long.len() - back;
        // The first query after `common` sees `common + 1 - WINDOW` and on; the rings hold `long.len() - SLOTS` and on.
        assert_eq!(common + 1 - WINDOW.min(common + 1) >= long.len() - SLOTS, kept);
        let prompt = [&long[..common], &ids(20, 5)].concat();
        let (answer, prefilled) = turn(&mut session, &prompt, tokens(6));
        assert_eq!(prefilled, if kept { 20 } else { prompt.len() }, "{back} back");
        same(&answer, &fresh(name, &prompt, 6));
        // What came instead is a conversation as any other.
        let next = [prompt.as_slice(), &answer.ids(), &ids(5, 6)].concat();
        let (after, prefilled) = turn(&mut session, &next, tokens(6));
        assert_eq!(prefilled, 6);
        same(&after, &fresh(name, &next, 6));
    }
}

#[test]
fn an_abort_leaves_what_was_run_before_it() {
    let name = "gemma3-f32-64";
    let prompt = ids(120, 7);
    let expected = fresh(name, &prompt, 8);
    let mut reused = 0;
    for at in [1, 40, 120, 300, 900] {
        // Each step of a run is a slice.
        let mut session = load(&[file(name)], options(), slow_host(50.0)).expect("the model loads");
        let flag = session.cancel_flag();
        session.start_ids(prompt.clone(), tokens(8)).expect("the prompt fits");
        cancel_after(at, flag);
        let aborted = drive(&mut session).expect("an abort is no error");
        assert_eq!(aborted.finish(), Finish::Cancelled, "at {at}");
        let (again, prefilled) = turn(&mut session, &prompt, tokens(8));
        same(&again, &expected);
        reused += prompt.len() - prefilled;
        // Aborted again, while it answers.
        session.start_ids(prompt.clone(), tokens(8)).expect("the prompt fits");
        for _ in 0..3 {
            pollster::block_on(session.next()).expect("the run succeeds");
        }
        cancel_after(3, session.cancel_flag());
        assert_eq!(drive(&mut session).expect("an abort is no error").finish(), Finish::Cancelled);
        let (again, prefilled) = turn(&mut session, &prompt, tokens(8));
        assert_eq!(prefilled, 1);
        same(&again, &expected);
    }
    assert!(reused > 100, "chunks that ended before the abort count: {reused}");
}

#[test]
fn other_calls_in_between_do_no_harm() {
    let name = "gemma3-f32-64";
    let mut session = session(name);
    let prompt = ids(60, 8);
    let (first, _) = turn(&mut session, &prompt, tokens(7));
    let next = [prompt.as_slice(), &first.ids(), &ids(10, 9)].concat();
    let expected = fresh(name, &next, 7);
    for other in 0..3 {
        match other {
            0 => {
                drop(pollster::block_on(session.logits(&ids(100, 10), MAX_CHUNK)).expect("the run succeeds"))
            }
            1 => drop(
                pollster::block_on(session.score(&"the capital of France ".repeat(30), 90, |_, _| ()))
                    .expect("the run succeeds"),
            ),
            // An answer to the beginning of the same prompt, which is left half-way.
            _ => {
                session.start_ids(prompt[..30].to_vec(), tokens(20)).expect("the prompt fits");
                for _ in 0..4 {
                    pollster::block_on(session.next()).expect("the run succeeds");
                }
            }
        }
        let (answer, prefilled) = turn(&mut session, &next, tokens(7));
        assert_eq!(prefilled, if other == 2 { next.len() - 30 } else { next.len() }, "after {other}");
        same(&answer, &expected);
    }
}

/// The real model with an F16 cache: four turns about one text.
#[test]
fn gemma_answers_turns_as_a_fresh_session_does() {
    let load = || {
        common::load_with(LoadOptions {
            backend: BackendChoice::Cpu,
            precision: Precision::Exact,
            kv: DType::F16,
            context: Some(1024),
            ..LoadOptions::default()
        })
    };
    let (mut session, mut other) = (load(), load());
    let mut text =
        "Rushlights were made of the pith of the rush, dipped in fat. They burned for an hour or less, and \
                    people made them at home in autumn."
            .repeat(5);
    let greedy = || GenerateOptions { max_tokens: Some(16), ..GenerateOptions::default() };
    let mut cached = 0;
    for question in ["What were they made of?", "How long did they burn?", "Who made them?", "When?"] {
        text.push_str(&format!("\n\nQuestion: {question}\nAnswer:"));
        let got = answer(&mut session, &text, greedy());
        let expected = answer(&mut other, &text, GenerateOptions { reuse: false, ..greedy() });
        assert_eq!(expected.stats.cached_tokens, 0);
        println!(
            "{question} {:?}: {} of {} cached",
            got.text(),
            got.stats.cached_tokens,
            got.stats.prompt_tokens
        );
        same(&got, &expected);
        assert!(got.stats.cached_tokens >= cached, "{} of {cached}", got.stats.cached_tokens);
        cached = got.stats.prompt_tokens;
        text.push_str(&got.text());
    }
}

/// A prefix that ends with the last id before the logits that are wanted spares all of it but that one, and is restored once.
#[test]
fn a_prefix_as_long_as_what_is_asked_for_is_restored_once() {
    for name in ["gemma3-f32-64", "llama-q2_k-256"] {
        let mut session = session(name);
        let (prefix, other) = (ids(40, 3), ids(40, 4));
        let along = |session: &mut Session, ids: &[u32], first: usize| {
            let mut rows = Vec::new();
            pollster::block_on(session.logits_along(ids, first, |_, row| rows.push(row.to_vec())))
                .expect("it runs");
            rows
        };
        let expected = along(&mut session, &prefix, 38);
        for from in [0, 12] {
            // The second time it is kept.
            for _ in 0..2 {
                along(&mut session, &prefix, 38);
                pollster::block_on(session.keep_prefix(&prefix[..=38], from)).expect("it is copied");
            }
            let begins_alike = [&prefix[..from], &other[from..]].concat();
            along(&mut session, &begins_alike, 39);
            let before = session.tokens_run();
            assert_eq!(along(&mut session, &prefix, 38), expected, "{name} from {from}");
            assert_eq!(session.tokens_run() - before, 2, "{name} from {from}");
        }
    }
}
