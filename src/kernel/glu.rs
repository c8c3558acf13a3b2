//! Gated linear unit: `out[r, c] = act(gate[r, c]) · up[r, c]`.
//!
//! `GeluTanh`: `0.5 x (1 + tanh(sqrt(2/π) (x + 0.044715 x³)))` (Hendrycks and Gimpel 2016, arXiv 1606.08415), as Gemma uses it.
//! `Silu`: `x / (1 + exp(-x))`, as Llama and Qwen use it. GLU variants: Shazeer 2020, arXiv 2002.05202.
//!
//! Shapes: all `[rows, cols]` F32.

use super::{Case, CaseInput, EPS32, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// The function that the gate goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU, approximated with a hyperbolic tangent.
    GeluTanh,
    /// Sigmoid-weighted linear unit.
    Silu,
}

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Glu {
    /// The function that the gate goes through.
    pub activation: Activation,
}

impl Activation {
    /// The function itself, in f64.
    pub fn reference(self, x: f64) -> f64 {
        match self {
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::Silu => x / (1.0 + (-x).exp()),
        }
    }
}

params! {
    /// Elements of the output.
    elements: u32,
    /// 1 for [`Activation::GeluTanh`], 0 for [`Activation::Silu`].
    gelu: u32,
}

impl Kernel for Glu {
    fn stem(&self) -> &'static str {
        "glu"
    }
}

impl Reference for Glu {
    fn reference(&self, _io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let element = |(&gate, &up): (&f64, &f64)| Judged {
            value: self.activation.reference(gate) * up,
            // Near -inf `1 + tanh` cancels: the error is one of the argument, not of the small result.
            magnitude: (gate * up).abs(),
        };
        vec![inputs[0].iter().zip(inputs[1]).map(element).collect()]
    }

    /// `exp` in WGSL errs by up to `3 + 2·|x|` units in the last place, and `tanh` is made of two of them; the
    /// arguments of the cases lie within ±9, where the polynomial's own roundings are absorbed.
    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        64.0 * EPS32
    }
}

impl Shader for Glu {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let params = Params {
            elements: io.outputs[0].elements() as u32,
            gelu: u32::from(self.activation == Activation::GeluTanh),
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.outputs[0].elements(), 64)
    }
}

/// One element, odd, prime, over a workgroup, over 65,535 workgroups, both activations; gates large enough to saturate.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in [Activation::GeluTanh, Activation::Silu] {
        for (rows, cols, scale) in
            [(1, 1, 1.0), (3, 7, 9.0), (1, 641, 3.0), (5, 2048, 3.0), (2, 300, 100.0), (65_537, 65, 2.0)]
        {
            cases.push(Case {
                op: Glu { activation }.into(),
                inputs: vec![CaseInput::f32(rows, cols, scale), CaseInput::f32(rows, cols, 2.0)],
                outputs: vec![Operand::new(DType::F32, rows, cols)],
                tokens: rows,
                keys: 0,
                weights: &[],
                caches: &[],
            });
        }
    }
    cases
}
