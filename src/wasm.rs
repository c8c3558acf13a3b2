//! The wasm boundary: the only file that names wasm-bindgen.

use wasm_bindgen::prelude::*;

/// The version of this crate, as the npm package reports it.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}
