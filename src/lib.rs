//! Rushlight runs language models inside a web page, on the visitor's own machine.
//!
//! One crate, built twice: to WebAssembly for the browser, natively for the terminal. See
//! `ARCHITECTURE.md` for the map of the rooms and the direction imports run.

pub mod formats;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod kernel;
pub mod plan;
pub mod selftest;
pub mod tensor;
pub mod tokenizer;
