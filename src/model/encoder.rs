//! Builder of the plan of an encoder: sequences packed one behind the other in, a vector for each out.

use super::arch::Presence;
use super::blocks::{Builder, PlanOptions, Tensors, names};
use super::{Config, Head, ModelError};
use crate::kernel::add::Add;
use crate::kernel::embedding::Embedding;
use crate::kernel::encoder_attention::EncoderAttention;
use crate::kernel::gelu::Gelu;
use crate::kernel::l2_norm::L2Norm;
use crate::kernel::layer_norm::LayerNorm;
use crate::kernel::mean_pool::MeanPool;
use crate::plan::{Plan, Rows, Storage, ValueId};
use crate::tensor::{DType, TensorDesc};

/// Builds the plan of an encoder for runs of up to `sequences` sequences.
///
/// A run's tokens are those of all its sequences, one behind the other: `positions` count within each, `spans` says for each token
/// where its sequence begins and ends, `segments` which rows make up each vector (none for the vectors that a run does not need).
///
/// # Errors
/// A tensor that is missing or has another shape than the metadata says.
pub fn build_encoder(config: &Config, tensors: &[TensorDesc], sequences: usize) -> Result<Plan, ModelError> {
    embedder_from(config, Tensors::of(tensors), sequences)
}

fn embedder_from(config: &Config, tensors: Tensors<'_>, sequences: usize) -> Result<Plan, ModelError> {
    let (mut builder, x) = encoder_body(config, tensors)?;
    builder.pool(x, sequences);
    Ok(builder.plan)
}

/// Builds the plan of an extractive reader: for each token how well it begins and how well it ends the answer. Its inputs are those of
/// [`build_encoder`] without `segments`, and `types`.
///
/// # Errors
/// As [`build_encoder`]; a model without that head has not its tensor.
pub fn build_span_reader(config: &Config, tensors: &[TensorDesc]) -> Result<Plan, ModelError> {
    span_reader_from(config, Tensors::of(tensors))
}

fn span_reader_from(config: &Config, tensors: Tensors<'_>) -> Result<Plan, ModelError> {
    let (mut builder, x) = encoder_body(config, tensors)?;
    let product = builder.project(x, names::EDGE_HEAD, 2, Presence::Absent, "edge_product")?;
    let bias = builder.vector(&format!("{}.bias", names::EDGE_HEAD), 2)?;
    let out = builder.plan.add(Storage::Output, names::EDGES, DType::F32, Rows::Tokens, 2);
    builder.plan.step_into(Add, &[product, bias], out);
    Ok(builder.plan)
}

/// The plans of every purpose that an encoder of this configuration may serve, over all tensors that any of them may read.
pub(super) fn encoders_of_everything(config: &Config) -> Result<Vec<Plan>, ModelError> {
    let embedder = embedder_from(config, Tensors::Everything, 1)?;
    Ok(vec![embedder, span_reader_from(config, Tensors::Everything)?])
}

/// What every encoder begins with: the embedding and all layers. Gives the rows of the last one.
fn encoder_body<'a>(config: &'a Config, tensors: Tensors<'a>) -> Result<(Builder<'a>, ValueId), ModelError> {
    let options = PlanOptions { context: config.context, max_tokens: 0, kv: DType::F32, head: Head::None };
    let mut builder = Builder::new(config, tensors, options);
    let spans = builder.plan.add(Storage::Input, names::SPANS, DType::U32, Rows::Tokens, 2);
    let mut x = builder.encoder_embedding()?;
    for layer in 0..config.layers {
        x = builder.encoder_attention(layer, x, spans)?;
        x = builder.encoder_feed_forward(layer, x)?;
    }
    Ok((builder, x))
}

impl Builder<'_> {
    fn layer_norm(&mut self, x: ValueId, stem: &str, label: &str) -> Result<ValueId, ModelError> {
        let (rows, cols) = (self.plan.value(x).rows, self.plan.value(x).cols);
        let weight = self.vector(&format!("{stem}.weight"), cols)?;
        let bias = self.vector(&format!("{stem}.bias"), cols)?;
        Ok(self.plan.step(LayerNorm { eps: self.config.eps }, &[x, weight, bias], label, rows, cols))
    }

    /// A table of `rows` rows, looked up by an input of the run.
    fn looked_up(
        &mut self,
        input: &str,
        table: &str,
        rows: usize,
        label: &str,
    ) -> Result<ValueId, ModelError> {
        let width = self.config.width;
        let index = self.plan.add(Storage::Input, input, DType::U32, Rows::Tokens, 1);
        let table = self.matrix(table, rows, width)?;
        Ok(self.plan.step(Embedding { scale: 1.0 }, &[index, table], label, Rows::Tokens, width))
    }

    /// The sum of what the token, its position and its place in a pair of texts say, normalised.
    fn encoder_embedding(&mut self) -> Result<ValueId, ModelError> {
        let vocabulary = self.vocabulary()?;
        let token = self.looked_up(names::IDS, names::EMBEDDING, vocabulary, "token")?;
        let position =
            self.looked_up(names::POSITIONS, names::POSITION_EMBEDDING, self.config.context, "position")?;
        let mut x = self.add(token, position, "x");
        if let Some(types) = self.tensors.rows(names::TYPE_EMBEDDING) {
            let kind = self.looked_up(names::TYPES, names::TYPE_EMBEDDING, types, "type")?;
            x = self.add(x, kind, "x");
        }
        self.layer_norm(x, "token_embd_norm", "x")
    }

    fn encoder_attention(&mut self, layer: usize, x: ValueId, spans: ValueId) -> Result<ValueId, ModelError> {
        let config = self.config;
        let cols = config.heads * config.head_dim;
        let mut projected = |which: &str| {
            self.project(x, &format!("blk.{layer}.attn_{which}"), cols, Presence::Optional, which)
        };
        let (q, k, v) = (projected("q")?, projected("k")?, projected("v")?);
        let op = EncoderAttention {
            heads: config.heads,
            head_dim: config.head_dim,
            scale: config.attention_scale,
        };
        let mixed = self.plan.step(op, &[q, k, v, spans], "heads", Rows::Tokens, cols);
        let stem = format!("blk.{layer}.attn_output");
        let out = self.project(mixed, &stem, config.width, Presence::Optional, "attn")?;
        let x = self.add(x, out, "x");
        self.layer_norm(x, &format!("blk.{layer}.attn_output_norm"), "x")
    }

    fn encoder_feed_forward(&mut self, layer: usize, x: ValueId) -> Result<ValueId, ModelError> {
        let config = self.config;
        let up = self.project(x, &format!("blk.{layer}.ffn_up"), config.ffn, Presence::Optional, "up")?;
        let bent = self.plan.step(Gelu, &[up], "bent", Rows::Tokens, config.ffn);
        let down =
            self.project(bent, &format!("blk.{layer}.ffn_down"), config.width, Presence::Optional, "ffn")?;
        let x = self.add(x, down, "x");
        self.layer_norm(x, &format!("blk.{layer}.layer_output_norm"), "x")
    }

    /// The mean of each segment, of length 1.
    fn pool(&mut self, x: ValueId, sequences: usize) {
        let (rows, width) = (Rows::Fixed(sequences), self.config.width);
        let segments = self.plan.add(Storage::Input, names::SEGMENTS, DType::U32, rows, 2);
        let pooled = self.plan.step(MeanPool, &[x, segments], "pooled", rows, width);
        let out = self.plan.add(Storage::Output, names::EMBEDDINGS, DType::F32, rows, width);
        self.plan.step_into(L2Norm, &[pooled], out);
    }
}
