//! Rushlight runs language models inside a web page, on the visitor's own machine.
//!
//! One crate, built twice: to WebAssembly for the browser, natively for the terminal. See
//! `ARCHITECTURE.md` for the map of the rooms and the direction imports run.

pub mod cpu;
pub mod formats;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod kernel;
pub mod model;
pub mod plan;
pub mod sampler;
pub mod selftest;
#[cfg(feature = "server")]
pub mod serve;
pub mod session;
pub mod tasks;
pub mod tensor;
pub mod tokenizer;
mod trace;

#[cfg(all(feature = "web", target_arch = "wasm32"))]
mod wasm;
