//! Two products of one operand as a gated linear unit: `out[t, n] = act(Σ_k x[t, k] · gate[n, k]) · Σ_k x[t, k] · up[n, k]`.
//!
//! Shapes: `x` `[tokens, k]` F32; `gate`, `up` `[n, k]` of one weight type; `out` `[tokens, n]` F32. Neither product is ever whole in
//! memory.

use super::{Part, PartStep};
use crate::kernel::glu::{Activation, Glu};
use crate::kernel::matmul::MatMul;
use crate::kernel::{Case, CaseInput, Fill, Io, Kernel, Op, Operand};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct GatedProduct {
    /// The function that the gate goes through.
    pub activation: Activation,
}

/// What it does, in primitives.
pub(super) fn expansion(glu: Glu) -> Vec<PartStep> {
    let product = |weight, out| PartStep {
        primitive: MatMul.into(),
        reads: vec![Part::Read(0), Part::Read(weight)],
        writes: Part::Temp(out),
        like: Part::Write(0),
    };
    let gated = PartStep {
        primitive: glu.into(),
        reads: vec![Part::Temp(0), Part::Temp(1)],
        writes: Part::Write(0),
        like: Part::Write(0),
    };
    vec![product(1, 0), product(2, 1), gated]
}

impl Kernel for GatedProduct {
    fn stem(&self) -> &'static str {
        "gated_product"
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        2 * io.inputs[0].rows as u64 * io.inputs[1].count()
    }

    fn unsupported(&self, io: &Io<'_>) -> Option<String> {
        let [gate, up] = [io.inputs[1], io.inputs[2]];
        if gate != up {
            return Some(format!("two weights of one type and shape, got {gate:?} and {up:?}"));
        }
        (gate.rows == 1).then(|| "weights of more than one row".to_owned())
    }
}

/// Every weight type; one token, some, and many; odd and prime extents; both activations.
pub fn cases() -> Vec<Case> {
    let case = |dtype, tokens, k, n, activation| {
        let weight = CaseInput { operand: Operand::new(dtype, n, k), fill: Fill::Uniform(0.25) };
        Case {
            op: Op::Fused(super::Fused::GatedProduct(GatedProduct { activation })),
            inputs: vec![CaseInput::f32(tokens, k, 1.0), weight.clone(), weight],
            outputs: vec![Operand::new(DType::F32, tokens, n)],
            tokens,
            keys: 0,
            weights: &[1, 2],
            caches: &[],
        }
    };
    let mut cases = vec![
        case(DType::F32, 1, 1, 2, Activation::Silu),
        case(DType::F32, 17, 13, 11, Activation::GeluTanh),
        case(DType::BF16, 3, 31, 33, Activation::Silu),
    ];
    for dtype in DType::WEIGHTS {
        for (tokens, k, n, activation) in [
            (1, 768, 131, Activation::GeluTanh),
            (9, 256, 65, Activation::Silu),
            (67, 512, 30, Activation::Silu),
        ] {
            cases.push(case(dtype, tokens, k, n, activation));
        }
    }
    cases
}
