//! Sessions as JSON, as the command line prints them. The wasm boundary has its own spelling, in the words of its TypeScript.

use serde_json::{Value, json};

use super::{Event, Piece, Session, Stats};
use crate::plan::BackendInfo;
use crate::plan::executor::MemoryUse;

/// Executor, device and the reason for them.
pub fn backend(info: &BackendInfo, reason: &str) -> Value {
    json!({
        "backend": info.kind.to_string(),
        "device": info.device,
        "software": info.software,
        "threads": info.threads,
        "reason": reason,
    })
}

/// Bytes by what they hold.
pub fn memory(memory: MemoryUse) -> Value {
    json!({ "weights": memory.weights, "kv": memory.states, "scratch": memory.scratch })
}

/// Facts about a loaded model.
pub fn info(session: &Session) -> Value {
    let info = session.info();
    json!({
        "name": info.name,
        "architecture": info.architecture,
        "parameters": info.parameters,
        "weight_bytes": info.weight_bytes,
        "vocabulary": info.vocabulary,
        "tokenizer": session.tokenizer().name(),
        "tokenizer_bytes": session.tokenizer().bytes(),
        "context": info.context,
        "trained_context": info.trained_context,
        "chat": info.chat,
        "kv": info.kv.name().to_lowercase(),
        "backend": backend(&info.backend, &info.reason),
        "header_ms": info.timings.header_ms,
        "tokenizer_ms": info.timings.tokenizer_ms,
        "load_ms": info.timings.total_ms,
    })
}

/// One token. `logprob` and `top` are there if they were asked for.
pub fn piece(piece: &Piece) -> Value {
    let mut value = json!({ "id": piece.id, "text": piece.text });
    if let Some(logprob) = piece.logprob {
        let top = piece.top.iter().map(|t| json!({ "id": t.id, "text": t.text, "logprob": t.logprob }));
        value["logprob"] = json!(logprob);
        value["top"] = Value::Array(top.collect());
    }
    value
}

/// What an answer took, with where it ran.
pub fn stats(session: &Session, stats: &Stats) -> Value {
    let info = session.info();
    json!({
        "finish": stats.finish.name(),
        "prompt_tokens": stats.prompt_tokens,
        "cached_tokens": stats.cached_tokens,
        "tokens": stats.tokens,
        "load_ms": info.timings.total_ms,
        "first_token_ms": stats.first_token_ms,
        "prefill_ms": stats.prefill_ms,
        "prefill_tokens_per_second": stats.prefill_per_second(),
        "decode_ms": stats.decode_ms,
        "decode_tokens_per_second": stats.decode_per_second(),
        "backend": backend(&info.backend, &info.reason),
        "memory": memory(session.memory()),
    })
}

/// An event: a token, or the last object with `stats` and the text that was still held back.
pub fn event(session: &Session, event: &Event) -> Value {
    match event {
        Event::Piece(value) => piece(value),
        Event::Done { text, stats: value } => json!({ "text": text, "stats": stats(session, value) }),
    }
}
