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
    /// When the event loop last ran, as far as this model knows.
    breathed_at: f64,
}

/// Milliseconds after which a run is not begun before the event loop has run: what is left of a slice would be too short.
const DUE_MS: f64 = SLICE_MS * 0.75;

impl Loaded {
    pub fn new(chosen: Chosen, host: Host, head: ModelHead) -> Self {
        Loaded {
            breathed_at: host.now(),
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
        let bytes = self.tensors.iter().filter_map(TensorDesc::bytes);
        SessionInfo {
            name: self.name.clone(),
            architecture: self.config.arch.name,
            parameters: self.tensors.iter().map(|desc| desc.shape.count()).sum(),
            weight_bytes: bytes.map(|bytes| bytes as u64).sum(),
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
    /// not left. `operation` is what an abort has ended. Runs that follow each other share a slice, so that an abort is heard however
    /// short each of them is.
    pub async fn run(
        &mut self,
        plan: PlanId,
        extent: Extent,
        operation: &'static str,
    ) -> Result<f64, SessionError> {
        self.pause(operation).await?;
        self.executor.begin(plan, extent)?;
        let mut longest: f64 = 0.0;
        loop {
            let before = self.host.now();
            let left = (SLICE_MS - (before - self.breathed_at)).clamp(1.0, SLICE_MS);
            let progress = self.executor.advance(left).await?;
            longest = longest.max(self.host.now() - before);
            if progress == Progress::Done {
                return Ok(longest);
            }
            self.breathe().await;
            self.check_cancel(operation)?;
        }
    }

    /// Between two pieces of work: lets the event loop run where it is time, and ends the work where somebody asked for that.
    pub async fn pause(&mut self, operation: &'static str) -> Result<(), SessionError> {
        self.breathe_if_due().await;
        self.check_cancel(operation)
    }

    /// Lets the event loop run where it is time, in work that can't be ended halfway.
    pub async fn breathe_if_due(&mut self) {
        if self.host.now() - self.breathed_at >= DUE_MS {
            self.breathe().await;
        }
    }

    async fn breathe(&mut self) {
        (self.host.breathe)().await;
        self.breathed_at = self.host.now();
    }

    fn check_cancel(&self, operation: &'static str) -> Result<(), SessionError> {
        match self.host.cancel.is_cancelled() {
            true => Err(SessionError::Cancelled { operation }),
            false => Ok(()),
        }
    }
}
