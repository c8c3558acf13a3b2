//! `rushlight embed`

use rushlight::session::{Embedder, Embeddings, Host, LoadOptions, report};
use serde_json::json;

use crate::args::EmbedArgs;
use crate::decode::text_or_file;
use crate::error::CliError;
use crate::model_file;
use crate::output::{note, print};

pub fn run(args: &EmbedArgs) -> Result<(), CliError> {
    let mut texts = args.text.clone();
    if args.text_file.is_some() {
        texts.extend(text_or_file(None, args.text_file.as_ref())?.lines().map(str::to_owned));
    }
    let options = LoadOptions {
        backend: args.common.backend.into(),
        threads: args.threads,
        precision: args.precision.into(),
        context: args.max_tokens,
        ..LoadOptions::default()
    };
    pollster::block_on(async {
        let mut embedder = model_file::load_embedder(&args.common.model, options, Host::native()).await?;
        let embeddings = embedder.embed(&texts).await?;
        if args.common.json {
            return print(&format!("{}\n", to_json(&embedder, &embeddings)));
        }
        print(&to_text(&texts, &embeddings))?;
        let info = embedder.model().info();
        note(&format!("backend {} ({}): {}", info.backend.kind, info.backend.device, info.reason));
        let stats = embeddings.stats;
        if stats.truncated > 0 {
            let (cut, most) = (stats.truncated, embedder.max_tokens());
            note(&format!("{cut} of {} texts were cut to {most} tokens", texts.len()));
        }
        note(&format!("{} tokens in {:.1} ms", stats.tokens, stats.ms));
        Ok(())
    })
}

fn to_json(embedder: &Embedder, embeddings: &Embeddings) -> serde_json::Value {
    let info = embedder.model().info();
    let stats = embeddings.stats;
    json!({
        "embeddings": embeddings.vectors,
        "dimensions": embedder.dimensions(),
        "max_tokens": embedder.max_tokens(),
        "tokens": stats.tokens,
        "truncated": stats.truncated,
        "load_ms": info.timings.total_ms,
        "embed_ms": stats.ms,
        "backend": report::backend(&info.backend, &info.reason),
    })
}

/// For people: each text with the first numbers of its vector, then how alike the texts are.
fn to_text(texts: &[String], embeddings: &Embeddings) -> String {
    const SHOWN: usize = 6;
    let mut out = String::new();
    for (index, (text, vector)) in texts.iter().zip(&embeddings.vectors).enumerate() {
        let numbers: Vec<String> = vector.iter().take(SHOWN).map(|x| format!("{x:8.5}")).collect();
        let more = vector.len().saturating_sub(SHOWN);
        out.push_str(&format!("{:>4}  [{} and {more} more]  {text}\n", index + 1, numbers.join(" ")));
    }
    if texts.len() > 1 {
        out.push_str("\ncosine similarity\n");
        for (index, a) in embeddings.vectors.iter().enumerate() {
            // The vectors are of length 1.
            let cosine = |b: &Vec<f32>| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
            let row: Vec<String> = embeddings.vectors.iter().map(|b| format!("{:7.4}", cosine(b))).collect();
            out.push_str(&format!("{:>4}  {}\n", index + 1, row.join(" ")));
        }
    }
    out
}
