//! Softmax of each row: `out[r, c] = exp(x[r, c] - m) / Σ_c exp(x[r, c] - m)`, `m` the largest of the row.
//!
//! Shapes: `x`, `out` `[rows, cols]` F32.

use super::{Case, CaseInput, EPS32, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax;

/// Largest magnitude of the elements in the cases; bounds the argument of the exponential by twice that.
const LARGEST: f32 = 20.0;

params! {
    /// Rows of `x`.
    rows: u32,
    /// Elements of a row.
    cols: u32,
}

impl Kernel for Softmax {
    fn stem(&self) -> &'static str {
        "softmax"
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        io.inputs[0].count()
    }
}

impl Reference for Softmax {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let mut out = Vec::with_capacity(io.outputs[0].elements());
        for row in inputs[0].chunks_exact(io.inputs[0].cols) {
            let largest = row.iter().copied().fold(f64::MIN, f64::max);
            let total: f64 = row.iter().map(|x| (x - largest).exp()).sum();
            out.extend(row.iter().map(|x| {
                let value = (x - largest).exp() / total;
                Judged { value, magnitude: value }
            }));
        }
        vec![out]
    }

    /// WGSL's `exp` errs by up to `3 + 2·|x|` units in the last place (two roundings each), in the numerator and in the total; the
    /// subtraction adds the rounding of its result; then a sum without cancellation and a division of 2.5 ULP.
    fn tolerance(&self, io: &Io<'_>) -> f64 {
        let argument = 2.0 * f64::from(LARGEST);
        let exp_error = (2.0 * (3.0 + 2.0 * argument) + argument) * EPS32;
        2.0 * exp_error + gamma(io.inputs[0].cols) + 5.0 * EPS32
    }
}

impl Shader for Softmax {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let params = Params { rows: io.inputs[0].rows as u32, cols: io.inputs[0].cols as u32 };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        fold(io.inputs[0].rows)
    }
}

/// One element, odd, prime, over a workgroup, a vocabulary, over 65,535 rows.
pub fn cases() -> Vec<Case> {
    [(1, 1), (3, 7), (2, 257), (5, 10_007), (1, 262_144), (65_537, 3)]
        .into_iter()
        .map(|(rows, cols)| Case {
            op: Softmax.into(),
            inputs: vec![CaseInput::f32(rows, cols, LARGEST)],
            outputs: vec![Operand::new(DType::F32, rows, cols)],
            tokens: rows,
            keys: 0,
            weights: &[],
            caches: &[],
        })
        .collect()
}
