//! `rushlight prefix`: a text that prompts will begin with, run once, here.

use std::path::PathBuf;

use clap::Args;
use rushlight::session::Host;
use serde_json::json;

use crate::args::{CommonArgs, RunArgs};
use crate::decode::text_file;
use crate::error::CliError;
use crate::model_file;
use crate::output::{note, print, size};

#[derive(Args, Debug)]
pub struct PrefixArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// The text, as prompts will have it: a frame, a document.
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// File to write.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Positions of the KV cache here; the page's may be another. The model's, at most 4096, by default.
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
}

pub fn run(args: &PrefixArgs) -> Result<(), CliError> {
    let text = text_file(&args.file)?;
    let load = args.run.load_options(&args.common, args.context);
    pollster::block_on(async {
        let mut session = model_file::load(&args.common.model, load, Host::native()).await?;
        let tokens = session.prefill(&text).await?;
        let bytes = session.export().await?;
        std::fs::write(&args.output, &bytes).map_err(|error| CliError::file(&args.output, &error))?;
        let kv = session.info().kv.name().to_lowercase();
        if args.common.json {
            return print(&format!("{}\n", json!({ "tokens": tokens, "bytes": bytes.len(), "kv": kv })));
        }
        note(&format!("{tokens} tokens, {} ({kv}), in {}", size(bytes.len() as u64), args.output.display()));
        Ok(())
    })
}
