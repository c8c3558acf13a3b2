//! The command line. The file system lives here; everything else is the library's.

mod args;
mod ask;
mod ask_index;
mod bench;
mod chat;
mod decode;
mod embed;
mod error;
mod generate;
mod inspect;
mod manifest;
mod model_file;
mod model_folder;
mod output;
mod perplexity;
mod prefix;
mod quantize;
mod serve;
mod text;
mod trace;
mod unfinished;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use error::CliError;

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => traced(&cli),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            output::print(&help(&error))
        }
        Err(error) => Err(CliError::from_clap(&error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("rushlight: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// Help or version, in colour where someone looks.
fn help(error: &clap::Error) -> String {
    let text = error.render();
    if std::io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() }
}

/// Runs the command and records it where that is asked for, however it ends.
fn traced(cli: &Cli) -> Result<(), CliError> {
    let Some(path) = &cli.trace else { return run(cli) };
    trace::begin(path)?;
    let result = run(cli);
    result.and(trace::end())
}

fn run(cli: &Cli) -> Result<(), CliError> {
    match &cli.command {
        Command::Generate(args) => generate::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Tokenize(args) => text::tokenize(args),
        Command::Detokenize(args) => text::detokenize(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Perplexity(args) => perplexity::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Ask(args) => ask::run(args),
        Command::Embed(args) => embed::run(args),
        Command::Quantize(args) => quantize::run(args),
        Command::Manifest(args) => manifest::run(args),
        Command::Prefix(args) => prefix::run(args),
        Command::Serve(args) => serve::run(args),
    }
}
