//! Builder of the plan of an encoder: sequences packed one behind the other in, a vector for each out.

use super::arch::Presence;
use super::blocks::{Builder, PlanOptions, Tensors, names};
use super::config::Pooling;
use super::{Config, Head, ModelError};
use crate::kernel::add::Add;
use crate::kernel::embedding::Embedding;
use crate::kernel::encoder_attention::EncoderAttention;
use crate::kernel::facts::Row;
use crate::kernel::gelu::Gelu;
use crate::kernel::l2_norm::L2Norm;
use crate::kernel::layer_norm::LayerNorm;
use crate::kernel::mean_pool::MeanPool;
use crate::plan::{Dim, Plan, Storage, ValueId};
use crate::tensor::{DType, TensorDesc};

/// Builds the plan of an encoder.
///
/// A run's rows are those of all its sequences, one behind the other: `rows` has the position of each within its sequence, `segments`
/// where each sequence begins and ends, and `wanted`, where a vector is that of one row, which rows those are.
///
/// # Errors
/// A tensor that is missing or has another shape than the metadata says.
pub fn build_encoder(config: &Config, tensors: &[TensorDesc]) -> Result<Plan, ModelError> {
    embedder_from(config, Tensors::of(tensors))
}

fn embedder_from(config: &Config, tensors: Tensors<'_>) -> Result<Plan, ModelError> {
    let (mut builder, x) = encoder_body(config, tensors)?;
    builder.pool(x);
    Ok(builder.plan)
}

/// Builds the plan of an extractive reader: for each token how well it begins and how well it ends the answer. Its inputs are those of
/// [`build_encoder`] without `wanted`, and `types`.
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
    let out = builder.plan.add(Storage::Output, names::EDGES, DType::F32, (Dim::Tokens, 2));
    builder.plan.step_into(Add, &[product, bias], out);
    Ok(builder.plan)
}

/// The plans of every purpose that an encoder of this configuration may serve, over all tensors that any of them may read.
pub(super) fn encoders_of_everything(config: &Config) -> Result<Vec<Plan>, ModelError> {
    let embedder = embedder_from(config, Tensors::Everything)?;
    Ok(vec![embedder, span_reader_from(config, Tensors::Everything)?])
}

/// What every encoder begins with: the embedding and all layers. Gives the rows of the last one.
fn encoder_body<'a>(config: &'a Config, tensors: Tensors<'a>) -> Result<(Builder<'a>, ValueId), ModelError> {
    let options = PlanOptions { context: config.context, max_tokens: 0, kv: DType::F32, head: Head::None };
    let mut builder = Builder::new(config, tensors, options);
    let mut x = builder.encoder_embedding()?;
    for layer in 0..config.layers {
        x = builder.encoder_attention(layer, x)?;
        x = builder.encoder_feed_forward(layer, x)?;
    }
    Ok((builder, x))
}

impl Builder<'_> {
    fn layer_norm(&mut self, x: ValueId, stem: &str, label: &str) -> Result<ValueId, ModelError> {
        let dims = self.plan.value(x).dims.clone();
        let weight = self.vector(&format!("{stem}.weight"), dims.cols())?;
        let bias = self.vector(&format!("{stem}.bias"), dims.cols())?;
        Ok(self.plan.step(LayerNorm { eps: self.config.eps }, &[x, weight, bias], label, dims))
    }

    /// A table of `rows` rows, looked up by a column of an input of the run.
    fn looked_up(
        &mut self,
        (input, column): (ValueId, usize),
        table: &str,
        rows: usize,
        label: &str,
    ) -> Result<ValueId, ModelError> {
        let width = self.config.width;
        let table = self.matrix(table, rows, width)?;
        let lookup = Embedding { scale: 1.0, column };
        Ok(self.plan.step(lookup, &[input, table], label, (Dim::Tokens, width)))
    }

    /// The sum of what the token, its position and its place in a pair of texts say, normalised.
    fn encoder_embedding(&mut self) -> Result<ValueId, ModelError> {
        let vocabulary = self.vocabulary()?;
        let rows = self.rows();
        let token = self.looked_up((rows, Row::TOKEN), names::EMBEDDING, vocabulary, "token")?;
        let (by_position, context) = ((rows, Row::POSITION), self.config.context);
        let position = self.looked_up(by_position, names::POSITION_EMBEDDING, context, "position")?;
        let mut x = self.add(token, position, "x");
        if let Some(types) = self.tensors.rows(names::TYPE_EMBEDDING) {
            let input = self.plan.add(Storage::Input, names::TYPES, DType::U32, (Dim::Tokens, 1));
            let kind = self.looked_up((input, 0), names::TYPE_EMBEDDING, types, "type")?;
            x = self.add(x, kind, "x");
        }
        self.layer_norm(x, "token_embd_norm", "x")
    }

    fn encoder_attention(&mut self, layer: usize, x: ValueId) -> Result<ValueId, ModelError> {
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
        let (rows, segments) = (self.rows(), self.segments());
        let mixed = self.plan.step(op, &[q, k, v, rows, segments], "heads", (Dim::Tokens, cols));
        let stem = format!("blk.{layer}.attn_output");
        let out = self.project(mixed, &stem, config.width, Presence::Optional, "attn")?;
        let x = self.add(x, out, "x");
        self.layer_norm(x, &format!("blk.{layer}.attn_output_norm"), "x")
    }

    fn encoder_feed_forward(&mut self, layer: usize, x: ValueId) -> Result<ValueId, ModelError> {
        let config = self.config;
        let up = self.project(x, &format!("blk.{layer}.ffn_up"), config.ffn, Presence::Optional, "up")?;
        let bent = self.plan.step(Gelu, &[up], "bent", (Dim::Tokens, config.ffn));
        let down =
            self.project(bent, &format!("blk.{layer}.ffn_down"), config.width, Presence::Optional, "ffn")?;
        let x = self.add(x, down, "x");
        self.layer_norm(x, &format!("blk.{layer}.layer_output_norm"), "x")
    }

    /// The mean of each sequence or one of its rows, as a vector of length 1.
    fn pool(&mut self, x: ValueId) {
        let width = self.config.width;
        let pooled = match self.config.encoder.map(|encoder| encoder.pooling) {
            Some(Pooling::First) => self.wanted(x, "pooled"),
            Some(Pooling::Mean) | None => {
                let segments = self.segments();
                self.plan.step(MeanPool, &[x, segments], "pooled", (Dim::Sequences, width))
            }
        };
        let dims = self.plan.value(pooled).dims.clone();
        let out = self.plan.add(Storage::Output, names::EMBEDDINGS, DType::F32, dims);
        self.plan.step_into(L2Norm, &[pooled], out);
    }
}
