//! What a round trip through each quantised type costs, against ggml's own quantisers on the same numbers. The fixture is made by
//! `tests/tools/make_quantise_errors.py`.

mod common;

use std::collections::BTreeMap;

use rushlight::formats::quant::{dequantise, quantise};
use rushlight::formats::safetensors::SafetensorsReader;
use rushlight::tensor::DType;
use serde::Deserialize;

/// Our error over ggml's, at most.
const AT_MOST: f64 = 1.02;

#[derive(Deserialize)]
struct Fixture {
    /// Set, type, root mean square error over the root mean square of the numbers.
    errors: BTreeMap<String, BTreeMap<String, f64>>,
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// A tensor of MiniLM.
fn tensor(model: &[u8], name: &str) -> Vec<f32> {
    let mut reader = SafetensorsReader::new();
    reader.push(model).expect("the model is sound");
    let header = reader.header().expect("all of it came");
    let info = header.tensors.iter().find(|tensor| tensor.desc.name == name).expect("a tensor of the model");
    floats(&model[info.offset as usize..][..info.bytes])
}

fn error(dtype: DType, values: &[f32]) -> f64 {
    let mut blocks = Vec::new();
    quantise(dtype, values, &mut blocks).expect("whole blocks");
    let mut back = vec![0.0; values.len()];
    dequantise(dtype, &blocks, &mut back).expect("what was just written");
    let square = |x: f64| x * x;
    let error: f64 = values.iter().zip(&back).map(|(x, y)| square(f64::from(*x) - f64::from(*y))).sum();
    (error / values.iter().map(|x| square(f64::from(*x))).sum::<f64>()).sqrt()
}

#[test]
fn no_type_errs_more_than_ggmls() {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/formats/quantise_errors/errors.json")).expect("JSON");
    let model = std::fs::read(common::minilm_path().join("model.safetensors")).expect("the model");
    let mut compared = 0;
    for (set, types) in &fixture.errors {
        let values = match set.as_str() {
            "mixed.f32" => floats(include_bytes!("fixtures/formats/quantise_errors/mixed.f32")),
            name => tensor(&model, name),
        };
        for dtype in DType::WEIGHTS {
            let Some(theirs) = types.get(dtype.name()) else { continue };
            let ours = error(dtype, &values);
            println!("{dtype:5} {ours:.6} ours, {theirs:.6} ggml's, ratio {:.4}, {set}", ours / theirs);
            assert!(ours <= AT_MOST * theirs, "{dtype}, {set}: {ours} against {theirs}");
            compared += 1;
        }
    }
    assert_eq!(compared, 40, "ten types of four sets");
}
