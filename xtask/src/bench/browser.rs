//! wllama in the same headless Chromium: prefill, decode, and the way from a file on localhost to the first token.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rushlight::serve::{ServeOptions, serve};
use serde_json::Value;

use super::cpu::{Bench, our_version, threads_text};
use super::report::{Goal, Row, Section, Side};
use super::samples::Samples;
use super::{bandwidth, child, native};
use crate::{npm, packages, paths, process};

/// Opens the pages and prints what they measured, a line each.
const DRIVER: &str = "benches/peers/run.mjs";
const MODEL_URL: &str = "/models/model.gguf";

/// The static server of `rushlight serve`, for as long as this lives.
pub struct Server {
    url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Serves the measuring pages, our package, the peers, and what a section adds.
    pub fn start(more: Vec<(String, PathBuf)>) -> Result<Self> {
        let peers = npm::folder(npm::PEERS);
        let modules = peers.join("node_modules");
        let mut mounts = vec![
            ("/pkg".to_owned(), npm::folder(npm::PACKAGE)),
            ("/wllama".to_owned(), modules.join("@wllama/wllama/esm")),
            ("/onnxruntime".to_owned(), modules.join("onnxruntime-web/dist")),
        ];
        mounts.extend(more);
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = ServeOptions { addr, root: peers.join("pages"), mounts };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.context("cannot start the server's thread")?;
        let (sender, ready) = std::sync::mpsc::channel();
        let server = runtime.spawn(serve(options, move |addr| {
            sender.send(addr).ok();
        }));
        match ready.recv() {
            Ok(addr) => Ok(Self { url: format!("http://localhost:{}", addr.port()), _runtime: runtime }),
            // The sender is gone: the server ended before it was ready, and says why.
            Err(_) => match runtime.block_on(server)? {
                Err(error) => Err(error).context("the server did not start"),
                Ok(()) => bail!("the server ended before it was ready"),
            },
        }
    }

    /// The driver with its browser, ready to open one page of each side.
    pub fn driver(&self, kind: &str, threads: usize) -> Command {
        let mut node = process::command("node");
        if let Some(chromium) = packages::chromium() {
            node.env("CHROMIUM", chromium);
        }
        node.arg(paths::root().join(DRIVER)).args([kind, "--runs", "1", "--url", &self.url]);
        node.args(["--threads", &threads.to_string()]);
        node
    }
}

/// What a page of `side` gave among the lines of the driver.
pub fn result_of(lines: &str, side: &str) -> Result<Value> {
    let values = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut line =
        values.into_iter().find(|line| line["side"] == side).with_context(|| format!("no page of {side}"))?;
    if let Some(error) = line["error"].as_str() {
        bail!("{side}'s page failed: {error}");
    }
    Ok(line["result"].take())
}

/// A version out of an installed npm package.
pub fn npm_version(package: &str) -> String {
    let path = npm::folder(npm::PEERS).join("node_modules").join(package).join("package.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let version = serde_json::from_str::<Value>(&text).ok().and_then(|value| {
        let version = value["version"].as_str()?;
        Some(version.to_owned())
    });
    format!("{package} {}", version.unwrap_or_default())
}

/// The browser's own version line.
pub fn chromium_version() -> String {
    packages::chromium().and_then(|program| process::ask(program, &["--version"])).unwrap_or_default()
}

fn generation_section(name: &str) -> Section {
    Section {
        name: name.to_owned(),
        versions: vec![our_version(), npm_version("@wllama/wllama"), chromium_version()],
        notes: vec![
            "a new browser each turn, a fresh page each side, and nobody listens to its network; \
             wllama with as many threads as ours, one slot, no warm-up run, the file as a Blob (with its own cache it loads later)"
                .to_owned(),
        ],
        ..Section::default()
    }
}

/// The figures of one side with one number of threads.
#[derive(Default)]
struct Figures {
    prefill: Samples,
    decode: Samples,
    first_token: Samples,
}

impl Figures {
    fn take(&mut self, result: &Value) -> Result<()> {
        let first_token = child::number(result, "/firstTokenMs")? / 1e3;
        self.first_token.0.push(first_token);
        if result["prefillMs"].is_number() {
            let prompt = child::number(result, "/promptTokens")? + result["cached"].as_f64().unwrap_or(0.0);
            self.prefill.0.push(prompt * 1e3 / child::number(result, "/prefillMs")?);
            let after_first = child::number(result, "/written")? - 1.0;
            self.decode.0.push(after_first * 1e3 / child::number(result, "/decodeMs")?);
        }
        Ok(())
    }

    fn last(&self) -> String {
        let last = |samples: &Samples| samples.0.last().copied().unwrap_or(f64::NAN);
        format!(
            "first token after {:.2} s, prefill {:.1}, decode {:.1} tokens/s",
            last(&self.first_token),
            last(&self.prefill),
            last(&self.decode)
        )
    }
}

fn side(name: &str, samples: &Samples) -> Side {
    Side::new(name, samples.clone())
}

/// Prefill of 128 tokens and decode of 64, with all cores and with one; our decode also over our own native one.
pub fn measure(bench: &Bench) -> Result<Section> {
    let mut section = generation_section("browser");
    let server = Server::start(vec![(MODEL_URL.to_owned(), bench.model.clone())])?;
    for &threads in &bench.threads {
        let mut driver = server.driver("generation", threads);
        driver.args(["--model", MODEL_URL]);
        section.commands.push(child::line(&driver));
        let with = threads_text(threads);
        let (mut ours, mut theirs, mut native) = (Figures::default(), Figures::default(), Samples::default());
        let mut weight_bytes = f64::NAN;
        for run in 0..bench.runs {
            let lines = child::text(&mut driver)?;
            let our_page = result_of(&lines, "rushlight")?;
            ours.take(&our_page)?;
            theirs.take(&result_of(&lines, "wllama")?)?;
            let (rate, bytes) = native::our_decode(bench, threads)?;
            native.0.push(rate);
            weight_bytes = bytes;
            eprintln!("  {}/{}, {with}: ours: {}", run + 1, bench.runs, ours.last());
            eprintln!("  {}/{}, {with}: wllama: {}", run + 1, bench.runs, theirs.last());
            if run == 0 {
                section.notes.push(format!("{with}: ours ran on {}", our_page["device"]));
            }
        }
        let goal = |least, aim| Goal::AtLeast { least, aim };
        section.rows.extend([
            Row::new(
                format!("browser decode of 64, {with}"),
                "tokens/s",
                side("rushlight", &ours.decode),
                side("wllama", &theirs.decode),
                goal(4.0, 8.0),
            ),
            Row::new(
                format!("browser prefill of 128, {with}"),
                "tokens/s",
                side("rushlight", &ours.prefill),
                side("wllama", &theirs.prefill),
                goal(5.0, 12.0),
            ),
            Row::new(
                format!("browser decode over native decode, {with}"),
                "tokens/s",
                side("rushlight", &ours.decode),
                side("rushlight native", &native),
                goal(0.5, 0.8),
            ),
            bandwidth::share(
                format!("browser decode, {with}"),
                &ours.decode,
                weight_bytes,
                &bandwidth::read_in_browser(&server, threads)?,
            ),
        ]);
    }
    Ok(section)
}

/// From the import of the library to the first token of a short prompt, the file on localhost.
pub fn measure_load(bench: &Bench) -> Result<Section> {
    let mut section = generation_section("load");
    let server = Server::start(vec![(MODEL_URL.to_owned(), bench.model.clone())])?;
    let threads = bench.threads[0];
    let mut driver = server.driver("generation", threads);
    driver.args(["--first-token-only", "--model", MODEL_URL]);
    section.commands.push(child::line(&driver));
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    for run in 0..bench.runs {
        let lines = child::text(&mut driver)?;
        ours.take(&result_of(&lines, "rushlight")?)?;
        theirs.take(&result_of(&lines, "wllama")?)?;
        let last = |figures: &Figures| figures.first_token.0.last().copied().unwrap_or(f64::NAN);
        eprintln!("  {}/{}: ours {:.2} s, wllama {:.2} s", run + 1, bench.runs, last(&ours), last(&theirs));
    }
    section.rows.push(Row::new(
        format!("browser, file on localhost to first token, {}", threads_text(threads)),
        "s",
        side("rushlight", &ours.first_token),
        side("wllama", &theirs.first_token),
        Goal::AtMost { most: 0.5, aim: 0.35 },
    ));
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::{Figures, result_of};

    #[test]
    fn the_page_of_a_side_is_found_and_its_failure_told() {
        let lines = "{\"side\":\"rushlight\",\"run\":0,\"result\":{\"a\":1}}\nnoise\n{\"side\":\"wllama\",\"run\":0,\"error\":\"gone\"}\n";
        assert_eq!(result_of(lines, "rushlight").unwrap()["a"], 1);
        assert!(result_of(lines, "wllama").unwrap_err().to_string().contains("gone"));
        assert!(result_of(lines, "onnxruntime").is_err());
    }

    #[test]
    fn tokens_a_second_count_cached_ones_of_the_prompt_and_not_the_first_of_the_answer() {
        let mut figures = Figures::default();
        let result = serde_json::json!({"firstTokenMs": 2000.0, "promptTokens": 127, "cached": 1, "prefillMs": 1000.0,
            "written": 64, "decodeMs": 6300.0});
        figures.take(&result).unwrap();
        assert_eq!((figures.first_token.0[0], figures.prefill.0[0], figures.decode.0[0]), (2.0, 128.0, 10.0));
    }
}
