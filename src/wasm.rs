//! The wasm boundary: the only file that names wasm-bindgen.
//!
//! What crosses it is bytes, text and JSON, in the words of `pkg/src/engine.ts`; `tsc` checks the generated declarations
//! against the interfaces there. Every failure becomes a JavaScript `Error` with a stable `code`. A panic is a trap, after
//! which nothing here may be called but [`last_panic`].

mod ask;
mod json;

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Mutex;

use js_sys::{Function, Promise, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::cpu::pool;
use crate::model::arch::Body;
use crate::model::hf;
use crate::plan::Precision;
use crate::session::{
    AdapterHint, BackendChoice, CancelFlag, Embedder, Event, Finish, Host, LoadOptions, Loader, Session,
    SessionError,
};
use crate::tasks::ask::AskError;
use crate::tensor::DType;
use crate::tokenizer::{EncodeOptions, Tokenizer};
use json::{Adapter, Alternative, CreateOptions, End, Info, Memory, Piece, Request, Step};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

thread_local! {
    /// Gives the worker's event loop a turn; a promise that is kept after it.
    static BREATHE: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// What a panic said, on whichever thread.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

// Runs in every thread; setting the same hook again is harmless.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut last) = LAST_PANIC.try_lock() {
            *last = Some(panic.to_string());
        }
    }));
}

/// What the last panic said: the trap that ends it says nothing.
#[wasm_bindgen(js_name = lastPanic)]
pub fn last_panic() -> Option<String> {
    LAST_PANIC.try_lock().ok()?.clone()
}

/// Threads that the engine's pool has room for, and that a page can lend it: none in the build without threads.
#[wasm_bindgen(js_name = poolVacancies)]
pub fn pool_vacancies() -> usize {
    pool::vacancies()
}

/// Lends the calling worker to the pool, for good; `joined` is called when it has taken its place.
#[wasm_bindgen(js_name = joinPool)]
pub fn join_pool(#[wasm_bindgen(unchecked_param_type = "() => void")] joined: Function) {
    loop {
        let place = pool::Place::take();
        // Whatever the page makes of it, the place is taken.
        joined.call0(&JsValue::NULL).ok();
        place.serve();
    }
}

/// Says that the calling worker trapped in [`join_pool`]: what waits for it then traps as well.
#[wasm_bindgen(js_name = abandonPool)]
pub fn abandon_pool() {
    pool::abandon();
}

/// The version of this crate, as the npm package reports it.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

/// Lets the worker hear its messages.
fn breathe() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async {
        let turn = BREATHE.with(|breathe| breathe.borrow().as_ref()?.call0(&JsValue::NULL).ok());
        if let Some(turn) = turn {
            // Whether the promise is kept or broken, the turn is over.
            JsFuture::from(Promise::resolve(&turn)).await.ok();
        }
    })
}

/// An `Error` with a code.
fn error(code: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    // Setting a property of a new object cannot fail.
    Reflect::set(&error, &"code".into(), &code.into()).ok();
    error.into()
}

fn session_error(failure: SessionError) -> JsValue {
    error(failure.code(), &failure.to_string())
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, JsValue> {
    serde_json::from_str(json).map_err(|failure| error("ERR_BAD_ARGUMENT", &failure.to_string()))
}

fn to_json(value: &impl Serialize) -> Result<String, JsValue> {
    serde_json::to_string(value).map_err(|failure| error("ERR_INTERNAL", &failure.to_string()))
}

/// Ends what an [`Engine`] is doing. An object of its own: async methods hold the engine itself.
#[wasm_bindgen(js_name = CancelFlag)]
pub struct JsCancelFlag(CancelFlag);

#[wasm_bindgen(js_class = CancelFlag)]
impl JsCancelFlag {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// One model: first it takes in its file, then it answers.
#[wasm_bindgen]
pub struct Engine {
    stage: Stage,
    cancel: CancelFlag,
    desk: ask::Desk,
}

enum Stage {
    Loading(Box<Loader>),
    Ready(Box<Session>),
    Embedder(Box<Embedder>),
    /// A load that failed, or one that is being finished.
    Gone,
}

/// Opens the backend; takes `CreateOptions` as JSON, and a function whose promise is kept after a turn of the event loop.
#[wasm_bindgen(js_name = createEngine)]
pub async fn create_engine(
    options: String,
    #[wasm_bindgen(unchecked_param_type = "() => Promise<void>")] turn: Function,
) -> Result<Engine, JsValue> {
    let options: CreateOptions = parse(&options)?;
    BREATHE.with(|breathe| breathe.replace(Some(turn)));
    let kv = match options.kv.as_str() {
        "f16" => DType::F16,
        "f32" => DType::F32,
        other => return Err(error("ERR_BAD_ARGUMENT", &format!("kv: expected f16 or f32, got {other}"))),
    };
    let precision = match options.precision.as_deref() {
        None => Precision::default(),
        Some(name) => Precision::parse(name).ok_or_else(|| {
            error("ERR_BAD_ARGUMENT", &format!("precision: expected exact or fast, got {name}"))
        })?,
    };
    let files: Option<hf::Files> = options.files.map(Into::into);
    let load = LoadOptions {
        backend: BackendChoice::parse(&options.backend).map_err(session_error)?,
        adapter: options.adapter.map(|Adapter { name, software }| AdapterHint { name, software }),
        kv,
        context: options.context,
        threads: options.threads,
        precision,
    };
    let cancel = CancelFlag::default();
    let host = Host { clock: performance_now, breathe, cancel: cancel.clone() };
    let loader = match files {
        Some(files) => Loader::new_safetensors(load, host, &files, options.file_bytes).await,
        None => Loader::new(load, host, options.file_bytes).await,
    };
    let loader = loader.map_err(session_error)?;
    Ok(Engine { stage: Stage::Loading(Box::new(loader)), cancel, desk: ask::Desk::default() })
}

#[wasm_bindgen]
impl Engine {
    /// The flag that ends whatever the engine is doing.
    #[wasm_bindgen(js_name = cancelFlag)]
    pub fn cancel_flag(&self) -> JsCancelFlag {
        JsCancelFlag(self.cancel.clone())
    }

    /// Takes in the next bytes of the file; waits while the device has enough to do.
    pub async fn push(&mut self, chunk: Vec<u8>) -> Result<(), JsValue> {
        match &mut self.stage {
            Stage::Loading(loader) => loader.push(&chunk).await.map_err(session_error),
            _ => Err(error("ERR_INTERNAL", "push: the file has ended already")),
        }
    }

    /// Whether header and tokenizer have been read.
    #[wasm_bindgen(js_name = hasHeader)]
    pub fn has_header(&self) -> bool {
        match &self.stage {
            Stage::Loading(loader) => loader.has_header(),
            Stage::Ready(_) | Stage::Embedder(_) => true,
            Stage::Gone => false,
        }
    }

    /// Ends the file; the model is ready then. Returns `CoreInfo` as JSON.
    pub async fn finish(&mut self) -> Result<String, JsValue> {
        let Stage::Loading(loader) = mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(error("ERR_INTERNAL", "finish: no file is being loaded"));
        };
        if loader.body() == Some(Body::Encoder) {
            let embedder = loader.finish_embedder().await.map_err(session_error)?;
            let info = embedder.info();
            self.stage = Stage::Embedder(Box::new(embedder));
            return to_json(&Info::of(info));
        }
        let session = loader.finish().await.map_err(session_error)?;
        let info = session.info();
        self.stage = Stage::Ready(Box::new(session));
        to_json(&Info::of(info))
    }

    /// The vectors of some texts, which come as a JSON list, one behind the other.
    pub async fn embed(&mut self, texts: &str) -> Result<Vec<f32>, JsValue> {
        let texts: Vec<String> = parse(texts)?;
        match &mut self.stage {
            Stage::Embedder(embedder) => {
                Ok(embedder.embed(&texts).await.map_err(session_error)?.vectors.concat())
            }
            _ => Err(error("ERR_UNSUPPORTED_MODEL", "this model writes text and makes no embeddings")),
        }
    }

    /// Begins an answer; takes a `GenerateRequest` as JSON.
    pub fn start(&mut self, request: &str) -> Result<(), JsValue> {
        let (prompt, options) = parse::<Request>(request)?.into_options();
        self.session()?.start(&prompt, options).map_err(session_error)
    }

    /// The next event of the answer: `CoreEvent` as JSON.
    pub async fn next(&mut self) -> Result<String, JsValue> {
        let event = self.session()?.next().await.map_err(session_error)?;
        let step = match event {
            Some(Event::Piece(piece)) => Step::Piece(Piece {
                id: piece.id,
                text: piece.text,
                logprob: piece.logprob,
                top: piece
                    .top
                    .into_iter()
                    .map(|token| Alternative { id: token.id, text: token.text, logprob: token.logprob })
                    .collect(),
            }),
            Some(Event::Done { text, stats }) => Step::End(End {
                reason: Finish::name(stats.finish),
                text,
                prompt_tokens: stats.prompt_tokens,
                tokens: stats.tokens,
                first_token_ms: stats.first_token_ms,
                prefill_tokens_per_second: stats.prefill_per_second(),
                decode_tokens_per_second: stats.decode_per_second(),
            }),
            None => return Err(error("ERR_INTERNAL", "next: no answer was begun")),
        };
        to_json(&step)
    }

    /// Where the bytes are: `CoreMemory` as JSON.
    pub fn memory(&mut self) -> Result<String, JsValue> {
        let held = match &self.stage {
            Stage::Embedder(embedder) => embedder.memory(),
            _ => self.session()?.memory(),
        };
        let tokenizer = self.tokenizer()?.bytes().unwrap_or(0);
        to_json(&Memory { weights: held.weights, kv: held.states, scratch: held.scratch, tokenizer })
    }

    /// Token ids of a text, as a prompt would have them.
    pub fn tokenize(&mut self, text: &str) -> Result<Vec<u32>, JsValue> {
        let options = EncodeOptions { add_special: true, parse_special: true };
        let ids = self.tokenizer()?.encode(text, options);
        ids.map_err(|failure| session_error(failure.into()))
    }

    /// The text of token ids, special tokens left out.
    pub fn detokenize(&mut self, ids: &[u32]) -> Result<String, JsValue> {
        self.tokenizer()?.decode(ids, true).map_err(|failure| session_error(failure.into()))
    }

    fn tokenizer(&mut self) -> Result<&Tokenizer, JsValue> {
        match &self.stage {
            Stage::Embedder(embedder) => Ok(embedder.tokenizer()),
            Stage::Ready(session) => Ok(session.tokenizer()),
            Stage::Loading(_) | Stage::Gone => Err(error("ERR_INTERNAL", "no model is loaded")),
        }
    }

    fn session(&mut self) -> Result<&mut Session, JsValue> {
        self.stage.session()
    }
}

impl Stage {
    fn session(&mut self) -> Result<&mut Session, JsValue> {
        match self {
            Stage::Ready(session) => Ok(session),
            Stage::Embedder(_) => {
                Err(error("ERR_UNSUPPORTED_MODEL", "this model makes embeddings and writes no text"))
            }
            Stage::Loading(_) | Stage::Gone => Err(error("ERR_INTERNAL", "no model is loaded")),
        }
    }
}

fn ask_error(failure: AskError) -> JsValue {
    error(failure.code(), &failure.to_string())
}

/// Questions about documents: `AskApi` of `pkg/src/engine.ts`.
#[wasm_bindgen]
impl Engine {
    /// Throws where there is nothing to answer.
    #[wasm_bindgen(js_name = askCheck)]
    pub fn ask_check(&self, question: &str) -> Result<(), JsValue> {
        crate::tasks::ask::check(question).map_err(ask_error)
    }

    /// The text with line breaks that only wrap a paragraph as spaces.
    #[wasm_bindgen(js_name = askLines)]
    pub fn ask_lines(&self, text: &str) -> String {
        crate::tasks::ask::text::unwrap_lines(text)
    }

    /// Takes in documents; the sentences of each as JSON.
    #[wasm_bindgen(js_name = askOpen)]
    pub fn ask_open(&mut self, documents: &str) -> Result<String, JsValue> {
        to_json(&self.desk.open(parse(documents)?).map_err(ask_error)?)
    }

    /// Finds passages.
    #[wasm_bindgen(js_name = askStart)]
    pub fn ask_start(&mut self, request: &str) -> Result<String, JsValue> {
        let Engine { stage, desk, .. } = self;
        to_json(&desk.start(stage.session()?, parse(request)?).map_err(ask_error)?)
    }

    /// Reads the next passage; how many have been read.
    #[wasm_bindgen(js_name = askStep)]
    pub async fn ask_step(&mut self) -> Result<usize, JsValue> {
        let Engine { stage, desk, .. } = self;
        desk.step(stage.session()?).await.map_err(ask_error)
    }

    /// The answer from what has been read, as JSON.
    #[wasm_bindgen(js_name = askAnswer)]
    pub fn ask_answer(&self) -> Result<String, JsValue> {
        to_json(&self.desk.answer().map_err(ask_error)?)
    }

    /// What supports a free answer, as JSON.
    #[wasm_bindgen(js_name = askSupport)]
    pub fn ask_support(&self, said: &str) -> Result<String, JsValue> {
        to_json(&self.desk.support(said).map_err(ask_error)?)
    }
}

/// Runs the kernels' own cases in a browser. Not in the package that visitors download.
#[cfg(feature = "selftest")]
mod selftest {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::cpu::{CpuExecutor, CpuOptions};
    use crate::gpu::{GpuExecutor, GpuOptions};
    use crate::kernel::{self, shader};
    use crate::plan::{Executor, Precision};
    use crate::selftest::run_case;
    use crate::session::{AnyExecutor, MAX_CHUNK};

    /// A case that agreed with its reference.
    #[derive(Serialize)]
    struct Passed {
        label: String,
        /// Largest error as a share of what is allowed.
        worst: f64,
        elements: usize,
    }

    /// Names and sources of every shader as an executor would hand it to the device: pairs, as JSON.
    #[wasm_bindgen(js_name = expandedShaders)]
    pub fn expanded_shaders() -> Result<String, JsValue> {
        let shaders =
            shader::expanded_shaders().map_err(|failure| error("ERR_INTERNAL", &failure.to_string()))?;
        to_json(&shaders)
    }

    /// An executor without a model.
    #[wasm_bindgen]
    pub struct SelfTest {
        executor: AnyExecutor,
        cases: Vec<kernel::Case>,
    }

    /// Opens the executor of a backend, `gpu` or `cpu`, the latter with room for so many threads.
    #[wasm_bindgen(js_name = createSelfTest)]
    pub async fn create_self_test(backend: String, threads: usize) -> Result<SelfTest, JsValue> {
        let executor = match backend.as_str() {
            "cpu" => AnyExecutor::Cpu(CpuExecutor::new(CpuOptions {
                threads: Some(threads),
                precision: Precision::Exact,
                clock: performance_now,
            })),
            _ => AnyExecutor::Gpu(
                GpuExecutor::open(GpuOptions::new(performance_now))
                    .await
                    .map_err(|failure| session_error(failure.into()))?,
            ),
        };
        Ok(SelfTest { executor, cases: kernel::all_cases() })
    }

    #[wasm_bindgen]
    impl SelfTest {
        /// Number of cases.
        pub fn cases(&self) -> usize {
            self.cases.len()
        }

        /// What the cases run on.
        pub fn device(&self) -> String {
            self.executor.info().device
        }

        /// Label of a case.
        pub fn label(&self, index: usize) -> Option<String> {
            Some(self.cases.get(index)?.label())
        }

        /// Runs a case against its reference: `Passed` as JSON, or an error that says where they part.
        pub async fn run(&mut self, index: usize) -> Result<String, JsValue> {
            let Some(case) = self.cases.get(index) else {
                return Err(error(
                    "ERR_BAD_ARGUMENT",
                    &format!("case: expected less than {}, got {index}", self.cases.len()),
                ));
            };
            let label = case.label();
            match run_case(&mut self.executor, case).await {
                Ok(report) => to_json(&Passed { label, worst: report.worst, elements: report.elements }),
                Err(failure) => Err(error("ERR_SELFTEST", &format!("{label}: {failure}"))),
            }
        }
    }

    /// A pool of two threads, one of whose tasks panics on the other thread.
    #[wasm_bindgen]
    pub struct PoolTrap(pool::Pool);

    #[wasm_bindgen]
    impl PoolTrap {
        /// The pool, still without the thread that the page lends it.
        #[wasm_bindgen(constructor)]
        pub fn new() -> Self {
            PoolTrap(pool::Pool::lent(2))
        }

        /// Runs a job whose caller waits for the thread that is lost.
        pub fn run(&self) {
            let caller = std::thread::current().id();
            let lost = AtomicBool::new(false);
            self.0.run(2, &|_| {
                if std::thread::current().id() != caller {
                    lost.store(true, Ordering::Release);
                    panic!("a task of the test");
                }
                while !lost.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
            });
        }
    }

    #[wasm_bindgen]
    impl Engine {
        /// Logits after the last of `ids`.
        pub async fn logits(&mut self, ids: Vec<u32>) -> Result<Vec<f32>, JsValue> {
            self.session()?.logits(&ids, MAX_CHUNK).await.map_err(session_error)
        }
    }
}
