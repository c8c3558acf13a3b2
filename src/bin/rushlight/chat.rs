//! `rushlight chat`: messages from flags, or line by line from standard input.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use rushlight::session::{Event, GenerateOptions, Host, Session, report};
use rushlight::tasks::chat::{self, LocalTime, Message, Overflow};

use crate::args::{CommonArgs, RunArgs, SamplingArgs};
use crate::error::CliError;
use crate::model_file;
use crate::output::{note, print};

#[derive(Args, Debug)]
pub struct ChatArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// What the user says; may be given again, each is answered in turn. Without one, lines of standard input are the messages.
    #[arg(long, value_name = "TEXT")]
    pub message: Vec<String>,
    /// What is said before the conversation.
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Most tokens of an answer; as many as the context holds by default.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub max_tokens: Option<usize>,
    /// Positions of the KV cache; the model's, at most 4096, by default.
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// What happens when the conversation has outgrown the context: its oldest turns are left out (the system message stays), or it
    /// ends with ERR_CONTEXT.
    #[arg(long, value_enum, default_value_t = OverflowArg::Trim)]
    pub overflow: OverflowArg,
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowArg {
    Trim,
    Error,
}

impl From<OverflowArg> for Overflow {
    fn from(overflow: OverflowArg) -> Self {
        match overflow {
            OverflowArg::Trim => Overflow::Trim,
            OverflowArg::Error => Overflow::Error,
        }
    }
}

pub fn run(args: &ChatArgs) -> Result<(), CliError> {
    let options = GenerateOptions {
        max_tokens: args.max_tokens,
        sampling: args.sampling.settings(),
        ..GenerateOptions::default()
    };
    options.sampling.validate()?;
    let load = args.run.load_options(&args.common, args.context);
    pollster::block_on(async {
        let mut session = model_file::load(&args.common.model, load, Host::native()).await?;
        let mut messages: Vec<Message> =
            args.system.iter().map(|system| Message::new("system", system)).collect();
        if !args.message.is_empty() {
            for said in &args.message {
                turn(args, &mut session, &mut messages, said, &options).await?;
            }
            return Ok(());
        }
        let asked = std::io::stdin().is_terminal();
        for line in std::io::stdin().lines() {
            let said = line.map_err(|error| CliError::file(Path::new("standard input"), &error))?;
            if said.trim().is_empty() {
                continue;
            }
            turn(args, &mut session, &mut messages, &said, &options).await?;
            if asked {
                note("");
            }
        }
        Ok(())
    })
}

/// Answers one message, and keeps both for the next.
async fn turn(
    args: &ChatArgs,
    session: &mut Session,
    messages: &mut Vec<Message>,
    said: &str,
    options: &GenerateOptions,
) -> Result<(), CliError> {
    messages.push(Message::new("user", said));
    let dropped = chat::start_fitted(session, messages, options.clone(), args.overflow.into(), now())
        .map_err(CliError::from_chat)?;
    if dropped > 0 && !args.common.json {
        let turns = if dropped == 1 { "turn was" } else { "turns were" };
        note(&format!("the context is full: the {dropped} oldest {turns} left out"));
    }
    let mut answer = String::new();
    while let Some(event) = session.next().await? {
        let text = match &event {
            Event::Piece(piece) => &piece.text,
            Event::Done { text, .. } => text,
        };
        answer.push_str(text);
        if args.common.json {
            let mut line = report::event(session, &event);
            if let Some(stats) = line.get_mut("stats") {
                stats["dropped_turns"] = dropped.into();
            }
            print(&format!("{line}\n"))?;
        } else {
            print(text)?;
        }
    }
    if !args.common.json {
        print("\n")?;
    }
    messages.push(Message::new("assistant", answer));
    Ok(())
}

/// The time in UTC: the standard library knows no zones.
pub fn now() -> LocalTime {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    LocalTime(elapsed.map_or(0, |elapsed| elapsed.as_secs() as i64))
}
