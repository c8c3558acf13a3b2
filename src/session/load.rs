//! A model file, chunk by chunk, into an executor.
//!
//! Nothing holds the whole file: the reader names the pieces of each chunk, and a piece goes straight to its weight. Only
//! vectors in another type than F32, and the few tensors that the host itself reads, are gathered first.

use super::backend::{self, AdapterHint, BackendChoice, Chosen};
use super::fingerprint::Fingerprint;
use super::header::{self, ModelHeader};
use super::{Host, Model, SessionError};
use crate::formats::gguf::{Metadata, SplitSet};
use crate::formats::{Reader, quant};
use crate::model::blocks::names;
use crate::model::hf;
use crate::model::unread::Readable;
use crate::plan::executor::WeightId;
use crate::plan::{ExecError, Executor, Precision};
use crate::tensor::{DType, TensorDesc};
use crate::trace::{InSpan, Span, span};

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
    /// Gathered for the host, which makes RoPE's tables.
    RopeFactors(TensorDesc, Vec<u8>),
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
    header: Option<ModelHeader>,
    /// What plans of it read, once the metadata is known.
    readable: Option<Readable>,
    started: f64,
    header_ms: f64,
    /// Bytes since the event loop last ran.
    since_breath: usize,
    /// Of the bytes so far: what is saved of a conversation is of this model alone.
    fingerprint: Fingerprint,
    span: Span,
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
        let span = span!("load");
        let chosen = backend::choose(&options, &host).in_span(span.clone()).await?;
        Ok(Loader {
            options,
            host,
            chosen,
            reader: header::reader(beside.is_some(), file_len),
            beside,
            parts: SplitSet::new(),
            tensors: Vec::new(),
            targets: Vec::new(),
            header: None,
            readable: None,
            started,
            header_ms: 0.0,
            since_breath: 0,
            fingerprint: Fingerprint::new(),
            span,
        })
    }

    /// Takes in the next bytes of the file; waits while the device has too much to take in.
    ///
    /// # Errors
    /// A damaged file, a model that can't run, a device without room, or an abort.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), SessionError> {
        let span = self.chunk_span(chunk.len());
        self.take(chunk).in_span(span).await
    }

    /// Of a chunk: of the weights, once the header is there.
    fn chunk_span(&self, bytes: usize) -> Span {
        let _load = self.span.clone().entered();
        match self.reader.tensors() {
            None => span!("header", bytes = bytes),
            Some(_) => span!("weights", bytes = bytes),
        }
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), SessionError> {
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
                Target::Vector(_, _, gathered) | Target::RopeFactors(_, gathered) => {
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
        self.reader = header::reader(self.beside.is_some(), file_len);
        Ok(())
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

    /// Ends the load: every byte has come, and the weights are on their device.
    ///
    /// # Errors
    /// A file is cut off, its vocabulary or factors do not fit its tensors, or the device has no room.
    pub async fn finish(self) -> Result<Model, SessionError> {
        let span = self.span.clone();
        self.complete().in_span(span).await
    }

    async fn complete(mut self) -> Result<Model, SessionError> {
        self.check_complete()?;
        self.finish_part().await?;
        let Some(mut header) = self.header else {
            return Err(SessionError::Cancelled { operation: "loading" });
        };
        header.tensors = self.tensors;
        header.fingerprint = self.fingerprint.finish();
        header.check()?;
        self.chosen.executor.finish_weights().await?;
        header.timings.header_ms = self.header_ms;
        header.timings.total_ms = self.host.now() - self.started;
        Model::new(self.chosen, self.host, header, &self.options, self.span)
    }

    /// Whether the header is read and the tokenizer built.
    pub fn has_header(&self) -> bool {
        self.header.is_some()
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
                Target::RopeFactors(desc, bytes) => {
                    let factors = to_f32(&desc, &bytes)?;
                    if let Some(header) = &mut self.header {
                        header.rope_factors = Some(factors);
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
        let first = match self.header {
            None => Some(ModelHeader::read(metadata, &self.host)?),
            Some(_) => None,
        };
        let readable = match (&first, &mut self.readable) {
            (Some(header), readable) => readable.insert(Readable::of(&header.config)?),
            (None, Some(readable)) => readable,
            (None, None) => return Ok(()),
        };
        // Everything that can be refused is refused before memory is taken and anybody waits for weights.
        let descs = readable.tensors_of(&self.reader)?;
        self.tensors.extend(descs.iter().flatten().cloned());
        if let Some(header) = first.or_else(|| self.header.take()) {
            let whole = self.beside.is_some() || self.parts.missing() == 0;
            let tensors = whole.then(|| self.tensors.clone());
            self.header = Some(header.examine(tensors, &self.options)?);
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

/// Reserves room for a tensor.
fn target(executor: &mut impl Executor, desc: &TensorDesc) -> Result<Target, ExecError> {
    if desc.name == names::ROPE_FACTORS {
        return Ok(Target::RopeFactors(desc.clone(), Vec::new()));
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
