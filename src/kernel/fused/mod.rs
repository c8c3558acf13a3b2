//! Operations that do what several primitive kernels do, in one pass over the operands. What one is, its expansion into primitives
//! says: the pass that makes fused steps looks for it in a plan, and tests judge by it. An executor lists those that it has.

pub mod gated_product;
pub mod norm_product;

use super::glu::{Activation, Glu};
use super::rms_norm::RmsNorm;
use super::{Case, Io, Judged, Kernel, Operand, Primitive, Shader, params};
use crate::tensor::DType;
pub use gated_product::GatedProduct;
pub use norm_product::NormProduct;

/// A value of an expansion or of a gradient, as the operation numbers its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// One that it reads.
    Read(usize),
    /// One that it writes.
    Write(usize),
    /// One between two of the steps.
    Temp(usize),
    /// The gradient of one that it reads (to be made) or writes (given).
    Gradient(Operation, usize),
}

/// What an operation does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It reads it.
    Read,
    /// It writes it.
    Write,
}

/// A primitive step of an expansion.
#[derive(Clone, Debug, PartialEq)]
pub struct PartStep {
    /// The kernel.
    pub primitive: Primitive,
    /// What it reads.
    pub reads: Vec<Part>,
    /// What it writes.
    pub writes: Part,
    /// A value of the operation that has the dimensions of what it writes.
    pub like: Part,
}

/// A fused operation with its attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Fused {
    /// Two products of one operand as a gated linear unit.
    GatedProduct(GatedProduct),
    /// A product of a normalised operand.
    NormProduct(NormProduct),
}

/// Which fused operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusedKind {
    /// See [`Fused::GatedProduct`].
    GatedProduct,
    /// See [`Fused::NormProduct`].
    NormProduct,
}

impl FusedKind {
    /// All of them.
    pub const ALL: [FusedKind; 2] = [FusedKind::GatedProduct, FusedKind::NormProduct];

    /// The operation that does what these primitives do, in the order of the expansion; `None` where there is none.
    pub fn of(self, primitives: &[&Primitive]) -> Option<Fused> {
        match (self, primitives) {
            (FusedKind::GatedProduct, [Primitive::MatMul(_), Primitive::MatMul(_), Primitive::Glu(glu)]) => {
                Some(Fused::GatedProduct(GatedProduct { activation: glu.activation }))
            }
            (FusedKind::NormProduct, [Primitive::RmsNorm(norm), Primitive::MatMul(_)]) => {
                Some(Fused::NormProduct(NormProduct { eps: norm.eps }))
            }
            _ => None,
        }
    }

    /// What to look for in a plan: which kernels, and how their values hang together. Attributes are whatever is found.
    pub fn pattern(self) -> Vec<PartStep> {
        match self {
            FusedKind::GatedProduct => gated_product::expansion(Glu { activation: Activation::Silu }),
            FusedKind::NormProduct => norm_product::expansion(RmsNorm { eps: 0.0 }),
        }
    }
}

impl Fused {
    /// Which one.
    pub fn kind(&self) -> FusedKind {
        match self {
            Fused::GatedProduct(_) => FusedKind::GatedProduct,
            Fused::NormProduct(_) => FusedKind::NormProduct,
        }
    }

    /// Who schedules it.
    pub fn kernel(&self) -> &dyn Kernel {
        match self {
            Fused::GatedProduct(kernel) => kernel,
            Fused::NormProduct(kernel) => kernel,
        }
    }

    /// Its shader, if it has one.
    pub fn shader(&self) -> Option<&dyn Shader> {
        match self {
            Fused::GatedProduct(_) => None,
            Fused::NormProduct(kernel) => Some(kernel),
        }
    }

    /// What it does, in primitives.
    pub fn expand(&self) -> Vec<PartStep> {
        match self {
            Fused::GatedProduct(kernel) => gated_product::expansion(Glu { activation: kernel.activation }),
            Fused::NormProduct(kernel) => norm_product::expansion(RmsNorm { eps: kernel.eps }),
        }
    }
}

impl Fused {
    /// What the steps of its expansion allow for rounding, together.
    pub fn tolerance(&self, io: &Io<'_>) -> f64 {
        let steps = self.expand();
        let of_step = |step: &PartStep| {
            let operand = |part| operand_of(part, &steps, io).unwrap_or(Operand::new(DType::F32, 0, 0));
            let read: Vec<Operand> = step.reads.iter().map(|&part| operand(part)).collect();
            let io = Io { inputs: &read, outputs: &[operand(step.writes)], ..io.clone() };
            step.primitive.reference().tolerance(&io)
        };
        steps.iter().map(of_step).sum()
    }

    /// Its mathematics: the references of its expansion, one after the other.
    pub fn reference(&self, io: &Io<'_>, inputs: &[&[f64]]) -> Vec<Vec<Judged>> {
        let steps = self.expand();
        let mut known: Vec<(Part, Vec<f64>)> =
            inputs.iter().enumerate().map(|(at, values)| (Part::Read(at), values.to_vec())).collect();
        let mut outputs = vec![Vec::new(); io.outputs.len()];
        for step in &steps {
            let operand = |part| operand_of(part, &steps, io).unwrap_or(Operand::new(DType::F32, 0, 0));
            let read: Vec<Operand> = step.reads.iter().map(|&part| operand(part)).collect();
            let written = [operand(step.writes)];
            let values = |part: &Part| {
                known.iter().find(|(known, _)| known == part).map_or(&[][..], |(_, values)| values.as_slice())
            };
            let given: Vec<&[f64]> = step.reads.iter().map(values).collect();
            let of_step = Io { inputs: &read, outputs: &written, ..io.clone() };
            let made = step.primitive.reference().reference(&of_step, &given, &[]).swap_remove(0);
            known.push((step.writes, made.iter().map(|judged| judged.value).collect()));
            if let Part::Write(at) = step.writes {
                outputs[at] = made;
            }
        }
        outputs
    }
}

/// The operand of a value of an expansion, of an operation on these.
pub fn operand_of(part: Part, steps: &[PartStep], io: &Io<'_>) -> Option<Operand> {
    match part {
        Part::Read(at) => io.inputs.get(at).copied(),
        Part::Write(at) => io.outputs.get(at).copied(),
        Part::Temp(_) => {
            let like = steps.iter().find(|step| step.writes == part)?.like;
            (like != part).then(|| operand_of(like, steps, io))?
        }
        Part::Gradient(..) => None,
    }
}

/// Stem and unexpanded shader of those that have one.
pub(super) const SHADERS: &[(&str, &str)] =
    &[("norm_product", include_str!("../../../shaders/norm_product.wgsl"))];

/// Stem of those, and the layout of their `Params`.
pub(super) const PARAMS: &[(&str, params::Layout)] = &[("norm_product", norm_product::Params::LAYOUT)];

/// The cases of all of them.
pub fn cases() -> Vec<Case> {
    [gated_product::cases(), norm_product::cases()].concat()
}
