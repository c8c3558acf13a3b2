//! One file a kernel: the mathematics, the parameters its shader takes, its grid, the plain reference that judges
//! every executor, and the cases that every test and benchmark goes through.
//!
//! A kernel reads its inputs and writes its outputs; it knows nothing of plans, models or devices. Adding one is a
//! `shaders/<stem>.wgsl`, a `src/kernel/<stem>.rs` and one line in the list at the end of this file. What several of them do at once is
//! in `fused/`.

pub mod case;
pub mod facts;
pub mod fused;
pub mod params;
pub mod shader;
pub mod tuning;

use crate::tensor::DType;
pub use case::{Case, CaseInput, Fill};
pub use fused::{Fused, FusedKind, Part, PartStep};
pub use shader::Variant;
pub use tuning::Tuning;

/// What an operand looks like while a step runs: symbols are bound, so `rows` is a number.
///
/// A cache of dimensions `[kv_heads, slots, head_dim]` has `kv_heads * slots` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Element type.
    pub dtype: DType,
    /// Rows in use.
    pub rows: usize,
    /// Elements of a row.
    pub cols: usize,
    /// The dimensions that make up the rows, slowest first, with ones in front: `[1, kv_heads, slots]` of a cache.
    pub outer: [usize; 3],
}

impl Operand {
    /// An operand of `rows` rows of `cols` elements.
    pub const fn new(dtype: DType, rows: usize, cols: usize) -> Self {
        Operand { dtype, rows, cols, outer: [1, 1, rows] }
    }

    /// An operand of any number of dimensions, the last one being `cols`; of more than three before it the first ones count as one.
    pub fn shaped(dtype: DType, outer: &[usize], cols: usize) -> Self {
        let mut shaped = Operand::new(dtype, 1, cols);
        for (at, &count) in outer.iter().rev().enumerate() {
            let place = &mut shaped.outer[2_usize.saturating_sub(at)];
            *place = if at < 3 { count } else { place.saturating_mul(count) };
            shaped.rows = shaped.rows.saturating_mul(count);
        }
        shaped
    }

    /// A part of it that has so many rows.
    pub const fn with_rows(self, rows: usize) -> Self {
        Operand { rows, outer: [1, 1, rows], ..self }
    }

    /// Number of elements. In 64 bits everywhere: in a browser an address has 32.
    pub const fn count(&self) -> u64 {
        self.rows as u64 * self.cols as u64
    }

    /// Bytes in memory.
    pub const fn bytes(&self) -> u64 {
        self.count() / self.dtype.block_elements() as u64 * self.dtype.block_bytes() as u64
    }

    /// Number of elements of an operand that lies in memory, as an index counts them.
    pub const fn elements(&self) -> usize {
        self.rows.saturating_mul(self.cols)
    }

    /// Number of quantisation blocks; elements for plain types.
    pub const fn blocks(&self) -> usize {
        self.elements() / self.dtype.block_elements()
    }
}

/// The symbols of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of the run, one a token; at least 1.
    pub tokens: usize,
    /// Rows that the host wants the outcome of.
    pub wanted: usize,
    /// Sequences that the rows belong to.
    pub sequences: usize,
    /// An upper bound of the keys that any row sees: what work is judged by.
    pub keys: usize,
}

impl Extent {
    /// So many tokens of one sequence, from its beginning on, of which the outcome of one is wanted.
    pub const fn tokens(tokens: usize) -> Self {
        Extent { tokens, wanted: 1, sequences: 1, keys: tokens }
    }
}

/// Everything a dispatch depends on beside the kernel's own attributes.
#[derive(Clone, Debug)]
pub struct Io<'a> {
    /// Inputs in the order of the WGSL bindings.
    pub inputs: &'a [Operand],
    /// Outputs, bound after the inputs.
    pub outputs: &'a [Operand],
    /// The symbols of the run.
    pub extent: Extent,
    /// First row of the weight operand that this dispatch sees: a tensor over the binding limit is bound in parts,
    /// and `inputs` then holds the part's rows. 0 everywhere else.
    pub row_start: usize,
}

/// A value with the magnitude its rounding error is proportional to: for a dot product `Σ|a·b|`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    /// The exact result, in f64.
    pub value: f64,
    /// What one unit of relative rounding error is multiplied with.
    pub magnitude: f64,
}

/// What every operation of a plan is to those who schedule it.
pub trait Kernel {
    /// Stem of its file, and of its shader's where it has one.
    fn stem(&self) -> &'static str;

    /// Rough amount of work in multiply-adds or elements moved, from which executors size their submits: far over 2^32 for the logits of
    /// some rows.
    fn cost(&self, io: &Io<'_>) -> u64 {
        io.outputs.iter().map(Operand::count).sum()
    }

    /// Whether the shader notes where it wrote NaN or an infinity: then one buffer more is bound, between outputs and params, whose
    /// first word becomes at least `!position`.
    fn notes_faults(&self) -> bool {
        false
    }

    /// Whether of its weights only the rows are read that its ids name.
    fn looks_up(&self) -> bool {
        false
    }

    /// What of this shape can't be done, if anything.
    fn unsupported(&self, _io: &Io<'_>) -> Option<String> {
        None
    }
}

/// The mathematics of a primitive kernel: what judges every executor.
pub trait Reference: Kernel {
    /// Plain loops in f64. `inputs` are dequantised, row-major; for an output that is also read (a cache),
    /// `before` holds its content before the step. Returns one vector an output.
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], before: &[&[f64]]) -> Vec<Vec<Judged>>;

    /// Relative error allowed, in units of [`Judged::magnitude`]. Derived from the number of f32 roundings on the way
    /// to one element, not from what executors happen to reach.
    fn tolerance(&self, io: &Io<'_>) -> f64;

    /// Steps that give the gradients of what it reads from those of what it writes ([`Part::Gradient`]). None yet: training brings them.
    fn vjp(&self) -> Vec<PartStep> {
        Vec::new()
    }
}

/// A kernel as a shader.
pub trait Shader: Kernel {
    /// The shader that a dispatch of this shape runs.
    fn variant(&self, io: &Io<'_>, tuning: &Tuning) -> Variant;

    /// Appends the bytes of the shader's `Params`.
    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>);

    /// Workgroups of a dispatch.
    fn grid(&self, io: &Io<'_>, variant: Variant) -> [u32; 3];
}

/// Unit roundoff of f32.
pub const EPS32: f64 = 1.0 / (1u64 << 24) as f64;

/// Error bound of a sum of `n` products in f32 in any order, relative to `Σ|a·b|` (Higham, "Accuracy and Stability of
/// Numerical Algorithms", 2nd ed., section 3.1: gamma_n = n·u / (1 - n·u)).
pub fn gamma(n: usize) -> f64 {
    let nu = n as f64 * EPS32;
    nu / (1.0 - nu)
}

macro_rules! kernels {
    ($($(#[$doc:meta])* $module:ident :: $Type:ident,)*) => {
        $(pub mod $module;)*

        /// A kernel with its mathematics and its attributes: what models are built of.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Primitive {
            $($(#[$doc])* $Type($module::$Type),)*
        }

        impl Primitive {
            /// Who schedules it.
            pub fn kernel(&self) -> &dyn Kernel {
                match self { $(Primitive::$Type(kernel) => kernel,)* }
            }

            /// Its shader.
            pub fn shader(&self) -> &dyn Shader {
                match self { $(Primitive::$Type(kernel) => kernel,)* }
            }

            /// Its mathematics.
            pub fn reference(&self) -> &dyn Reference {
                match self { $(Primitive::$Type(kernel) => kernel,)* }
            }
        }

        $(impl From<$module::$Type> for Primitive {
            fn from(kernel: $module::$Type) -> Primitive { Primitive::$Type(kernel) }
        })*

        $(impl From<$module::$Type> for Op {
            fn from(kernel: $module::$Type) -> Op { Op::Primitive(Primitive::$Type(kernel)) }
        })*

        /// Stem and unexpanded shader of every primitive kernel.
        const PRIMITIVE_SHADERS: &[(&str, &str)] = &[
            $((stringify!($module), include_str!(concat!("../../shaders/", stringify!($module), ".wgsl"))),)*
        ];

        /// Stem of every primitive kernel and the layout of its shader's `Params`.
        const PRIMITIVE_PARAMS: &[(&str, params::Layout)] = &[$((stringify!($module), $module::Params::LAYOUT),)*];

        /// The cases of every primitive kernel, then those with a number that is none, then those of fused ones: the forward test, the
        /// browser test and the benchmark go through this one list.
        pub fn all_cases() -> Vec<Case> {
            let mut cases = Vec::new();
            $(cases.extend($module::cases());)*
            let fused = fused::cases();
            cases.extend(case::spoilt(&cases));
            cases.extend(case::spoilt(&fused));
            cases.extend(fused);
            cases
        }
    };
}

/// One operation of a plan.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A kernel that every executor has.
    Primitive(Primitive),
    /// Several of them at once, which only executors that list it have.
    Fused(Fused),
}

impl Op {
    /// Who schedules it.
    pub fn kernel(&self) -> &dyn Kernel {
        match self {
            Op::Primitive(primitive) => primitive.kernel(),
            Op::Fused(fused) => fused.kernel(),
        }
    }

    /// Its shader; a fused one may have none.
    pub fn shader(&self) -> Option<&dyn Shader> {
        match self {
            Op::Primitive(primitive) => Some(primitive.shader()),
            Op::Fused(fused) => fused.shader(),
        }
    }

    /// The kernel, if it is a primitive one.
    pub fn primitive(&self) -> Option<&Primitive> {
        match self {
            Op::Primitive(primitive) => Some(primitive),
            Op::Fused(_) => None,
        }
    }
}

/// Stem and unexpanded shader of every kernel that has one.
pub fn shaders() -> impl Iterator<Item = (&'static str, &'static str)> {
    PRIMITIVE_SHADERS.iter().chain(fused::SHADERS).copied()
}

/// Stem of every kernel with a shader, and the layout of its `Params`.
pub fn params() -> impl Iterator<Item = (&'static str, params::Layout)> {
    PRIMITIVE_PARAMS.iter().chain(fused::PARAMS).copied()
}

kernels! {
    /// Sum of two operands, the second broadcast over rows if it has one row.
    add::Add,
    /// Index of the largest element of a row.
    argmax::Argmax,
    /// Scaled dot-product attention over a cache.
    attention::Attention,
    /// Rows of a table by token id.
    embedding::Embedding,
    /// Attention without a mask over sequences packed one behind the other.
    encoder_attention::EncoderAttention,
    /// Rows of an operand by their index.
    gather::Gather,
    /// Gaussian error linear unit.
    gelu::Gelu,
    /// Gated linear unit: activation of one operand times the other.
    glu::Glu,
    /// Keys or values into their cache.
    kv_write::KvWrite,
    /// Rows of length 1.
    l2_norm::L2Norm,
    /// Layer normalisation.
    layer_norm::LayerNorm,
    /// Matrix product with a weight of any type.
    matmul::MatMul,
    /// Mean of the rows of each segment.
    mean_pool::MeanPool,
    /// Root mean square normalisation.
    rms_norm::RmsNorm,
    /// Rotary position embedding.
    rope::Rope,
    /// Softmax of each row.
    softmax::Softmax,
}
