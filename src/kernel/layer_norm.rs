//! Layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450) of each row:
//! `out[r, c] = w[c] · (x[r, c] - μ) / sqrt(σ² + eps) + b[c]`, with mean `μ` and variance `σ²` (over `cols`, not `cols - 1`) of the row.
//!
//! Shapes: `x`, `out` `[rows, cols]`, `w`, `b` `[1, cols]`, F32.

use super::{Case, CaseInput, EPS32, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f32,
}

params! {
    /// Rows of the operand.
    rows: u32,
    /// Elements of a row.
    cols: u32,
    /// Added to the variance.
    eps: f32,
}

impl Kernel for LayerNorm {
    fn stem(&self) -> &'static str {
        "layer_norm"
    }
}

impl Reference for LayerNorm {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let cols = io.inputs[0].cols;
        let mut out = Vec::with_capacity(io.outputs[0].elements());
        for x in inputs[0].chunks_exact(cols) {
            let mean = x.iter().sum::<f64>() / cols as f64;
            let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / cols as f64;
            let factor = 1.0 / (variance + f64::from(self.eps)).sqrt();
            for ((x, w), b) in x.iter().zip(inputs[1]).zip(inputs[2]) {
                let value = (x - mean) * factor * w + b;
                // The mean errs by a share of the largest element, and so does every difference from it.
                out.push(Judged { value, magnitude: largest * factor * w.abs() + b.abs() });
            }
        }
        vec![out]
    }

    /// A mean, a sum of squares of differences that carry the mean's error, and some six operations more; WGSL allows
    /// `inverseSqrt` 2 ULP.
    fn tolerance(&self, io: &Io<'_>) -> f64 {
        3.0 * gamma(io.inputs[0].cols + 2) + 10.0 * EPS32
    }
}

impl Shader for LayerNorm {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let x = io.inputs[0];
        let params = Params { rows: x.rows as u32, cols: x.cols as u32, eps: self.eps };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        fold(io.inputs[0].rows)
    }
}

/// Two elements, odd, prime, a model's width, over 65,535 rows.
pub fn cases() -> Vec<Case> {
    [(1, 2), (3, 7), (1, 641), (5, 384), (2, 4096), (65_537, 5)]
        .into_iter()
        .map(|(rows, cols)| Case {
            op: LayerNorm { eps: 1e-5 }.into(),
            inputs: vec![
                CaseInput::f32(rows, cols, 3.0),
                CaseInput::f32(1, cols, 2.0),
                CaseInput::f32(1, cols, 1.0),
            ],
            outputs: vec![Operand::new(DType::F32, rows, cols)],
            tokens: rows,
            keys: 0,
            weights: &[],
            caches: &[],
        })
        .collect()
}
