//! The wasm boundary: the only room that names wasm-bindgen.
//!
//! What crosses it is bytes, text and JSON, in the words of `pkg/src/engine.ts`; `tsc` checks the generated declarations
//! against the interfaces there. Every failure becomes a JavaScript `Error` with a stable `code`. A panic is a trap, after
//! which nothing here may be called but [`last_panic`].

mod ask;
mod asking;
mod indexing;
mod json;
#[cfg(feature = "selftest")]
mod selftest;

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
use crate::model::hf;
use crate::plan::Precision;
use crate::session::{
    AdapterHint, BackendChoice, CancelFlag, Embedder, Event, Finish, Forecaster, Host, LoadOptions, Loader,
    Model, ModelKind, Session, SessionError, SpanReader,
};
use crate::tasks::chat::{self, ChatError, LocalTime};
use crate::tensor::DType;
use crate::tokenizer::EncodeOptions;
use json::{Adapter, Alternative, CorePlan, CreateOptions, End, Info, Memory, Piece, Prompt, Request, Step};

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

fn chat_error(failure: ChatError) -> JsValue {
    error(failure.code(), &failure.to_string())
}

/// What the clock on the visitor's wall shows.
fn local_time() -> LocalTime {
    let now = js_sys::Date::new_0();
    LocalTime((now.get_time() / 1e3 - now.get_timezone_offset() * 60.0) as i64)
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
    /// Of the conversation that is being answered: the oldest turns that did not fit.
    dropped_turns: usize,
}

enum Stage {
    Loading(Box<Loader>),
    /// Only the header is wanted, and what is to be said of it.
    Planning(Box<Forecaster>),
    Ready(Box<Session>),
    Embedder(Box<Embedder>),
    /// Marks answers in texts.
    Reader(Box<SpanReader>),
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
    if options.plan {
        let forecaster = Forecaster::new(load, host, files.as_ref(), options.file_bytes).await;
        return Ok(Engine {
            stage: Stage::Planning(Box::new(forecaster)),
            cancel,
            desk: ask::Desk::default(),
            dropped_turns: 0,
        });
    }
    let loader = match files {
        Some(files) => Loader::new_safetensors(load, host, &files, options.file_bytes).await,
        None => Loader::new(load, host, options.file_bytes).await,
    };
    let loader = loader.map_err(session_error)?;
    Ok(Engine {
        stage: Stage::Loading(Box::new(loader)),
        cancel,
        desk: ask::Desk::default(),
        dropped_turns: 0,
    })
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
            Stage::Planning(forecaster) => {
                forecaster.push(&chunk);
                Ok(())
            }
            _ => Err(error("ERR_INTERNAL", "push: the file has ended already")),
        }
    }

    /// Ends a part of a split file and begins the next, of so many bytes where that is known.
    #[wasm_bindgen(js_name = nextPart)]
    pub async fn next_part(&mut self, file_bytes: Option<f64>) -> Result<(), JsValue> {
        // Whole numbers up to 2^53 are exact.
        let file_len = file_bytes.map(|bytes| bytes as u64);
        match &mut self.stage {
            Stage::Loading(loader) => loader.next_part(file_len).await.map_err(session_error),
            Stage::Planning(forecaster) => {
                forecaster.next_part(file_len);
                Ok(())
            }
            _ => Err(error("ERR_INTERNAL", "nextPart: the file has ended already")),
        }
    }

    /// Whether header and tokenizer have been read.
    #[wasm_bindgen(js_name = hasHeader)]
    pub fn has_header(&self) -> bool {
        match &self.stage {
            Stage::Loading(loader) => loader.has_header(),
            Stage::Planning(forecaster) => forecaster.is_complete(),
            Stage::Ready(_) | Stage::Embedder(_) | Stage::Reader(_) => true,
            Stage::Gone => false,
        }
    }

    /// Ends the file; the model is ready then. Returns `CoreInfo` as JSON.
    pub async fn finish(&mut self) -> Result<String, JsValue> {
        let Stage::Loading(loader) = mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(error("ERR_INTERNAL", "finish: no file is being loaded"));
        };
        let model = loader.finish().await.map_err(session_error)?;
        let stage = match model.kind() {
            ModelKind::Decoder => Session::new(model).map(|session| Stage::Ready(Box::new(session))),
            ModelKind::Encoder => Embedder::new(model).map(|embedder| Stage::Embedder(Box::new(embedder))),
            ModelKind::SpanReader => SpanReader::new(model).map(|reader| Stage::Reader(Box::new(reader))),
        };
        self.stage = stage.map_err(session_error)?;
        to_json(&Info::of(self.model()?.info()))
    }

    /// What the load would take, once the header is there or the file has ended: `CorePlan` as JSON.
    pub async fn plan(&mut self) -> Result<String, JsValue> {
        let Stage::Planning(forecaster) = mem::replace(&mut self.stage, Stage::Gone) else {
            return Err(error("ERR_INTERNAL", "plan: no load is being planned"));
        };
        to_json(&CorePlan::from(forecaster.finish(true).await))
    }

    /// The vectors of some texts, which come as a JSON list, one behind the other.
    pub async fn embed(&mut self, texts: &str) -> Result<Vec<f32>, JsValue> {
        let texts: Vec<String> = parse(texts)?;
        match &mut self.stage {
            Stage::Embedder(embedder) => {
                Ok(embedder.embed(&texts).await.map_err(session_error)?.vectors.concat())
            }
            Stage::Reader(_) => {
                Err(error("ERR_UNSUPPORTED_MODEL", "this model marks answers and makes no embeddings"))
            }
            _ => Err(error("ERR_UNSUPPORTED_MODEL", "this model writes text and makes no embeddings")),
        }
    }

    /// Begins an answer; takes a `GenerateRequest` as JSON.
    pub fn start(&mut self, request: &str) -> Result<(), JsValue> {
        let missing = || error("ERR_BAD_ARGUMENT", "prompt: expected a text or messages, got neither");
        let (prompt, options) = parse::<Request>(request)?.into_options().ok_or_else(missing)?;
        let session = self.session()?;
        match prompt {
            Prompt::Text(prompt) => {
                session.start(&prompt, options).map_err(session_error)?;
                self.dropped_turns = 0;
            }
            Prompt::Messages(messages, overflow) => {
                let template = chat::template(session).map_err(chat_error)?;
                let dropped =
                    chat::start_fitted(session, &template, &messages, options, overflow, local_time())
                        .map_err(chat_error)?;
                self.dropped_turns = dropped;
            }
        }
        Ok(())
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
                cached_tokens: stats.cached_tokens,
                dropped_turns: self.dropped_turns,
                tokens: stats.tokens,
                first_token_ms: stats.first_token_ms,
                prefill_tokens_per_second: stats.prefill_per_second(),
                decode_tokens_per_second: stats.decode_per_second(),
            }),
            None => return Err(error("ERR_INTERNAL", "next: no answer was begun")),
        };
        to_json(&step)
    }

    /// The conversation so far, as bytes that `importConversation` takes.
    #[wasm_bindgen(js_name = exportConversation)]
    pub async fn export_conversation(&mut self) -> Result<Vec<u8>, JsValue> {
        self.session()?.export().await.map_err(session_error)
    }

    /// Takes up a conversation of the same model.
    #[wasm_bindgen(js_name = importConversation)]
    pub fn import_conversation(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.session()?.import(bytes).map(drop).map_err(session_error)
    }

    /// Where the bytes are: `CoreMemory` as JSON.
    pub fn memory(&mut self) -> Result<String, JsValue> {
        let model = self.model()?;
        let tokenizer = model.tokenizer().bytes().unwrap_or(0);
        let memory = match &self.stage {
            // With what it keeps beside the caches.
            Stage::Ready(session) => session.memory(),
            _ => model.memory(),
        };
        to_json(&Memory { weights: memory.weights, kv: memory.states, scratch: memory.scratch, tokenizer })
    }

    /// Token ids of a text, as a prompt would have them.
    pub fn tokenize(&mut self, text: &str) -> Result<Vec<u32>, JsValue> {
        let options = EncodeOptions { add_special: true, parse_special: true };
        let ids = self.model()?.tokenizer().encode(text, options);
        ids.map_err(|failure| session_error(failure.into()))
    }

    /// The text of token ids, special tokens left out.
    pub fn detokenize(&mut self, ids: &[u32]) -> Result<String, JsValue> {
        self.model()?.tokenizer().decode(ids, true).map_err(|failure| session_error(failure.into()))
    }

    fn model(&self) -> Result<&Model, JsValue> {
        match &self.stage {
            Stage::Embedder(embedder) => Ok(embedder.model()),
            Stage::Reader(reader) => Ok(reader.model()),
            Stage::Ready(session) => Ok(session.model()),
            Stage::Loading(_) | Stage::Planning(_) | Stage::Gone => {
                Err(error("ERR_INTERNAL", "no model is loaded"))
            }
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
            Stage::Reader(_) => {
                Err(error("ERR_UNSUPPORTED_MODEL", "this model marks answers and writes no text"))
            }
            Stage::Loading(_) | Stage::Planning(_) | Stage::Gone => {
                Err(error("ERR_INTERNAL", "no model is loaded"))
            }
        }
    }
}
