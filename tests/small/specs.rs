//! The table of small models.

use super::vocabulary::Kind;
use rushlight::kernel::case::SplitMix64;
use rushlight::tensor::DType;

/// Tokens of every vocabulary; prime, so that no row count divides a workgroup or a tile.
pub const VOCABULARY: usize = 331;

/// One model.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Stem of the file: architecture, main dtype, width, what is special.
    pub name: &'static str,
    /// `general.architecture`.
    pub arch: &'static str,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Width of a head; all of it is turned by RoPE.
    pub head_dim: usize,
    /// Width of the feed-forward block.
    pub ffn: usize,
    /// Type of the matrices.
    pub dtype: DType,
    /// Type of the feed-forward block's last matrix, as published files mix them.
    pub down: DType,
    /// Type of the embedding table.
    pub embedding: DType,
    /// Type of norm weights and biases.
    pub vectors: DType,
    /// Whether the head is the embedding table; else it is a matrix of its own.
    pub tied: bool,
    /// Positions the model was "trained" for.
    pub context: usize,
    /// Positions that a local layer of Gemma 3 sees.
    pub window: usize,
    /// RoPE base, of the global layers where there are local ones.
    pub rope_base: f32,
    /// Added to the mean of squares in norms.
    pub eps: f32,
    /// Linear RoPE scaling.
    pub linear: Option<f32>,
    /// Whether a tensor of RoPE factors is there (Llama 3's scaling).
    pub factors: bool,
    /// Kind of vocabulary.
    pub vocabulary: Kind,
    /// Tokens of the prompt that the fixture has logits for.
    pub prompt: usize,
}

/// The defaults; rows say where they differ.
const fn spec(name: &'static str, arch: &'static str, dtype: DType, width: usize) -> Spec {
    Spec {
        name,
        arch,
        width,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_dim: width / 4,
        ffn: 2 * width,
        dtype,
        down: dtype,
        embedding: dtype,
        vectors: DType::F32,
        tied: true,
        context: 256,
        window: 0,
        rope_base: 5e5,
        eps: 1e-6,
        linear: None,
        factors: false,
        vocabulary: Kind::SentencePiece,
        prompt: 40,
    }
}

/// A Gemma 3: its window is small, and its prompts are longer than the ring of 16 + 64 slots.
const fn gemma(name: &'static str, dtype: DType, width: usize) -> Spec {
    Spec { kv_heads: 1, window: 16, rope_base: 1e6, prompt: 150, ..spec(name, "gemma3", dtype, width) }
}

/// Every architecture and every dtype; widths 64, 256 and 640. Seven layers are what it takes for Gemma 3 to have a global
/// layer (the sixth) between local ones.
pub const SPECS: &[Spec] = &[
    Spec { layers: 7, ffn: 100, ..gemma("gemma3-f32-64", DType::F32, 64) },
    Spec { layers: 7, linear: Some(8.0), ..gemma("gemma3-q8_0-64-linear", DType::Q8_0, 64) },
    Spec { layers: 4, head_dim: 32, heads: 8, kv_heads: 2, ..gemma("gemma3-q4_k-256", DType::Q4_K, 256) },
    Spec { layers: 3, ..gemma("gemma3-q6_k-256", DType::Q6_K, 256) },
    // The mixture of published Q4_K_M files: K types where the rows divide by 256, others elsewhere.
    Spec {
        down: DType::Q6_K,
        embedding: DType::Q8_0,
        head_dim: 64,
        ffn: 768,
        ..gemma("gemma3-mixed-640", DType::Q5_0, 640)
    },
    Spec {
        layers: 3,
        ffn: 98,
        tied: false,
        factors: true,
        ..spec("llama-f16-64-factors", "llama", DType::F16, 64)
    },
    Spec { linear: Some(4.0), prompt: 100, ..spec("llama-q5_0-64-linear", "llama", DType::Q5_0, 64) },
    Spec { layers: 3, ..spec("llama-q2_k-256", "llama", DType::Q2_K, 256) },
    Spec {
        heads: 10,
        head_dim: 64,
        factors: true,
        vocabulary: Kind::LlamaBpe,
        ..spec("llama-q4_0-640-factors", "llama", DType::Q4_0, 640)
    },
    Spec {
        layers: 3,
        kv_heads: 1,
        tied: false,
        vectors: DType::BF16,
        vocabulary: Kind::Qwen2Bpe,
        ..spec("qwen2-bf16-64", "qwen2", DType::BF16, 64)
    },
    Spec { layers: 3, ..spec("qwen2-q3_k-256", "qwen2", DType::Q3_K, 256) },
    Spec {
        heads: 10,
        kv_heads: 5,
        head_dim: 64,
        vectors: DType::F16,
        vocabulary: Kind::Qwen2Bpe,
        ..spec("qwen2-q4_1-640", "qwen2", DType::Q4_1, 640)
    },
    // Heads wider together than the residual stream, as Qwen3 has them.
    Spec { layers: 4, head_dim: 32, ..spec("qwen3-q5_1-64", "qwen3", DType::Q5_1, 64) },
    Spec { layers: 3, kv_heads: 4, tied: false, ..spec("qwen3-q5_k-256", "qwen3", DType::Q5_K, 256) },
    Spec {
        heads: 10,
        head_dim: 64,
        ffn: 1024,
        vocabulary: Kind::Qwen2Bpe,
        prompt: 100,
        ..spec("qwen3-q8_0-640", "qwen3", DType::Q8_0, 640)
    },
];

/// The row with this name.
pub fn find(name: &str) -> &'static Spec {
    SPECS.iter().find(|spec| spec.name == name).expect("the table has this name")
}

impl Spec {
    /// A seed of the model's own (FNV-1a of its name and `part`), so that rows of the table don't disturb each other.
    pub fn seed(&self, part: &str) -> u64 {
        self.name.bytes().chain(*b"/").chain(part.bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    /// The token ids that the fixture has logits for: random, from the whole vocabulary.
    pub fn prompt_ids(&self) -> Vec<u32> {
        let mut random = SplitMix64(self.seed("prompt"));
        (0..self.prompt).map(|_| (random.next_u64() % VOCABULARY as u64) as u32).collect()
    }

    /// Positions of the prompt whose logits the fixture has.
    pub fn positions(&self) -> [usize; 3] {
        [0, self.prompt / 2, self.prompt - 1]
    }
}
