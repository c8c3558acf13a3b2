//! `rushlight inspect`: metadata, tensors, and the memory that running the model takes.

use std::fmt::Write;
use std::path::Path;

use rushlight::formats::TensorInfo;
use rushlight::formats::gguf::{Metadata, SplitSet, SplitTensor};
use rushlight::model::arch::Body;
use rushlight::model::unread::Readable;
use rushlight::model::{self, Config, Head, ModelError, PlanOptions, hf};
use rushlight::plan::{Extent, Plan, Storage, ValueId, memory};
use rushlight::session::MAX_CHUNK;
use rushlight::tensor::{DType, TensorDesc};
use serde_json::{Value, json};

use crate::args::{InspectArgs, Kv};
use crate::error::CliError;
use crate::model_file::{read_headers, read_safetensors_header};
use crate::model_folder::Folder;
use crate::output::{print, size};

/// Characters of a metadata value that a table shows.
const VALUE_WIDTH: usize = 70;

/// Bytes that running a model takes.
struct MemoryPlan {
    context: usize,
    weights: u64,
    kv: u64,
    rope: u64,
    temporaries: u64,
    steps: usize,
}

/// What a model's file says, or the files of a split one together, or a folder with weights in safetensors.
struct Contents {
    /// First line of the table.
    title: String,
    format: &'static str,
    /// GGUF's version; `None` for safetensors.
    version: Option<u32>,
    metadata: Metadata,
    /// With their names in the file.
    tensors: Vec<SplitTensor>,
}

impl Contents {
    fn read(path: &Path) -> Result<Self, CliError> {
        match Folder::open(path)? {
            Some(folder) => Self::safetensors(&folder),
            None => Self::gguf(path),
        }
    }

    fn gguf(path: &Path) -> Result<Self, CliError> {
        let headers = read_headers(path)?;
        let mut parts = SplitSet::new();
        for header in &headers {
            parts.add(header).map_err(|error| CliError::from(error).in_file(path))?;
        }
        parts.finish().map_err(|error| CliError::from(error).in_file(path))?;
        let Some(first) = headers.first() else { return Err(CliError::failure("ERR_BAD_FILE", "no file")) };
        Ok(Contents {
            title: format!("GGUF version {}, alignment {}", first.version, first.alignment),
            format: "gguf",
            version: Some(first.version),
            metadata: parts.metadata().clone(),
            tensors: parts.tensors().to_vec(),
        })
    }

    fn safetensors(folder: &Folder) -> Result<Self, CliError> {
        let metadata = hf::metadata(&folder.files)?;
        let header = read_safetensors_header(&folder.weights)?;
        Ok(Contents {
            title: "safetensors; metadata as GGUF would have it, of the files beside it".to_owned(),
            format: "safetensors",
            version: None,
            metadata,
            tensors: header.tensors.into_iter().map(|info| SplitTensor { part: 0, info }).collect(),
        })
    }

    fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors.iter().map(|tensor| &tensor.info)
    }

    fn bytes(&self) -> u64 {
        self.tensors().map(|tensor| tensor.bytes as u64).sum()
    }
}

pub fn run(args: &InspectArgs) -> Result<(), CliError> {
    let contents = Contents::read(&args.common.model)?;
    let planned = match plan_memory(args, &contents) {
        Err(error) if error.is_usage() => return Err(error),
        planned => planned,
    };
    if args.common.json {
        return print(&format!("{}\n", as_json(&contents, planned.as_ref())));
    }
    let mut out = String::new();
    // Writing to a string can't fail.
    tables(&mut out, &contents).ok();
    match planned {
        Ok((plan, memory)) => {
            memory_table(&mut out, args, &memory).ok();
            if args.plan {
                write!(out, "\nplan\n{plan}").ok();
            }
        }
        // A file can be looked at without being a model that runs here.
        Err(error) => {
            writeln!(out, "\nno memory plan: {error}").ok();
        }
    }
    print(&out)
}

fn plan_memory(args: &InspectArgs, contents: &Contents) -> Result<(Plan, MemoryPlan), CliError> {
    let config = Config::from_metadata(&contents.metadata)?;
    let readable = Readable::of(&config)?;
    let read = |desc: &TensorDesc| match contents.version {
        Some(_) => readable.gguf(desc),
        None => readable.safetensors(desc),
    };
    let descs: Result<Vec<Option<TensorDesc>>, ModelError> =
        contents.tensors().map(|tensor| read(&tensor.desc)).collect();
    let descs: Vec<TensorDesc> = descs?.into_iter().flatten().collect();
    let default = config.encoder.map_or(config.context.min(4096), |encoder| encoder.max_tokens);
    let context = args.context.unwrap_or(default);
    if args.context.is_some() && !(2..=config.context).contains(&context) {
        let expected = format!("--context: expected 2 to {}, the model's, got {context}", config.context);
        return Err(CliError::usage(expected));
    }
    let kv = match args.kv {
        Kv::F16 => DType::F16,
        Kv::F32 => DType::F32,
    };
    let (plan, max_tokens) = match config.arch.body {
        Body::Decoder => {
            let max_tokens = MAX_CHUNK.min(context);
            let options = PlanOptions { context, max_tokens, kv, head: Head::Logits };
            (model::build(&config, &descs, options)?, max_tokens)
        }
        // One text of the longest.
        Body::Encoder => (model::build_encoder(&config, &descs)?, context),
    };
    let extent = Extent::tokens(max_tokens);
    let stored = |storage: Storage| -> u64 {
        let ids = (0..plan.values.len() as u32).map(ValueId);
        ids.filter(|id| plan.value(*id).storage == storage).map(|id| plan.operand(id, extent).bytes()).sum()
    };
    let memory = MemoryPlan {
        context,
        weights: descs.iter().filter_map(TensorDesc::bytes).map(|bytes| bytes as u64).sum(),
        kv: stored(Storage::State),
        rope: stored(Storage::Input),
        temporaries: memory::assign(&plan, extent).total_bytes() + stored(Storage::Output),
        steps: plan.steps.len(),
    };
    Ok((plan, memory))
}

fn tables(out: &mut String, contents: &Contents) -> std::fmt::Result {
    let metadata = &contents.metadata;
    let elements: u64 = contents.tensors().map(|tensor| tensor.desc.shape.count()).sum();
    writeln!(
        out,
        "{}\n{:.1} million weights in {}",
        contents.title,
        elements as f64 / 1e6,
        size(contents.bytes())
    )?;
    for dtype in DType::WEIGHTS {
        let of_type = || contents.tensors().filter(|tensor| tensor.desc.dtype == dtype);
        let bytes: u64 = of_type().map(|tensor| tensor.bytes as u64).sum();
        if bytes > 0 {
            writeln!(out, "  {:5} {:>4} tensors {:>10}", dtype.name(), of_type().count(), size(bytes))?;
        }
    }
    writeln!(out, "\nmetadata")?;
    let width = metadata.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in metadata.iter() {
        let text = shortened(&value.to_string());
        writeln!(out, "  {key:width$}  {:8} {text}", value.value_type().name())?;
    }
    writeln!(out, "\ntensors")?;
    let width = contents.tensors().map(|tensor| tensor.desc.name.len()).max().unwrap_or(0);
    for tensor in contents.tensors() {
        let (desc, shape) = (&tensor.desc, tensor.desc.shape.to_string());
        writeln!(
            out,
            "  {:width$}  {:5} {shape:>16} {:>10}",
            desc.name,
            desc.dtype.name(),
            size(tensor.bytes as u64)
        )?;
    }
    Ok(())
}

fn memory_table(out: &mut String, args: &InspectArgs, memory: &MemoryPlan) -> std::fmt::Result {
    let kv = match args.kv {
        Kv::F16 => "KV cache (f16)",
        Kv::F32 => "KV cache (f32)",
    };
    writeln!(out, "\nmemory for {} positions, {} steps a run", memory.context, memory.steps)?;
    let rows = [
        ("weights", memory.weights),
        (kv, memory.kv),
        ("RoPE tables, ids", memory.rope),
        ("temporaries, logits", memory.temporaries),
        ("together", memory.weights + memory.kv + memory.rope + memory.temporaries),
    ];
    for (what, bytes) in rows {
        writeln!(out, "  {what:20} {:>10}", size(bytes))?;
    }
    Ok(())
}

/// One line of at most [`VALUE_WIDTH`] characters.
fn shortened(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{b7}' } else { c };
    let mut short: String = text.chars().take(VALUE_WIDTH).map(clean).collect();
    if text.chars().nth(VALUE_WIDTH).is_some() {
        short.push('…');
    }
    short
}

fn as_json(contents: &Contents, planned: Result<&(Plan, MemoryPlan), &CliError>) -> Value {
    let metadata: serde_json::Map<String, Value> = contents
        .metadata
        .iter()
        .map(|(key, value)| {
            let entry = json!({ "type": value.value_type().name(), "value": shortened(&value.to_string()) });
            (key.to_owned(), entry)
        })
        .collect();
    let tensor = |tensor: &SplitTensor| {
        json!({
            "name": tensor.info.desc.name,
            "dtype": tensor.info.desc.dtype.name(),
            "shape": tensor.info.desc.shape.extents(),
            "bytes": tensor.info.bytes,
            "part": tensor.part,
            "offset": tensor.info.offset,
        })
    };
    let tensors: Vec<Value> = contents.tensors.iter().map(tensor).collect();
    let memory = match planned {
        Ok((_, memory)) => json!({
            "context": memory.context,
            "weights": memory.weights,
            "kv": memory.kv,
            "inputs": memory.rope,
            "temporaries": memory.temporaries,
            "steps": memory.steps,
        }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    let (format, version) = (contents.format, contents.version);
    json!({ "format": format, "version": version, "metadata": metadata, "tensors": tensors, "memory": memory })
}
