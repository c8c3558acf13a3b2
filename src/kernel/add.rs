//! Sum: `out[r, c] = x[r, c] + y[r, c]`, or `+ y[0, c]` where `y` has one row (a bias).
//!
//! Shapes: `x`, `out` `[rows, cols]`; `y` `[rows, cols]` or `[1, cols]`; all F32.

use super::{Case, CaseInput, EPS32, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Add;

params! {
    /// Elements of the output.
    elements: u32,
    /// Elements of `y`.
    period: u32,
}

impl Kernel for Add {
    fn stem(&self) -> &'static str {
        "add"
    }
}

impl Reference for Add {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let y_elements = io.inputs[1].elements();
        let sum = |(i, &x): (usize, &f64)| {
            let y = inputs[1][i % y_elements];
            Judged { value: x + y, magnitude: (x + y).abs() }
        };
        vec![inputs[0].iter().enumerate().map(sum).collect()]
    }

    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        EPS32
    }
}

impl Shader for Add {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let params =
            Params { elements: io.outputs[0].elements() as u32, period: io.inputs[1].elements() as u32 };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.outputs[0].elements(), 64)
    }
}

/// Shapes: one element, odd, prime, over a workgroup, a bias, over 65,535 workgroups.
pub fn cases() -> Vec<Case> {
    [(1, 1, 1), (3, 7, 3), (1, 13, 1), (5, 641, 5), (4, 640, 1), (7, 101, 1), (65_537, 65, 65_537)]
        .into_iter()
        .map(|(rows, cols, y_rows)| Case {
            op: Add.into(),
            inputs: vec![CaseInput::f32(rows, cols, 4.0), CaseInput::f32(y_rows, cols, 2.0)],
            outputs: vec![Operand::new(DType::F32, rows, cols)],
            tokens: rows,
            keys: 0,
            weights: &[],
            caches: &[],
        })
        .collect()
}
