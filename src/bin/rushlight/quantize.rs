//! `rushlight quantize`

use std::io::IsTerminal;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::tasks::quantise::{Conversion, Quantiser};
use rushlight::tensor::DType;
use serde_json::json;

use crate::args::QuantizeArgs;
use crate::error::CliError;
use crate::model_file::Part;
use crate::model_folder::Folder;
use crate::output::{print, size};
use crate::unfinished::Unfinished;

/// Bytes read at a time.
const CHUNK: usize = 4 << 20;

pub fn run(args: &QuantizeArgs) -> Result<(), CliError> {
    let folder = Folder::open(&args.input)?;
    let weights = folder.as_ref().map_or(args.input.clone(), |folder| folder.weights.clone());
    refuse_same(&weights, &args.output)?;
    let mut input = Part::open(weights)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = args.threads.unwrap_or(cores).clamp(1, cores);
    let files = folder.as_ref().map(|folder| &folder.files);
    let mut quantiser = Quantiser::new(args.target.0, threads, files, Some(input.bytes))?;
    let mut output = Unfinished::create(&args.output)?;
    let bar = progress_bar(input.bytes);
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = input.read(&mut buffer)?;
        if chunk.is_empty() {
            break;
        }
        output.write(&quantiser.push(chunk)?)?;
        bar.inc(chunk.len() as u64);
    }
    let conversions = quantiser.finish()?;
    let bytes = output.finish()?;
    bar.finish_and_clear();
    print(&if args.json {
        to_json(args, &conversions, input.bytes, bytes)
    } else {
        to_text(args, &conversions, input.bytes, bytes)
    })
}

/// The file that comes in must not be the one that goes out, by whatever name.
fn refuse_same(input: &Path, output: &Path) -> Result<(), CliError> {
    let same = match (input.canonicalize(), output.canonicalize()) {
        (Ok(input), Ok(output)) => input == output,
        _ => input == output,
    };
    match same {
        true => Err(CliError::usage(format!("{}: the output would overwrite the input", output.display()))),
        false => Ok(()),
    }
}

/// Number and bytes of the tensors of each type, in the order of their first.
fn by_type(conversions: &[Conversion]) -> Vec<(DType, usize, usize)> {
    let mut types: Vec<(DType, usize, usize)> = Vec::new();
    for conversion in conversions {
        let dtype = conversion.desc.dtype;
        match types.iter_mut().find(|(known, ..)| *known == dtype) {
            Some((_, count, bytes)) => (*count, *bytes) = (*count + 1, *bytes + conversion.bytes),
            None => types.push((dtype, 1, conversion.bytes)),
        }
    }
    types
}

/// Error of everything that was converted.
fn relative_error(conversions: &[Conversion]) -> f64 {
    let sum = |of: fn(&Conversion) -> f64| conversions.iter().map(of).sum::<f64>();
    let squares = sum(|conversion| conversion.squares);
    if squares > 0.0 { (sum(|conversion| conversion.squared_error) / squares).sqrt() } else { 0.0 }
}

fn to_text(args: &QuantizeArgs, conversions: &[Conversion], read: u64, written: u64) -> String {
    let mut out = String::new();
    for (dtype, count, bytes) in by_type(conversions) {
        out.push_str(&format!("{:5} {count:5} tensors {:>10}\n", dtype.name(), size(bytes as u64)));
    }
    let fell_back: Vec<&Conversion> = conversions.iter().filter(|conversion| conversion.fell_back).collect();
    if let [first, ..] = fell_back.as_slice() {
        let (asked, cols) = (args.target.0, first.desc.shape.cols());
        out.push_str(&format!(
            "{} of {} tensors have rows that are not whole {asked} blocks of {} elements ({} has {cols}): they are {}\n",
            fell_back.len(),
            conversions.len(),
            asked.block_elements(),
            first.desc.name,
            first.desc.dtype,
        ));
    }
    out.push_str(&format!(
        "{} -> {} ({:.1}%), relative error {:.5}: {}\n",
        size(read),
        size(written),
        100.0 * written as f64 / read.max(1) as f64,
        relative_error(conversions),
        args.output.display(),
    ));
    out
}

fn to_json(args: &QuantizeArgs, conversions: &[Conversion], read: u64, written: u64) -> String {
    let tensors: Vec<_> = conversions
        .iter()
        .map(|conversion| {
            json!({
                "name": conversion.desc.name,
                "shape": conversion.desc.shape.extents(),
                "from": conversion.from.name(),
                "to": conversion.desc.dtype.name(),
                "fell_back": conversion.fell_back,
                "relative_error": conversion.relative_error(),
            })
        })
        .collect();
    let all = json!({
        "output": args.output,
        "type": args.target.0.name(),
        "input_bytes": read,
        "output_bytes": written,
        "relative_error": relative_error(conversions),
        "tensors": tensors,
    });
    format!("{all}\n")
}

/// Bytes on stderr, only where someone looks.
fn progress_bar(bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "converting {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}
