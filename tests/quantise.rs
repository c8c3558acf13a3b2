//! Converted models: what `rushlight quantize` writes is read back as what went in, as exactly as its type allows.

mod common;
mod small;

use common::minilm_path;
use rushlight::formats::gguf::{GgufReader, Metadata};
use rushlight::formats::quant::dequantise;
use rushlight::model::hf::Files;
use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, Embedder, Host, LoadOptions, Loader, SessionError};
use rushlight::tasks::quantise::{Conversion, Quantiser, TARGETS};
use rushlight::tensor::DType;
use serde_json::Value;

fn files() -> Files {
    let read = |name: &str| {
        std::fs::read(minilm_path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    Files {
        config: read("config.json"),
        tokenizer: read("tokenizer.json"),
        sentence: Some(read("sentence_bert_config.json")),
        pooling: Some(read("1_Pooling/config.json")),
    }
}

fn model() -> Vec<u8> {
    std::fs::read(minilm_path().join("model.safetensors")).expect("the model")
}

/// Converts in chunks of so many bytes.
fn convert(
    input: &[u8],
    files: Option<&Files>,
    target: DType,
    threads: usize,
    chunk: usize,
) -> Result<(Vec<u8>, Vec<Conversion>), SessionError> {
    let mut quantiser = Quantiser::new(target, threads, files, Some(input.len() as u64))?;
    let mut out = Vec::new();
    for part in input.chunks(chunk) {
        out.extend(quantiser.push(part)?);
    }
    Ok((out, quantiser.finish()?))
}

fn embedder(file: &[u8], precision: Precision) -> Embedder {
    pollster::block_on(async {
        let options = LoadOptions { backend: BackendChoice::Cpu, precision, ..LoadOptions::default() };
        let mut loader =
            Loader::new(options, Host::native(), Some(file.len() as u64)).await.expect("the CPU is there");
        for chunk in file.chunks(1 << 20) {
            loader.push(chunk).await.expect("the file is sound");
        }
        Embedder::new(loader.finish().await.expect("the model is complete")).expect("it makes embeddings")
    })
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Least cosine of the file's embeddings with those of the reference, and the largest difference of an element.
fn against_reference(file: &[u8], precision: Precision) -> (f64, f64) {
    let reference: Value = serde_json::from_str(include_str!("fixtures/minilm_ref.json")).expect("JSON");
    let mut embedder = embedder(file, precision);
    let (mut least, mut furthest) = (1.0f64, 0.0f64);
    for item in reference["items"].as_array().expect("items") {
        let expected: Vec<f32> = serde_json::from_value(item["embedding"].clone()).expect("numbers");
        let text = item["text"].as_str().expect("a text");
        let got = pollster::block_on(embedder.embed(&[text])).expect("a vector").vectors.swap_remove(0);
        least = least.min(cosine(&got, &expected));
        let distance = got.iter().zip(&expected).map(|(x, y)| f64::from((x - y).abs()));
        furthest = distance.fold(furthest, f64::max);
    }
    (least, furthest)
}

#[test]
fn embeddings_survive_as_their_type_allows() {
    let (model, files) = (model(), files());
    // Least cosine, from the number of bits: the last column of the README's table is about the same model.
    for (target, least) in [
        (DType::F32, 0.999_999),
        (DType::F16, 0.999_99),
        (DType::BF16, 0.999_8),
        (DType::Q8_0, 0.999),
        (DType::Q6_K, 0.999),
        (DType::Q5_K, 0.98),
        (DType::Q4_K, 0.97),
    ] {
        let (file, conversions) = convert(&model, Some(&files), target, 2, 1 << 20).expect("it converts");
        // Activations of eight bits cost as much as weights of six.
        for (precision, least) in [(Precision::Exact, least), (Precision::Fast, least - 1e-3)] {
            let (cosine, distance) = against_reference(&file, precision);
            let bytes = file.len();
            println!(
                "{target} {precision:?}: {bytes} bytes, least cosine {cosine:.6}, largest difference {distance:.6}"
            );
            assert!(cosine >= least, "{target} {precision:?}: {cosine}");
            if target == DType::F32 {
                assert!(distance < 1e-4, "{precision:?}: {distance}");
            }
        }
        for Conversion { desc, .. } in &conversions {
            let kept = desc.shape.rows() == 1
                || desc.name.starts_with("position_embd")
                || desc.name == "token_types.weight";
            assert_eq!(
                desc.dtype == DType::F32,
                kept || target == DType::F32,
                "{}: {}",
                desc.name,
                desc.dtype
            );
        }
    }
}

#[test]
fn rows_that_are_no_whole_blocks_get_smaller_ones() {
    let (model, files) = (model(), files());
    let (_, conversions) = convert(&model, Some(&files), DType::Q2_K, 2, 4 << 20).expect("it converts");
    // Rows of 384 are no whole 256; rows of 1536 are.
    let find =
        |name: &str| conversions.iter().find(|conversion| conversion.desc.name == name).expect("a tensor");
    let (narrow, wide) = (find("blk.0.ffn_up.weight"), find("blk.0.ffn_down.weight"));
    assert_eq!((narrow.desc.dtype, narrow.fell_back), (DType::Q4_0, true));
    assert_eq!((wide.desc.dtype, wide.fell_back), (DType::Q2_K, false));
    assert!(wide.relative_error() > 0.2 && narrow.relative_error() < 0.12, "{wide:?} {narrow:?}");
    assert!(conversions.iter().all(|conversion| !conversion.desc.name.starts_with("pooler")));
}

#[test]
fn chunks_and_threads_make_no_difference() {
    // The file's beginning would do, were it not for its end.
    let (model, files) = (model(), files());
    let (whole, _) = convert(&model, Some(&files), DType::Q8_0, 1, model.len()).expect("in one go");
    let (pieces, _) = convert(&model, Some(&files), DType::Q8_0, 2, 1_234_567).expect("in pieces");
    assert!(whole == pieces, "other bytes");
    let error =
        convert(&model[..model.len() - 1], Some(&files), DType::Q8_0, 1, 1 << 20).expect_err("truncated");
    assert_eq!(error.code(), "ERR_BAD_FILE");
}

#[test]
fn gguf_to_gguf_keeps_what_need_not_change() {
    let (model, files) = (model(), files());
    let (q8, _) = convert(&model, Some(&files), DType::Q8_0, 2, 4 << 20).expect("it converts");
    let (again, conversions) = convert(&q8, None, DType::Q8_0, 2, 777_777).expect("it converts");
    assert!(q8 == again, "the same type is the same file");
    assert!(conversions.iter().all(|conversion| conversion.relative_error() == 0.0));
    // To F32 it is what the blocks stand for, bit by bit.
    let (plain, _) = convert(&q8, None, DType::F32, 2, 4 << 20).expect("it converts");
    let read = |file: &[u8]| {
        let mut reader = GgufReader::new();
        reader.push(file).expect("a sound file");
        reader.into_header().expect("all of it came")
    };
    let (from, to) = (read(&q8), read(&plain));
    assert_eq!(from.tensors.len(), to.tensors.len());
    for tensor in &from.tensors {
        let twin = to.tensors.iter().find(|twin| twin.desc.name == tensor.desc.name).expect("its twin");
        let bytes = &q8[tensor.offset as usize..][..tensor.bytes];
        let mut values = vec![0.0; tensor.desc.shape.elements().expect("small")];
        dequantise(tensor.desc.dtype, bytes, &mut values).expect("whole blocks");
        let expected: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert!(expected == plain[twin.offset as usize..][..twin.bytes], "{}", tensor.desc.name);
    }
    let key = |metadata: &Metadata, key: &str| metadata.require::<u32>(key).expect("a number");
    assert_eq!(key(&from.metadata, "general.file_type"), 7);
    assert_eq!(key(&to.metadata, "general.file_type"), 0);
}

#[test]
fn bad_numbers_and_parts_are_refused() {
    let (mut model, files) = (model(), files());
    let at = model.len() - 4 * 384 * 1536;
    // The last tensor is the pooler, which is left out: what is before it is not.
    let bad = at - 4 * 384 * 384;
    model[bad..bad + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = convert(&model, Some(&files), DType::Q8_0, 1, 1 << 22).expect_err("not a number");
    assert!(error.to_string().contains("NaN"), "{error}");
    assert_eq!(TARGETS.len(), 13);
}

/// NaN, an infinity, or a number that the target rounds to one is refused by the tensor's name, also where bytes are taken over as they
/// are.
#[test]
fn what_is_no_number_is_refused_by_name() {
    for (model, tensor) in [
        ("gemma3-f32-64", "blk.1.attn_norm.weight"),
        ("gemma3-f32-64", "blk.0.ffn_up.weight"),
        ("qwen3-q5_1-64", "blk.2.attn_v.weight"),
        ("qwen2-bf16-64", "output.weight"),
        ("qwen2-bf16-64", "blk.1.attn_q.bias"),
    ] {
        let sound = small::gguf::write(small::specs::find(model), small::gguf::Form::Published);
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let spoilt = small::spoilt::with(&sound, tensor, 0, number);
            for (name, target, _) in TARGETS {
                assert!(convert(&sound, None, target, 2, 5000).is_ok(), "{model} to {name}");
                let error = convert(&spoilt, None, target, 2, 5000).expect_err("no number");
                let (label, message) =
                    (format!("{number} in {tensor} of {model} to {name}"), error.to_string());
                assert!(message.contains(tensor), "{label}: {message}");
                assert!(message.contains("NaN") || message.contains("inf"), "{label}: {message}");
            }
        }
    }
    // Above what BF16 holds.
    let sound = small::gguf::write(small::specs::find("gemma3-f32-64"), small::gguf::Form::Published);
    let spoilt = small::spoilt::with(&sound, "blk.0.ffn_up.weight", 0, f32::MAX);
    let error = convert(&spoilt, None, DType::BF16, 1, 5000).expect_err("too large");
    assert!(error.to_string().contains("blk.0.ffn_up.weight"), "{error}");
}
