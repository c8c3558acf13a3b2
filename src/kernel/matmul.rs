//! Matrix product with a weight: `out[t, n] = Σ_k x[t, k] · w[n, k]`.
//!
//! Shapes: `x` `[tokens, k]` F32; `w` `[n, k]` of any weight type, rows of whole blocks; `out` `[tokens, n]` F32.
//! Bound in parts, a dispatch writes the columns `row_start..row_start + part rows` of `out`.

use super::tuning::Schedule;
use super::{Case, CaseInput, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMul;

params! {
    /// Tokens of the run: rows of `x`.
    tokens: u32,
    /// Elements of a row.
    k: u32,
    /// Rows of the part of the weight that is bound.
    rows: u32,
    /// First row of that part.
    row_start: u32,
    /// Columns of the output.
    cols: u32,
    /// Quantisation blocks of the part.
    blocks: u32,
}

impl MatMul {
    /// Workgroups of a product of so many rows of a weight and tokens.
    pub(super) fn workgroups(rows: usize, tokens: usize, schedule: Option<Schedule>) -> [u32; 3] {
        let (tile_rows, tile_tokens) = schedule.map_or((1, 1), Schedule::tile);
        let [x, y, _] = fold(rows.div_ceil(tile_rows));
        [x, y, tokens.div_ceil(tile_tokens) as u32]
    }
}

impl Kernel for MatMul {
    fn stem(&self) -> &'static str {
        "matmul"
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        io.inputs[0].rows as u64 * io.inputs[1].count()
    }
}

impl Reference for MatMul {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let k = io.inputs[0].cols;
        let mut out = Vec::with_capacity(io.outputs[0].elements());
        for x in inputs[0].chunks_exact(k) {
            for w in inputs[1].chunks_exact(k) {
                let mut sum = Judged::default();
                for (a, b) in x.iter().zip(w) {
                    sum.value += a * b;
                    // The weight itself is rounded when it is unpacked: scale · quant - minimum.
                    sum.magnitude += a.abs() * (b.abs() + WEIGHT_SCALE);
                }
                out.push(sum);
            }
        }
        vec![out]
    }

    fn tolerance(&self, io: &Io<'_>) -> f64 {
        gamma(io.inputs[0].cols + 4)
    }
}

impl Shader for MatMul {
    fn variant(&self, io: &Io<'_>, tuning: &Tuning) -> Variant {
        let schedule = Some(tuning.product(io.inputs[0].rows));
        Variant { weight: Some(io.inputs[1].dtype), schedule, ..Variant::plain(self.stem()) }
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let (x, weight) = (io.inputs[0], io.inputs[1]);
        let params = Params {
            tokens: x.rows as u32,
            k: x.cols as u32,
            rows: weight.rows as u32,
            row_start: io.row_start as u32,
            cols: io.outputs[0].cols as u32,
            blocks: weight.blocks() as u32,
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, variant: Variant) -> [u32; 3] {
        MatMul::workgroups(io.inputs[1].rows, io.inputs[0].rows, variant.schedule)
    }
}

/// Size of the weights in the cases: bounds the two parts of `scale · quant - minimum` that may cancel.
const WEIGHT_SCALE: f64 = 0.25;

/// Every weight type, as a matrix-vector product (1 to 4 tokens) and as a matrix product; odd and prime extents; a
/// vocabulary of over 65,535 workgroups.
pub fn cases() -> Vec<Case> {
    let case = |dtype, tokens, k, n| Case {
        op: MatMul.into(),
        inputs: vec![
            CaseInput::f32(tokens, k, 1.0),
            CaseInput { operand: Operand::new(dtype, n, k), fill: Fill::Uniform(WEIGHT_SCALE as f32) },
        ],
        outputs: vec![Operand::new(DType::F32, tokens, n)],
        tokens,
        keys: 0,
        weights: &[1],
        caches: &[],
    };
    let mut cases = vec![
        case(DType::F32, 1, 1, 1),
        case(DType::F32, 3, 7, 5),
        case(DType::F32, 17, 13, 11),
        case(DType::F16, 2, 9, 67),
        case(DType::BF16, 65, 31, 33),
        case(DType::Q8_0, 1, 32, 270_001),
        case(DType::Q4_0, 70, 32, 3),
    ];
    for dtype in DType::WEIGHTS {
        for (tokens, k, n) in [(1, 256, 1), (1, 768, 131), (4, 256, 67), (9, 512, 65), (67, 768, 129)] {
            cases.push(case(dtype, tokens, k, n));
        }
    }
    cases
}
