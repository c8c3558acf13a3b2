//! `rushlight perplexity`

use std::io::IsTerminal;

use indicatif::ProgressBar;
use rushlight::session::{Host, report};
use serde_json::json;

use crate::args::PerplexityArgs;
use crate::decode::text_file;
use crate::error::CliError;
use crate::model_file;
use crate::output::{note, print};

pub fn run(args: &PerplexityArgs) -> Result<(), CliError> {
    let text = text_file(&args.file)?;
    let load = args.run.load_options(&args.common, Some(args.context));
    pollster::block_on(async {
        let mut session = model_file::load(&args.common.model, load, Host::native()).await?;
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let score = session
            .score(&text, args.context, |done, all| {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            })
            .await?;
        bar.finish_and_clear();
        let info = session.info();
        if args.common.json {
            let backend = report::backend(&info.backend, &info.reason);
            let (nll, windows) = (score.nll, &score.windows);
            let ppl = nll.exp();
            return print(&format!(
                "{}\n",
                json!({ "nll": nll, "perplexity": ppl, "tokens": score.tokens, "windows": windows, "backend": backend })
            ));
        }
        print(&format!(
            "mean negative log-likelihood {:.6} nats over {} tokens\nperplexity                   {:.4}\n",
            score.nll,
            score.tokens,
            score.nll.exp()
        ))?;
        note(&format!("backend {} ({}): {}", info.backend.kind, info.backend.device, info.reason));
        Ok(())
    })
}
