//! A number that is none (NaN, an infinity) never becomes text: wherever it stands in a model, and whatever is asked of that, the end is
//! `ERR_BAD_LOGITS` with the position. So it is with numbers that outgrow a cache in f16.

#[cfg(feature = "gpu")]
mod gpu_support;
mod session_support;
mod small;

use std::path::PathBuf;
use std::process::{Command, Output};

use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, GenerateOptions, Host, LoadOptions, Session, SessionError};
use rushlight::tensor::DType;
use session_support::{cancel_after, drive, file, load, options, sampling, slow_host};
use small::gguf::{Form, Tensor, writer};
use small::specs::{self, Spec, VOCABULARY};
use small::spoilt;

const NUMBERS: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
/// Tokens of a prompt.
const PROMPT: usize = 12;

/// Which row of a tensor has the number.
#[derive(Clone, Copy, Debug)]
enum Row {
    First,
    /// That of a token of the prompt.
    Of(usize),
}

/// Where the number shows first.
#[derive(Clone, Copy, Debug)]
enum Shows {
    /// In the keys and values of a position.
    Cache(usize),
    /// In the logits after the prompt.
    Logits,
}

/// Models with the places that they have: model, tensor, row, where it shows.
const PLACES: &[(&str, &str, Row, Shows)] = &[
    ("gemma3-f32-64", "blk.1.attn_norm.weight", Row::First, Shows::Cache(0)),
    ("gemma3-f32-64", "blk.5.ffn_norm.weight", Row::First, Shows::Cache(0)),
    ("gemma3-f32-64", "blk.0.attn_q_norm.weight", Row::First, Shows::Cache(0)),
    ("gemma3-f32-64", "blk.2.attn_k_norm.weight", Row::First, Shows::Cache(0)),
    ("gemma3-f32-64", "blk.3.post_ffw_norm.weight", Row::First, Shows::Cache(0)),
    ("gemma3-f32-64", "output_norm.weight", Row::First, Shows::Logits),
    ("gemma3-f32-64", "blk.0.ffn_up.weight", Row::First, Shows::Cache(0)),
    ("gemma3-f32-64", "blk.6.ffn_down.weight", Row::First, Shows::Logits),
    ("gemma3-f32-64", "blk.6.attn_q.weight", Row::First, Shows::Logits),
    ("gemma3-f32-64", "blk.4.attn_v.weight", Row::First, Shows::Cache(0)),
    ("gemma3-f32-64", "token_embd.weight", Row::Of(7), Shows::Cache(7)),
    ("gemma3-mixed-640", "blk.0.attn_q.weight", Row::First, Shows::Cache(0)),
    ("gemma3-mixed-640", "blk.1.attn_q.weight", Row::First, Shows::Logits),
    ("gemma3-mixed-640", "blk.1.attn_k.weight", Row::First, Shows::Cache(0)),
    ("gemma3-mixed-640", "blk.1.attn_v.weight", Row::First, Shows::Cache(0)),
    ("gemma3-mixed-640", "blk.1.attn_output.weight", Row::First, Shows::Logits),
    ("gemma3-mixed-640", "blk.0.ffn_gate.weight", Row::First, Shows::Cache(0)),
    ("gemma3-mixed-640", "blk.1.ffn_down.weight", Row::First, Shows::Logits),
    ("gemma3-mixed-640", "blk.1.ffn_norm.weight", Row::First, Shows::Logits),
    ("gemma3-mixed-640", "token_embd.weight", Row::Of(3), Shows::Cache(3)),
    ("qwen2-bf16-64", "blk.0.attn_q.bias", Row::First, Shows::Cache(0)),
    ("qwen2-bf16-64", "blk.1.attn_v.bias", Row::First, Shows::Cache(0)),
    ("qwen2-bf16-64", "output.weight", Row::Of(0), Shows::Logits),
    ("qwen2-bf16-64", "blk.2.ffn_up.weight", Row::First, Shows::Logits),
    ("llama-f16-64-factors", "output.weight", Row::First, Shows::Logits),
    ("llama-f16-64-factors", "blk.1.attn_k.weight", Row::First, Shows::Cache(0)),
    ("llama-f16-64-factors", "token_embd.weight", Row::Of(11), Shows::Cache(11)),
    ("llama-q2_k-256", "blk.0.ffn_down.weight", Row::First, Shows::Cache(0)),
    ("qwen2-q3_k-256", "blk.1.ffn_up.weight", Row::First, Shows::Cache(0)),
    ("qwen2-q4_1-640", "blk.0.attn_output.weight", Row::First, Shows::Cache(0)),
    ("gemma3-q4_k-256", "blk.3.ffn_gate.weight", Row::First, Shows::Logits),
    ("qwen3-q5_k-256", "output.weight", Row::First, Shows::Logits),
    ("qwen3-q5_1-64", "blk.2.attn_v.weight", Row::First, Shows::Cache(0)),
    ("gemma3-q6_k-256", "blk.2.attn_output.weight", Row::First, Shows::Logits),
    ("qwen3-q8_0-640", "token_embd.weight", Row::Of(5), Shows::Cache(5)),
    ("llama-q4_0-640-factors", "blk.1.attn_q.weight", Row::First, Shows::Logits),
    ("llama-q5_0-64-linear", "blk.0.attn_k.weight", Row::First, Shows::Cache(0)),
];

/// A prompt in which no token comes twice.
fn prompt() -> Vec<u32> {
    (0..PROMPT as u32).map(|i| 40 + 17 * i).collect()
}

fn tokens(count: usize, change: impl FnOnce(&mut GenerateOptions)) -> GenerateOptions {
    let mut options =
        GenerateOptions { max_tokens: Some(count), ignore_eos: true, ..GenerateOptions::default() };
    change(&mut options);
    options
}

/// What a session says to a prompt.
fn generate(session: &mut Session, ids: &[u32], options: GenerateOptions) -> Result<Vec<u32>, SessionError> {
    session.start_ids(ids.to_vec(), options)?;
    drive(session).map(|answer| answer.ids())
}

fn assert_bad<T: std::fmt::Debug>(result: Result<T, SessionError>, position: usize, label: &str) {
    let error = result.expect_err(label);
    assert_eq!(error.code(), "ERR_BAD_LOGITS", "{label}: {error}");
    let message = error.to_string();
    assert!(message.contains(&format!("position {position}:")), "{label}, expected {position}: {message}");
}

/// Every way of asking a model, after which it is asked the next.
fn ask_in_every_way(session: &mut Session, ids: &[u32], shows: Shows, label: &str) {
    let position = match shows {
        Shows::Cache(position) => position,
        Shows::Logits => ids.len() - 1,
    };
    let ways: [(&str, GenerateOptions); 4] = [
        ("greedy", tokens(4, |_| {})),
        ("sampled", tokens(4, |options| options.sampling = sampling(3))),
        (
            "top-k",
            tokens(4, |options| {
                options.sampling = sampling(3);
                options.sampling.top_k = 5;
            }),
        ),
        ("logprobs", tokens(4, |options| options.logprobs = Some(2))),
    ];
    for (way, options) in ways {
        assert_bad(generate(session, ids, options), position, &format!("{label}, {way}"));
    }
    // Chunk after chunk a software GPU takes a while.
    for chunk in [1, 5, 64].into_iter().filter(|&chunk| chunk > 5 || !label.contains("Gpu")) {
        assert_bad(
            pollster::block_on(session.logits(ids, chunk)),
            position,
            &format!("{label}, logits by {chunk}"),
        );
    }
    if let Shows::Cache(position) = shows {
        let along = pollster::block_on(session.logits_along(ids, 0, |_, _| {}));
        assert_bad(along, position, &format!("{label}, logits along"));
        // Nothing of what is wrong can be saved.
        match pollster::block_on(session.export()) {
            Err(error) => assert_eq!(error.code(), "ERR_BAD_ARGUMENT", "{label}: {error}"),
            Ok(saved) => assert!(number_of_ids(&saved) <= position, "{label}: {}", number_of_ids(&saved)),
        }
    }
}

/// As the table in `session/cache/saved.rs` has it.
fn number_of_ids(saved: &[u8]) -> usize {
    u32::from_le_bytes(*saved[32..].first_chunk().expect("a header")) as usize
}

fn try_places<'a>(
    places: impl IntoIterator<Item = &'a (&'a str, &'a str, Row, Shows)>,
    numbers: &[f32],
    options: &LoadOptions,
) {
    let ids = prompt();
    for &(name, tensor, row, shows) in places {
        let sound = file(name);
        let row = match row {
            Row::First => 0,
            Row::Of(index) => ids[index] as usize,
        };
        for &number in numbers {
            let LoadOptions { backend, precision, kv, .. } = options;
            let label = format!("{number} in {tensor} of {name}, {backend:?}, {precision:?}, {kv}");
            let spoilt = spoilt::with(&sound, tensor, row, number);
            let mut session = load(&[spoilt], options.clone(), Host::native()).expect(&label);
            ask_in_every_way(&mut session, &ids, shows, &label);
        }
    }
}

#[test]
fn the_cpu_ends_in_an_error() {
    for precision in [Precision::Fast, Precision::Exact] {
        for kv in [DType::F32, DType::F16] {
            try_places(PLACES, &NUMBERS, &LoadOptions { precision, kv, ..options() });
        }
    }
}

#[cfg(feature = "gpu")]
#[test]
fn a_gpu_ends_in_an_error() {
    let _alone = gpu_support::software_driver();
    let gpu = LoadOptions { backend: BackendChoice::Gpu, ..options() };
    // A device takes long to open: of each kind of place one or two, each number twice. The kernels' cases have the rest.
    let chosen = [
        ("gemma3-f32-64", "blk.0.ffn_up.weight"),
        ("gemma3-f32-64", "blk.6.attn_q.weight"),
        ("gemma3-f32-64", "token_embd.weight"),
        ("qwen3-q5_1-64", "blk.2.attn_v.weight"),
        ("qwen2-bf16-64", "blk.0.attn_q.bias"),
        ("qwen2-bf16-64", "output.weight"),
    ];
    let places = PLACES.iter().filter(|(name, tensor, ..)| chosen.contains(&(name, tensor)));
    for (place, number) in places.clone().zip(NUMBERS.iter().cycle()) {
        try_places([place], &[*number], &LoadOptions { kv: DType::F16, ..gpu.clone() });
    }
    assert_eq!(places.count(), chosen.len());
    early_ones_are_not_forgotten(&gpu);
    what_f16_cannot_hold_is_an_error(&gpu);
    a_prefix_and_a_stopped_prompt(&gpu);
    taken_up_before_a_bad_position(&gpu);
}

#[test]
fn on_the_cpu() {
    early_ones_are_not_forgotten(&options());
    what_f16_cannot_hold_is_an_error(&options());
    a_prefix_and_a_stopped_prompt(&options());
    taken_up_before_a_bad_position(&options());
    taken_up_before_a_bad_position(&LoadOptions { kv: DType::F16, ..options() });
}

/// With windows of 16 in all of three layers, the last of 150 tokens sees nothing of the third: that one is an error all the same.
fn early_ones_are_not_forgotten(options: &LoadOptions) {
    let spec = specs::find("gemma3-q6_k-256");
    let mut ids: Vec<u32> = spec.prompt_ids().iter().map(|id| id.max(&40) - 1).collect();
    let bad = VOCABULARY as u32 - 1;
    ids[3] = bad;
    assert_eq!(ids.iter().filter(|&&id| id == bad).count(), 1);
    // A scale of the table would show in the head, which is the same: this one stands before it.
    let file = untied(spec, bad as usize);
    let mut session = load(&[file], options.clone(), Host::native()).expect("it loads");
    assert_bad(generate(&mut session, &ids, tokens(2, |_| {})), 3, "an early token");
    // The session goes on with another prompt, from what is sound of the first.
    let mut fresh = load(&[untied(spec, bad as usize)], options.clone(), Host::native()).expect("it loads");
    ids[3] = 41;
    let expected = generate(&mut fresh, &ids, tokens(8, |_| {})).expect("nothing is wrong");
    assert_eq!(generate(&mut session, &ids, tokens(8, |_| {})).expect("nothing is wrong"), expected);
}

/// A conversation is taken up in caches that have NaN behind its end: what is not held is not read.
fn taken_up_before_a_bad_position(options: &LoadOptions) {
    let bad = VOCABULARY as u32 - 1;
    for name in ["gemma3-f32-64", "llama-f16-64-factors"] {
        let file = untied(specs::find(name), bad as usize);
        let load = || load(std::slice::from_ref(&file), options.clone(), Host::native()).expect("it loads");
        let (mut fresh, mut tainted) = (load(), load());
        let mut next = prompt();
        next.extend(generate(&mut fresh, &prompt(), tokens(4, |_| {})).expect("nothing is wrong"));
        let saved = pollster::block_on(fresh.export()).expect("it holds a conversation");
        let longer = [next.as_slice(), &[60; 6], &[bad]].concat();
        assert_bad(generate(&mut tainted, &longer, tokens(2, |_| {})), longer.len() - 1, name);
        tainted.import(&saved).expect("it is of this model");
        next.push(61);
        let expected = generate(&mut fresh, &next, tokens(8, |_| {})).expect("nothing is wrong");
        assert_eq!(generate(&mut tainted, &next, tokens(8, |_| {})).expect("nothing is read"), expected);
    }
}

/// A model with a head of its own, whose embedding of one token is NaN.
fn untied(spec: &'static Spec, token: usize) -> Vec<u8> {
    let own = Spec { tied: false, ..*spec };
    let file = writer(&own, &own, Form::Published, Some).to_bytes();
    spoilt::with(&file, "token_embd.weight", token, f32::NAN)
}

/// Keys of some hundred thousand fit an f32, not an f16.
fn what_f16_cannot_hold_is_an_error(options: &LoadOptions) {
    let spec = specs::find("qwen2-bf16-64");
    let large = |mut tensor: Tensor| {
        if tensor.name == "blk.1.attn_k.bias" {
            tensor.numbers = small::gguf::Numbers::Near(3e5);
        }
        Some(tensor)
    };
    let file = writer(spec, spec, Form::Published, large).to_bytes();
    let load = |kv| {
        load(std::slice::from_ref(&file), LoadOptions { kv, ..options.clone() }, Host::native())
            .expect("it loads")
    };
    assert_bad(generate(&mut load(DType::F16), &prompt(), tokens(4, |_| {})), 0, "keys too large for f16");
    assert_eq!(generate(&mut load(DType::F32), &prompt(), tokens(4, |_| {})).expect("they fit f32").len(), 4);
}

/// What is run without being read: a prefix is an error at once, and a prompt that was stopped is no fault of the next one.
fn a_prefix_and_a_stopped_prompt(options: &LoadOptions) {
    let sound = writer(
        specs::find("llama-f16-64-factors"),
        specs::find("llama-f16-64-factors"),
        Form::Published,
        Some,
    );
    let bad = prompt()[2];
    let file = spoilt::with(&sound.to_bytes(), "token_embd.weight", bad as usize, f32::NAN);
    let mut session = load(std::slice::from_ref(&file), options.clone(), Host::native()).expect("it loads");
    let text = session.tokenizer().decode(&[prompt()[0], bad], false).expect("ids of the vocabulary");
    let ids = session.tokenizer().encode(&text, Default::default()).expect("any text encodes");
    if let Some(position) = ids.iter().position(|&id| id == bad) {
        assert_bad(pollster::block_on(session.prefill(&text)), position, "a prefix");
    }

    let clean: Vec<u32> = prompt().into_iter().filter(|&id| id != bad).collect();
    let expected = generate(&mut session, &clean, tokens(6, |_| {})).expect("nothing is wrong");
    if options.backend == BackendChoice::Gpu {
        // By the clock of a slow host a GPU's time is up before it has submitted anything.
        return;
    }
    let mut stopped = load(&[file], options.clone(), slow_host(50.0)).expect("it loads");
    let long = [prompt(), vec![60; 150]].concat();
    stopped.start_ids(long, tokens(4, |_| {})).expect("it fits");
    cancel_after(60, stopped.cancel_flag());
    let answer = drive(&mut stopped);
    assert!(answer.is_ok_and(|answer| answer.ids().is_empty()), "the prompt was stopped");
    assert_eq!(generate(&mut stopped, &clean, tokens(6, |_| {})).expect("another prompt"), expected);
}

/// A row of the table that no token of the prompt has is read by nobody.
#[test]
fn what_nobody_reads_does_no_harm() {
    let sound = file("qwen2-bf16-64");
    let spoilt = spoilt::with(&sound, "token_embd.weight", VOCABULARY - 1, f32::NAN);
    let answer = |file: Vec<u8>| {
        let mut session = load(&[file], options(), Host::native()).expect("it loads");
        generate(&mut session, &prompt(), tokens(1, |_| {})).expect("nothing is wrong")
    };
    assert_eq!(answer(spoilt), answer(sound));
}

/// A conversation with NaN among its keys is none, whoever wrote it.
#[test]
fn saved_conversations_hold_numbers() {
    for kv in [DType::F16, DType::F32] {
        let options = LoadOptions { kv, ..options() };
        let mut session = load(&[file("qwen3-q5_1-64")], options, Host::native()).expect("it loads");
        generate(&mut session, &prompt(), tokens(2, |_| {})).expect("nothing is wrong");
        let mut saved = pollster::block_on(session.export()).expect("a conversation");
        let end = saved.len() - 8;
        let number: &[u8] = if kv == DType::F16 { &[0, 0x7e] } else { &[0, 0, 0xc0, 0x7f] };
        saved[end - number.len()..end].copy_from_slice(number);
        let hash = xxh64(&saved[..end]);
        saved[end..].copy_from_slice(&hash.to_le_bytes());
        let error = session.import(&saved).expect_err("NaN");
        assert_eq!(error.code(), "ERR_BAD_FILE", "{error}");
        assert!(error.to_string().contains("numbers"), "{error}");
    }
}

fn xxh64(bytes: &[u8]) -> u64 {
    twox_hash::XxHash64::oneshot(0, bytes)
}

fn rushlight(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rushlight")).args(arguments).output().expect("the program runs")
}

/// What a person sees: nothing that looks like an answer, one line that says what is wrong, exit code 1.
#[test]
fn the_command_line_says_so() {
    let folder = std::env::temp_dir().join(format!("rushlight-not-finite-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let text = "the capital of France is hello, ".repeat(30);
    std::fs::write(path("text.txt"), text).expect("the folder takes files");
    let commands: &[(&str, &[&str])] = &[
        ("generate", &["--prompt", "the capital of"]),
        ("generate", &["--prompt", "the capital of", "--precision", "exact"]),
        ("generate", &["--prompt", "the capital of", "--precision", "exact", "--kv", "f32"]),
        ("generate", &["--prompt", "the capital of", "--temperature", "1"]),
        ("generate", &["--prompt", "the capital of", "--logprobs", "2"]),
        ("generate", &["--prompt", "the capital of", "--json"]),
        ("perplexity", &["--file", "text.txt", "--context", "16"]),
        ("ask", &["--context-file", "text.txt", "--question", "What is the capital of France?"]),
    ];
    for (model, tensor) in [
        ("gemma3-q6_k-256", "output_norm.weight"),
        ("gemma3-q6_k-256", "blk.1.attn_norm.weight"),
        ("qwen3-q8_0-640", "blk.0.ffn_up.weight"),
    ] {
        // Room for the frame of `ask`.
        let spec = Spec { context: 2048, ..*specs::find(model) };
        let sound = writer(&spec, &spec, Form::Published, Some).to_bytes();
        for number in NUMBERS {
            std::fs::write(path("model.gguf"), spoilt::with(&sound, tensor, 0, number)).expect("a file");
            for (command, arguments) in commands {
                let arguments: Vec<String> = arguments
                    .iter()
                    .map(|word| if *word == "text.txt" { path(word) } else { (*word).to_owned() })
                    .collect();
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let model = path("model.gguf");
                let all = [&[*command, "--model", &model, "--backend", "cpu"], &arguments[..]].concat();
                let output = rushlight(&all);
                let (out, said) =
                    (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                let label = format!("{number} in {tensor}: {command} {arguments:?}: {out}{said}");
                assert_eq!(output.status.code(), Some(1), "{label}");
                assert!(said.contains("error [ERR_BAD_LOGITS]: ") && said.contains("position "), "{label}");
                assert!(out.is_empty(), "{label}");
            }
        }
    }
    let (model, text, saved) = (path("model.gguf"), path("text.txt"), PathBuf::from(path("saved.rlkv")));
    let output =
        rushlight(&["prefix", "--model", &model, "--backend", "cpu", "--file", &text, &path("saved.rlkv")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ERR_BAD_LOGITS"), "{said}");
    assert!(!saved.exists(), "nothing was saved");
    std::fs::remove_dir_all(&folder).ok();
}
