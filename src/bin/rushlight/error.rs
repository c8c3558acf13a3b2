//! One line on stderr and an exit code: 2 for bad usage, 1 for failure.

use std::fmt;
use std::path::Path;

use clap::CommandFactory;
use clap::error::ErrorKind;
use rushlight::sampler::SamplerError;
use rushlight::session::SessionError;
use rushlight::tasks::chat::ChatError;
use rushlight::tokenizer::TokenizerError;

use crate::args::Cli;

/// Why a command ended early.
#[derive(Debug)]
pub struct CliError {
    usage: bool,
    code: &'static str,
    message: String,
}

impl CliError {
    /// Options or arguments that make no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError { usage: true, code: "ERR_BAD_ARGUMENT", message: message.into() }
    }

    /// Anything that went wrong on the way.
    pub fn failure(code: &'static str, message: impl Into<String>) -> Self {
        CliError { usage: false, code, message: message.into() }
    }

    /// A file that can't be read or written.
    pub fn file(path: &Path, error: &std::io::Error) -> Self {
        CliError::failure("ERR_FILE", format!("{}: {error}", path.display()))
    }

    /// The same, said of a file where the file is at fault.
    pub fn in_file(mut self, path: &Path) -> Self {
        if matches!(self.code, "ERR_BAD_FILE" | "ERR_UNSUPPORTED") {
            self.message = format!("{}: {}", path.display(), self.message);
        }
        self
    }

    /// clap's message without its further paragraphs.
    pub fn from_clap(error: &clap::Error) -> Self {
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            let known = Cli::command();
            let names: Vec<&str> = known.get_subcommands().map(clap::Command::get_name).collect();
            return CliError::usage(format!(
                "expected a command: {} (see rushlight --help)",
                names.join(", ")
            ));
        }
        let rendered = error.render().to_string();
        let lines: Vec<&str> = rendered
            .lines()
            .map(str::trim)
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .filter(|line| !line.is_empty())
            .collect();
        let message = lines.join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        CliError::usage(format!("{message} (see rushlight --help)"))
    }

    /// A conversation that can't be continued. (`From` would stand in the way of the one below.)
    pub fn from_chat(error: ChatError) -> Self {
        match error {
            ChatError::Session(error) => error.into(),
            other => CliError::failure(other.code(), other.to_string()),
        }
    }

    /// Whether a flag is at fault.
    pub fn is_usage(&self) -> bool {
        self.usage
    }

    /// 2 for bad usage, 1 for failure.
    pub fn exit_code(&self) -> u8 {
        if self.usage { 2 } else { 1 }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever a file's strings bring along.
        let line: String = self.message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        write!(f, "error [{}]: {line}", self.code)
    }
}

impl<E: Into<SessionError>> From<E> for CliError {
    fn from(error: E) -> Self {
        let error = error.into();
        // What a flag said, as against what a file, a prompt or a device is.
        let usage = match &error {
            SessionError::Option { .. } => true,
            SessionError::Sampler(error) => {
                matches!(error, SamplerError::BadSetting { .. } | SamplerError::BiasOutOfRange { .. })
            }
            SessionError::Tokenizer(error) => matches!(error, TokenizerError::EmptyStop { .. }),
            _ => false,
        };
        CliError { usage, code: error.code(), message: error.to_string() }
    }
}
