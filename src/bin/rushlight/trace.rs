//! `--trace FILE`: the engine's spans as chrome://tracing and Perfetto read them ("Trace Event Format", Google 2016): an array of
//! events, of which `"ph": "X"` is a span with its begin `ts` and its length `dur` in microseconds. The last bracket may be missing.
//!
//! Every event is written as its span ends, without a buffer: whatever ends the program, what has happened is in the file.
//! `tracing-chrome` writes numbers as texts and leaves out what is open when Ctrl-C ends the program.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value, json};
use tracing::Metadata;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::error::CliError;

/// The program's one trace.
static RECORDER: OnceLock<Mutex<Recorder>> = OnceLock::new();

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

struct Recorder {
    path: PathBuf,
    /// `None` once the trace is complete, or could not be written.
    file: Option<File>,
    failed: Option<std::io::Error>,
    began: Instant,
    open: BTreeMap<u64, Open>,
}

/// A span that has not ended.
struct Open {
    name: &'static str,
    thread: u64,
    began_ns: u64,
    args: Map<String, Value>,
}

/// Begins to record into a file, until [`end`] or Ctrl-C.
pub fn begin(path: &Path) -> Result<(), CliError> {
    let mut file = File::create(path).map_err(|error| CliError::file(path, &error))?;
    let name = json!({
        "name": "process_name", "ph": "M", "pid": std::process::id(), "tid": thread(), "args": { "name": "rushlight" },
    });
    write!(file, "[\n{name}").map_err(|error| CliError::file(path, &error))?;
    let recorder = Recorder {
        path: path.to_owned(),
        file: Some(file),
        failed: None,
        began: Instant::now(),
        open: BTreeMap::new(),
    };
    RECORDER.get_or_init(|| Mutex::new(recorder));
    let said = |error: &dyn Debug| CliError::failure("ERR_INTERNAL", format!("--trace: {error:?}"));
    tracing::subscriber::set_global_default(Registry::default().with(Spans)).map_err(|error| said(&error))?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(|error| said(&error))?;
    std::thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            end().ok();
            std::process::exit(INTERRUPTED);
        }
    });
    Ok(())
}

/// Completes the file, with the spans that are still open; does nothing where nothing is recorded.
pub fn end() -> Result<(), CliError> {
    let Some(mut recorder) = recorder() else { return Ok(()) };
    for (_, span) in std::mem::take(&mut recorder.open) {
        recorder.write(span);
    }
    recorder.put("\n]\n");
    recorder.file = None;
    match recorder.failed.take() {
        Some(error) => Err(CliError::file(&recorder.path, &error)),
        None => Ok(()),
    }
}

fn recorder() -> Option<MutexGuard<'static, Recorder>> {
    Some(RECORDER.get()?.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Recorder {
    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Writes a span that ends now.
    fn write(&mut self, span: Open) {
        let event = json!({
            "name": span.name, "cat": "rushlight", "ph": "X", "pid": std::process::id(), "tid": span.thread,
            "ts": microseconds(span.began_ns), "dur": microseconds(self.now_ns() - span.began_ns), "args": span.args,
        });
        self.put(&format!(",\n{event}"));
    }

    /// A failure is told at the end: the command that is traced goes on.
    fn put(&mut self, text: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(text.as_bytes()) {
            self.failed = Some(error);
            self.file = None;
        }
    }
}

fn microseconds(ns: u64) -> f64 {
    ns as f64 / 1e3
}

/// Number of the calling thread, in the order in which threads are first seen.
fn thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}

/// Hears of the library's spans.
struct Spans;

impl Layer<Registry> for Spans {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, Registry>) -> bool {
        metadata.is_span() && metadata.target() == "rushlight"
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, Registry>) {
        let mut args = Arguments(Map::new());
        attributes.record(&mut args);
        let (name, thread) = (attributes.metadata().name(), thread());
        if let Some(mut recorder) = recorder() {
            let began_ns = recorder.now_ns();
            recorder.open.insert(id.into_u64(), Open { name, thread, began_ns, args: args.0 });
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, Registry>) {
        if let Some(mut recorder) = recorder()
            && let Some(span) = recorder.open.remove(&id.into_u64())
        {
            recorder.write(span);
        }
    }
}

/// The numbers and texts of a span.
struct Arguments(Map<String, Value>);

impl Arguments {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Arguments {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}
