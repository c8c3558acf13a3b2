//! `rushlight generate`

use rushlight::session::{Event, Finish, Host, Piece, Session, Stats, report};
use rushlight::tokenizer::StopMatcher;

use crate::args::GenerateArgs;
use crate::decode::text_or_file;
use crate::error::CliError;
use crate::model_file;
use crate::output::{note, print, size};

pub fn run(args: &GenerateArgs) -> Result<(), CliError> {
    let options = args.generate_options();
    // Before the model is loaded: nobody should wait to hear of a mistyped flag.
    options.sampling.validate()?;
    StopMatcher::new(options.stop.iter().cloned())?;
    let prompt = text_or_file(args.prompt.as_ref(), args.prompt_file.as_ref())?;
    let load = args.run.load_options(&args.common, args.context);
    pollster::block_on(async {
        let mut session = model_file::load(&args.common.model, load, Host::native()).await?;
        session.start(&prompt, options.clone())?;
        while let Some(event) = session.next().await? {
            match &event {
                _ if args.common.json => print(&format!("{}\n", report::event(&session, &event)))?,
                Event::Piece(piece) if options.logprobs.is_some() => print(&row(&session, piece)?)?,
                Event::Piece(piece) => print(&piece.text)?,
                Event::Done { text, stats } => {
                    if options.logprobs.is_none() {
                        print(&format!("{text}\n"))?;
                    }
                    summary(&session, stats);
                }
            }
        }
        Ok(())
    })
}

/// A token with its probability and those of the likeliest, in place of the running text.
fn row(session: &Session, piece: &Piece) -> Result<String, CliError> {
    let bytes = session.tokenizer().piece(piece.id)?;
    let text = format!("{:?}", String::from_utf8_lossy(&bytes));
    let top: Vec<String> = piece.top.iter().map(|top| format!("{:?} {:.3}", top.text, top.logprob)).collect();
    let logprob = piece.logprob.unwrap_or(f32::NAN);
    Ok(format!("{:>8} {logprob:>9.3}  {text:16}  {}\n", piece.id, top.join("  ")))
}

/// Statistics for people, on stderr.
fn summary(session: &Session, stats: &Stats) {
    let (info, memory) = (session.info(), session.memory());
    let ended = match stats.finish {
        Finish::EndToken => "the model ended it",
        Finish::StopText => "ended by a stop text",
        Finish::Length => "ended by --max-tokens",
        Finish::Context => "the context is full",
        Finish::Cancelled => "stopped",
    };
    note(&format!("\nbackend  {} ({}): {}", info.backend.kind, info.backend.device, info.reason));
    note(&format!("load     {:.0} ms", info.timings.total_ms));
    note(&format!(
        "prompt   {} tokens, {:.1} tokens/s, first token after {:.0} ms",
        stats.prompt_tokens,
        stats.prefill_per_second(),
        stats.first_token_ms
    ));
    note(&format!("answer   {} tokens, {:.1} tokens/s, {ended}", stats.tokens, stats.decode_per_second()));
    note(&format!(
        "memory   {} weights, {} KV cache, {} scratch",
        size(memory.weights),
        size(memory.states),
        size(memory.scratch)
    ));
}
