//! `rushlight chat`: messages from flags or a file, or line by line from standard input; or only what the model would be told.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use rushlight::session::{Event, GenerateOptions, Host, Session, report};
use rushlight::tasks::chat::{self, ChatTemplate, Conversation, Data, LocalTime, Message, Overflow};

use crate::args::{Backend, CommonArgs, RunArgs, SamplingArgs};
use crate::error::CliError;
use crate::model_file;
use crate::output::{note, print};

#[derive(Args, Debug)]
pub struct ChatArgs {
    /// Model file (GGUF); of a split model the first part. Only `--show-prompt` with `--template-file` does without.
    #[arg(long, value_name = "FILE", required_unless_present_all = ["show_prompt", "template_file"])]
    pub model: Option<PathBuf>,
    /// Where to run: a hardware GPU or else the CPU, or one of them by force.
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    pub backend: Backend,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub run: RunArgs,
    /// A file of JSON: a list of messages, or an object with `messages` and what else the template reads (`tools`, `documents`,
    /// `enable_thinking`). Messages are given to it as they stand there.
    #[arg(long, value_name = "FILE", conflicts_with = "system")]
    pub messages_file: Option<PathBuf>,
    /// A chat template (Jinja) in place of the one of the model's file.
    #[arg(long, value_name = "FILE")]
    pub template_file: Option<PathBuf>,
    /// Print what the model would be told, and end.
    #[arg(long)]
    pub show_prompt: bool,
    /// What `bos_token` is in the template; the vocabulary's by default, and empty without a model.
    #[arg(long, value_name = "TEXT", requires = "template_file")]
    pub bos_token: Option<String>,
    /// What `eos_token` is in the template; the vocabulary's by default, and empty without a model.
    #[arg(long, value_name = "TEXT", requires = "template_file")]
    pub eos_token: Option<String>,
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

/// What is said so far, and what else the template reads.
#[derive(Default)]
struct Told {
    messages: Vec<Message>,
    given: Vec<(String, Data)>,
}

impl Told {
    /// What flags and the file say.
    fn of(args: &ChatArgs) -> Result<Self, CliError> {
        let Some(path) = &args.messages_file else {
            let messages = args.system.iter().map(|system| Message::new("system", system)).collect();
            return Ok(Told { messages, ..Told::default() });
        };
        let wrong = |said: String| CliError::usage(format!("{}: {said}", path.display()));
        let data: Data = serde_json::from_str(&read(path)?).map_err(|error| wrong(error.to_string()))?;
        if data.may_have_lost_digits() {
            return Err(wrong("expected numbers that 64 bits hold".to_owned()));
        }
        let (messages, given) = match data {
            Data::Object(mut fields) => {
                let at = fields.iter().position(|(name, _)| name == "messages");
                let messages = at.map(|at| fields.remove(at).1);
                (messages, fields)
            }
            list => (Some(list), Vec::new()),
        };
        let Some(Data::List(messages)) = messages else {
            return Err(wrong(
                "expected a list of messages, or an object with one under \"messages\"".to_owned(),
            ));
        };
        let messages = messages.into_iter().map(Message::of).collect::<Result<_, _>>();
        Ok(Told { messages: messages.map_err(|error| wrong(error.to_string()))?, given })
    }

    fn conversation(&self) -> Conversation<'_> {
        Conversation { messages: &self.messages, given: &self.given }
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| CliError::file(path, &error))
}

/// The template, and the session where there is a model.
struct Chat {
    template: ChatTemplate,
    session: Option<Session>,
}

impl Chat {
    async fn open(args: &ChatArgs) -> Result<Self, CliError> {
        let session = match &args.model {
            Some(model) => {
                let common = CommonArgs { model: model.clone(), backend: args.backend, json: args.json };
                let load = args.run.load_options(&common, args.context);
                Some(model_file::load(model, load, Host::native()).await?)
            }
            None => None,
        };
        let template = match (&args.template_file, &session) {
            (Some(path), session) => {
                let vocabulary = session.as_ref().map(|session| chat::special_texts(session.tokenizer()));
                let (bos, eos) = vocabulary.unwrap_or_default();
                let bos = args.bos_token.clone().unwrap_or(bos);
                let eos = args.eos_token.clone().unwrap_or(eos);
                ChatTemplate::with_tokens(&read(path)?, bos, eos).map_err(CliError::from_chat)?
            }
            (None, Some(session)) => chat::template(session).map_err(CliError::from_chat)?,
            (None, None) => return Err(CliError::usage("--model or --template-file is needed")),
        };
        Ok(Chat { template, session })
    }
}

pub fn run(args: &ChatArgs) -> Result<(), CliError> {
    let options = GenerateOptions {
        max_tokens: args.max_tokens,
        sampling: args.sampling.settings(),
        ..GenerateOptions::default()
    };
    options.sampling.validate()?;
    let mut told = Told::of(args)?;
    pollster::block_on(async {
        let mut chat = Chat::open(args).await?;
        if args.show_prompt {
            return show_prompt(args, &chat, &mut told);
        }
        let from_file = args.messages_file.is_some();
        if from_file && args.message.is_empty() {
            return answer(args, &mut chat, &mut told, &options).await;
        }
        if !args.message.is_empty() {
            for said in &args.message {
                turn(args, &mut chat, &mut told, said, &options).await?;
            }
            return Ok(());
        }
        let asked = std::io::stdin().is_terminal();
        for line in std::io::stdin().lines() {
            let said = line.map_err(|error| CliError::file(Path::new("standard input"), &error))?;
            if said.trim().is_empty() {
                continue;
            }
            turn(args, &mut chat, &mut told, &said, &options).await?;
            if asked {
                note("");
            }
        }
        Ok(())
    })
}

/// Prints the text that a first answer would begin behind, byte for byte.
fn show_prompt(args: &ChatArgs, chat: &Chat, told: &mut Told) -> Result<(), CliError> {
    match &args.message[..] {
        [] if args.messages_file.is_some() => {}
        [said] => told.messages.push(Message::new("user", said)),
        _ => return Err(CliError::usage("--show-prompt: expected --messages-file, or one --message")),
    }
    let text = chat.template.render(told.conversation(), now()).map_err(CliError::from_chat)?;
    if args.json {
        return print(&format!("{}\n", serde_json::json!({ "prompt": text })));
    }
    print(&text)
}

/// Answers one message, and keeps both for the next.
async fn turn(
    args: &ChatArgs,
    chat: &mut Chat,
    told: &mut Told,
    said: &str,
    options: &GenerateOptions,
) -> Result<(), CliError> {
    told.messages.push(Message::new("user", said));
    answer(args, chat, told, options).await
}

/// Answers what was said last.
async fn answer(
    args: &ChatArgs,
    chat: &mut Chat,
    told: &mut Told,
    options: &GenerateOptions,
) -> Result<(), CliError> {
    let Some(session) = &mut chat.session else { return Err(CliError::usage("--model is needed to answer")) };
    let (template, overflow) = (&chat.template, args.overflow.into());
    let dropped =
        chat::start_fitted(session, template, told.conversation(), options.clone(), overflow, now())
            .map_err(CliError::from_chat)?;
    if dropped > 0 && !args.json {
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
        if args.json {
            let mut line = report::event(session, &event);
            if let Some(stats) = line.get_mut("stats") {
                stats["dropped_turns"] = dropped.into();
            }
            print(&format!("{line}\n"))?;
        } else {
            print(text)?;
        }
    }
    if !args.json {
        print("\n")?;
    }
    told.messages.push(Message::new("assistant", answer));
    Ok(())
}

/// The time in UTC: the standard library knows no zones.
pub fn now() -> LocalTime {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    LocalTime(elapsed.map_or(0, |elapsed| elapsed.as_secs() as i64))
}
