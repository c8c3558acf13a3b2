//! Metadata that asks for what no plan does: a file that brings it, with a value that would change the result, is refused by the key's
//! name. Keys are those of llama.cpp's `llama-arch.cpp`; what a plan does follow is read in [`config`](super::config).

use super::arch::Body;
use super::{Config, ModelError};
use crate::formats::gguf::{Metadata, Value};
use crate::kernel::glu::Activation;

/// A key under the architecture's prefix.
struct Key {
    name: &'static str,
    /// Whether a model with this value gives what the plan gives. Flags are 0 and 1; of an array each element must fit.
    fits: fn(&Config, f64) -> bool,
    /// What it stands for, for messages.
    what: &'static str,
}

fn zero(_: &Config, value: f64) -> bool {
    value == 0.0
}

fn one(_: &Config, value: f64) -> bool {
    value == 1.0
}

/// 0 is how writers leave a factor out.
fn no_factor(_: &Config, value: f64) -> bool {
    value == 0.0 || value == 1.0
}

const KEYS: &[Key] = &[
    Key {
        name: "attention.causal",
        fits: |config, value| (value == 1.0) == (config.arch.body == Body::Decoder),
        what: "attention in another direction than the architecture's own",
    },
    Key { name: "attention.clamp_kqv", fits: zero, what: "a bound on queries, keys and values" },
    Key { name: "attention.max_alibi_bias", fits: zero, what: "ALiBi" },
    Key { name: "attention.relative_buckets_count", fits: zero, what: "attention by relative positions" },
    Key { name: "attention.output_scale", fits: no_factor, what: "a factor on what attention gives" },
    Key { name: "attention.value_scale", fits: no_factor, what: "a factor on values" },
    Key {
        name: "attention.temperature_length",
        fits: zero,
        what: "attention that changes with the position",
    },
    Key { name: "attention.temperature_scale", fits: zero, what: "attention that changes with the position" },
    Key { name: "attention.q_lora_rank", fits: zero, what: "latent attention" },
    Key { name: "attention.kv_lora_rank", fits: zero, what: "latent attention" },
    Key { name: "attention.key_length_mla", fits: zero, what: "latent attention" },
    Key { name: "attention.value_length_mla", fits: zero, what: "latent attention" },
    Key { name: "attention.shared_kv_layers", fits: zero, what: "layers that share keys and values" },
    Key { name: "attention.recurrent_layers", fits: zero, what: "recurrent layers" },
    Key { name: "full_attention_interval", fits: no_factor, what: "layers without attention" },
    Key {
        name: "attention.key_length_swa",
        fits: |config, value| value == config.head_dim as f64,
        what: "local layers with heads of another width",
    },
    Key {
        name: "attention.value_length_swa",
        fits: |config, value| value == config.head_dim as f64,
        what: "local layers with heads of another width",
    },
    Key {
        name: "attention.sliding_window",
        // Rows of the table with local layers read it.
        fits: |config, value| {
            config.arch.windowed.is_some() || value <= 0.0 || value >= config.context as f64
        },
        what: "a sliding window in layers of this architecture",
    },
    Key { name: "attn_logit_softcapping", fits: zero, what: "a cap on the scores of attention" },
    Key { name: "final_logit_softcapping", fits: zero, what: "a cap on logits" },
    Key { name: "router_logit_softcapping", fits: zero, what: "a cap on the logits of a router" },
    Key { name: "logit_scale", fits: no_factor, what: "a factor on logits" },
    Key { name: "residual_scale", fits: no_factor, what: "a factor on what layers add" },
    Key {
        name: "embedding_scale",
        fits: |config, value| {
            let own = if config.arch.scale_embedding { (config.width as f64).sqrt() } else { 1.0 };
            value == 0.0 || (value - own).abs() < 1e-4 * own
        },
        what: "a factor on embeddings",
    },
    Key {
        name: "embedding_length_out",
        fits: |config, value| value == 0.0 || value == config.width as f64,
        what: "an embedding of another width than the layers",
    },
    Key {
        name: "embedding_length_per_layer_input",
        fits: zero,
        what: "embeddings of their own for each layer",
    },
    Key { name: "expert_count", fits: zero, what: "a mixture of experts" },
    Key { name: "expert_used_count", fits: zero, what: "a mixture of experts" },
    Key { name: "expert_shared_count", fits: zero, what: "shared experts" },
    Key { name: "use_parallel_residual", fits: zero, what: "attention and feed-forward side by side" },
    Key { name: "swin_norm", fits: zero, what: "another order of norms" },
    Key { name: "rescale_every_n_layers", fits: zero, what: "layers that are scaled again" },
    Key { name: "nextn_predict_layers", fits: zero, what: "layers that predict further tokens" },
    Key { name: "num_loops", fits: no_factor, what: "layers that run several times" },
    Key { name: "adapters.count", fits: zero, what: "adapters" },
    Key {
        name: "rope.dimension_count_swa",
        fits: |config, value| value == config.rope_dims as f64,
        what: "RoPE of another width in local layers",
    },
    Key { name: "rope.scaling.alpha", fits: no_factor, what: "NTK scaling of RoPE" },
    Key { name: "rope.scaling.attn_factor", fits: one, what: "a factor on rotated queries and keys" },
    Key { name: "rope.scaling.yarn_attn_factor", fits: one, what: "YaRN's scaling of RoPE" },
    // Below 0: not set.
    Key {
        name: "rope.scaling.yarn_ext_factor",
        fits: |_, value| value <= 0.0,
        what: "YaRN's scaling of RoPE",
    },
    Key { name: "rope.scaling.yarn_log_multiplier", fits: zero, what: "YaRN's scaling of RoPE" },
];

/// `hidden_activation` by the names of transformers.
const ACTIVATIONS: [(Activation, &[&str]); 2] = [
    (Activation::Silu, &["silu", "swish", "swiglu"]),
    (Activation::GeluTanh, &["gelu_pytorch_tanh", "gelu_new", "gelu_fast"]),
];

/// Refuses metadata that asks for something else than the plan of this configuration does.
pub(super) fn refuse(config: &Config, metadata: &Metadata) -> Result<(), ModelError> {
    let prefixed = |name: &str| format!("{}.{name}", config.arch.name);
    for Key { name, fits, what } in KEYS {
        let key = prefixed(name);
        let Some(value) = metadata.value(&key) else { continue };
        // What is no number can't be understood, and is refused too.
        let fits = numbers(metadata, &key)
            .is_some_and(|numbers| numbers.into_iter().all(|number| fits(config, number)));
        if !fits {
            return Err(unapplied(key, value, what));
        }
    }
    let key = prefixed("hidden_activation");
    if let (Body::Decoder, Some(value)) = (config.arch.body, metadata.value(&key)) {
        let known = ACTIVATIONS.iter().find(|(activation, _)| *activation == config.arch.activation);
        let fits = matches!(value, Value::Str(name) if known.is_some_and(|(_, names)| names.contains(&name.as_str())));
        if !fits {
            return Err(unapplied(key, value, "this activation in layers of this architecture"));
        }
    }
    Ok(())
}

fn unapplied(key: String, value: &Value, what: &'static str) -> ModelError {
    ModelError::Unapplied { key, got: value.to_string(), what }
}

/// A number, a flag or an array of them.
fn numbers(metadata: &Metadata, key: &str) -> Option<Vec<f64>> {
    fn some<T>(read: Result<Option<T>, crate::formats::FormatError>) -> Option<T> {
        read.ok().flatten()
    }
    let flag = |flag: bool| f64::from(u8::from(flag));
    let one = some(metadata.get::<f64>(key))
        .or_else(|| some(metadata.get::<i64>(key)).map(|number| number as f64))
        .or_else(|| some(metadata.get::<bool>(key)).map(flag));
    let many = || {
        some(metadata.get::<Vec<i64>>(key))
            .map(|all| all.into_iter().map(|number| number as f64).collect())
            .or_else(|| some(metadata.get::<&[f32]>(key)).map(|all| all.iter().map(|&x| x.into()).collect()))
            .or_else(|| some(metadata.get::<&[bool]>(key)).map(|all| all.iter().map(|&x| flag(x)).collect()))
    };
    one.map(|number| vec![number]).or_else(many)
}
