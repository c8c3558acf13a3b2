//! A model's numbers: metadata of the file over the defaults of the architecture's row.

use super::arch::{self, Arch, Body};
use super::{ModelError, unapplied};
use crate::formats::gguf::Metadata;

/// How positions beyond the trained context are squeezed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RopeScaling {
    /// Positions are divided by this; 1 without scaling.
    pub linear: f32,
}

/// The layers that see only a window of positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// Positions that such a layer sees, its own included.
    pub window: usize,
    /// Their RoPE base.
    pub rope_base: f32,
    /// Whether a layer is one of them.
    pub layers: Vec<bool>,
}

/// Metadata key of ours: the number of tokens that an encoder's texts are cut to.
pub const MAX_TOKENS_KEY: &str = "rushlight.max_tokens";

/// Which rows make up the vector of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// All of them.
    Mean,
    /// The first one.
    First,
}

/// What only encoders have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// Which rows make up the vector of a text.
    pub pooling: Pooling,
    /// Tokens that a text is cut to.
    pub max_tokens: usize,
}

/// Numbers of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Row of the architecture table.
    pub arch: &'static Arch,
    /// Number of layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Elements of a head that RoPE turns.
    pub rope_dims: usize,
    /// Width of the feed-forward block.
    pub ffn: usize,
    /// Positions the model was trained for.
    pub context: usize,
    /// Added to the mean of squares in every norm.
    pub eps: f32,
    /// RoPE base of global layers.
    pub rope_base: f32,
    /// Scaling of the global layers' positions.
    pub rope_scaling: RopeScaling,
    /// Local layers; `None` where all are global.
    pub local: Option<Local>,
    /// Factor on attention scores.
    pub attention_scale: f32,
    /// `None` for decoders.
    pub encoder: Option<Encoder>,
}

impl Config {
    /// Reads `general.architecture` and the keys under its prefix.
    ///
    /// # Errors
    /// An unknown architecture, a missing key, or a number that no model can have.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, ModelError> {
        let name: &str = metadata.require("general.architecture")?;
        let arch = arch::find(name).ok_or_else(|| ModelError::Architecture {
            got: name.to_owned(),
            expected: arch::ARCHITECTURES.iter().map(|arch| arch.name).collect::<Vec<_>>().join(", "),
        })?;
        let keys = Keys { metadata, prefix: arch.name };
        let heads = keys.count("attention.head_count")?;
        let width = keys.count("embedding_length")?;
        let kv_heads = keys.optional_count("attention.head_count_kv")?.unwrap_or(heads);
        let head_dim = keys.optional_count("attention.key_length")?.unwrap_or(width / heads);
        let value_dim = keys.optional_count("attention.value_length")?.unwrap_or(head_dim);
        let rope_dims = keys.optional_count("rope.dimension_count")?.unwrap_or(head_dim);
        let layers = keys.count("block_count")?;
        // Gemma 3 27B divides by the width that all heads share, not by a head's own.
        let scaled_dim = if arch.shared_width_scale == Some(layers) { width / heads } else { head_dim };
        let context = keys.count("context_length")?;
        let eps = match arch.body {
            Body::Decoder => "attention.layer_norm_rms_epsilon",
            Body::Encoder => "attention.layer_norm_epsilon",
        };
        let config = Config {
            arch,
            layers,
            width,
            heads,
            kv_heads,
            head_dim,
            rope_dims,
            ffn: keys.count("feed_forward_length")?,
            context,
            eps: keys.number(eps, None)?,
            rope_base: keys.number("rope.freq_base", Some(arch.rope_base))?,
            rope_scaling: keys.rope_scaling()?,
            local: keys.local(arch, layers)?,
            attention_scale: keys.number("attention.scale", Some(1.0 / (scaled_dim as f32).sqrt()))?,
            encoder: if arch.body == Body::Encoder { Some(keys.encoder(context)?) } else { None },
        };
        let check = |fits: bool, key: &str, expected: &str, got: usize| {
            if fits { Ok(()) } else { Err(keys.value(key, expected, got)) }
        };
        check(
            heads.is_multiple_of(kv_heads),
            "attention.head_count_kv",
            "a divisor of head_count",
            kv_heads,
        )?;
        check(value_dim == head_dim, "attention.value_length", "the same as key_length", value_dim)?;
        check(
            head_dim <= crate::kernel::attention::Attention::MAX_HEAD_DIM && head_dim > 0,
            "attention.key_length",
            "1 to 256",
            head_dim,
        )?;
        // So that products with the width of all heads fit an address of 32 bits.
        check(
            heads.saturating_mul(head_dim) <= LARGEST_COUNT,
            "attention.head_count",
            "heads that are together no wider than any model's",
            heads,
        )?;
        check(
            rope_dims <= head_dim && rope_dims.is_multiple_of(2),
            "rope.dimension_count",
            "an even number within a head",
            rope_dims,
        )?;
        unapplied::refuse(&config, metadata)?;
        Ok(config)
    }

    /// Whether a layer sees only the window.
    pub fn is_local(&self, layer: usize) -> bool {
        self.local.as_ref().is_some_and(|local| local.layers.get(layer) == Some(&true))
    }
}

/// Keys under an architecture's prefix.
struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'static str,
}

/// Larger than any model's extents, small enough that products of three fit 64 bits.
const LARGEST_COUNT: usize = 1 << 24;

impl Keys<'_> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    fn value(&self, key: &str, expected: &str, got: impl ToString) -> ModelError {
        ModelError::Value { key: self.name(key), expected: expected.to_owned(), got: got.to_string() }
    }

    /// A number of things: positive and not absurd. Some writers store one number a layer; equal ones are as good as one.
    fn optional_count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let name = self.name(key);
        let got = match self.metadata.get::<Vec<usize>>(&name) {
            Ok(Some(counts)) if counts.is_empty() || counts.iter().any(|&count| count != counts[0]) => {
                return Err(self.value(key, "the same number for every layer", "different ones"));
            }
            Ok(Some(counts)) => counts[0],
            _ => match self.metadata.get::<usize>(&name)? {
                Some(count) => count,
                None => return Ok(None),
            },
        };
        if got == 0 || got > LARGEST_COUNT {
            return Err(self.value(key, &format!("1 to {LARGEST_COUNT}"), got));
        }
        Ok(Some(got))
    }

    fn count(&self, key: &str) -> Result<usize, ModelError> {
        match self.optional_count(key)? {
            Some(count) => Ok(count),
            None => Ok(self.metadata.require(&self.name(key))?),
        }
    }

    /// A positive number; an error where it is neither in the file nor has a default.
    fn number(&self, key: &str, default: Option<f32>) -> Result<f32, ModelError> {
        let name = self.name(key);
        let got = match (self.metadata.get(&name)?, default) {
            (Some(got), _) => got,
            (None, Some(default)) => default,
            (None, None) => self.metadata.require(&name)?,
        };
        if got.is_finite() && got > 0.0 { Ok(got) } else { Err(self.value(key, "a positive number", got)) }
    }

    /// The local layers: the window is in the file (absent or 0: there are none), pattern and base may be.
    fn local(&self, arch: &Arch, layers: usize) -> Result<Option<Local>, ModelError> {
        let Some(defaults) = arch.windowed else { return Ok(None) };
        let window: Option<usize> = self.metadata.get(&self.name("attention.sliding_window"))?;
        let Some(window) = window.filter(|&window| window > 0) else { return Ok(None) };
        if window > LARGEST_COUNT {
            return Err(self.value("attention.sliding_window", &format!("at most {LARGEST_COUNT}"), window));
        }
        let pattern = "attention.sliding_window_pattern";
        let name = self.name(pattern);
        let flags = match self.metadata.get::<&[bool]>(&name) {
            Ok(Some(flags)) if flags.len() >= layers => flags[..layers].to_vec(),
            Ok(Some(flags)) => {
                return Err(self.value(
                    pattern,
                    &format!("one flag for each of {layers} layers"),
                    flags.len(),
                ));
            }
            _ => {
                let period = self.optional_count(pattern)?.unwrap_or(defaults.period);
                (1..=layers).map(|layer| !layer.is_multiple_of(period)).collect()
            }
        };
        let rope_base = self.number("rope.freq_base_swa", Some(defaults.rope_base))?;
        Ok(Some(Local { window, rope_base, layers: flags }))
    }

    /// Pooling by GGUF's numbers: 1 is the mean, 2 the first row.
    fn encoder(&self, context: usize) -> Result<Encoder, ModelError> {
        let pooling = match self.metadata.get::<u32>(&self.name("pooling_type"))? {
            Some(1) | None => Pooling::Mean,
            Some(2) => Pooling::First,
            Some(other) => return Err(self.value("pooling_type", "1 (mean) or 2 (first token)", other)),
        };
        let max_tokens = self.metadata.get::<usize>(MAX_TOKENS_KEY)?.unwrap_or(context).min(context);
        Ok(Encoder { pooling, max_tokens })
    }

    /// Linear scaling; the Llama 3 kind comes as a tensor of factors (`rope_freqs.weight`).
    fn rope_scaling(&self) -> Result<RopeScaling, ModelError> {
        match self.metadata.get::<&str>(&self.name("rope.scaling.type"))? {
            Some("linear") | None => {
                let old = self.number("rope.scale_linear", Some(1.0))?;
                Ok(RopeScaling { linear: self.number("rope.scaling.factor", Some(old))? })
            }
            Some("none") => Ok(RopeScaling { linear: 1.0 }),
            Some(other) => Err(self.value("rope.scaling.type", "none or linear", other)),
        }
    }
}
