//! The architectures, a row each. A new one is a row here, and a block only where its mathematics is new.

use crate::kernel::glu::Activation;
use crate::kernel::rope::Pairing;

/// Whether a file has a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Its absence is an error.
    Required,
    /// Used if it is there.
    Optional,
    /// Not looked for.
    Absent,
}

/// Layers that see only a window of positions, between others that see all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windowed {
    /// Every so many layers one is global, counted from 1: 6 is five local ones and a global one.
    pub period: usize,
    /// RoPE base of the local layers.
    pub rope_base: f32,
}

/// What a model does with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Reads it from left to right and says what comes next.
    Decoder,
    /// Reads it whole and makes a vector of it.
    Encoder,
}

impl Body {
    /// What it does, for messages.
    pub fn purpose(self) -> &'static str {
        match self {
            Body::Decoder => "writes text",
            Body::Encoder => "makes embeddings",
        }
    }
}

/// What sets an architecture apart. Numbers that files carry are read from them (see [`super::Config`]); what stands here is
/// not in the file, or only in some.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arch {
    /// `general.architecture` in GGUF, and the prefix of its keys.
    pub name: &'static str,
    /// Which of the builders makes its plan.
    pub body: Body,
    /// Which elements of a head RoPE turns together.
    pub pairing: Pairing,
    /// Base where the file names none.
    pub rope_base: f32,
    /// RMSNorm over each head of queries and keys, before RoPE.
    pub qk_norm: bool,
    /// Biases on the query, key and value projections.
    pub qkv_bias: Presence,
    /// Biases on the three projections of the feed-forward block.
    pub ffn_bias: Presence,
    /// Bias on the logits.
    pub head_bias: Presence,
    /// Whether a tensor may bring Llama 3's factors on RoPE's frequencies.
    pub rope_factors: bool,
    /// RMSNorm after attention and after the feed-forward block, before the residual sum.
    pub post_norms: bool,
    /// Activation of the gated feed-forward block.
    pub activation: Activation,
    /// Embeddings times the square root of the width.
    pub scale_embedding: bool,
    /// Local layers, where the file names a window.
    pub windowed: Option<Windowed>,
    /// Number of layers of the one size whose attention scores are scaled by the width over the heads.
    pub shared_width_scale: Option<usize>,
}

/// A decoder without any of the extras; the rows say where they differ. Biases of attention's four projections are optional in all rows,
/// as `attention_bias` is in transformers.
const PLAIN: Arch = Arch {
    name: "",
    body: Body::Decoder,
    pairing: Pairing::Halves,
    rope_base: 10_000.0,
    qk_norm: false,
    qkv_bias: Presence::Optional,
    ffn_bias: Presence::Absent,
    head_bias: Presence::Absent,
    rope_factors: false,
    post_norms: false,
    activation: Activation::Silu,
    scale_embedding: false,
    windowed: None,
    shared_width_scale: None,
};

/// The table. GGUF's norm weights are used as they are in every row: the converter has already added Gemma's 1.
pub const ARCHITECTURES: &[Arch] = &[
    // BERT (arXiv 1810.04805) and what was made of it for sentences (arXiv 1908.10084): learned positions, LayerNorm behind each
    // sum, GELU without a gate. The fields about RoPE, caches and gates mean nothing to it.
    Arch { name: "bert", body: Body::Encoder, ..PLAIN },
    // Gemma 3 technical report (arXiv 2503.19786): QK-norm, five local layers to a global one, local base 10,000.
    Arch {
        name: "gemma3",
        rope_base: 1_000_000.0,
        qk_norm: true,
        post_norms: true,
        activation: Activation::GeluTanh,
        scale_embedding: true,
        windowed: Some(Windowed { period: 6, rope_base: 10_000.0 }),
        shared_width_scale: Some(62),
        ..PLAIN
    },
    // Llama 2 and 3 (arXiv 2407.21783). GGUF files store the query and key rows permuted, so that neighbours turn together.
    // Published finetunes have biases on attention (`attention_bias`) or on the feed-forward block (`mlp_bias`).
    Arch {
        name: "llama",
        pairing: Pairing::Neighbours,
        ffn_bias: Presence::Optional,
        rope_factors: true,
        ..PLAIN
    },
    // Qwen2 (arXiv 2407.10671): biases on query, key and value; finetunes may have one on the logits.
    Arch { name: "qwen2", qkv_bias: Presence::Required, head_bias: Presence::Optional, ..PLAIN },
    // Qwen3 (arXiv 2505.09388): QK-norm in place of the biases.
    Arch { name: "qwen3", qk_norm: true, ..PLAIN },
];

/// The row with this name.
pub fn find(name: &str) -> Option<&'static Arch> {
    ARCHITECTURES.iter().find(|arch| arch.name == name)
}
