//! The last row of an operand: `out[0, c] = x[rows - 1, c]`. Only the last position of a prefill needs logits.
//!
//! Shapes: `x` `[rows, cols]`, `out` `[1, cols]`, F32.

use super::{Case, CaseInput, Io, Judged, Kernel, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRow;

params! {
    /// Elements of a row.
    cols: u32,
    /// First element of the last row.
    start: u32,
}

impl Kernel for LastRow {
    fn stem(&self) -> &'static str {
        "last_row"
    }

    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let last = io.inputs[0].elements() - io.inputs[0].cols;
        vec![inputs[0][last..].iter().map(|&value| Judged { value, magnitude: 0.0 }).collect()]
    }

    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        0.0
    }

    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let x = io.inputs[0];
        let params = Params { cols: x.cols as u32, start: ((x.rows - 1) * x.cols) as u32 };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.inputs[0].cols, 64)
    }
}

/// One element, one row, many rows, over a workgroup, over 65,535 workgroups.
pub fn cases() -> Vec<Case> {
    [(1, 1), (1, 640), (7, 13), (64, 641), (2, 4_200_001)]
        .into_iter()
        .map(|(rows, cols)| Case {
            op: LastRow.into(),
            inputs: vec![CaseInput::f32(rows, cols, 1.0)],
            outputs: vec![Operand::new(DType::F32, 1, cols)],
            tokens: rows,
            pos: 0,
            weights: &[],
            caches: &[],
        })
        .collect()
}
