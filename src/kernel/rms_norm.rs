//! Root mean square normalisation (Zhang and Sennrich 2019, arXiv 1910.07467) of groups of `g` consecutive elements:
//! `out[i] = w[i mod g] · x[i] / sqrt(mean(x²) + eps)`, the mean over the group that `i` lies in.
//!
//! Shapes: `x`, `out` `[rows, cols]`, `w` `[1, g]`, F32; `g` divides `cols`. A whole row is one group for a layer's norm; a head
//! is one for QK-norm.

use super::{Case, CaseInput, EPS32, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsNorm {
    /// Added to the mean of squares.
    pub eps: f32,
}

params! {
    /// Groups of the whole operand.
    groups: u32,
    /// Elements of a group.
    width: u32,
    /// Added to the mean of squares.
    eps: f32,
}

impl Kernel for RmsNorm {
    fn stem(&self) -> &'static str {
        "rms_norm"
    }
}

impl Reference for RmsNorm {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let group = io.inputs[1].cols;
        let mut out = Vec::with_capacity(io.outputs[0].elements());
        for x in inputs[0].chunks_exact(group) {
            let mean = x.iter().map(|x| x * x).sum::<f64>() / group as f64;
            // Of an infinite mean the factor would be 0, and the row zeros beside a NaN.
            let mean = if mean.is_finite() { mean } else { f64::NAN };
            let factor = 1.0 / (mean + f64::from(self.eps)).sqrt();
            for (x, w) in x.iter().zip(inputs[1]) {
                let value = x * factor * w;
                out.push(Judged { value, magnitude: value.abs() });
            }
        }
        vec![out]
    }

    /// A sum of squares (no cancellation), halved by the root, and five more operations; WGSL allows `inverseSqrt` 2 ULP.
    fn tolerance(&self, io: &Io<'_>) -> f64 {
        gamma(io.inputs[1].cols + 2) / 2.0 + 10.0 * EPS32
    }
}

impl Shader for RmsNorm {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let width = io.inputs[1].cols;
        let groups = io.inputs[0].elements() / width;
        let params = Params { groups: groups as u32, width: width as u32, eps: self.eps };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        fold(io.inputs[0].elements() / io.inputs[1].cols)
    }
}

/// One element, odd, prime, a model's width, several groups a row, over 65,535 groups.
pub fn cases() -> Vec<Case> {
    // (rows, cols, group)
    [(1, 1, 1), (3, 7, 7), (1, 641, 641), (5, 640, 640), (2, 4096, 4096), (3, 1024, 256), (7, 60, 20), (65_537, 4, 4)]
        .into_iter()
        .map(|(rows, cols, group)| Case {
            op: RmsNorm { eps: 1e-6 }.into(),
            inputs: vec![CaseInput::f32(rows, cols, 3.0), CaseInput::f32(1, group, 2.0)],
            outputs: vec![Operand::new(DType::F32, rows, cols)],
            tokens: rows,
            keys: 0,
            weights: &[],
            caches: &[],
        })
        .collect()
}
