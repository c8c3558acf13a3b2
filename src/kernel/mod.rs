//! One file a kernel: the mathematics, the parameters its shader takes, its grid, the plain reference that judges
//! every executor, and the cases that every test and benchmark goes through.
//!
//! A kernel reads its inputs and writes its outputs; it knows nothing of plans, models or devices. Adding one is a
//! `shaders/<stem>.wgsl`, a `src/kernel/<stem>.rs` and one line in the list at the end of this file.

pub mod case;
pub mod params;
pub mod shader;
pub mod tuning;

use crate::tensor::DType;
pub use case::{Case, CaseInput, Fill};
pub use shader::Variant;
pub use tuning::Tuning;

/// What an operand looks like while a step runs: symbols are bound, so `rows` is a number.
///
/// A cache of shape `[kv_heads, slots, head_dim]` has `kv_heads * slots` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Element type.
    pub dtype: DType,
    /// Rows in use.
    pub rows: usize,
    /// Elements of a row.
    pub cols: usize,
}

impl Operand {
    /// An operand of `rows` rows of `cols` elements.
    pub const fn new(dtype: DType, rows: usize, cols: usize) -> Self {
        Operand { dtype, rows, cols }
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

/// Everything a dispatch depends on beside the kernel's own attributes.
#[derive(Clone, Debug)]
pub struct Io<'a> {
    /// Inputs in the order of the WGSL bindings.
    pub inputs: &'a [Operand],
    /// Outputs, bound after the inputs.
    pub outputs: &'a [Operand],
    /// Number of tokens in this run.
    pub tokens: usize,
    /// Position of the first of them in the sequence.
    pub pos: usize,
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

/// What every kernel file provides.
pub trait Kernel {
    /// Stem of the shader file and of the module.
    fn stem(&self) -> &'static str;

    /// Plain loops in f64. `inputs` are dequantised, row-major; for an output that is also read (a cache),
    /// `before` holds its content before the step. Returns one vector an output.
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], before: &[&[f64]]) -> Vec<Vec<Judged>>;

    /// Relative error allowed, in units of [`Judged::magnitude`]. Derived from the number of f32 roundings on the way
    /// to one element, not from what executors happen to reach.
    fn tolerance(&self, io: &Io<'_>) -> f64;

    /// The shader that a dispatch of this shape runs.
    fn variant(&self, io: &Io<'_>, tuning: &Tuning) -> Variant;

    /// Appends the bytes of the shader's `Params`.
    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>);

    /// Workgroups of a dispatch.
    fn grid(&self, io: &Io<'_>, variant: Variant) -> [u32; 3];

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

    /// What of this shape the shader can't do, if anything.
    fn unsupported(&self, _io: &Io<'_>) -> Option<String> {
        None
    }
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

        /// One operation of a plan: a kernel with its attributes.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            $($(#[$doc])* $Type($module::$Type),)*
        }

        impl Op {
            /// The kernel behind the operation.
            pub fn kernel(&self) -> &dyn Kernel {
                match self { $(Op::$Type(kernel) => kernel,)* }
            }
        }

        $(impl From<$module::$Type> for Op {
            fn from(kernel: $module::$Type) -> Op { Op::$Type(kernel) }
        })*

        /// Stem and unexpanded shader of every kernel.
        pub const SHADERS: &[(&str, &str)] = &[
            $((stringify!($module), include_str!(concat!("../../shaders/", stringify!($module), ".wgsl"))),)*
        ];

        /// Stem of every kernel and the layout of its shader's `Params`.
        pub const PARAMS: &[(&str, params::Layout)] = &[$((stringify!($module), $module::Params::LAYOUT),)*];

        /// The cases of every kernel, then those with a number that is none: the forward test, the browser test and the benchmark go through this one list.
        pub fn all_cases() -> Vec<Case> {
            let mut cases = Vec::new();
            $(cases.extend($module::cases());)*
            cases.extend(case::spoilt(&cases));
            cases
        }
    };
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
    /// Gaussian error linear unit.
    gelu::Gelu,
    /// Gated linear unit: activation of one operand times the other.
    glu::Glu,
    /// Keys or values into their cache.
    kv_write::KvWrite,
    /// Rows of length 1.
    l2_norm::L2Norm,
    /// The last row of an operand.
    last_row::LastRow,
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
