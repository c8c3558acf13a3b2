//! What loading a model would take, from the first bytes of its file: memory, backend, the context that fits, the speed to expect,
//! or why it would fail.

use super::backend::{self, Chosen};
use super::header::{self, ModelHeader};
use super::model::LOADED_HEADS;
use super::{Host, LoadOptions, MAX_CHUNK, SessionError, embed, probe};
use crate::cpu::CpuExecutor;
use crate::formats::Reader;
use crate::formats::gguf::{Metadata, SplitSet};
use crate::kernel::FusedKind;
use crate::model::arch::Body;
use crate::model::blocks::names;
use crate::model::unread::Readable;
use crate::model::{self, Config, Head, ModelError, PlanOptions, hf};
use crate::plan::executor::BackendKind;
use crate::plan::{BackendInfo, ExecError, Executor, Extent, Plan, Storage, ValueId, memory};
use crate::tensor::{DType, TensorDesc};

/// Bytes that a 32-bit address space has for a model: WebAssembly's 4 GiB, less what is not the model's.
const ADDRESS_SPACE: u64 = (4 << 30) - (128 << 20);

/// What is known of a model before its weights are fetched. Fields are empty where a file is so far from one that nothing can be said.
#[derive(Debug, Default)]
pub struct Forecast {
    /// Why it would not load.
    pub failure: Option<SessionError>,
    /// `general.architecture`.
    pub architecture: String,
    /// Name in the file.
    pub name: String,
    /// How its weights are quantised, as files are called: `Q4_K_M`, `F16`.
    pub quantisation: String,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of the file, or of all its parts.
    pub file_bytes: u64,
    /// Bytes that the loaded model holds: weights, caches, temporaries, the tokenizer's tables.
    pub memory_bytes: u64,
    /// Which executor, on which device.
    pub backend: Option<BackendInfo>,
    /// Why that one.
    pub reason: String,
    /// Positions that it would hold.
    pub context: usize,
    /// Positions that it was trained for.
    pub trained_context: usize,
    /// Whether it has a chat template.
    pub chat: bool,
    /// Tokens of an answer per second, as far as a short measurement tells.
    pub tokens_per_second: Option<f64>,
}

/// Takes in the first bytes of a model file, or of each part of a split one in their order.
pub struct Forecaster {
    options: LoadOptions,
    host: Host,
    beside: Option<Metadata>,
    reader: Reader,
    /// Of the current part.
    file_len: Option<u64>,
    /// The parts before the current one, and their lengths together.
    parts: SplitSet,
    /// Their tensors that a plan reads, by GGUF's names; all of them, where the metadata makes no model.
    tensors: Vec<TensorDesc>,
    /// What plans read, once the metadata is known.
    readable: Option<Readable>,
    file_bytes: u64,
    chosen: Option<Chosen>,
    failure: Option<SessionError>,
    /// Whether more bytes would say no more.
    broken: bool,
}

impl Forecaster {
    /// Chooses the backend as a load would. What fails is a part of the forecast.
    pub async fn new(
        options: LoadOptions,
        host: Host,
        files: Option<&hf::Files>,
        file_len: Option<u64>,
    ) -> Self {
        let mut failure = None;
        let beside =
            files.and_then(|files| hf::metadata(files).map_err(|error| failure = Some(error.into())).ok());
        let chosen = match backend::choose(&options, &host).await {
            Ok(chosen) => Some(chosen),
            Err(error) => {
                failure.get_or_insert(error);
                None
            }
        };
        let reader = header::reader(files.is_some(), file_len);
        Forecaster {
            options,
            host,
            beside,
            reader,
            file_len,
            parts: SplitSet::new(),
            tensors: Vec::new(),
            readable: None,
            file_bytes: 0,
            chosen,
            failure,
            broken: false,
        }
    }

    /// Takes in the next bytes; whether that is all that is needed.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        if self.is_complete() {
            return true;
        }
        if let Err(error) = self.reader.push(chunk) {
            self.failure.get_or_insert(error.into());
            self.broken = true;
        }
        self.is_complete()
    }

    /// Ends the beginning of one part of a split file and begins that of the next.
    pub fn next_part(&mut self, file_len: Option<u64>) {
        self.end_part();
        self.reader = header::reader(self.beside.is_some(), file_len);
        self.file_len = file_len;
    }

    /// Whether no more bytes of this part are needed.
    pub fn is_complete(&self) -> bool {
        self.broken || self.reader.tensors().is_some()
    }

    /// The forecast. With a `probe` the backend works for about 100 ms.
    pub async fn finish(mut self, probe: bool) -> Forecast {
        let mut forecast = Forecast::default();
        if let Some(Chosen { executor, reason }) = &self.chosen {
            (forecast.backend, forecast.reason) = (Some(executor.info()), reason.clone());
        }
        self.end_part();
        if self.beside.is_none()
            && let Err(error) = self.parts.finish()
        {
            self.failure.get_or_insert(error.into());
        }
        let tensors = std::mem::take(&mut self.tensors);
        let metadata = self.beside.as_ref().unwrap_or_else(|| self.parts.metadata());
        describe(metadata, &tensors, &mut forecast);
        forecast.file_bytes = self.file_bytes;
        let sound = self.failure.is_none();
        if let (true, Some(chosen)) = (sound, &mut self.chosen) {
            match weigh(metadata, tensors, &self.options, &self.host, chosen, &mut forecast) {
                Ok(Some(plan)) if probe => {
                    // A device that fails here has its say when the model is loaded.
                    let speed = probe::tokens_per_second(&mut chosen.executor, &self.host, &plan).await;
                    forecast.tokens_per_second = speed.ok().flatten();
                }
                Ok(_) => {}
                Err(error) => self.failure = Some(error),
            }
        }
        forecast.failure = self.failure;
        forecast
    }

    /// Takes over what the beginning of a part has told.
    fn end_part(&mut self) {
        if let (false, Err(error)) = (self.is_complete(), self.reader.finish()) {
            // It ended before its header did.
            self.failure.get_or_insert(error.into());
        }
        if let (None, Some(header)) = (&self.beside, self.reader.gguf())
            && let Err(error) = self.parts.add(header)
        {
            self.failure.get_or_insert(error.into());
        }
        self.take_tensors();
        self.file_bytes += self.file_len.or_else(|| self.end_of_data()).unwrap_or(0);
    }

    /// The tensors of the current part, and whether any of them is one that no plan reads.
    fn take_tensors(&mut self) {
        if self.readable.is_none() {
            let metadata = self.beside.as_ref().unwrap_or_else(|| self.parts.metadata());
            // What is wrong with the metadata is said when the model is weighed.
            self.readable =
                Config::from_metadata(metadata).ok().and_then(|config| Readable::of(&config).ok());
        }
        let read = self.readable.as_ref().map(|readable| readable.tensors_of(&self.reader));
        match read {
            Some(Ok(tensors)) => self.tensors.extend(tensors.into_iter().flatten()),
            failed => {
                let tensors = self.reader.tensors().unwrap_or_default();
                self.tensors.extend(tensors.iter().map(|tensor| tensor.desc.clone()));
                if let Some(Err(error)) = failed {
                    self.failure.get_or_insert(error.into());
                }
            }
        }
    }

    /// Where the last tensor ends, if the file's length is not known.
    fn end_of_data(&self) -> Option<u64> {
        self.reader.tensors()?.iter().map(|tensor| tensor.offset + tensor.bytes as u64).max()
    }
}

/// What can be said without understanding the model.
fn describe(metadata: &Metadata, tensors: &[TensorDesc], forecast: &mut Forecast) {
    let text = |key: &str| metadata.get::<&str>(key).ok().flatten().map(str::to_owned);
    forecast.architecture = text("general.architecture").unwrap_or_default();
    forecast.name = text("general.name").unwrap_or_else(|| forecast.architecture.clone());
    forecast.chat = text("tokenizer.chat_template").is_some();
    forecast.parameters = tensors.iter().map(|desc| desc.shape.count()).sum();
    let file_type: Option<u32> = metadata.get("general.file_type").ok().flatten();
    let by_number = file_type.and_then(|number| FILE_TYPES.iter().find(|(known, _)| *known == number));
    let by_bytes = || main_type(tensors).map_or("", |dtype| dtype.name());
    forecast.quantisation = by_number.map_or_else(by_bytes, |(_, name)| *name).to_owned();
}

/// `general.file_type`: `llama_ftype` of llama.cpp's llama.h.
const FILE_TYPES: [(u32, &str); 17] = [
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (7, "Q8_0"),
    (8, "Q5_0"),
    (9, "Q5_1"),
    (10, "Q2_K"),
    (11, "Q3_K_S"),
    (12, "Q3_K_M"),
    (13, "Q3_K_L"),
    (14, "Q4_K_S"),
    (15, "Q4_K_M"),
    (16, "Q5_K_S"),
    (17, "Q5_K_M"),
    (18, "Q6_K"),
    (32, "BF16"),
];

/// The type of most bytes.
fn main_type(tensors: &[TensorDesc]) -> Option<DType> {
    let bytes = |dtype: DType| -> u64 {
        let of_type = tensors.iter().filter(|desc| desc.dtype == dtype);
        of_type.filter_map(TensorDesc::bytes).map(|bytes| bytes as u64).sum()
    };
    DType::WEIGHTS.into_iter().filter(|&dtype| bytes(dtype) > 0).max_by_key(|&dtype| bytes(dtype))
}

/// Says what a model that can run takes; gives the plan of a run of an answer's token, which encoders have none of.
fn weigh(
    metadata: &Metadata,
    tensors: Vec<TensorDesc>,
    options: &LoadOptions,
    host: &Host,
    chosen: &Chosen,
    forecast: &mut Forecast,
) -> Result<Option<Plan>, SessionError> {
    let header = ModelHeader::read(metadata, host)?.examine(Some(tensors), options)?;
    let wanted = header.wanted_context(options)?;
    let (kind, fused) = (chosen.executor.info().kind, chosen.executor.fused());
    let tokenizer = header.tokenizer.bytes().unwrap_or(0) as u64;
    // The factors on RoPE's frequencies stay on the host.
    let weights = header.tensors.iter().filter(|desc| desc.name != names::ROPE_FACTORS);
    let fixed = tokenizer + weights.map(|desc| weight_bytes(desc, kind)).sum::<u64>();
    let running = |context: usize| running_bytes(&header.config, &header.tensors, context, options.kv, fused);
    let room = (cfg!(target_pointer_width = "32") && kind == BackendKind::Cpu).then_some(ADDRESS_SPACE);
    let fits = |context: usize| -> Result<bool, SessionError> {
        Ok(room.is_none() || room >= Some(fixed + running(context)?))
    };
    let mut context = wanted;
    if !fits(wanted)? {
        // The largest that fits lies in `least..wanted`. Somebody who asked for more is to hear of it.
        let least = 2;
        if options.context.is_some() || !fits(least)? {
            return Err(ExecError::OutOfMemory {
                what: "the model".to_owned(),
                bytes: fixed + running(context)?,
                advice: "take a smaller model or context, or a GPU",
            }
            .into());
        }
        let (mut low, mut high) = (least, wanted);
        while high - low > 1 {
            let middle = low.midpoint(high);
            *(if fits(middle)? { &mut low } else { &mut high }) = middle;
        }
        context = low;
    }
    forecast.memory_bytes = fixed + running(context)?;
    (forecast.context, forecast.trained_context) = (context, header.config.context);
    Ok(match header.config.arch.body {
        Body::Decoder => {
            let options = PlanOptions { context, max_tokens: 1, kv: options.kv, head: Head::Greedy };
            Some(model::build(&header.config, &header.tensors, options)?)
        }
        Body::Encoder => None,
    })
}

/// Bytes of a weight on its device. Vectors are taken as F32.
fn weight_bytes(desc: &TensorDesc, kind: BackendKind) -> u64 {
    match kind {
        BackendKind::Cpu => CpuExecutor::weight_bytes(desc),
        BackendKind::Gpu if desc.shape.rows() == 1 => desc.shape.cols() as u64 * 4,
        BackendKind::Gpu => desc.bytes().unwrap_or(0) as u64,
    }
}

/// Bytes of caches, tables, temporaries and outputs of a session.
fn running_bytes(
    config: &Config,
    tensors: &[TensorDesc],
    context: usize,
    kv: DType,
    fused: &[FusedKind],
) -> Result<u64, SessionError> {
    let (plans, extent) = match config.arch.body {
        Body::Decoder => {
            let max_tokens = MAX_CHUNK.min(context);
            let plan = |head| {
                let mut plan = model::build(config, tensors, PlanOptions { context, max_tokens, kv, head })?;
                plan.fuse(fused);
                Ok::<_, ModelError>(plan)
            };
            (LOADED_HEADS.into_iter().map(plan).collect::<Result<Vec<_>, _>>()?, Extent::tokens(max_tokens))
        }
        Body::Encoder => {
            let plan = model::build_encoder(config, tensors)?;
            (vec![plan], embed::largest_run(context))
        }
    };
    // Temporaries are shared by all plans; inputs and states too, by their names.
    let mut shared: Vec<u64> = Vec::new();
    for plan in &plans {
        for (index, &bytes) in memory::assign(plan, extent).buffer_bytes.iter().enumerate() {
            match shared.get_mut(index) {
                Some(known) => *known = (*known).max(bytes),
                None => shared.push(bytes),
            }
        }
    }
    let mut total: u64 = shared.iter().sum();
    let mut seen: Vec<&str> = Vec::new();
    for plan in &plans {
        for (index, value) in plan.values.iter().enumerate() {
            let named = matches!(value.storage, Storage::Input | Storage::State);
            if !(named || value.storage == Storage::Output) || named && seen.contains(&value.name.as_str()) {
                continue;
            }
            seen.push(&value.name);
            total += plan.operand(ValueId(index as u32), extent).bytes();
        }
    }
    Ok(total)
}
