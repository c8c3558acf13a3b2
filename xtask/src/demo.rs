//! `cargo xtask demo`: everything from nothing to a page that answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rushlight::serve::{ServeOptions, serve};

use crate::setup::{self, Scope};
use crate::{build_web, fetch_minilm, fetch_model, fetch_smollm, npm, packages, process};

/// Drives the page: opens it, types the prompt, prints the tokens as they come and then the statistics.
const ASK: &str = "tests/browser/ask.mjs";

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Options {
    /// Ask the page this in a headless browser instead of serving it, and print what it says
    #[arg(long, value_name = "PROMPT")]
    ask: Option<String>,
    /// Port to serve on; a free one where 0, or where not named with --ask
    #[arg(long)]
    port: Option<u16>,
    /// What runs the model
    #[arg(long, value_enum, default_value = "auto")]
    backend: Backend,
    /// Which browser --ask opens
    #[arg(long, value_enum, default_value = "chromium")]
    browser: Browser,
    /// Most new tokens of --ask
    #[arg(long, default_value_t = 32)]
    max_tokens: u32,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Backend {
    Auto,
    Gpu,
    Cpu,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Browser {
    Chromium,
    Firefox,
}

/// The port people meet the page on.
const PORT: u16 = 8173;

/// Sets up, fetches, builds, then serves or asks.
pub fn run(options: &Options) -> Result<()> {
    setup::ensure(if options.ask.is_some() { Scope::Ask } else { Scope::Build })?;
    if options.ask.is_some() && matches!(options.browser, Browser::Firefox) {
        packages::ensure(&[packages::Need::Firefox])?;
    }
    let model = fetch_model::run(&fetch_model::Options::default())?;
    // What --ask says is neither about documents nor a conversation.
    let others = match (&options.ask, model.parent()) {
        (None, Some(models)) => Some((fetch_minilm::run(models)?, fetch_smollm::run(models)?)),
        _ => None,
    };
    build_web::run(&build_web::Options::default())?;
    let page = npm::folder(npm::PAGE).join("dist");
    let port = options.port.unwrap_or(if options.ask.is_some() { 0 } else { PORT });
    let serve_options = ServeOptions {
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        root: page,
        mounts: mounts(&model, others),
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start the server's threads")?;
    let Some(prompt) = &options.ask else {
        let announce =
            |addr: SocketAddr| println!("Rushlight is at http://localhost:{}/ (Ctrl-C ends it)", addr.port());
        return runtime.block_on(serve(serve_options, announce)).context("choose another port with --port");
    };
    runtime.block_on(async {
        let (sender, ready) = std::sync::mpsc::channel();
        let server = tokio::spawn(serve(serve_options, move |addr| {
            sender.send(addr).ok();
        }));
        // Dropping the sender ends the wait: the server failed before it was ready.
        let Ok(addr) = tokio::task::spawn_blocking(move || ready.recv()).await? else {
            server.await??;
            bail!("the server ended before it was ready");
        };
        ask(options, prompt, addr).await
    })
}

/// The models at the addresses that the page's controls are preset with, or offer: Gemma, then MiniLM's folder and SmolLM2.
fn mounts(model: &Path, others: Option<(PathBuf, PathBuf)>) -> Vec<(String, PathBuf)> {
    let mut mounts = vec![(format!("/models/{}", fetch_model::FILE), model.to_path_buf())];
    if let Some((finds, chats)) = others {
        mounts.push((format!("/models/{}", fetch_minilm::FOLDER), finds));
        mounts.push((format!("/models/{}", fetch_smollm::FILE), chats));
    }
    mounts
}

async fn ask(options: &Options, prompt: &str, addr: SocketAddr) -> Result<()> {
    let (browser, found) = match options.browser {
        Browser::Chromium => ("chromium", packages::chromium()),
        Browser::Firefox => ("firefox", packages::firefox()),
    };
    let program: PathBuf = found.with_context(|| {
        format!("no {browser} here: install it, or name its program in {}", browser.to_uppercase())
    })?;
    let backend = match options.backend {
        Backend::Auto => "auto",
        Backend::Gpu => "gpu",
        Backend::Cpu => "cpu",
    };
    let mut node = process::command("node");
    node.env(browser.to_uppercase(), program).arg(ASK);
    node.args(["--url", &format!("http://localhost:{}/", addr.port()), "--prompt", prompt]);
    node.args(["--backend", backend, "--browser", browser, "--max-tokens", &options.max_tokens.to_string()]);
    // stdin is closed, stdout and stderr are ours: tokens show as they come.
    let status = tokio::process::Command::from(node)
        .status()
        .await
        .context("cannot start node: install node with npm")?;
    if !status.success() {
        bail!("the page gave no answer; what the browser said is above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    #[test]
    fn the_page_is_preset_with_what_is_served() {
        let known = std::fs::read_to_string(paths::root().join("www/src/state/catalogue.ts")).unwrap();
        let others = Some(("minilm".into(), "smollm.gguf".into()));
        let [writes, finds, chats] = <[_; 3]>::try_from(mounts(Path::new("gemma.gguf"), others)).unwrap();
        // The page's addresses are relative to its folder, which is the server's root. A folder of files ends with a slash in the
        // page, and without one in the server.
        let finds = format!("{}/", finds.0);
        for url in [&writes.0, &finds, &chats.0] {
            assert!(known.contains(&format!("url: {:?}", url.trim_start_matches('/'))), "{url}");
        }
    }
}
