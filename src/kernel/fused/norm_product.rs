//! A product of an operand that is normalised by its root mean square:
//! `out[t, n] = Σ_k x[t, k] · g[k] · w[n, k] / sqrt(mean(x[t]²) + eps)`.
//!
//! The factor of a row is the same for all its products, so that its squares are summed beside them and no row is written.
//!
//! Shapes: `x` `[tokens, k]`, `g` `[1, k]` F32; `w` `[n, k]` of any weight type; `out` `[tokens, n]` F32. Bound in parts as
//! [`matmul`](crate::kernel::matmul) is.

use super::{Part, PartStep};
use crate::kernel::matmul::MatMul;
use crate::kernel::params::params;
use crate::kernel::rms_norm::RmsNorm;
use crate::kernel::{Case, CaseInput, Fill, Io, Kernel, Op, Operand, Shader, Tuning, Variant};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct NormProduct {
    /// Added to the mean of the squares.
    pub eps: f32,
}

/// What it does, in primitives.
pub(super) fn expansion(norm: RmsNorm) -> Vec<PartStep> {
    let normalised = PartStep {
        primitive: norm.into(),
        reads: vec![Part::Read(0), Part::Read(1)],
        writes: Part::Temp(0),
        like: Part::Read(0),
    };
    let product = PartStep {
        primitive: MatMul.into(),
        reads: vec![Part::Temp(0), Part::Read(2)],
        writes: Part::Write(0),
        like: Part::Write(0),
    };
    vec![normalised, product]
}

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
    /// Added to the mean of the squares.
    eps: f32,
}

impl Kernel for NormProduct {
    fn stem(&self) -> &'static str {
        "norm_product"
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        io.inputs[0].rows as u64 * io.inputs[2].count()
    }

    fn unsupported(&self, io: &Io<'_>) -> Option<String> {
        let [x, norm] = [io.inputs[0], io.inputs[1]];
        (x.cols != norm.cols).then(|| format!("a norm of whole rows of {}, got one of {}", x.cols, norm.cols))
    }
}

impl Shader for NormProduct {
    fn variant(&self, io: &Io<'_>, tuning: &Tuning) -> Variant {
        let schedule = Some(tuning.product(io.inputs[0].rows));
        Variant { weight: Some(io.inputs[2].dtype), schedule, ..Variant::plain(self.stem()) }
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let (x, weight) = (io.inputs[0], io.inputs[2]);
        let params = Params {
            tokens: x.rows as u32,
            k: x.cols as u32,
            rows: weight.rows as u32,
            row_start: io.row_start as u32,
            cols: io.outputs[0].cols as u32,
            blocks: weight.blocks() as u32,
            eps: self.eps,
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, variant: Variant) -> [u32; 3] {
        MatMul::workgroups(io.inputs[2].rows, io.inputs[0].rows, variant.schedule)
    }
}

/// Every weight type, for one token, a few and many; odd and prime extents; a small epsilon and a large one.
pub fn cases() -> Vec<Case> {
    let case = |dtype, tokens, k, n, eps| Case {
        op: Op::Fused(super::Fused::NormProduct(NormProduct { eps })),
        inputs: vec![
            CaseInput::f32(tokens, k, 2.0),
            CaseInput::f32(1, k, 1.0),
            CaseInput { operand: Operand::new(dtype, n, k), fill: Fill::Uniform(0.25) },
        ],
        outputs: vec![Operand::new(DType::F32, tokens, n)],
        tokens,
        keys: 0,
        weights: &[1, 2],
        caches: &[],
    };
    let mut cases = vec![
        case(DType::F32, 1, 1, 1, 1e-6),
        case(DType::F32, 17, 13, 11, 0.5),
        case(DType::BF16, 65, 31, 33, 1e-5),
    ];
    for dtype in DType::WEIGHTS {
        for (tokens, k, n) in [(1, 768, 131), (4, 256, 67), (67, 512, 129)] {
            cases.push(case(dtype, tokens, k, n, 1e-6));
        }
    }
    cases
}
