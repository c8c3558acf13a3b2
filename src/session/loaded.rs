//! What every loaded model has: what it is, where it runs, and how a run is driven.

use std::sync::Arc;

use super::backend::Chosen;
use super::load::ModelHead;
use super::{AnyExecutor, Host, LoadTimings, SLICE_MS, SessionError, SessionInfo};
use crate::model::Config;
use crate::plan::executor::PlanId;
use crate::plan::{Executor, Extent, Progress};
use crate::tensor::{DType, TensorDesc};
use crate::tokenizer::Tokenizer;

/// A model whose weights are on its device.
pub(super) struct Loaded {
    pub executor: AnyExecutor,
    /// Why that executor.
    pub reason: String,
    pub host: Host,
    pub config: Config,
    pub name: String,
    pub tensors: Vec<TensorDesc>,
    pub tokenizer: Arc<Tokenizer>,
    pub timings: LoadTimings,
}

impl Loaded {
    pub fn new(chosen: Chosen, host: Host, head: ModelHead) -> Self {
        Loaded {
            executor: chosen.executor,
            reason: chosen.reason,
            host,
            config: head.config,
            name: head.name,
            tensors: head.tensors,
            tokenizer: head.tokenizer,
            timings: head.timings,
        }
    }

    /// Facts for people, of a model that takes so many tokens and keeps nothing of them.
    pub fn info(&self, context: usize) -> SessionInfo {
        let weights = |count: fn(&TensorDesc) -> Option<usize>| self.tensors.iter().filter_map(count).sum();
        SessionInfo {
            name: self.name.clone(),
            architecture: self.config.arch.name,
            parameters: weights(|desc| desc.shape.elements()),
            weight_bytes: weights(TensorDesc::bytes),
            vocabulary: self.tokenizer.vocab_size() as usize,
            context,
            trained_context: self.config.context,
            kv: DType::F32,
            dimensions: None,
            chat: false,
            backend: self.executor.info(),
            reason: self.reason.clone(),
            timings: self.timings,
        }
    }

    /// Whether a weight is there.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.iter().any(|desc| desc.name == name)
    }

    /// Runs a plan whose inputs are written, letting the event loop in between; the longest time in milliseconds that the device was
    /// not left. `operation` is what an abort has ended.
    pub async fn run(
        &mut self,
        plan: PlanId,
        extent: Extent,
        operation: &'static str,
    ) -> Result<f64, SessionError> {
        self.executor.begin(plan, extent)?;
        let mut longest: f64 = 0.0;
        loop {
            let before = self.host.now();
            let progress = self.executor.advance(SLICE_MS).await?;
            longest = longest.max(self.host.now() - before);
            if progress == Progress::Done {
                return Ok(longest);
            }
            (self.host.breathe)().await;
            if self.host.cancel.is_cancelled() {
                return Err(SessionError::Cancelled { operation });
            }
        }
    }
}
