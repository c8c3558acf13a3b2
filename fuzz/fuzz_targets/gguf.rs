//! Arbitrary bytes as a GGUF file. See `invariants.rs` for what must hold.
#![no_main]

#[path = "../invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|file: &[u8]| invariants::gguf(file));
