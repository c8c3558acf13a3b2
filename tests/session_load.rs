//! Loading into a session: files in parts, vectors in other types than F32, damaged files, options that make no sense, aborts.

mod session_support;
mod small;

use rushlight::formats::gguf::GgufReader;
use rushlight::session::{Host, LoadOptions, Loader, MAX_CHUNK, Session, SessionError};
use rushlight::tensor::DType;
use session_support::{breaths, cancel_after, file, load, options, slow_host};
use small::gguf::{Form, Numbers, Tensor, split, tensor_count, write, writer};
use small::specs::{self, Spec};

fn logits(session: &mut Session, ids: &[u32]) -> Vec<f32> {
    pollster::block_on(session.logits(ids, MAX_CHUNK)).expect("the run succeeds")
}

fn refused(parts: &[Vec<u8>], options: LoadOptions) -> SessionError {
    match load(parts, options, Host::native()) {
        Ok(_) => panic!("it should not load"),
        Err(error) => error,
    }
}

#[test]
fn a_split_model_is_the_same_model() {
    let name = "llama-f16-64-factors";
    let spec = specs::find(name);
    let count = tensor_count(spec);
    let ids = spec.prompt_ids();
    let expected = logits(&mut session_support::session(name), &ids);
    // Parts of one tensor, and a first part with metadata alone.
    for counts in [vec![10, count - 10], vec![1, 1, count - 2], vec![0, 3, count - 3]] {
        let parts = split(spec, &counts);
        let mut session = load(&parts, options(), Host::native()).expect("the parts load");
        assert_eq!(logits(&mut session, &ids), expected, "{counts:?}");
    }

    let parts = split(spec, &[10, 4, count - 14]);
    let wrong = [
        (vec![parts[0].clone(), parts[2].clone()], "a part left out"),
        (vec![parts[0].clone(), parts[1].clone()], "the last part missing"),
        (vec![parts[1].clone(), parts[0].clone(), parts[2].clone()], "parts out of order"),
        (vec![parts[0].clone(), parts[1].clone(), parts[1].clone()], "a part twice"),
        (vec![parts[0].clone(), parts[1][..parts[1].len() / 2].to_vec(), parts[2].clone()], "half a part"),
    ];
    for (parts, what) in wrong {
        let error = refused(&parts, options());
        assert!(error.code().starts_with("ERR_"), "{what}: {error}");
        println!("{what}: {} {error}", error.code());
    }
}

/// Norms and biases are kept in F32 whatever the file has them in: numbers that all types hold exactly give the same logits.
#[test]
fn vectors_of_any_type_load_as_the_same_numbers() {
    for name in ["qwen2-bf16-64", "gemma3-f32-64", "qwen3-q5_1-64"] {
        let spec = specs::find(name);
        let logits_with = |dtype: DType| {
            let vectors = |tensor: Tensor| {
                // BF16 has the fewest digits: what it holds, the others hold; its numbers are made once and stored thrice.
                let is_vector = tensor.extents.len() == 1 && tensor.numbers != Numbers::Factors;
                Some(if is_vector {
                    Tensor { dtype, numbers: Numbers::Sixteenths, ..tensor }
                } else {
                    tensor
                })
            };
            let bytes = writer(spec, spec, Form::Published, vectors).to_bytes();
            let mut session = load(&[bytes], options(), Host::native()).expect("the model loads");
            logits(&mut session, &spec.prompt_ids())
        };
        let expected = logits_with(DType::F32);
        assert_eq!(logits_with(DType::F16), expected, "{name}, F16");
        assert_eq!(logits_with(DType::BF16), expected, "{name}, BF16");
    }
}

#[test]
fn damaged_files_are_named() {
    let whole = file("gemma3-f32-64");
    for end in [0, 3, 20, 5_000, whole.len() / 2, whole.len() - 1] {
        let error = refused(&[whole[..end].to_vec()], options());
        assert_eq!(error.code(), "ERR_BAD_FILE", "cut at {end}: {error}");
    }
    let mut magic = whole.clone();
    magic[0] ^= 1;
    assert_eq!(refused(&[magic], options()).code(), "ERR_BAD_FILE");
    let spec = specs::find("gemma3-f32-64");
    let without = |tensor: Tensor| (tensor.name != "blk.3.ffn_up.weight").then_some(tensor);
    let error = refused(&[writer(spec, spec, Form::Published, without).to_bytes()], options());
    assert_eq!(error.code(), "ERR_BAD_FILE");
    assert!(error.to_string().contains("blk.3.ffn_up.weight"), "{error}");
}

/// Nobody should download weights to hear that a tensor is missing, and no memory is taken for a claim of the header.
#[test]
fn a_model_that_can_not_run_is_refused_at_its_header() {
    let spec = specs::find("gemma3-f32-64");
    let without = |tensor: Tensor| (tensor.name != "blk.3.ffn_up.weight").then_some(tensor);
    let whole = writer(spec, spec, Form::Published, without).to_bytes();
    let mut reader = GgufReader::new();
    reader.push(&whole).expect("the file itself is sound");
    let header = reader.header().expect("it is whole").data_start as usize;
    let error = pollster::block_on(async {
        let mut loader = Loader::new(options(), Host::native(), None).await?;
        loader.push(&whole[..header]).await
    });
    let error = error.expect_err("a tensor is missing");
    assert!(error.to_string().contains("blk.3.ffn_up.weight"), "{error}");
}

#[test]
fn options_that_make_no_sense_are_refused_before_the_weights_come() {
    let whole = file("gemma3-f32-64");
    let trained = specs::find("gemma3-f32-64").context;
    let wrong = [
        ("kv", LoadOptions { kv: DType::Q8_0, ..options() }),
        ("context", LoadOptions { context: Some(0), ..options() }),
        ("context", LoadOptions { context: Some(1), ..options() }),
        ("context", LoadOptions { context: Some(trained + 1), ..options() }),
        ("context", LoadOptions { context: Some(usize::MAX), ..options() }),
    ];
    for (option, options) in wrong {
        let got = pollster::block_on(async {
            let mut loader = Loader::new(options, Host::native(), Some(whole.len() as u64)).await?;
            loader.push(&whole[..whole.len() / 2]).await
        });
        match got {
            Err(SessionError::Option { option: named, .. }) => assert_eq!(named, option),
            other => panic!("{option}: {other:?}"),
        }
    }
    for context in [2, trained] {
        let session = load(
            std::slice::from_ref(&whole),
            LoadOptions { context: Some(context), ..options() },
            Host::native(),
        );
        assert_eq!(session.expect("these are the limits").info().context, context);
    }
}

#[test]
fn an_abort_ends_a_load() {
    // 11 MB, so that the loader lets others run on the way.
    let spec = Spec { ffn: 2048, ..*specs::find("gemma3-f32-64") };
    let whole = write(&spec, Form::Published);
    let host = slow_host(0.0);
    cancel_after(1, host.cancel.clone());
    match load(std::slice::from_ref(&whole), options(), host) {
        Err(error @ SessionError::Cancelled { .. }) => assert_eq!(error.code(), "ERR_ABORTED"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} breaths in {} bytes, and the abort was not heard", breaths(), whole.len()),
    }
    assert_eq!(breaths(), 1, "it ends with the next chunk");

    let host = Host::native();
    host.cancel.cancel();
    pollster::block_on(async {
        let mut loader = Loader::new(options(), host, None).await.expect("the CPU is there");
        let error = loader.push(&whole[..100]).await.expect_err("it was stopped before it began");
        assert_eq!(error.code(), "ERR_ABORTED");
    });
}
