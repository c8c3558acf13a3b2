//! Mean of the rows of each segment: `out[s, c] = Σ_t x[t, c] / (end - first)` over `first <= t < end`. A segment without rows
//! gives zeros.
//!
//! Shapes: `x` `[rows, cols]` F32; `segments` `[count, 2]` U32, first row and end of each; `out` `[count, cols]` F32.

use super::{Case, CaseInput, EPS32, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::grid_of};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanPool;

params! {
    /// Segments.
    segments: u32,
    /// Elements of a row.
    cols: u32,
}

impl Kernel for MeanPool {
    fn stem(&self) -> &'static str {
        "mean_pool"
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        io.inputs[0].count() + io.outputs[0].count()
    }
}

impl Reference for MeanPool {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let cols = io.inputs[0].cols;
        let mut out = vec![Judged::default(); io.outputs[0].elements()];
        for (out, segment) in out.chunks_exact_mut(cols).zip(inputs[1].chunks_exact(2)) {
            let (first, end) = (segment[0] as usize, segment[1] as usize);
            for row in inputs[0][first * cols..end * cols].chunks_exact(cols) {
                for (out, x) in out.iter_mut().zip(row) {
                    out.value += x / (end - first) as f64;
                    out.magnitude += x.abs() / (end - first) as f64;
                }
            }
        }
        vec![out]
    }

    fn tolerance(&self, io: &Io<'_>) -> f64 {
        gamma(io.inputs[0].rows) + 4.0 * EPS32
    }
}

impl Shader for MeanPool {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let params = Params { segments: io.inputs[1].rows as u32, cols: io.inputs[0].cols as u32 };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.outputs[0].elements(), 64)
    }
}

/// One element, one segment, more segments than rows, odd and prime, over 65,535 workgroups.
pub fn cases() -> Vec<Case> {
    // (rows, cols, segments)
    [(1, 1, 1), (7, 13, 1), (61, 384, 9), (5, 641, 8), (70_001, 61, 70_001)]
        .into_iter()
        .map(|(rows, cols, count)| {
            let segments = Operand::new(DType::U32, count, 2);
            Case {
                op: MeanPool.into(),
                inputs: vec![
                    CaseInput::f32(rows, cols, 2.0),
                    CaseInput { operand: segments, fill: Fill::Segments(rows) },
                ],
                outputs: vec![Operand::new(DType::F32, count, cols)],
                tokens: rows,
                keys: 0,
                weights: &[],
                caches: &[],
            }
        })
        .collect()
}
