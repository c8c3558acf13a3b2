//! Conversations as bytes: taken up again they go on with the same text and run only what is new; damaged ones, and those of
//! another model, are refused, and nothing is lost by trying.

mod session_support;
mod small;

use rushlight::kernel::case::SplitMix64;
use rushlight::session::{GenerateOptions, Host, LoadOptions, Session};
use rushlight::tensor::DType;
use session_support::{Answer, answer, drive, file, load, options, sampling, session};
use small::gguf::{Form, writer};
use small::specs::{self, VOCABULARY};

fn tokens(count: usize) -> GenerateOptions {
    GenerateOptions {
        max_tokens: Some(count),
        ignore_eos: true,
        sampling: sampling(5),
        ..GenerateOptions::default()
    }
}

fn ids(count: usize, seed: u64) -> Vec<u32> {
    let mut random = SplitMix64(seed);
    (0..count).map(|_| (random.next_u64() % VOCABULARY as u64) as u32).collect()
}

fn turn(session: &mut Session, prompt: &[u32]) -> Answer {
    session.start_ids(prompt.to_vec(), tokens(8)).expect("the prompt fits");
    drive(session).expect("the run succeeds")
}

fn export(session: &mut Session) -> Vec<u8> {
    pollster::block_on(session.export()).expect("there is a conversation")
}

fn with(name: &str, change: impl FnOnce(&mut LoadOptions)) -> Session {
    let mut wanted = options();
    change(&mut wanted);
    load(&[file(name)], wanted, Host::native()).expect("the model loads")
}

#[test]
fn a_conversation_goes_on_in_another_session() {
    // Of each architecture, one shorter and one longer than the rings.
    for name in ["gemma3-f32-64", "gemma3-q4_k-256", "qwen2-bf16-64", "llama-f16-64-factors"] {
        for length in [20, 150] {
            for kv in [DType::F32, DType::F16] {
                let mut first = with(name, |options| options.kv = kv);
                let prompt = ids(length, 1);
                let said = turn(&mut first, &prompt);
                let saved = export(&mut first);
                let next = [prompt.as_slice(), &said.ids(), &ids(9, 2)].concat();
                let expected = turn(&mut first, &next);

                // Also where the context, and with it the ring, is another.
                for context in [None, Some(length + 40)] {
                    let mut second = with(name, |options| {
                        options.kv = kv;
                        options.context = context;
                    });
                    assert_eq!(second.import(&saved).expect("it is of this model"), length + 7);
                    let before = second.tokens_run();
                    let got = turn(&mut second, &next);
                    assert_eq!(
                        (got.ids(), got.text()),
                        (expected.ids(), expected.text()),
                        "{name}, {length}"
                    );
                    // The answer's last token, and what is new; then seven tokens of the answer.
                    assert_eq!(second.tokens_run() - before, 1 + 9 + 7, "{name}, {length}");
                    assert_eq!(got.stats.cached_tokens, length + 7);
                    // What is saved at the end is the same wherever the conversation began.
                    if context.is_none() {
                        assert_eq!(export(&mut second), export(&mut first), "{name}, {length}, {kv}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_frame_is_held_for_prompts_that_begin_with_it() {
    let frame = "the capital of France is hello and the capital of hello is ";
    let mut native = session("gemma3-f32-64");
    let count = pollster::block_on(native.prefill(frame)).expect("it fits");
    let prefix = export(&mut native);
    let mut page = session("gemma3-f32-64");
    assert_eq!(page.import(&prefix).expect("it is of this model"), count);
    let prompt = format!("{frame}the capital");
    let got = answer(&mut page, &prompt, tokens(10));
    let expected = answer(&mut session("gemma3-f32-64"), &prompt, tokens(10));
    assert_eq!((got.ids(), got.text()), (expected.ids(), expected.text()));
    // The tokens may part where the frame ends, and not much before.
    assert!(got.stats.cached_tokens + 3 > count, "{} of {count}", got.stats.cached_tokens);
    assert_eq!(
        pollster::block_on(native.prefill(&frame.repeat(40))).expect_err("too long").code(),
        "ERR_CONTEXT"
    );
}

#[test]
fn nothing_to_save_is_said() {
    let mut session = session("qwen2-bf16-64");
    let error = pollster::block_on(session.export()).expect_err("nothing was said");
    assert_eq!(error.code(), "ERR_BAD_ARGUMENT");
}

#[test]
fn other_models_and_caches_are_refused() {
    let mut first = session("gemma3-f32-64");
    turn(&mut first, &ids(30, 3));
    let saved = export(&mut first);
    let refuse = |session: &mut Session, code: &str, says: &str| {
        let error = session.import(&saved).expect_err("it is of another");
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    refuse(&mut session("gemma3-q8_0-64-linear"), "ERR_OTHER_MODEL", "gemma3-q8_0-64-linear");
    refuse(&mut with("gemma3-f32-64", |options| options.kv = DType::F16), "ERR_OTHER_MODEL", "f16");
    refuse(&mut with("gemma3-f32-64", |options| options.context = Some(32)), "ERR_CONTEXT", "38");

    // The same header with one other weight: a fine-tuned model.
    let spec = specs::find("gemma3-f32-64");
    let mut bytes = writer(spec, spec, Form::Published, Some).to_bytes();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    let mut tuned = load(&[bytes], options(), Host::native()).expect("it is as sound");
    refuse(&mut tuned, "ERR_OTHER_MODEL", "hash");
}

#[test]
fn damage_is_found_and_costs_nothing() {
    let name = "gemma3-f32-64";
    let mut first = session(name);
    let prompt = ids(100, 4);
    let said = turn(&mut first, &prompt);
    let saved = export(&mut first);
    let next = [prompt.as_slice(), &said.ids(), &[7]].concat();
    let expected = turn(&mut first, &next);

    let mut second = session(name);
    turn(&mut second, &prompt);
    let mut random = SplitMix64(6);
    let mut refused = 0;
    let mut refuse = |bytes: &[u8]| {
        let error = second.import(bytes).expect_err("it is damaged");
        assert!(["ERR_BAD_FILE", "ERR_OTHER_MODEL"].contains(&error.code()), "{error}");
        refused += 1;
    };
    for length in (0..48).chain([saved.len() / 2, saved.len() - 8, saved.len() - 1]) {
        refuse(&saved[..length]);
    }
    refuse(&[saved.as_slice(), &[0]].concat());
    let somewhere: Vec<usize> = (0..200).map(|_| (random.next_u64() % saved.len() as u64) as usize).collect();
    for at in (0..64).chain(somewhere) {
        let mut flipped = saved.clone();
        flipped[at] ^= 1 << (random.next_u64() % 8);
        refuse(&flipped);
    }
    // Nonsense that somebody has signed: the checksum is right, the numbers are not.
    for (at, value) in
        [(20, 9), (32, 0), (32, u32::MAX), (32, 99), (36, 108), (36, u32::MAX), (36, 106), (40, u32::MAX)]
    {
        let mut signed = saved.clone();
        signed[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        let end = signed.len() - 8;
        let sum = xxh64(&signed[..end]);
        signed[end..].copy_from_slice(&sum.to_le_bytes());
        refuse(&signed);
    }
    assert!(refused > 300);

    // All of that left the session what it had: the prompt and seven tokens of its answer.
    let before = second.tokens_run();
    let got = turn(&mut second, &next);
    assert_eq!((got.ids(), second.tokens_run() - before), (expected.ids(), 2 + 7));
}

/// XXH64 with seed 0, from its specification, for inputs of any length: signs what the library must refuse, and says that the
/// library's sum is that one.
fn xxh64(bytes: &[u8]) -> u64 {
    const P: [u64; 5] = [
        0x9E37_79B1_85EB_CA87,
        0xC2B2_AE3D_27D4_EB4F,
        0x1656_67B1_9E37_79F9,
        0x85EB_CA77_C2B2_AE63,
        0x27D4_EB2F_1656_67C5,
    ];
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
    let round =
        |acc: u64, lane: u64| acc.wrapping_add(lane.wrapping_mul(P[1])).rotate_left(31).wrapping_mul(P[0]);
    let stripes = bytes.chunks_exact(32);
    let mut rest = stripes.remainder();
    let mut acc = P[4];
    if bytes.len() >= 32 {
        let mut lanes = [P[0].wrapping_add(P[1]), P[1], 0, 0_u64.wrapping_sub(P[0])];
        for stripe in stripes {
            for (lane, bytes) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word(bytes));
            }
        }
        acc = [1, 7, 12, 18]
            .iter()
            .zip(lanes)
            .fold(0_u64, |acc, (&turn, lane)| acc.wrapping_add(lane.rotate_left(turn)));
        for lane in lanes {
            acc = (acc ^ round(0, lane)).wrapping_mul(P[0]).wrapping_add(P[3]);
        }
    }
    acc = acc.wrapping_add(bytes.len() as u64);
    while let Some((bytes, behind)) = rest.split_at_checked(8) {
        acc = (acc ^ round(0, word(bytes))).rotate_left(27).wrapping_mul(P[0]).wrapping_add(P[3]);
        rest = behind;
    }
    if let Some((bytes, behind)) = rest.split_at_checked(4) {
        acc = (acc ^ word(bytes).wrapping_mul(P[0])).rotate_left(23).wrapping_mul(P[1]).wrapping_add(P[2]);
        rest = behind;
    }
    for &byte in rest {
        acc = (acc ^ u64::from(byte).wrapping_mul(P[4])).rotate_left(11).wrapping_mul(P[0]);
    }
    acc = (acc ^ acc >> 33).wrapping_mul(P[1]);
    acc = (acc ^ acc >> 29).wrapping_mul(P[2]);
    acc ^ acc >> 32
}
