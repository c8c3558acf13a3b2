//! The command line. The file system lives here; everything else is the library's.

mod args;
mod error;
mod generate;
mod inspect;
mod model_file;
mod perplexity;
mod serve;
mod text;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use error::CliError;

fn main() -> ExitCode {
    let result = match Cli::try_parse() {
        Ok(cli) => run(&cli),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            print!("{}", error.render().ansi());
            return ExitCode::SUCCESS;
        }
        Err(error) => Err(CliError::from_clap(&error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rushlight: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: &Cli) -> Result<(), CliError> {
    match &cli.command {
        Command::Generate(args) => generate::run(args),
        Command::Tokenize(args) => text::tokenize(args),
        Command::Detokenize(args) => text::detokenize(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Perplexity(args) => perplexity::run(args),
        Command::Serve(args) => serve::run(args),
    }
}
