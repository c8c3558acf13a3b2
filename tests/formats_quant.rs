//! Quantisation layouts against the public `gguf` Python package. The fixtures come from
//! `tests/tools/make_dequant_fixtures.py`.

use rushlight::formats::quant::{QuantError, dequantise, quantise};
use rushlight::tensor::DType;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/formats/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn floats(name: &str) -> Vec<f32> {
    let bytes = fixture(name);
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Equal bits: both sides round the same products and sums in the same order in f32.
fn assert_same(dtype: DType, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{dtype}");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(
            got.to_bits() == expected.to_bits(),
            "{dtype} element {index}: expected {expected:e}, got {got:e}"
        );
    }
}

#[test]
fn every_type_dequantises_as_the_gguf_package_does() {
    for dtype in DType::WEIGHTS {
        let blocks = fixture(&format!("dequant/{dtype}.blocks"));
        let expected = floats(&format!("dequant/{dtype}.f32"));
        let spread = expected.iter().any(|x| *x > 0.0) && expected.iter().any(|x| *x < 0.0);
        assert!(expected.len() >= 32 && spread, "{dtype}: a fixture worth comparing with");
        let mut got = vec![f32::NAN; expected.len()];
        dequantise(dtype, &blocks, &mut got).unwrap();
        assert_same(dtype, &got, &expected);
    }
}

#[test]
fn every_encoder_gives_the_gguf_package_s_bytes() {
    let values = floats("quantise/values.f32");
    for dtype in
        [DType::F32, DType::F16, DType::BF16, DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::Q8_0]
    {
        let expected = fixture(&format!("quantise/{dtype}.blocks"));
        let mut got = Vec::new();
        quantise(dtype, &values, &mut got).unwrap();
        let pairs = got.chunks(dtype.block_bytes()).zip(expected.chunks(dtype.block_bytes()));
        for (index, (got, expected)) in pairs.enumerate() {
            assert_eq!(got, expected, "{dtype} block {index}");
        }
        assert_eq!(got.len(), expected.len(), "{dtype}");
    }
}

#[test]
fn lengths_that_do_not_fit_are_errors() {
    let mut out = [0.0; 32];
    let error = dequantise(DType::Q8_0, &[0; 33], &mut out).unwrap_err();
    assert_eq!(
        error,
        QuantError::PartialBlock { operation: "dequantise", dtype: DType::Q8_0, expected: 34, got: 33 }
    );
    let error = dequantise(DType::Q8_0, &[0; 68], &mut out).unwrap_err();
    assert_eq!(
        error,
        QuantError::Elements { operation: "dequantise", dtype: DType::Q8_0, expected: 64, got: 32 }
    );
    assert_eq!(error.to_string(), "dequantise Q8_0: expected 64 elements, got 32");
    assert!(dequantise(DType::U32, &[0; 4], &mut out[..1]).is_err());
    let mut bytes = Vec::new();
    assert!(quantise(DType::Q4_0, &out[..31], &mut bytes).is_err());
    assert!(quantise(DType::U32, &out, &mut bytes).is_err());
    assert!(bytes.is_empty(), "nothing is written where there is an error");
}
