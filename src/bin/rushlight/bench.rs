//! `rushlight bench`: the same two figures that `llama-bench` gives, measured the same way; with `--text`, an embedding.
//!
//! - Prefill of N: N tokens at once from an empty cache, logits of the last one.
//! - Decode of N: N runs of one token each, the first from an empty cache. Ours also pick the token and decode its text.
//!
//! One run of each that is not timed comes first: caches fill, pages are touched, threads start.

use std::time::Instant;

use rushlight::session::{GenerateOptions, Host, Session, report};
use serde_json::{Value, json};

use crate::args::BenchArgs;
use crate::error::CliError;
use crate::model_file;
use crate::output::{note, print};

/// What is timed.
#[derive(Clone, Copy)]
enum Work {
    Prefill(usize),
    Decode(usize),
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Work::Prefill(_) => "prefill",
            Work::Decode(_) => "decode",
        }
    }

    fn tokens(self) -> usize {
        match self {
            Work::Prefill(tokens) | Work::Decode(tokens) => tokens,
        }
    }

    /// Tokens of the prompt, and tokens to write.
    fn shape(self) -> (usize, usize) {
        match self {
            Work::Prefill(tokens) => (tokens, 1),
            Work::Decode(tokens) => (1, tokens),
        }
    }
}

/// Work and the milliseconds of each run.
struct Timed {
    work: Work,
    ms: Vec<f64>,
}

impl Timed {
    fn per_second(&self) -> Vec<f64> {
        self.ms.iter().map(|ms| self.work.tokens() as f64 * 1e3 / ms).collect()
    }
}

pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    if args.runs == 0 {
        return Err(CliError::usage("--runs: expected at least 1, got 0"));
    }
    if let Some(text) = &args.text {
        return embed(args, text);
    }
    let prompts = args.prompt_tokens.iter().copied().map(Work::Prefill);
    let works: Vec<Work> =
        prompts.chain([Work::Decode(args.decode_tokens)]).filter(|work| work.tokens() > 0).collect();
    let context = works.iter().map(|work| work.tokens() + 1).max();
    let Some(context) = context else {
        return Err(CliError::usage("--prompt-tokens, --decode-tokens: expected one over 0"));
    };
    let load = args.run.load_options(&args.common, Some(context.max(2)));
    pollster::block_on(async {
        let mut session = model_file::load(&args.common.model, load, Host::native()).await?;
        let mut results = Vec::new();
        for work in works {
            once(&mut session, work).await?;
            let mut ms = Vec::with_capacity(args.runs);
            for _ in 0..args.runs {
                ms.push(once(&mut session, work).await?);
            }
            results.push(Timed { work, ms });
        }
        show(args, &session, &results)
    })
}

/// One text at a time, its tokens found anew each time; two runs that are not timed come first.
fn embed(args: &BenchArgs, text: &str) -> Result<(), CliError> {
    const WARM_UP: usize = 2;
    let load = args.run.load_options(&args.common, None);
    pollster::block_on(async {
        let mut embedder = model_file::load_embedder(&args.common.model, load, Host::native()).await?;
        let (mut ms, mut vector, mut tokens) = (Vec::with_capacity(args.runs), Vec::new(), 0);
        for run in 0..WARM_UP + args.runs {
            let start = Instant::now();
            let embeddings = embedder.embed(&[text]).await?;
            if run >= WARM_UP {
                ms.push(start.elapsed().as_secs_f64() * 1e3);
            }
            tokens = embeddings.stats.tokens;
            vector = embeddings.vectors.into_iter().next().unwrap_or_default();
        }
        let facts = embedder.model().info();
        let (info, reason) = (facts.backend, facts.reason.as_str());
        if args.common.json {
            let results = [json!({ "test": "embed", "tokens": tokens, "ms": ms })];
            let backend = report::backend(&info, reason);
            let value = json!({ "backend": backend, "results": results, "vector": vector });
            return print(&format!("{value}\n"));
        }
        print(&format!("embed    {tokens:>5} tokens  {:>9.2} ms\n", median(&ms)))?;
        note(&format!("backend {} ({}): {reason}", info.kind, info.device));
        Ok(())
    })
}

/// Token ids that any vocabulary has; which ones they are makes no difference to the time.
fn prompt(session: &Session, tokens: usize) -> Vec<u32> {
    let vocabulary = session.tokenizer().vocab_size().max(1);
    let rest = (0_u32..).map(|index| index.wrapping_mul(7919) % vocabulary);
    session.tokenizer().bos().into_iter().chain(rest).take(tokens).collect()
}

/// Milliseconds of one piece of work from an empty cache.
async fn once(session: &mut Session, work: Work) -> Result<f64, CliError> {
    let (prompt_tokens, max_tokens) = work.shape();
    let ids = prompt(session, prompt_tokens);
    let options = GenerateOptions {
        max_tokens: Some(max_tokens),
        ignore_eos: true,
        reuse: false,
        ..GenerateOptions::default()
    };
    let start = Instant::now();
    session.start_ids(ids, options)?;
    for _ in 0..max_tokens {
        session.next().await?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 { at(middle) } else { (at(middle.saturating_sub(1)) + at(middle)) / 2.0 }
}

fn show(args: &BenchArgs, session: &Session, results: &[Timed]) -> Result<(), CliError> {
    let info = session.info();
    if args.common.json {
        let results: Vec<Value> = results
            .iter()
            .map(|timed| {
                json!({
                    "test": timed.work.name(),
                    "tokens": timed.work.tokens(),
                    "ms": timed.ms,
                    "tokens_per_second": timed.per_second(),
                })
            })
            .collect();
        let value = json!({
            "info": report::info(session),
            "memory": report::memory(session.memory()),
            "results": results,
        });
        return print(&format!("{value}\n"));
    }
    for timed in results {
        let rates = timed.per_second();
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        print(&format!(
            "{:<8} {:>5} tokens  {:>9.1} tokens/s  ({least:.1} to {most:.1})\n",
            timed.work.name(),
            timed.work.tokens(),
            median(&rates)
        ))?;
    }
    note(&format!("backend {} ({}): {}", info.backend.kind, info.backend.device, info.reason));
    Ok(())
}
