//! Writes the small random models of the tests: `cargo run --example small_models -- FOLDER [--dequantised | --biased]`.
//!
//! `NAME.gguf` is the model, `chat.gguf` one of them with a chat template, `chat.prefix` what `rushlight prefix` makes for it of the
//! template's first words, `split-00001-of-00003.gguf` and its like another in parts, and `bounds.json` says how far logits may be from llama.cpp's, in units of their spread. With
//! `--dequantised` also `NAME.f32.gguf`, the same numbers in F32, and `NAME.ids`, the prompt that the fixtures hold logits for,
//! with the positions after a `@` (see `tests/tools/llamacpp_logits.sh`). `biased/NAME.gguf` and `.ids` are for
//! `tests/tools/biases_reference.py`.

#[path = "../tests/small/mod.rs"]
mod small;

use rushlight::session::BackendChoice;
use rushlight::tensor::DType;
use small::gguf::{BIASED, BIASED_PROMPT, Form, biased, split, tensor_count, write, writer};
use small::oracle::{load, rounding};
use small::specs::{self, SPECS};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), option) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: small_models FOLDER [--dequantised | --biased]");
        return ExitCode::from(2);
    };
    let folder_path = Path::new(&folder);
    let done = match option.as_deref() {
        Some("--biased") => write_biased(&folder_path.join("biased")),
        option => run(folder_path, option == Some("--dequantised")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("small_models: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, dequantised: bool) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for spec in SPECS {
        std::fs::write(folder.join(format!("{}.gguf", spec.name)), write(spec, Form::Published))?;
        if dequantised {
            let twin = write(spec, Form::Dequantised);
            std::fs::write(folder.join(format!("{}.f32.gguf", spec.name)), twin)?;
            let words = |numbers: &mut dyn Iterator<Item = u32>| {
                numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
            };
            let ids = words(&mut spec.prompt_ids().into_iter());
            let positions = words(&mut spec.positions().into_iter().map(|position| position as u32));
            std::fs::write(folder.join(format!("{}.ids", spec.name)), format!("{ids} @ {positions}\n"))?;
        }
        println!("{}", spec.name);
    }
    write_chat(folder)?;
    write_parts(folder)?;
    let bounds: BTreeMap<&str, f64> = SPECS.iter().map(|spec| (spec.name, rounding(spec))).collect();
    std::fs::write(folder.join("bounds.json"), serde_json::to_string_pretty(&bounds)?)
}

/// A model that chats, and a frame for it, computed here.
fn write_chat(folder: &Path) -> std::io::Result<()> {
    let spec = specs::find("qwen2-bf16-64");
    let mut file = writer(spec, spec, Form::Published, Some);
    let template = include_str!("../tests/fixtures/chat/chatml.jinja");
    file.metadata("tokenizer.chat_template", template).map_err(std::io::Error::other)?;
    let file = file.to_bytes();
    std::fs::write(folder.join("chat.gguf"), &file)?;
    let mut session = load(BackendChoice::Cpu, DType::F16, &file);
    let frame = "<|im_start|>system\nthe capital of France is hello<|im_end|>\n<|im_start|>user\n";
    let held = pollster::block_on(async {
        session.prefill(frame).await?;
        session.export().await
    });
    std::fs::write(folder.join("chat.prefix"), held.map_err(std::io::Error::other)?)
}

/// Models with biases that the table's have not, and their prompts.
fn write_biased(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for name in BIASED {
        let spec = specs::find(name);
        std::fs::write(folder.join(format!("{name}.gguf")), biased(spec))?;
        let ids: Vec<String> = spec.prompt_ids().iter().take(BIASED_PROMPT).map(u32::to_string).collect();
        std::fs::write(folder.join(format!("{name}.ids")), ids.join(" "))?;
    }
    Ok(())
}

/// A model in three parts.
fn write_parts(folder: &Path) -> std::io::Result<()> {
    let spec = specs::find("gemma3-f32-64");
    let parts = split(spec, &[3, 7, tensor_count(spec) - 10]);
    for (index, part) in parts.iter().enumerate() {
        let name = format!("split-{:05}-of-{:05}.gguf", index + 1, parts.len());
        std::fs::write(folder.join(name), part)?;
    }
    Ok(())
}
