//! Index of the largest element: `out[r] = min { c : x[r, c] = max_c x[r, c] }`. Ties take the lowest index. A row in which an element is
//! NaN or an infinity has no largest one: `out[r]` is [`NOT_FINITE`].
//!
//! Shapes: `x` `[rows, cols]` F32; `out` `[rows, 1]` U32.

use super::{Case, CaseInput, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Argmax;

/// What stands for the index in a row with NaN or an infinity.
pub const NOT_FINITE: u32 = u32::MAX;

params! {
    /// Rows of `x`.
    rows: u32,
    /// Elements of a row.
    cols: u32,
}

impl Kernel for Argmax {
    fn stem(&self) -> &'static str {
        "argmax"
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        io.inputs[0].count()
    }
}

impl Reference for Argmax {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let lowest_largest = |row: &[f64]| {
            if row.iter().any(|x| !x.is_finite()) {
                return Judged { value: f64::from(NOT_FINITE), magnitude: 0.0 };
            }
            let mut best = 0;
            for (i, &x) in row.iter().enumerate() {
                if x > row[best] {
                    best = i;
                }
            }
            Judged { value: best as f64, magnitude: 0.0 }
        };
        vec![inputs[0].chunks_exact(io.inputs[0].cols).map(lowest_largest).collect()]
    }

    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        0.0
    }
}

impl Shader for Argmax {
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

/// Shapes: one element, odd, prime, over a workgroup, a vocabulary, many rows; data with many ties.
pub fn cases() -> Vec<Case> {
    let shapes = [(1, 1), (3, 7), (1, 257), (2, 10_007), (1, 262_144), (65_537, 3)];
    let fills = [Fill::Coarse(2.0), Fill::Uniform(3.0), Fill::Constant(-5.0)];
    let mut cases = Vec::new();
    for (rows, cols) in shapes {
        // Many rows with one filling only: software adapters take seconds for 65,537 workgroups with a barrier.
        for &fill in &fills[..if rows > 1_000 { 1 } else { fills.len() }] {
            cases.push(Case {
                op: Argmax.into(),
                inputs: vec![CaseInput { operand: Operand::new(DType::F32, rows, cols), fill }],
                outputs: vec![Operand::new(DType::U32, rows, 1)],
                tokens: rows,
                keys: 0,
                weights: &[],
                caches: &[],
            });
        }
    }
    cases
}
