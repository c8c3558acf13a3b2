//! Flags and their help, and how they become options.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rushlight::plan;
use rushlight::sampler::Settings;
use rushlight::session::{BackendChoice, GenerateOptions, LoadOptions};
use rushlight::tasks::quantise::TARGETS;
use rushlight::tensor::DType;

use crate::chat::ChatArgs;
use crate::prefix::PrefixArgs;

/// Language models on your own machine, from the files they are published as.
#[derive(Parser, Debug)]
#[command(name = "rushlight", version, about)]
pub struct Cli {
    /// Write what the time was spent on to this file, as a trace that chrome://tracing and ui.perfetto.dev open.
    #[arg(long, value_name = "FILE", global = true)]
    pub trace: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write on from a prompt.
    Generate(GenerateArgs),
    /// Answer messages, by the chat template of the model's file.
    Chat(ChatArgs),
    /// Text to token ids.
    Tokenize(TokenizeArgs),
    /// Token ids to text.
    Detokenize(DetokenizeArgs),
    /// What is in a model file, and the memory that running it takes.
    Inspect(InspectArgs),
    /// How well a model predicts a text.
    Perplexity(PerplexityArgs),
    /// How fast a model runs here: prompts of some lengths, and decoding.
    Bench(BenchArgs),
    /// Answer a question about a document by a stretch of it.
    Ask(AskArgs),
    /// Texts to vectors whose products say how alike the texts are.
    Embed(EmbedArgs),
    /// A model file in other element types, as GGUF.
    Quantize(QuantizeArgs),
    /// The hashes that browsers check a model file with, as FILE.sha256.json beside it.
    Manifest(ManifestArgs),
    /// The KV cache of a text that prompts will begin with, as a file for `restoreFrom` in a page.
    Prefix(PrefixArgs),
    /// Serve a folder with the headers that a page of ours needs.
    Serve(ServeArgs),
}

/// Flags of every command.
#[derive(Args, Debug)]
pub struct CommonArgs {
    /// Model file (GGUF); of a split model the first part, `-00001-of-0000N.gguf`. For embeddings also a folder with
    /// `model.safetensors`, `config.json` and `tokenizer.json`.
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Where to run: a hardware GPU or else the CPU, or one of them by force.
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    pub backend: Backend,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Auto,
    Cpu,
    Gpu,
}

impl From<Backend> for BackendChoice {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Auto => BackendChoice::Auto,
            Backend::Cpu => BackendChoice::Cpu,
            Backend::Gpu => BackendChoice::Gpu,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kv {
    F16,
    F32,
}

/// Arithmetic of the activations on the CPU.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// F32 throughout: token for token what the reference says.
    Exact,
    /// Bytes where a quantised weight is multiplied: several times as fast.
    Fast,
}

impl From<Precision> for plan::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Exact => plan::Precision::Exact,
            Precision::Fast => plan::Precision::Fast,
        }
    }
}

/// Flags of the commands that run the model.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Threads of the CPU backend; all cores by default.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Type of the KV cache.
    #[arg(long, value_enum, default_value_t = Kv::F16)]
    pub kv: Kv,
    /// Arithmetic of the activations on the CPU.
    #[arg(long, value_enum, default_value_t = Precision::Fast)]
    pub precision: Precision,
}

impl RunArgs {
    /// Options of the loader.
    pub fn load_options(&self, common: &CommonArgs, context: Option<usize>) -> LoadOptions {
        LoadOptions {
            backend: common.backend.into(),
            adapter: None,
            threads: self.threads,
            precision: self.precision.into(),
            kv: match self.kv {
                Kv::F16 => DType::F16,
                Kv::F32 => DType::F32,
            },
            context,
        }
    }
}

#[derive(Args, Debug)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// The prompt.
    #[arg(long, required_unless_present = "prompt_file", conflicts_with = "prompt_file")]
    pub prompt: Option<String>,
    /// A file with the prompt; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    /// Most tokens to write.
    #[arg(long, value_name = "N", default_value_t = 128, allow_negative_numbers = true)]
    pub max_tokens: usize,
    /// Positions of the KV cache; the model's, at most 4096, by default.
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// A text that ends the answer; may be given again.
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// A token id that ends the answer; may be given again.
    #[arg(long, value_name = "ID")]
    pub stop_id: Vec<u32>,
    /// Write on after the model's own end tokens.
    #[arg(long)]
    pub ignore_eos: bool,
    /// Take `<bos>` and the like in the prompt for plain text.
    #[arg(long)]
    pub no_special: bool,
    /// Give each token's log-probability and the N likeliest ones.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub logprobs: Option<usize>,
}

/// How tokens are picked.
#[derive(Args, Debug)]
pub struct SamplingArgs {
    /// Randomness; 0 takes the likeliest token.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    pub temperature: f32,
    /// Keep the N likeliest tokens; 0 keeps all.
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub top_k: usize,
    /// Keep the likeliest tokens that together have this probability.
    #[arg(long, value_name = "P", default_value_t = 1.0, allow_negative_numbers = true)]
    pub top_p: f32,
    /// Keep tokens with at least this share of the largest probability.
    #[arg(long, value_name = "P", default_value_t = 0.0, allow_negative_numbers = true)]
    pub min_p: f32,
    /// Makes recent tokens less likely by division; 1 is off.
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    pub repetition_penalty: f32,
    /// Taken from a recent token's logit for each time it occurs.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    pub frequency_penalty: f32,
    /// Taken once from a recent token's logit.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    pub presence_penalty: f32,
    /// Added to a token's logit, as ID=BIAS; may be given again; `-inf` forbids the token.
    #[arg(long, value_name = "ID=BIAS", value_parser = parse_bias)]
    pub logit_bias: Vec<(u32, f32)>,
    /// Same seed, same text: any whole number of 64 bits, with a sign or without; taken from the clock if not given.
    #[arg(long, value_name = "N", value_parser = parse_seed, allow_negative_numbers = true)]
    pub seed: Option<u64>,
}

/// Negative numbers stand for the bits that they have in two's complement, as in the package.
fn parse_seed(text: &str) -> Result<u64, String> {
    let signed = || text.parse::<i64>().map(i64::cast_unsigned);
    text.parse()
        .or_else(|_| signed())
        .map_err(|_| format!("expected a whole number of 64 bits, got {text:?}"))
}

fn parse_bias(text: &str) -> Result<(u32, f32), String> {
    let (id, bias) = text.split_once('=').ok_or("expected ID=BIAS")?;
    let id = id.parse().map_err(|_| format!("expected a token id, got {id:?}"))?;
    let bias = bias.parse().map_err(|_| format!("expected a number, got {bias:?}"))?;
    Ok((id, bias))
}

impl SamplingArgs {
    /// Settings of the sampler.
    pub fn settings(&self) -> Settings {
        let clock = || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.map_or(0, |elapsed| elapsed.as_nanos() as u64)
        };
        Settings {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            logit_bias: self.logit_bias.clone(),
            seed: self.seed.unwrap_or_else(clock),
            ..Settings::default()
        }
    }
}

impl GenerateArgs {
    /// Options of the session.
    pub fn generate_options(&self) -> GenerateOptions {
        GenerateOptions {
            max_tokens: Some(self.max_tokens),
            sampling: self.sampling.settings(),
            stop: self.stop.clone(),
            stop_ids: self.stop_id.clone(),
            ignore_eos: self.ignore_eos,
            logprobs: self.logprobs,
            parse_special: !self.no_special,
            ..GenerateOptions::default()
        }
    }
}

#[derive(Args, Debug)]
pub struct TokenizeArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    /// The text.
    #[arg(long, required_unless_present = "file", conflicts_with = "file")]
    pub text: Option<String>,
    /// A file with the text; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Take `<bos>` and the like for plain text.
    #[arg(long)]
    pub no_special: bool,
    /// Leave out the tokens that the model expects around a text.
    #[arg(long)]
    pub no_bos: bool,
}

#[derive(Args, Debug)]
pub struct DetokenizeArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Token ids, separated by commas or spaces.
    #[arg(long, required = true, num_args = 1.., value_delimiter = ',')]
    pub ids: Vec<u32>,
    /// Leave special tokens out of the text.
    #[arg(long)]
    pub skip_special: bool,
}

#[derive(Args, Debug)]
pub struct InspectArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    /// Positions of the KV cache in the memory plan.
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Type of the KV cache in the memory plan.
    #[arg(long, value_enum, default_value_t = Kv::F16)]
    pub kv: Kv,
    /// Print the plan, a line a step.
    #[arg(long)]
    pub plan: bool,
}

#[derive(Args, Debug)]
pub struct PerplexityArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// The text to score: UTF-8, UTF-16 with its mark, or Windows-1252; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// Positions of a window, BOS included.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub context: usize,
}

#[derive(Args, Debug)]
pub struct BenchArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// Lengths of the prompts, separated by commas; 0 leaves prompts out.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "128,512")]
    pub prompt_tokens: Vec<usize>,
    /// Tokens to write, one at a time; 0 leaves decoding out.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub decode_tokens: usize,
    /// Embed this text instead, with an encoder.
    #[arg(long, conflicts_with_all = ["prompt_tokens", "decode_tokens"])]
    pub text: Option<String>,
    /// How often each is timed, after one run that is not.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub runs: usize,
}

#[derive(Args, Debug)]
pub struct AskArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// A model that makes embeddings, which finds what words alone don't.
    #[arg(long, value_name = "FILE")]
    pub embedder: Option<PathBuf>,
    /// Keep the vectors of a long document's sentences in this folder, and make those that the answers did not need once these are
    /// printed. The next question then waits for none. Without DIR beside the models that were fetched.
    #[arg(long, value_name = "DIR", num_args = 0..=1, requires = "embedder")]
    pub index_cache: Option<Option<PathBuf>>,
    /// The document, as plain text: UTF-8, UTF-16 with its mark, or Windows-1252; `-` is standard input. Places in answers are of the
    /// text, in bytes of UTF-8, without a byte order mark.
    #[arg(long, value_name = "FILE")]
    pub context_file: PathBuf,
    /// The question; may be given again.
    #[arg(long, value_name = "TEXT", required_unless_present = "question_file")]
    pub question: Vec<String>,
    /// A file with a question a line.
    #[arg(long, value_name = "FILE")]
    pub question_file: Option<PathBuf>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t = AskMode::Extract)]
    pub mode: AskMode,
    /// Passages that are read.
    #[arg(long, value_name = "N", default_value_t = rushlight::tasks::ask::PASSAGES)]
    pub passages: usize,
    /// Positions of the KV cache; the model's, at most 4096, by default.
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Add what speaks for each span to the JSON.
    #[arg(long, requires = "json")]
    pub evidence: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskMode {
    /// By a stretch of the document.
    Extract,
    /// In the model's own words, from the passages that were found.
    Free,
    /// In the model's own words, from as much of the document as its context holds.
    Plain,
}

#[derive(Args, Debug)]
pub struct EmbedArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    /// A text; may be given again.
    #[arg(long, required_unless_present = "text_file", value_name = "TEXT")]
    pub text: Vec<String>,
    /// A file with a text a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub text_file: Option<PathBuf>,
    /// Tokens that a text is cut to; what the model was trained with by default.
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
    /// Threads of the CPU backend; all cores by default.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Arithmetic of the activations on the CPU, where weights are quantised.
    #[arg(long, value_enum, default_value_t = Precision::Exact)]
    pub precision: Precision,
}

#[derive(Args, Debug)]
pub struct QuantizeArgs {
    /// GGUF file, or folder with `model.safetensors`, `config.json` and `tokenizer.json`.
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// GGUF file to write.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Element type of the matrices: q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k, f16, bf16 or f32.
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_target)]
    pub target: Target,
    /// Threads; all cores by default.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// An element type to write.
#[derive(Clone, Copy, Debug)]
pub struct Target(pub DType);

fn parse_target(text: &str) -> Result<Target, String> {
    let known = TARGETS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(text));
    known.map(|(_, dtype, _)| Target(*dtype)).ok_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

#[derive(Args, Debug)]
pub struct ManifestArgs {
    /// Model file, or several: each part of a split model has its own manifest.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Folder behind `/`.
    pub root: PathBuf,
    /// Model file to serve under /models/.
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Recorded for the page: where it should run the model.
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    pub backend: Backend,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8787)]
    pub port: u16,
    /// A further folder or file, as /PREFIX=PATH; may be given again.
    #[arg(long, value_name = "/PREFIX=PATH", value_parser = parse_mount)]
    pub mount: Vec<(String, PathBuf)>,
    /// Print the address as JSON.
    #[arg(long)]
    pub json: bool,
}

fn parse_mount(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((prefix, path)) if prefix.starts_with('/') => Ok((prefix.to_owned(), path.into())),
        _ => Err("expected /PREFIX=PATH".to_owned()),
    }
}
