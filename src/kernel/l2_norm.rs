//! Rows of length 1: `out[r, c] = x[r, c] / max(sqrt(Σ_c x[r, c]²), 1e-12)`. A row of zeros stays one.
//!
//! Shapes: `x`, `out` `[rows, cols]` F32.

use super::{Case, CaseInput, EPS32, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct L2Norm;

/// What a shorter row is divided by.
pub const SHORTEST: f32 = 1e-12;

params! {
    /// Rows of the operand.
    rows: u32,
    /// Elements of a row.
    cols: u32,
}

impl Kernel for L2Norm {
    fn stem(&self) -> &'static str {
        "l2_norm"
    }
}

impl Reference for L2Norm {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let mut out = Vec::with_capacity(io.outputs[0].elements());
        for x in inputs[0].chunks_exact(io.inputs[0].cols) {
            let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
            let length = if length.is_finite() { length.max(f64::from(SHORTEST)) } else { f64::NAN };
            out.extend(x.iter().map(|x| Judged { value: x / length, magnitude: (x / length).abs() }));
        }
        vec![out]
    }

    /// A sum of squares (no cancellation), halved by the root, and a division; WGSL allows a root 3 ULP or so and a division 2.5.
    fn tolerance(&self, io: &Io<'_>) -> f64 {
        gamma(io.inputs[0].cols + 2) / 2.0 + 14.0 * EPS32
    }
}

impl Shader for L2Norm {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let x = io.inputs[0];
        out.extend(bytemuck::bytes_of(&Params { rows: x.rows as u32, cols: x.cols as u32 }));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        fold(io.inputs[0].rows)
    }
}

/// One element, odd, prime, a model's width, a row of zeros, over 65,535 rows.
pub fn cases() -> Vec<Case> {
    let case = |rows, cols, fill| Case {
        op: L2Norm.into(),
        inputs: vec![CaseInput { operand: Operand::new(DType::F32, rows, cols), fill }],
        outputs: vec![Operand::new(DType::F32, rows, cols)],
        tokens: rows,
        keys: 0,
        weights: &[],
        caches: &[],
    };
    let mut cases = vec![case(2, 5, Fill::Constant(0.0))];
    for (rows, cols) in [(1, 1), (3, 7), (1, 641), (5, 384), (65_537, 3)] {
        cases.push(case(rows, cols, Fill::Uniform(3.0)));
    }
    cases
}
