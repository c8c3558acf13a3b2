//! Small models with random weights: every architecture, every dtype, files of a few hundred kilobytes to a few megabytes.
//!
//! [`specs`] is the table, [`vocabulary`] makes a vocabulary that encodes any text, [`gguf`] writes the file, [`bert`] makes an encoder, [`oracle`] reads
//! what llama.cpp says of it. Only integer arithmetic and
//! exact or correctly rounded operations decide the bytes, so they are equal on every machine; `fixtures/llamacpp/NAME.json`
//! holds each file's SHA-256 with the logits that llama.cpp gave for it (see `tools/llamacpp_logits.sh`).
#![allow(dead_code)] // Each test crate, and the example that writes the files, uses a part.

pub mod bert;
pub mod gguf;
pub mod oracle;
pub mod specs;
pub mod spoilt;
pub mod vocabulary;
