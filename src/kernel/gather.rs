//! Rows of an operand by their index: `out[i, c] = x[wanted[i], c]`. Only the rows whose outcome somebody wants go through what follows.
//!
//! Shapes: `x` `[rows, cols]` F32; `wanted` `[count, 1]` U32, each below `rows`; `out` `[count, cols]` F32. An index beyond gives the
//! last row.

use super::{Case, CaseInput, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather;

params! {
    /// Elements of the output.
    elements: u32,
    /// Elements of a row.
    cols: u32,
    /// Index of the last row.
    last: u32,
}

impl Kernel for Gather {
    fn stem(&self) -> &'static str {
        "gather"
    }
}

impl Reference for Gather {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let cols = io.inputs[0].cols;
        let row = |&at: &f64| &inputs[0][(at as usize).min(io.inputs[0].rows - 1) * cols..][..cols];
        let exact = |&value: &f64| Judged { value, magnitude: 0.0 };
        vec![inputs[1].iter().flat_map(row).map(exact).collect()]
    }

    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        0.0
    }
}

impl Shader for Gather {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let x = io.inputs[0];
        let elements = io.outputs[0].elements() as u32;
        let params = Params { elements, cols: x.cols as u32, last: x.rows as u32 - 1 };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.outputs[0].elements(), 64)
    }
}

/// One element, one row, rows in any order and again, over a workgroup, over 65,535 workgroups.
pub fn cases() -> Vec<Case> {
    [(1, 1, 1), (1, 640, 1), (7, 13, 5), (64, 641, 130), (2, 4_200_001, 1)]
        .into_iter()
        .map(|(rows, cols, count)| Case {
            op: Gather.into(),
            inputs: vec![
                CaseInput::f32(rows, cols, 1.0),
                CaseInput { operand: Operand::new(DType::U32, count, 1), fill: Fill::Ids(rows as u32) },
            ],
            outputs: vec![Operand::new(DType::F32, count, cols)],
            tokens: rows,
            keys: 0,
            weights: &[],
            caches: &[],
        })
        .collect()
}
