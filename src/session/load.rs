//! A model file, chunk by chunk, into an executor.
//!
//! Nothing holds the whole file: the reader names the pieces of each chunk, and a piece goes straight to its weight. Only
//! vectors in another type than F32, and the few tensors that the host itself reads, are gathered first.

use std::sync::Arc;

use super::backend::{self, AdapterHint, BackendChoice, Chosen};
use super::fingerprint::Fingerprint;
use super::{Embedder, Host, Session, SessionError, SpanReader};
use crate::formats::gguf::{GgufReader, Metadata, SplitSet};
use crate::formats::safetensors::SafetensorsReader;
use crate::formats::{Reader, quant};
use crate::model::arch::Body;
use crate::model::blocks::names;
use crate::model::unread::Readable;
use crate::model::{self, Config, Head, ModelError, PlanOptions, hf};
use crate::plan::executor::WeightId;
use crate::plan::{ExecError, Executor, Precision};
use crate::tensor::{DType, TensorDesc};
use crate::tokenizer::Tokenizer;

/// Largest context that a session takes when none is asked for: the caches of most models then stay under 200 MB.
const DEFAULT_CONTEXT: usize = 4096;

/// How to load a model.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Which executor.
    pub backend: BackendChoice,
    /// What the page knows of the adapter.
    pub adapter: Option<AdapterHint>,
    /// Threads of the CPU executor.
    pub threads: Option<usize>,
    /// How the CPU executor multiplies with quantised weights.
    pub precision: Precision,
    /// Type of the KV cache, F16 or F32.
    pub kv: DType,
    /// Positions that the cache holds; what the model was trained for, but at most 4096, by default.
    pub context: Option<usize>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions {
            backend: BackendChoice::Auto,
            adapter: None,
            threads: None,
            precision: Precision::default(),
            kv: DType::F16,
            context: None,
        }
    }
}

/// What the file's head says, known long before its weights have come.
pub(super) struct ModelHead {
    pub config: Config,
    pub tokenizer: Arc<Tokenizer>,
    pub name: String,
    pub chat_template: Option<String>,
    /// What tells the file from others.
    pub fingerprint: u64,
    pub tensors: Vec<TensorDesc>,
    /// Tensors that the host needs, by name.
    pub host_tensors: Vec<(String, Vec<f32>)>,
    pub timings: LoadTimings,
}

/// Where the time of a load went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadTimings {
    /// Work on the header: parsing the metadata.
    pub header_ms: f64,
    /// Building the tokenizer's tables.
    pub tokenizer_ms: f64,
    /// From the loader's making to the last weight on its device.
    pub total_ms: f64,
}

/// Where the bytes of a tensor of the current part go.
enum Target {
    /// Straight to the executor.
    Weight(WeightId),
    /// Gathered, turned into F32, handed over when complete.
    Vector(WeightId, TensorDesc, Vec<u8>),
    /// Gathered for the host.
    Host(TensorDesc, Vec<u8>),
    /// Harmless, and read by no plan.
    Unused,
}

/// Takes in a GGUF file, or the parts of a split one in their order; or a safetensors file, with what lies beside it.
pub struct Loader {
    options: LoadOptions,
    host: Host,
    chosen: Chosen,
    reader: Reader,
    /// Metadata of a safetensors file, which has none itself.
    beside: Option<Metadata>,
    parts: SplitSet,
    /// Every tensor so far, by GGUF's name.
    tensors: Vec<TensorDesc>,
    targets: Vec<Target>,
    head: Option<ModelHead>,
    /// What plans of it read, once the metadata is known.
    readable: Option<Readable>,
    started: f64,
    header_ms: f64,
    /// Bytes since the event loop last ran.
    since_breath: usize,
    /// Of the bytes so far: what is saved of a conversation is of this model alone.
    fingerprint: Fingerprint,
}

/// Bytes after which a loader lets the event loop run, so that an abort is heard: some milliseconds of work.
const BREATH_BYTES: usize = 4 << 20;

impl Loader {
    /// Chooses the executor; the file's length, where known, lets a damaged one be named at its header.
    ///
    /// # Errors
    /// The backend that was forced is not there, or an option makes no sense.
    pub async fn new(options: LoadOptions, host: Host, file_len: Option<u64>) -> Result<Self, SessionError> {
        Self::with(options, host, None, file_len).await
    }

    /// As [`new`](Loader::new), for a safetensors file whose configuration and tokenizer lie beside it.
    ///
    /// # Errors
    /// As [`new`](Loader::new); also files beside it that make no model.
    pub async fn new_safetensors(
        options: LoadOptions,
        host: Host,
        files: &hf::Files,
        file_len: Option<u64>,
    ) -> Result<Self, SessionError> {
        let mut loader = Self::with(options, host, Some(hf::metadata(files)?), file_len).await?;
        // What lies beside the weights belongs to the model as the beginning of a GGUF file does.
        for file in
            [Some(&files.config), Some(&files.tokenizer), files.sentence.as_ref(), files.pooling.as_ref()]
        {
            loader.fingerprint.update(file.map(Vec::as_slice).unwrap_or_default());
        }
        Ok(loader)
    }

    async fn with(
        options: LoadOptions,
        host: Host,
        beside: Option<Metadata>,
        file_len: Option<u64>,
    ) -> Result<Self, SessionError> {
        if !matches!(options.kv, DType::F16 | DType::F32) {
            return Err(SessionError::Option {
                option: "kv",
                expected: "f16 or f32".to_owned(),
                got: options.kv.to_string(),
            });
        }
        let started = host.now();
        let chosen = backend::choose(&options, &host).await?;
        Ok(Loader {
            options,
            host,
            chosen,
            reader: new_reader(beside.is_some(), file_len),
            beside,
            parts: SplitSet::new(),
            tensors: Vec::new(),
            targets: Vec::new(),
            head: None,
            readable: None,
            started,
            header_ms: 0.0,
            since_breath: 0,
            fingerprint: Fingerprint::new(),
        })
    }

    /// Takes in the next bytes of the file; waits while the device has too much to take in.
    ///
    /// # Errors
    /// A damaged file, a model that can't run, a device without room, or an abort.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), SessionError> {
        if self.host.cancel.is_cancelled() {
            return Err(SessionError::Cancelled { operation: "loading" });
        }
        self.fingerprint.update(chunk);
        let before = self.host.now();
        let known = self.reader.tensors().is_some();
        let pieces = self.reader.push(chunk)?;
        if !known {
            self.header_ms += self.host.now() - before;
            if self.reader.tensors().is_some() {
                self.take_header()?;
            }
        }
        for piece in pieces {
            let bytes = &chunk[piece.range];
            let Some(target) = self.targets.get_mut(piece.tensor) else { continue };
            match target {
                Target::Weight(id) => {
                    self.chosen.executor.write_weight(*id, piece.offset, bytes).await?;
                }
                Target::Vector(_, _, gathered) | Target::Host(_, gathered) => {
                    gathered.extend_from_slice(bytes)
                }
                Target::Unused => {}
            }
        }
        self.since_breath += chunk.len();
        if self.since_breath >= BREATH_BYTES {
            self.since_breath = 0;
            (self.host.breathe)().await;
        }
        Ok(())
    }

    /// Ends one part of a split file and begins the next.
    ///
    /// # Errors
    /// The part is not complete.
    pub async fn next_part(&mut self, file_len: Option<u64>) -> Result<(), SessionError> {
        self.finish_part().await?;
        self.reader = new_reader(self.beside.is_some(), file_len);
        Ok(())
    }

    /// Ends the load: every byte has come, the plans are made.
    ///
    /// # Errors
    /// The file is truncated, a tensor is missing, the device has no room, or the model doesn't write text.
    pub async fn finish(self) -> Result<Session, SessionError> {
        let (options, chosen, host, head) = self.complete(Body::Decoder).await?;
        let context = wanted_context(&options, &head.config)?;
        Session::new(chosen, host, head, context, options.kv)
    }

    /// As [`finish`](Loader::finish), for a model that makes embeddings.
    ///
    /// # Errors
    /// As [`finish`](Loader::finish); or the model makes no embeddings.
    pub async fn finish_embedder(self) -> Result<Embedder, SessionError> {
        let (options, chosen, host, head) = self.complete(Body::Encoder).await?;
        let longest = wanted_context(&options, &head.config)?;
        Embedder::new(chosen, host, head, longest, options.precision)
    }

    /// As [`finish`](Loader::finish), for an encoder with a head that marks answers.
    ///
    /// # Errors
    /// As [`finish`](Loader::finish); or the model has no such head.
    pub async fn finish_span_reader(self) -> Result<SpanReader, SessionError> {
        let (options, chosen, host, head) = self.complete(Body::Encoder).await?;
        let longest = wanted_context(&options, &head.config)?;
        SpanReader::new(chosen, host, head, longest)
    }

    /// Whether the model has a head that marks answers, once the header is read.
    pub fn marks_answers(&self) -> bool {
        self.tensors.iter().any(|desc| desc.name.strip_suffix(".weight") == Some(names::EDGE_HEAD))
    }

    /// That every byte of every part has come.
    ///
    /// # Errors
    /// The last part is cut off, or the others of a split model did not come.
    pub fn check_complete(&self) -> Result<(), SessionError> {
        self.reader.finish()?;
        if self.beside.is_none() {
            self.parts.finish()?;
        }
        Ok(())
    }

    async fn complete(
        mut self,
        wanted: Body,
    ) -> Result<(LoadOptions, Chosen, Host, ModelHead), SessionError> {
        self.check_complete()?;
        self.finish_part().await?;
        let Some(mut head) = self.head else {
            return Err(SessionError::Cancelled { operation: "loading" });
        };
        let arch = head.config.arch;
        if arch.body != wanted {
            let (does, expected) = (arch.body.purpose(), wanted.purpose());
            return Err(ModelError::Purpose { got: arch.name, does, expected }.into());
        }
        head.tensors = self.tensors;
        head.fingerprint = self.fingerprint.finish();
        check(&head)?;
        self.chosen.executor.finish_weights().await?;
        head.timings.header_ms = self.header_ms;
        head.timings.total_ms = self.host.now() - self.started;
        Ok((self.options, self.chosen, self.host, head))
    }

    /// What the model does, once the header is read.
    pub fn body(&self) -> Option<Body> {
        self.head.as_ref().map(|head| head.config.arch.body)
    }

    /// Whether the header is read and the tokenizer built.
    pub fn has_header(&self) -> bool {
        self.head.is_some()
    }

    /// Which executor was chosen, and why.
    pub fn backend(&self) -> (crate::plan::BackendInfo, &str) {
        (self.chosen.executor.info(), &self.chosen.reason)
    }

    async fn finish_part(&mut self) -> Result<(), SessionError> {
        self.reader.finish()?;
        for target in std::mem::take(&mut self.targets) {
            match target {
                Target::Weight(_) | Target::Unused => {}
                Target::Vector(id, desc, bytes) => {
                    let values = to_f32(&desc, &bytes)?;
                    let bytes = bytemuck::cast_slice(&values);
                    self.chosen.executor.write_weight(id, 0, bytes).await?;
                }
                Target::Host(desc, bytes) => {
                    let values = to_f32(&desc, &bytes)?;
                    if let Some(head) = &mut self.head {
                        head.host_tensors.push((desc.name, values));
                    }
                }
            }
        }
        Ok(())
    }

    /// The header of a part is there: the first one also has the metadata.
    fn take_header(&mut self) -> Result<(), SessionError> {
        let metadata = match (&self.beside, self.reader.gguf()) {
            (Some(beside), _) => beside,
            (None, Some(header)) => {
                self.parts.add(header)?;
                &header.metadata
            }
            (None, None) => return Ok(()),
        };
        let first = match self.head {
            None => Some(read_head(metadata, &self.host)?),
            Some(_) => None,
        };
        let readable = match (&first, &mut self.readable) {
            (Some(head), readable) => readable.insert(Readable::of(&head.config)?),
            (None, Some(readable)) => readable,
            (None, None) => return Ok(()),
        };
        // Everything that can be refused is refused before memory is taken and anybody waits for weights.
        let descs = readable.tensors_of(&self.reader)?;
        self.tensors.extend(descs.iter().flatten().cloned());
        if let Some(head) = first.or_else(|| self.head.take()) {
            let whole = self.beside.is_some() || self.parts.missing() == 0;
            let tensors = whole.then(|| self.tensors.clone());
            self.head = Some(examine(head, tensors, &self.options)?);
        }
        for desc in descs {
            self.targets.push(match desc {
                Some(desc) => target(&mut self.chosen.executor, &desc)?,
                None => Target::Unused,
            });
        }
        Ok(())
    }
}

/// Refuses what can't run; without tensors, what can be said without them.
pub(super) fn examine(
    mut head: ModelHead,
    tensors: Option<Vec<TensorDesc>>,
    options: &LoadOptions,
) -> Result<ModelHead, SessionError> {
    let context = wanted_context(options, &head.config)?;
    if let Some(tensors) = tensors {
        head.tensors = tensors;
        check(&head)?;
        let plan = PlanOptions { context, max_tokens: 1, kv: options.kv, head: Head::Logits };
        match head.config.arch.body {
            Body::Decoder => model::build(&head.config, &head.tensors, plan)?,
            Body::Encoder => model::build_encoder(&head.config, &head.tensors, 1)?,
        };
    }
    Ok(head)
}

pub(super) fn new_reader(safetensors: bool, file_len: Option<u64>) -> Reader {
    if safetensors {
        let reader = file_len.map_or_else(SafetensorsReader::new, SafetensorsReader::with_file_len);
        Reader::Safetensors(reader)
    } else {
        Reader::Gguf(file_len.map_or_else(GgufReader::new, GgufReader::with_file_len))
    }
}

/// Positions that the caches are to hold; tokens that an encoder's texts are cut to.
pub(super) fn wanted_context(options: &LoadOptions, config: &Config) -> Result<usize, SessionError> {
    let default = config.encoder.map_or(config.context.min(DEFAULT_CONTEXT), |encoder| encoder.max_tokens);
    let wanted = options.context.unwrap_or(default);
    if wanted < 2 || wanted > config.context {
        return Err(SessionError::Option {
            option: "context",
            expected: format!("2 to {}, the model's", config.context),
            got: wanted.to_string(),
        });
    }
    Ok(wanted)
}

/// The metadata of a model: configuration and tokenizer.
pub(super) fn read_head(metadata: &Metadata, host: &Host) -> Result<ModelHead, SessionError> {
    let config = Config::from_metadata(metadata)?;
    let before = host.now();
    let tokenizer = Arc::new(Tokenizer::from_metadata(metadata)?);
    let timings = LoadTimings { tokenizer_ms: host.now() - before, ..LoadTimings::default() };
    let name: Option<&str> = metadata.get("general.name").map_err(ModelError::from)?;
    let chat_template: Option<&str> = metadata.get("tokenizer.chat_template").map_err(ModelError::from)?;
    Ok(ModelHead {
        name: name.unwrap_or(config.arch.name).to_owned(),
        chat_template: chat_template.map(str::to_owned),
        fingerprint: 0,
        config,
        tokenizer,
        tensors: Vec::new(),
        host_tensors: Vec::new(),
        timings,
    })
}

/// What the builder of plans can't see: the vocabulary has a row of the embedding table for each token, and the factors on RoPE's
/// frequencies fit them.
fn check(head: &ModelHead) -> Result<(), ModelError> {
    let vocabulary = head.tokenizer.vocab_size() as usize;
    if let Some(table) = head.tensors.iter().find(|desc| desc.name == names::EMBEDDING)
        && table.shape.rows() != vocabulary
    {
        return Err(ModelError::TensorShape {
            name: table.name.clone(),
            expected: format!("[{vocabulary}, {}], a row for each token", head.config.width),
            got: table.shape.to_string(),
        });
    }
    let Some((name, factors)) = head.host_tensors.iter().find(|(name, _)| name == names::ROPE_FACTORS) else {
        return Ok(());
    };
    let pairs = head.config.rope_dims / 2;
    if factors.len() != pairs {
        let got = format!("[{}]", factors.len());
        return Err(ModelError::TensorShape { name: name.clone(), expected: format!("[1, {pairs}]"), got });
    }
    match factors.iter().find(|factor| !(factor.is_finite() && **factor > 0.0)) {
        None => Ok(()),
        Some(got) => Err(ModelError::Value {
            key: name.clone(),
            expected: "positive numbers".to_owned(),
            got: got.to_string(),
        }),
    }
}

/// Reserves room for a tensor.
fn target(executor: &mut impl Executor, desc: &TensorDesc) -> Result<Target, ExecError> {
    if desc.name == names::ROPE_FACTORS {
        return Ok(Target::Host(desc.clone(), Vec::new()));
    }
    if desc.shape.rows() == 1 && desc.dtype != DType::F32 {
        let vector = TensorDesc { dtype: DType::F32, ..desc.clone() };
        return Ok(Target::Vector(executor.add_weight(&vector)?, desc.clone(), Vec::new()));
    }
    Ok(Target::Weight(executor.add_weight(desc)?))
}

/// A gathered tensor as numbers.
fn to_f32(desc: &TensorDesc, bytes: &[u8]) -> Result<Vec<f32>, SessionError> {
    let mut values = vec![0.0; desc.shape.elements().unwrap_or(0)];
    quant::dequantise(desc.dtype, bytes, &mut values).map_err(|error| ExecError::Mismatch {
        operation: "load",
        name: desc.name.clone(),
        expected: format!("{} {}", desc.dtype, desc.shape),
        got: error.to_string(),
    })?;
    Ok(values)
}
