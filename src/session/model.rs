//! What a model's files become: weights on a device, plans over them, the vocabulary, and where all of it runs.
//!
//! Whatever is made of a model runs its plans through here: the only place where a run is submitted, driven and taken.

use std::sync::Arc;

use super::backend::Chosen;
use super::header::ModelHeader;
use super::{AnyExecutor, CancelFlag, Host, LoadOptions, LoadTimings, SessionError, score};
use crate::model::arch::Body;
use crate::model::blocks::names;
use crate::model::{self, Config, Head, ModelError, PlanOptions, rope};
use crate::plan::executor::{MemoryUse, PlanId, Submit, Ticket};
use crate::plan::{BackendInfo, ExecError, Executor, Extent, Plan, Precision, Progress, Storage, ValueId};
use crate::tensor::{DType, TensorDesc};
use crate::tokenizer::Tokenizer;
use crate::trace::{Span, span};

/// Most tokens of a prompt that one run takes.
pub const MAX_CHUNK: usize = 64;
/// What the plans end with that a decoder has from the start: a missing tensor or a lack of room shows then.
pub(super) const LOADED_HEADS: [Head; 2] = [Head::None, Head::Greedy];
/// Milliseconds after which a run is left, so that an abort is heard.
const SLICE_MS: f64 = 40.0;
/// Milliseconds after which a run is not begun before the event loop has run: what is left of a slice would be too short.
const DUE_MS: f64 = SLICE_MS * 0.75;

/// A model whose weights are on its device. It becomes a [`Session`](super::Session), an [`Embedder`](super::Embedder) or a
/// [`SpanReader`](super::SpanReader), as its [`kind`](Model::kind) allows.
pub struct Model {
    executor: AnyExecutor,
    /// Why that executor.
    reason: String,
    pub(super) host: Host,
    pub(super) config: Config,
    pub(super) name: String,
    pub(super) tensors: Vec<TensorDesc>,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) chat_template: Option<String>,
    /// What tells the model's files from others.
    pub(super) fingerprint: u64,
    rope_factors: Option<Vec<f32>>,
    timings: LoadTimings,
    /// Positions that caches hold; tokens that an encoder's texts are cut to.
    pub(super) context: usize,
    /// Type of the KV cache.
    pub(super) kv: DType,
    pub(super) precision: Precision,
    /// Plans of a decoder by what they end with; made when first needed.
    plans: Vec<(Head, Prepared)>,
    /// Its caches.
    states: Vec<State>,
    /// The run that nobody has taken.
    current: Option<Ticket>,
    /// What the last run that was taken has told of numbers that are none.
    fault: Option<usize>,
    /// Of the load, until what is made of the model is ready.
    loading: Option<Span>,
    /// When the event loop last ran, as far as this model knows.
    breathed_at: f64,
}

/// An input of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// What each row is.
    Rows,
    /// Which rows each sequence has.
    Segments,
    /// Rows whose outcome is wanted.
    Wanted,
    /// Which text of a pair each row belongs to.
    Types,
}

impl Input {
    const ALL: [Input; 4] = [Input::Rows, Input::Segments, Input::Wanted, Input::Types];

    const fn name(self) -> &'static str {
        match self {
            Input::Rows => names::ROWS,
            Input::Segments => names::SEGMENTS,
            Input::Wanted => names::WANTED,
            Input::Types => names::TYPES,
        }
    }
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// It writes text.
    Decoder,
    /// It makes embeddings.
    Encoder,
    /// It makes embeddings, and has a head that marks answers.
    SpanReader,
}

/// Facts about a model, for people and pages.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Name in the file.
    pub name: String,
    /// Architecture.
    pub architecture: &'static str,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of weights in the file.
    pub weight_bytes: u64,
    /// Size of the vocabulary.
    pub vocabulary: usize,
    /// Positions that the cache holds; tokens that an encoder's texts are cut to.
    pub context: usize,
    /// Positions that the model was trained for.
    pub trained_context: usize,
    /// Type of the cache; F32 where there is none.
    pub kv: DType,
    /// Elements of an embedding; `None` for a model that is made for something else.
    pub dimensions: Option<usize>,
    /// Whether the file brings a chat template, and the model writes text.
    pub chat: bool,
    /// Executor and device.
    pub backend: BackendInfo,
    /// Why that executor.
    pub reason: String,
    /// Where the time of the load went.
    pub timings: LoadTimings,
}

/// A plan that can run, with the value that the host reads after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared {
    plan: PlanId,
    output: Option<ValueId>,
    /// Those of [`Input::ALL`] that the plan has.
    inputs: [Option<ValueId>; Input::ALL.len()],
}

/// A run that was done, or is on its device whole; its output may be taken until the next one is submitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    ticket: Ticket,
    pub extent: Extent,
    /// Longest time that the device was not left.
    pub longest_ms: f64,
}

/// A value that lives across runs.
#[derive(Clone, Debug)]
pub(super) struct State {
    name: String,
    plan: PlanId,
    value: ValueId,
}

impl Model {
    pub(super) fn new(
        chosen: Chosen,
        host: Host,
        header: ModelHeader,
        options: &LoadOptions,
        span: Span,
    ) -> Result<Self, SessionError> {
        let context = header.wanted_context(options)?;
        Ok(Model {
            breathed_at: host.now(),
            executor: chosen.executor,
            reason: chosen.reason,
            host,
            config: header.config,
            name: header.name,
            tensors: header.tensors,
            tokenizer: header.tokenizer,
            chat_template: header.chat_template,
            fingerprint: header.fingerprint,
            rope_factors: header.rope_factors,
            timings: header.timings,
            context,
            kv: options.kv,
            precision: options.precision,
            plans: Vec::new(),
            states: Vec::new(),
            current: None,
            fault: None,
            loading: Some(span),
        })
    }

    /// What is made of it is ready.
    pub(super) fn end_loading(&mut self) {
        self.loading = None;
    }

    /// What it does.
    pub fn kind(&self) -> ModelKind {
        let marks = |desc: &TensorDesc| desc.name.strip_suffix(".weight") == Some(names::EDGE_HEAD);
        match self.config.arch.body {
            Body::Decoder => ModelKind::Decoder,
            Body::Encoder if self.tensors.iter().any(marks) => ModelKind::SpanReader,
            Body::Encoder => ModelKind::Encoder,
        }
    }

    /// Facts for people.
    pub fn info(&self) -> ModelInfo {
        let bytes = self.tensors.iter().filter_map(TensorDesc::bytes);
        let kind = self.kind();
        let writes = kind == ModelKind::Decoder;
        ModelInfo {
            name: self.name.clone(),
            architecture: self.config.arch.name,
            parameters: self.tensors.iter().map(|desc| desc.shape.count()).sum(),
            weight_bytes: bytes.map(|bytes| bytes as u64).sum(),
            vocabulary: self.tokenizer.vocab_size() as usize,
            context: self.context,
            trained_context: self.config.context,
            kv: if writes { self.kv } else { DType::F32 },
            dimensions: (kind == ModelKind::Encoder).then_some(self.config.width),
            chat: writes && self.chat_template.is_some(),
            backend: self.executor.info(),
            reason: self.reason.clone(),
            timings: self.timings,
        }
    }

    /// Where the bytes are.
    pub fn memory(&self) -> MemoryUse {
        self.executor.memory()
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The flag that ends whatever this model is doing.
    pub fn cancel_flag(&self) -> CancelFlag {
        self.host.cancel.clone()
    }

    /// That it can be made into something that needs this body.
    ///
    /// # Errors
    /// It is of the other kind.
    pub(super) fn expect(&self, wanted: Body) -> Result<(), ModelError> {
        let arch = self.config.arch;
        if arch.body == wanted {
            return Ok(());
        }
        Err(ModelError::Purpose { got: arch.name, does: arch.body.purpose(), expected: wanted.purpose() })
    }

    /// Whether the caches hold the prompt and a token more, and the vocabulary has all of it.
    pub(super) fn check_prompt(&self, ids: &[u32]) -> Result<(), SessionError> {
        let vocabulary = self.tokenizer.vocab_size();
        if ids.is_empty() || ids.iter().any(|&id| id >= vocabulary) {
            return Err(SessionError::Option {
                option: "prompt",
                expected: format!("at least one token, all below {vocabulary}"),
                got: format!("{} tokens", ids.len()),
            });
        }
        if ids.len() >= self.context {
            return Err(SessionError::Context {
                what: "the prompt",
                needed: ids.len() + 1,
                context: self.context,
                advice: "shorten the prompt or load the model with a larger context",
            });
        }
        Ok(())
    }

    /// Most tokens that a run of a decoder takes.
    pub(super) fn max_tokens(&self) -> usize {
        MAX_CHUNK.min(self.context)
    }

    /// Slots of the cache of a layer: all positions, or a ring.
    pub(super) fn slots(&self, layer: usize) -> usize {
        self.plan_options(Head::None).slots(&self.config, layer)
    }

    fn plan_options(&self, head: Head) -> PlanOptions {
        PlanOptions { context: self.context, max_tokens: self.max_tokens(), kv: self.kv, head }
    }

    /// Makes a plan ready for runs of up to `largest`; `output` is the name of what the host takes of them.
    pub(super) fn prepare(
        &mut self,
        plan: &Plan,
        output: Option<&str>,
        largest: Extent,
    ) -> Result<Prepared, SessionError> {
        let missing =
            |name: &str| ExecError::Unknown { operation: "prepare", what: "output", name: name.to_owned() };
        let output = output.map(|name| plan.find(name).ok_or_else(|| missing(name))).transpose()?;
        let _loading = self.loading.as_ref().map(|span| span.clone().entered());
        let inputs = Input::ALL.map(|input| plan.find(input.name()));
        Ok(Prepared { plan: self.executor.prepare(plan, largest)?, output, inputs })
    }

    /// The decoder's plan that ends with `head`, made when first asked for.
    pub(super) fn prepared(&mut self, head: Head) -> Result<Prepared, SessionError> {
        if let Some((_, prepared)) = self.plans.iter().find(|(known, _)| *known == head) {
            return Ok(*prepared);
        }
        let mut plan = model::build(&self.config, &self.tensors, self.plan_options(head))?;
        plan.fuse(self.executor.fused());
        let (output, max_tokens) = match head {
            Head::None => (None, self.max_tokens()),
            Head::Logits => (Some(names::LOGITS), self.max_tokens()),
            Head::AllLogits => (Some(names::LOGITS), score::CHUNK.min(self.max_tokens())),
            Head::Greedy => (Some(names::TOKEN), self.max_tokens()),
        };
        let largest = Extent { keys: self.context, ..Extent::tokens(max_tokens) };
        let prepared = self.prepare(&plan, output, largest)?;
        if self.states.is_empty() {
            let values = plan.values.iter().enumerate();
            let states = values.filter(|(_, value)| value.storage == Storage::State);
            self.states = states
                .map(|(index, value)| State {
                    name: value.name.clone(),
                    plan: prepared.plan,
                    value: ValueId(index as u32),
                })
                .collect();
        }
        self.plans.push((head, prepared));
        Ok(prepared)
    }

    /// Makes ready what a decoder needs in any case: plans, caches, RoPE's tables.
    ///
    /// # Errors
    /// It is none, a tensor is missing, or the device has no room.
    pub(super) fn prepare_decoder(&mut self) -> Result<(), SessionError> {
        self.expect(Body::Decoder)?;
        for head in LOADED_HEADS {
            self.prepared(head)?;
        }
        let config = &self.config;
        let local = config.local.as_ref().map(|local| (names::ROPE_LOCAL, local.rope_base, 1.0, None));
        let factors = self.rope_factors.as_deref();
        let global = (names::ROPE_GLOBAL, config.rope_base, config.rope_scaling.linear, factors);
        for (name, base, linear, factors) in local.into_iter().chain([global]) {
            let is_used =
                (0..config.layers).any(|layer| config.is_local(layer) == (name == names::ROPE_LOCAL));
            if is_used {
                let table = rope::table(self.context, config.rope_dims, base, linear, factors);
                self.executor.write(name, bytemuck::cast_slice(&table))?;
            }
        }
        Ok(())
    }

    /// Runs a plan over inputs, of which those that the plan does not have are left out, letting the event loop in between. `operation`
    /// is what an abort has ended. Runs that follow each other share a slice, so that an abort is heard however short each of them is.
    pub(super) async fn run(
        &mut self,
        prepared: Prepared,
        extent: Extent,
        inputs: &[(Input, &[u8])],
        operation: &'static str,
    ) -> Result<Run, SessionError> {
        // Of a run that was left on its way, or that nobody has taken.
        if let Some(left) = self.current.take() {
            self.executor.cancel(left);
        }
        self.pause(operation).await?;
        let given: Vec<(ValueId, &[u8])> = inputs
            .iter()
            .filter_map(|&(input, bytes)| Some((prepared.inputs[input as usize]?, bytes)))
            .collect();
        let submit =
            Submit { plan: prepared.plan, extent, inputs: &given, outputs: prepared.output.as_slice() };
        let _submit = span!(
            "submit",
            plan = prepared.plan.0,
            tokens = extent.tokens,
            position = extent.keys.saturating_sub(extent.tokens),
            operation = operation
        );
        let ticket = self.executor.submit(submit)?;
        self.current = Some(ticket);
        let mut longest_ms: f64 = 0.0;
        loop {
            let before = self.host.now();
            let left = (SLICE_MS - (before - self.breathed_at)).clamp(1.0, SLICE_MS);
            let progress = self.executor.advance(ticket, left).await?;
            longest_ms = longest_ms.max(self.host.now() - before);
            if progress == Progress::Done {
                return Ok(Run { ticket, extent, longest_ms });
            }
            self.breathe().await;
            self.check_cancel(operation)?;
        }
    }

    /// The output of a run, before another is submitted.
    pub(super) async fn take(&mut self, run: Run) -> Result<Vec<u8>, SessionError> {
        self.current = None;
        let finished = self.executor.take(run.ticket).await?;
        self.fault = finished.fault;
        let missing =
            || ExecError::Unknown { operation: "take", what: "output", name: "of a plan without one".into() };
        Ok(finished.outputs.into_iter().next().ok_or_else(missing)?)
    }

    /// The state with this name of a decoder whose plans are prepared.
    pub(super) fn state(&self, name: &str) -> Result<State, SessionError> {
        let missing = || ExecError::Unknown { operation: "prepare", what: "state", name: name.to_owned() };
        Ok(self.states.iter().find(|state| state.name == name).ok_or_else(missing)?.clone())
    }

    /// All bytes of a state.
    pub(super) async fn read_state(&mut self, state: &State) -> Result<Vec<u8>, SessionError> {
        Ok(self.executor.read_state(state.plan, state.value).await?)
    }

    /// Writes bytes of a state from `offset` on.
    pub(super) fn write_state(
        &mut self,
        state: &State,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), SessionError> {
        Ok(self.executor.write_at(&state.name, offset, bytes)?)
    }

    /// The lowest position whose keys or values are no numbers, as far as the run that was taken last has told.
    pub(super) fn fault(&self) -> Option<usize> {
        self.fault
    }

    /// The same of all runs so far.
    pub(super) async fn find_fault(&mut self) -> Result<Option<usize>, SessionError> {
        Ok(self.executor.find_fault().await?)
    }

    /// Those positions will be written again, or never be read.
    pub(super) fn forget_fault(&mut self) {
        self.executor.forget_fault();
        self.fault = None;
    }

    /// Between two pieces of work: lets the event loop run where it is time, and ends the work where somebody asked for that.
    pub(super) async fn pause(&mut self, operation: &'static str) -> Result<(), SessionError> {
        self.breathe_if_due().await;
        self.check_cancel(operation)
    }

    /// Lets the event loop run where it is time, in work that can't be ended halfway.
    pub(super) async fn breathe_if_due(&mut self) {
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
