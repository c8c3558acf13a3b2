//! Builders of the plan: embedding, layers, head.

use std::collections::HashMap;

use super::arch::Presence;
use super::{Config, ModelError};
use crate::kernel::add::Add;
use crate::kernel::argmax::Argmax;
use crate::kernel::attention::Attention;
use crate::kernel::embedding::Embedding;
use crate::kernel::facts::{Row, Segment};
use crate::kernel::gather::Gather;
use crate::kernel::glu::Glu;
use crate::kernel::kv_write::KvWrite;
use crate::kernel::matmul::MatMul;
use crate::kernel::rms_norm::RmsNorm;
use crate::kernel::rope::Rope;
use crate::plan::{Dim, Dims, Plan, Storage, ValueId};
use crate::tensor::{DType, TensorDesc};

/// Names of the values that the host writes and reads.
pub mod names {
    /// Facts of the rows of the run, `[T, 4]` U32 ([`Row`](crate::kernel::facts::Row)).
    pub const ROWS: &str = "rows";
    /// First row and end of each sequence of the run, `[S, 2]` U32 ([`Segment`](crate::kernel::facts::Segment)).
    pub const SEGMENTS: &str = "segments";
    /// Rows whose outcome the host wants, `[W, 1]` U32.
    pub const WANTED: &str = "wanted";
    /// RoPE table of global layers, `[context, rope_dims]`.
    pub const ROPE_GLOBAL: &str = "rope.global";
    /// RoPE table of local layers.
    pub const ROPE_LOCAL: &str = "rope.local";
    /// Logits, `[W, vocabulary]` or `[T, vocabulary]`.
    pub const LOGITS: &str = "logits";
    /// Greedy choice after each wanted row, `[W, 1]` U32.
    pub const TOKEN: &str = "token";
    /// Embedding table, and head where no other is in the file.
    pub const EMBEDDING: &str = "token_embd.weight";
    /// Head of its own.
    pub const HEAD: &str = "output.weight";
    /// Bias on the logits.
    pub const HEAD_BIAS: &str = "output.bias";
    /// Which text of a pair each token belongs to, `[T, 1]` U32; encoders only, as all below.
    pub const TYPES: &str = "types";
    /// Vectors of length 1, `[S, width]`.
    pub const EMBEDDINGS: &str = "embeddings";
    /// Logits of each token as the first and as the last of an answer, `[T, 2]`.
    pub const EDGES: &str = "edges";
    /// The layer that makes them.
    pub const EDGE_HEAD: &str = "qa_outputs";
    /// Table of learned positions.
    pub const POSITION_EMBEDDING: &str = "position_embd.weight";
    /// Table of the texts of a pair.
    pub const TYPE_EMBEDDING: &str = "token_types.weight";
    /// Llama 3's factors on the frequencies; read by the host for the RoPE table.
    pub const ROPE_FACTORS: &str = "rope_freqs.weight";

    /// Cache of a layer, of its keys (`k`) or values (`v`), `[kv_heads, slots, head_dim]`.
    pub fn cache(layer: usize, what: &str) -> String {
        format!("kv.{layer}.{what}")
    }
}

/// What a run has to end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Head {
    /// Nothing: only the caches are filled. The head of a small model is most of its bytes.
    None,
    /// Logits after the rows that are wanted.
    Logits,
    /// The token with the largest logit after each of them; nothing else is read back.
    Greedy,
    /// Logits after every position.
    AllLogits,
}

/// What a plan is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Positions that the caches and tables hold.
    pub context: usize,
    /// Most tokens that any run over these caches brings: local layers need so many slots beside their window.
    pub max_tokens: usize,
    /// F16 or F32.
    pub kv: DType,
    /// What a run ends with.
    pub head: Head,
}

impl PlanOptions {
    /// Slots of the cache of a layer: all positions, or a ring.
    pub fn slots(&self, config: &Config, layer: usize) -> usize {
        match &config.local {
            Some(local) if config.is_local(layer) => self.context.min(local.window + self.max_tokens),
            _ => self.context,
        }
    }
}

/// Builds the primitive plan of a model.
///
/// # Errors
/// A tensor that is missing or has another shape than the metadata says.
pub fn build(config: &Config, tensors: &[TensorDesc], options: PlanOptions) -> Result<Plan, ModelError> {
    build_from(config, Tensors::of(tensors), options)
}

pub(super) fn build_from(
    config: &Config,
    tensors: Tensors<'_>,
    options: PlanOptions,
) -> Result<Plan, ModelError> {
    let mut builder = Builder::new(config, tensors, options);
    let mut x = builder.embedding()?;
    for layer in 0..config.layers {
        x = builder.attention(layer, x)?;
        x = builder.feed_forward(layer, x)?;
    }
    builder.head(x)?;
    builder.plan.drop_unused_steps();
    Ok(builder.plan)
}

/// The tensors that a plan is built over.
pub(super) enum Tensors<'a> {
    /// Those of a file, by name.
    File(HashMap<&'a str, &'a TensorDesc>),
    /// Whatever is asked for, in the shape that is expected: the plan then reads all that its row of the table may have.
    Everything,
}

impl<'a> Tensors<'a> {
    pub(super) fn of(tensors: &'a [TensorDesc]) -> Self {
        Tensors::File(tensors.iter().map(|desc| (desc.name.as_str(), desc)).collect())
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Tensors::File(by_name) => by_name.contains_key(name),
            Tensors::Everything => true,
        }
    }

    /// Rows of a table whose length only the file says; `None` where it is missing.
    pub(super) fn rows(&self, name: &str) -> Option<usize> {
        match self {
            Tensors::File(by_name) => Some(by_name.get(name)?.shape.rows()),
            Tensors::Everything => Some(1),
        }
    }
}

pub(super) struct Builder<'a> {
    pub(super) plan: Plan,
    pub(super) config: &'a Config,
    pub(super) tensors: Tensors<'a>,
    options: PlanOptions,
}

impl<'a> Builder<'a> {
    pub(super) fn new(config: &'a Config, tensors: Tensors<'a>, options: PlanOptions) -> Self {
        Builder { plan: Plan::new(), config, tensors, options }
    }
}

impl Builder<'_> {
    /// A matrix in the type that the file has it in.
    pub(super) fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<ValueId, ModelError> {
        let expected = || format!("[{rows}, {cols}]");
        let Tensors::File(by_name) = &self.tensors else {
            return Ok(self.plan.add(Storage::Weight, name, DType::F32, (Dim::Fixed(rows), cols)));
        };
        let desc = by_name
            .get(name)
            .ok_or_else(|| ModelError::MissingTensor { name: name.to_owned(), expected: expected() })?;
        if desc.shape.rows() != rows || desc.shape.cols() != cols {
            return Err(ModelError::TensorShape {
                name: name.to_owned(),
                expected: expected(),
                got: desc.shape.to_string(),
            });
        }
        Ok(self.plan.add(Storage::Weight, name, desc.dtype, (Dim::Fixed(rows), cols)))
    }

    /// A vector, which the loader hands to executors in F32 whatever the file's type.
    pub(super) fn vector(&mut self, name: &str, cols: usize) -> Result<ValueId, ModelError> {
        self.matrix(name, 1, cols)?;
        if let Some(id) = self.plan.find(name) {
            self.plan.values[id.index()].dtype = DType::F32;
            return Ok(id);
        }
        Ok(self.plan.add(Storage::Weight, name, DType::F32, (Dim::Fixed(1), cols)))
    }

    fn norm(&mut self, x: ValueId, name: &str, group: usize, label: &str) -> Result<ValueId, ModelError> {
        let weight = self.vector(name, group)?;
        let dims = self.plan.value(x).dims.clone();
        Ok(self.plan.step(RmsNorm { eps: self.config.eps }, &[x, weight], label, dims))
    }

    pub(super) fn add(&mut self, x: ValueId, y: ValueId, label: &str) -> ValueId {
        let dims = self.plan.value(x).dims.clone();
        self.plan.step(Add, &[x, y], label, dims)
    }

    /// Whether a bias of this name is to be added.
    fn has_bias(&self, bias: Presence, name: &str) -> bool {
        match bias {
            Presence::Required => true,
            Presence::Optional => self.tensors.has(name),
            Presence::Absent => false,
        }
    }

    /// `x` times the matrix, plus the bias if the row of the table has one.
    pub(super) fn project(
        &mut self,
        x: ValueId,
        stem: &str,
        out: usize,
        bias: Presence,
        label: &str,
    ) -> Result<ValueId, ModelError> {
        let dims = self.plan.value(x).dims.clone();
        let weight = self.matrix(&format!("{stem}.weight"), out, dims.cols())?;
        let product = self.plan.step(MatMul, &[x, weight], label, Dims::new(dims.outer(), out));
        let bias_name = format!("{stem}.bias");
        if !self.has_bias(bias, &bias_name) {
            return Ok(product);
        }
        let bias = self.vector(&bias_name, out)?;
        Ok(self.add(product, bias, label))
    }

    fn embedding(&mut self) -> Result<ValueId, ModelError> {
        let width = self.config.width;
        let vocabulary = self.vocabulary()?;
        let rows = self.rows();
        let table = self.matrix(names::EMBEDDING, vocabulary, width)?;
        let scale = if self.config.arch.scale_embedding { (width as f32).sqrt() } else { 1.0 };
        let lookup = Embedding { scale, column: Row::TOKEN };
        Ok(self.plan.step(lookup, &[rows, table], "x", (Dim::Tokens, width)))
    }

    /// What each row of the run is.
    pub(super) fn rows(&mut self) -> ValueId {
        self.plan.add(Storage::Input, names::ROWS, DType::U32, (Dim::Tokens, Row::COLS))
    }

    /// Which rows each sequence of the run has.
    pub(super) fn segments(&mut self) -> ValueId {
        self.plan.add(Storage::Input, names::SEGMENTS, DType::U32, (Dim::Sequences, Segment::COLS))
    }

    /// The rows of a value whose outcome the host wants.
    pub(super) fn wanted(&mut self, x: ValueId, label: &str) -> ValueId {
        let cols = self.plan.value(x).cols();
        let wanted = self.plan.add(Storage::Input, names::WANTED, DType::U32, (Dim::Wanted, 1));
        self.plan.step(Gather, &[x, wanted], label, (Dim::Wanted, cols))
    }

    /// Rows of the embedding table; the metadata need not name it.
    pub(super) fn vocabulary(&self) -> Result<usize, ModelError> {
        let missing = || ModelError::MissingTensor {
            name: names::EMBEDDING.to_owned(),
            expected: format!("[vocabulary, {}]", self.config.width),
        };
        self.tensors.rows(names::EMBEDDING).ok_or_else(missing)
    }

    /// Queries or keys: projection, QK-norm where the row has it, RoPE.
    fn rotated(
        &mut self,
        layer: usize,
        x: ValueId,
        which: &str,
        heads: usize,
    ) -> Result<ValueId, ModelError> {
        let config = self.config;
        let stem = format!("blk.{layer}.attn_{which}");
        let mut out = self.project(x, &stem, heads * config.head_dim, config.arch.qkv_bias, which)?;
        if config.arch.qk_norm {
            out = self.norm(out, &format!("{stem}_norm.weight"), config.head_dim, which)?;
        }
        let name = if config.is_local(layer) { names::ROPE_LOCAL } else { names::ROPE_GLOBAL };
        let context = Dim::Fixed(self.options.context);
        let table = self.plan.add(Storage::Input, name, DType::F32, (context, config.rope_dims));
        let rows = self.rows();
        let rope = Rope { head_dim: config.head_dim, pairing: config.arch.pairing };
        Ok(self.plan.step(rope, &[out, table, rows], which, (Dim::Tokens, heads * config.head_dim)))
    }

    /// A cache of keys or values, written with what this run brings.
    fn cached(&mut self, layer: usize, what: &str, new: ValueId) -> Result<ValueId, ModelError> {
        let (config, slots) = (self.config, self.options.slots(self.config, layer));
        config.kv_heads.checked_mul(slots).ok_or_else(|| ModelError::Value {
            key: "context".to_owned(),
            expected: format!("caches of at most {} rows", usize::MAX),
            got: format!("{} heads of {slots} positions", config.kv_heads),
        })?;
        let name = names::cache(layer, what);
        let dims = Dims::new([Dim::Fixed(config.kv_heads), Dim::Fixed(slots)], config.head_dim);
        let cache = self.plan.add(Storage::State, &name, self.options.kv, dims);
        let rows = self.rows();
        self.plan.step_updating(KvWrite { kv_heads: config.kv_heads }, &[new, rows], cache);
        Ok(cache)
    }

    fn attention(&mut self, layer: usize, x: ValueId) -> Result<ValueId, ModelError> {
        let config = self.config;
        let h = self.norm(x, &format!("blk.{layer}.attn_norm.weight"), config.width, "h")?;
        let q = self.rotated(layer, h, "q", config.heads)?;
        let k = self.rotated(layer, h, "k", config.kv_heads)?;
        let kv_width = config.kv_heads * config.head_dim;
        let v_stem = format!("blk.{layer}.attn_v");
        let v = self.project(h, &v_stem, kv_width, config.arch.qkv_bias, "v")?;
        let (k, v) = (self.cached(layer, "k", k)?, self.cached(layer, "v", v)?);
        let op = Attention {
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            window: config.local.as_ref().filter(|_| config.is_local(layer)).map(|local| local.window),
            scale: config.attention_scale,
        };
        let rows = self.rows();
        let dims = (Dim::Tokens, config.heads * config.head_dim);
        let mut mixed = self.plan.step(op, &[q, k, v, rows], "heads", dims);
        let mut x = x;
        // From here on tokens no longer meet: where only some are asked for, the others need not go through the rest.
        if layer + 1 == config.layers && matches!(self.options.head, Head::Logits | Head::Greedy) {
            (x, mixed) = (self.wanted(x, "x"), self.wanted(mixed, "heads"));
        }
        let stem = format!("blk.{layer}.attn_output");
        let mut out = self.project(mixed, &stem, config.width, Presence::Optional, "attn")?;
        if config.arch.post_norms {
            let name = format!("blk.{layer}.post_attention_norm.weight");
            out = self.norm(out, &name, config.width, "attn")?;
        }
        Ok(self.add(x, out, "x"))
    }

    fn feed_forward(&mut self, layer: usize, x: ValueId) -> Result<ValueId, ModelError> {
        let config = self.config;
        let bias = config.arch.ffn_bias;
        let h = self.norm(x, &format!("blk.{layer}.ffn_norm.weight"), config.width, "h")?;
        let gate = self.project(h, &format!("blk.{layer}.ffn_gate"), config.ffn, bias, "gate")?;
        let up = self.project(h, &format!("blk.{layer}.ffn_up"), config.ffn, bias, "up")?;
        let glu = Glu { activation: config.arch.activation };
        let dims = self.plan.value(gate).dims.clone();
        let gated = self.plan.step(glu, &[gate, up], "gated", dims);
        let stem = format!("blk.{layer}.ffn_down");
        let mut out = self.project(gated, &stem, config.width, bias, "ffn")?;
        if config.arch.post_norms {
            out = self.norm(out, &format!("blk.{layer}.post_ffw_norm.weight"), config.width, "ffn")?;
        }
        Ok(self.add(x, out, "x"))
    }

    fn head(&mut self, x: ValueId) -> Result<(), ModelError> {
        let config = self.config;
        let rows = match self.options.head {
            Head::None => return Ok(()),
            Head::AllLogits => Dim::Tokens,
            Head::Logits | Head::Greedy => Dim::Wanted,
        };
        let h = self.norm(x, "output_norm.weight", config.width, "h")?;
        let vocabulary = self.vocabulary()?;
        let tied = !self.tensors.has(names::HEAD);
        let name = if tied { names::EMBEDDING } else { names::HEAD };
        let weight = self.matrix(name, vocabulary, config.width)?;
        // Where only the token is read, executors need not have all logits.
        let storage = if self.options.head == Head::Greedy { Storage::Temp } else { Storage::Output };
        let dims: Dims = (rows, vocabulary).into();
        let logits = self.plan.add(storage, names::LOGITS, DType::F32, dims.clone());
        if self.has_bias(config.arch.head_bias, names::HEAD_BIAS) {
            let product = self.plan.step(MatMul, &[h, weight], "product", dims);
            let bias = self.vector(names::HEAD_BIAS, vocabulary)?;
            self.plan.step_into(Add, &[product, bias], logits);
        } else {
            self.plan.step_into(MatMul, &[h, weight], logits);
        }
        if self.options.head == Head::Greedy {
            let token = self.plan.add(Storage::Output, names::TOKEN, DType::U32, (Dim::Wanted, 1));
            self.plan.step_into(Argmax, &[logits], token);
        }
        Ok(())
    }
}
