//! Writes the small random models of the tests: `cargo run --example small_models -- FOLDER [--dequantised]`.
//!
//! `NAME.gguf` is the model; with `--dequantised` also `NAME.f32.gguf`, the same numbers in F32, and `NAME.ids`, the prompt that the
//! fixtures hold logits for, with the positions after a `@` (see `tests/tools/llamacpp_logits.sh`).

#[path = "../tests/small/mod.rs"]
mod small;

use small::gguf::{Form, write};
use small::specs::SPECS;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), option) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: small_models FOLDER [--dequantised]");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder), option.as_deref() == Some("--dequantised")) {
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
    Ok(())
}
