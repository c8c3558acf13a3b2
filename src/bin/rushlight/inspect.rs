//! `rushlight inspect`: metadata, tensors, and the memory that running the model takes.

use rushlight::formats::gguf::Header;
use rushlight::model::{self, Config, Head, PlanOptions};
use rushlight::plan::{Extent, Plan, Storage, ValueId, memory};
use rushlight::session::MAX_CHUNK;
use rushlight::tensor::{DType, TensorDesc};
use serde_json::{Value, json};

use crate::args::{InspectArgs, Kv};
use crate::error::CliError;
use crate::model_file::read_header;

/// Characters of a metadata value that a table shows.
const VALUE_WIDTH: usize = 70;

/// Bytes that running a model takes.
struct MemoryPlan {
    context: usize,
    weights: usize,
    kv: usize,
    rope: usize,
    temporaries: usize,
    steps: usize,
}

pub fn run(args: &InspectArgs) -> Result<(), CliError> {
    let header = read_header(&args.common.model)?;
    let planned = plan_memory(args, &header);
    if args.common.json {
        println!("{}", as_json(&header, planned.as_ref()));
        return Ok(());
    }
    print_tables(&header);
    match planned {
        Ok((plan, memory)) => {
            print_memory(args, &memory);
            if args.plan {
                println!("\nplan\n{plan}");
            }
        }
        // A file can be looked at without being a model that runs here.
        Err(error) => println!("\nno memory plan: {error}"),
    }
    Ok(())
}

fn plan_memory(args: &InspectArgs, header: &Header) -> Result<(Plan, MemoryPlan), CliError> {
    let config = Config::from_metadata(&header.metadata)?;
    let tensors: Vec<TensorDesc> = header.tensors.iter().map(|tensor| tensor.desc.clone()).collect();
    let context = args.context.unwrap_or(config.context.min(4096)).clamp(2, config.context.max(2));
    let kv = match args.kv {
        Kv::F16 => DType::F16,
        Kv::F32 => DType::F32,
    };
    let max_tokens = MAX_CHUNK.min(context);
    let options = PlanOptions { context, max_tokens, kv, head: Head::Logits };
    let plan = model::build(&config, &tensors, options)?;
    let extent = Extent { tokens: max_tokens, pos: 0 };
    let stored = |storage: Storage| -> usize {
        let ids = (0..plan.values.len() as u32).map(ValueId);
        ids.filter(|id| plan.value(*id).storage == storage)
            .map(|id| {
                let operand = plan.operand(id, extent);
                operand.elements() / operand.dtype.block_elements() * operand.dtype.block_bytes()
            })
            .sum()
    };
    let memory = MemoryPlan {
        context,
        weights: header.tensors.iter().map(|tensor| tensor.bytes).sum(),
        kv: stored(Storage::State),
        rope: stored(Storage::Input),
        temporaries: memory::assign(&plan, extent).total_bytes() + stored(Storage::Output),
        steps: plan.steps.len(),
    };
    Ok((plan, memory))
}

fn print_tables(header: &Header) {
    println!("GGUF version {}, alignment {}\n\nmetadata", header.version, header.alignment);
    let width = header.metadata.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, value) in header.metadata.iter() {
        println!("  {key:width$}  {:8} {}", value.value_type().name(), shortened(&value.to_string()));
    }
    println!("\n{} tensors", header.tensors.len());
    let width = header.tensors.iter().map(|tensor| tensor.desc.name.len()).max().unwrap_or(0);
    for tensor in &header.tensors {
        let (desc, shape) = (&tensor.desc, tensor.desc.shape.to_string());
        println!("  {:width$}  {:5} {shape:>16}  {:>12}", desc.name, desc.dtype.name(), tensor.bytes);
    }
}

fn print_memory(args: &InspectArgs, memory: &MemoryPlan) {
    let kv = format!("KV cache ({:?})", args.kv).to_lowercase().replace("kv", "KV");
    println!("\nmemory for {} positions, {} steps a run", memory.context, memory.steps);
    let rows = [
        ("weights", memory.weights),
        (kv.as_str(), memory.kv),
        ("RoPE tables, ids", memory.rope),
        ("temporaries, logits", memory.temporaries),
        ("together", memory.weights + memory.kv + memory.rope + memory.temporaries),
    ];
    for (what, bytes) in rows {
        println!("  {what:20} {:>10.1} MB", bytes as f64 / 1e6);
    }
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

fn as_json(header: &Header, planned: Result<&(Plan, MemoryPlan), &CliError>) -> Value {
    let metadata: serde_json::Map<String, Value> = header
        .metadata
        .iter()
        .map(|(key, value)| {
            let entry = json!({ "type": value.value_type().name(), "value": shortened(&value.to_string()) });
            (key.to_owned(), entry)
        })
        .collect();
    let tensors: Vec<Value> = header
        .tensors
        .iter()
        .map(|tensor| {
            json!({
                "name": tensor.desc.name,
                "dtype": tensor.desc.dtype.name(),
                "shape": tensor.desc.shape.extents(),
                "bytes": tensor.bytes,
                "offset": tensor.offset,
            })
        })
        .collect();
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
    json!({ "version": header.version, "metadata": metadata, "tensors": tensors, "memory": memory })
}
