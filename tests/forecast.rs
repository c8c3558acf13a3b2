//! What a load would take, told from the first bytes of a file, is what it takes; what would fail is told as it fails.

mod common;
mod session_support;
mod small;

use std::fs::File;
use std::io::Read;

use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, Event, Forecast, Forecaster, GenerateOptions, Host, LoadOptions};
use rushlight::tensor::DType;
use session_support::{file, load, options};
use small::gguf::{Form, Tensor, split, tensor_count, writer};
use small::specs::{self, SPECS};

/// Gives a forecaster as many bytes as it wants, in chunks; returns how many that were.
fn forecast(file: &[u8], options: LoadOptions, probe: bool) -> (Forecast, usize) {
    pollster::block_on(async {
        let mut forecaster = Forecaster::new(options, Host::native(), None, Some(file.len() as u64)).await;
        let mut taken = 0;
        for chunk in file.chunks(1000) {
            taken += chunk.len();
            if forecaster.push(chunk) {
                break;
            }
        }
        (forecaster.finish(probe).await, taken)
    })
}

#[test]
fn a_load_takes_what_was_told() {
    for spec in SPECS {
        for (kv, context) in [(DType::F32, None), (DType::F16, Some(100))] {
            let wanted = LoadOptions { kv, context, ..options() };
            let file = file(spec.name);
            let (told, taken) = forecast(&file, wanted.clone(), false);
            assert!(told.failure.is_none(), "{}: {:?}", spec.name, told.failure);
            let tensors: usize = file.len() - taken;
            assert!(taken < 20_000 && tensors > 0, "{}: {taken} bytes", spec.name);
            let session = load(std::slice::from_ref(&file), wanted, Host::native()).expect("the model loads");
            let info = session.info();
            assert_eq!((told.name.as_str(), told.architecture.as_str()), (spec.name, spec.arch));
            assert_eq!(told.parameters, info.parameters, "{}", spec.name);
            assert_eq!((told.context, told.trained_context), (info.context, info.trained_context));
            assert_eq!(told.file_bytes, file.len() as u64);
            assert_eq!(told.quantisation, spec.dtype.name(), "{}", spec.name);
            assert_eq!((told.backend, told.reason.as_str()), (Some(info.backend), "asked for"));
            assert!(!told.chat && told.tokens_per_second.is_none());
            let held = session.memory();
            let tokenizer = session.tokenizer().bytes().unwrap_or(0) as u64;
            let all = held.weights + held.states + held.scratch + tokenizer;
            assert_eq!(told.memory_bytes, all, "{}: {held:?}", spec.name);
        }
    }
}

/// The forecast of a split model from the first bytes of each part.
fn forecast_parts(parts: &[Vec<u8>], options: LoadOptions) -> Forecast {
    pollster::block_on(async {
        let len = |part: &Vec<u8>| Some(part.len() as u64);
        let mut forecaster =
            Forecaster::new(options, Host::native(), None, parts.first().and_then(len)).await;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                forecaster.next_part(len(part));
            }
            part.chunks(1000).find(|chunk| forecaster.push(chunk));
        }
        forecaster.finish(false).await
    })
}

#[test]
fn a_split_model_takes_what_its_parts_told() {
    let spec = specs::find("llama-f16-64-factors");
    let count = tensor_count(spec);
    for counts in [vec![10, count - 10], vec![0, 3, count - 3]] {
        let parts = split(spec, &counts);
        let told = forecast_parts(&parts, options());
        assert!(told.failure.is_none(), "{:?}", told.failure);
        let session = load(&parts, options(), Host::native()).expect("the parts load");
        let held = session.memory();
        let tokenizer = session.tokenizer().bytes().unwrap_or(0) as u64;
        let all = held.weights + held.states + held.scratch + tokenizer;
        assert_eq!(told.memory_bytes, all, "{counts:?}");
        assert_eq!(told.parameters, session.info().parameters);
        assert_eq!(told.file_bytes, parts.iter().map(|part| part.len() as u64).sum::<u64>());
        assert_eq!((told.name.as_str(), told.quantisation.as_str()), (spec.name, spec.dtype.name()));
    }

    let parts = split(spec, &[10, 4, count - 14]);
    let wrong = [
        (vec![parts[0].clone()], "the first part alone"),
        (vec![parts[1].clone()], "another part alone"),
        (vec![parts[0].clone(), parts[2].clone(), parts[1].clone()], "parts out of order"),
        (vec![parts[0].clone(), parts[1][..100].to_vec(), parts[2].clone()], "a header cut off"),
        (
            vec![parts[0].clone(), b"<!DOCTYPE html>".repeat(10), parts[2].clone()],
            "a page in place of a part",
        ),
    ];
    for (parts, what) in wrong {
        let told = forecast_parts(&parts, options()).failure.map(|error| error.code());
        let loaded = load(&parts, options(), Host::native()).err().map(|error| error.code());
        assert_eq!(told, loaded, "{what}");
        assert_eq!(told, Some("ERR_BAD_FILE"), "{what}");
    }
}

#[test]
fn what_would_fail_is_told() {
    let sound = file("gemma3-f32-64");
    let spec = specs::find("gemma3-f32-64");
    let code = |file: &[u8], options: LoadOptions| {
        let (told, _) = forecast(file, options, true);
        assert_eq!(told.tokens_per_second, None);
        told.failure.map(|error| error.code())
    };
    assert_eq!(code(&sound[..3000], options()), Some("ERR_BAD_FILE"), "ended in its header");
    assert_eq!(
        code(&sound[..sound.len() - 4], options()),
        Some("ERR_BAD_FILE"),
        "the length says that it is truncated"
    );
    assert_eq!(code(b"<!DOCTYPE html><p>This is no model file at all.", options()), Some("ERR_BAD_FILE"));
    assert_eq!(code(&[], options()), Some("ERR_BAD_FILE"));
    let context = Some(1_000_000);
    assert_eq!(code(&sound, LoadOptions { context, ..options() }), Some("ERR_BAD_ARGUMENT"));
    let without = |tensor: Tensor| (tensor.name != "blk.1.ffn_up.weight").then_some(tensor);
    let lacking = writer(spec, spec, Form::Published, without).to_bytes();
    let (told, _) = forecast(&lacking, options(), false);
    assert_eq!(told.failure.as_ref().map(|error| error.code()), Some("ERR_BAD_FILE"));
    // What can be said of it is said.
    assert_eq!((told.name.as_str(), told.file_bytes), (spec.name, lacking.len() as u64));

    let mut other = rushlight::formats::gguf::GgufWriter::new();
    other.metadata("general.architecture", "mamba").expect("the key is new");
    let (told, _) = forecast(&other.to_bytes(), options(), false);
    assert_eq!(told.failure.map(|error| error.code()), Some("ERR_UNSUPPORTED_MODEL"));
    assert_eq!(told.architecture, "mamba");
}

#[test]
fn a_file_of_unknown_length_says_where_its_data_ends() {
    let file = file("qwen2-bf16-64");
    let told = pollster::block_on(async {
        let mut forecaster = Forecaster::new(options(), Host::native(), None, None).await;
        forecaster.push(&file);
        forecaster.finish(false).await
    });
    assert!(told.failure.is_none());
    // The end may be padded.
    assert!(told.file_bytes <= file.len() as u64 && told.file_bytes + 32 > file.len() as u64);
}

#[test]
fn gemma_is_told_from_a_few_megabytes_and_its_speed_is_near() {
    let options = LoadOptions {
        backend: BackendChoice::Cpu,
        precision: Precision::Fast,
        context: Some(512),
        ..LoadOptions::default()
    };
    let (told, taken) = pollster::block_on(async {
        let mut file = File::open(common::model_path()).expect("the model opens");
        let len = file.metadata().expect("it has a length").len();
        let mut forecaster = Forecaster::new(options.clone(), Host::native(), None, Some(len)).await;
        let (mut chunk, mut taken) = (vec![0; 1 << 20], 0);
        while !forecaster.is_complete() {
            let read = file.read(&mut chunk).expect("it reads");
            forecaster.push(&chunk[..read]);
            taken += read;
        }
        (forecaster.finish(true).await, taken)
    });
    assert!(told.failure.is_none(), "{:?}", told.failure);
    assert!(taken < 10 << 20, "{taken} bytes");
    assert_eq!(told.quantisation, "Q4_K_M");
    assert_eq!((told.architecture.as_str(), told.context, told.trained_context), ("gemma3", 512, 32768));
    let expected = told.tokens_per_second.expect("it was measured");

    let mut session = common::load_with(options);
    let held = session.memory();
    let tokenizer = session.tokenizer().bytes().unwrap_or(0) as u64;
    let all = held.weights + held.states + held.scratch + tokenizer;
    assert_eq!(told.memory_bytes, all);
    let wanted = GenerateOptions { max_tokens: Some(24), ignore_eos: true, ..GenerateOptions::default() };
    session.start("The capital of France is", wanted).expect("it fits");
    let mut rate = 0.0;
    while let Some(event) = pollster::block_on(session.next()).expect("the run succeeds") {
        if let Event::Done { stats, .. } = event {
            rate = stats.decode_per_second();
        }
    }
    println!("expected {expected:.1} tokens/s, got {rate:.1}; {taken} bytes were read");
    // Wide, since tests share a machine with whatever else runs.
    assert!((rate / 4.0..rate * 4.0).contains(&expected), "expected {expected:.1} tokens/s, got {rate:.1}");
}
