//! `rushlight generate`

use std::io::Write;

use rushlight::session::{Event, Host, Stats, report};

use crate::args::{GenerateArgs, text_or_file};
use crate::error::CliError;
use crate::model_file;

pub fn run(args: &GenerateArgs) -> Result<(), CliError> {
    let prompt = text_or_file(args.prompt.as_ref(), args.prompt_file.as_ref())?;
    let load = args.run.load_options(&args.common, args.context);
    pollster::block_on(async {
        let mut session = model_file::load(&args.common.model, load, Host::native()).await?;
        session.start(&prompt, args.generate_options())?;
        while let Some(event) = session.next().await? {
            let line = report::event(&session, &event);
            match &event {
                _ if args.common.json => write(&format!("{line}\n"))?,
                Event::Piece(piece) => write(&piece.text)?,
                Event::Done { text, stats } => {
                    write(&format!("{text}\n"))?;
                    summary(&session.info(), stats);
                }
            }
        }
        Ok(())
    })
}

/// To standard output at once. A reader that has gone away ends the program quietly, as `head` does.
fn write(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(CliError::failure("ERR_FILE", format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Statistics for people, on stderr.
fn summary(info: &rushlight::session::SessionInfo, stats: &Stats) {
    eprintln!("\nbackend  {} ({}): {}", info.backend.kind, info.backend.device, info.reason);
    eprintln!("load     {:.0} ms", info.timings.total_ms);
    eprintln!(
        "prompt   {} tokens, {:.1} tokens/s, first token after {:.0} ms",
        stats.prompt_tokens,
        stats.prefill_per_second(),
        stats.first_token_ms
    );
    eprintln!(
        "answer   {} tokens, {:.1} tokens/s, ended by {}",
        stats.tokens,
        stats.decode_per_second(),
        stats.finish.name()
    );
}
