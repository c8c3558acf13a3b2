//! The vectors of documents in an embedder's worker: `IndexApi` of `pkg/src/engine.ts`. Sentences are counted through the documents that
//! are open.

use wasm_bindgen::prelude::*;

use super::ask::Sentences;
use super::asking::ask_error;
use super::{Engine, Stage, error, parse, to_json};
use crate::session::Embedder;
use crate::tasks::ask::indexes::BACKGROUND_BATCH;

#[wasm_bindgen]
impl Engine {
    /// Opens documents in place of those that were; takes `{ key, sentences }[]` as JSON, gives what tells the embedder from others.
    #[wasm_bindgen(js_name = indexOpen)]
    pub fn index_open(&mut self, documents: &str) -> Result<String, JsValue> {
        let documents: Vec<Sentences> = parse(documents)?;
        let Engine { stage, desk, .. } = self;
        let embedder = stage.embedder()?;
        desk.open_indexes(&documents, embedder.dimensions()).map_err(ask_error)?;
        Ok(format!("{:016x}", embedder.identity()))
    }

    /// What there is of each open document, `{ done, texts }[]` as JSON.
    #[wasm_bindgen(js_name = indexState)]
    pub fn index_state(&self) -> Result<String, JsValue> {
        to_json(&self.desk.embedded())
    }

    /// Takes what `indexBytes` gave of a document.
    #[wasm_bindgen(js_name = indexTake)]
    pub fn index_take(&mut self, document: usize, bytes: &[u8]) -> Result<(), JsValue> {
        let Engine { stage, desk, .. } = self;
        desk.indexes.take(stage.embedder()?, document, bytes).map_err(ask_error)
    }

    /// Takes the sentences of a document as JSON.
    #[wasm_bindgen(js_name = indexTexts)]
    pub fn index_texts(&mut self, document: usize, sentences: &str) -> Result<(), JsValue> {
        self.desk.indexes.take_texts(document, parse(sentences)?).map_err(ask_error)
    }

    /// Those of some sentences that are not embedded.
    #[wasm_bindgen(js_name = indexLacking)]
    pub fn index_lacking(&mut self, sentences: &[u32]) -> Vec<u32> {
        let sentences: Vec<usize> = sentences.iter().map(|&sentence| sentence as usize).collect();
        self.desk.indexes.lacking(&sentences).into_iter().map(|sentence| sentence as u32).collect()
    }

    /// Those to embed next in the background; none where all are, or where there is no more room.
    #[wasm_bindgen(js_name = indexNext)]
    pub fn index_next(&mut self) -> Vec<u32> {
        self.desk.indexes.next(BACKGROUND_BATCH).into_iter().map(|sentence| sentence as u32).collect()
    }

    /// Embeds sentences.
    #[wasm_bindgen(js_name = indexEmbed)]
    pub async fn index_embed(&mut self, sentences: Vec<u32>) -> Result<(), JsValue> {
        let Engine { stage, desk, .. } = self;
        let sentences: Vec<usize> = sentences.into_iter().map(|sentence| sentence as usize).collect();
        desk.indexes.embed(stage.embedder()?, &sentences).await.map_err(ask_error)
    }

    /// Sentences that are embedded, and all.
    #[wasm_bindgen(js_name = indexProgress)]
    pub fn index_progress(&self) -> Vec<u32> {
        let (done, all) = self.desk.indexes.progress();
        vec![done as u32, all as u32]
    }

    /// The product of a question's vector with that of each sentence; not a number where that has none.
    #[wasm_bindgen(js_name = indexCompare)]
    pub async fn index_compare(&mut self, question: String) -> Result<Vec<f32>, JsValue> {
        let Engine { stage, desk, .. } = self;
        let products = desk.indexes.compare(stage.embedder()?, &question).await.map_err(ask_error)?;
        Ok(products.into_iter().map(|product| product.unwrap_or(f32::NAN)).collect())
    }

    /// A document's vectors as bytes, with what it is called.
    #[wasm_bindgen(js_name = indexBytes)]
    pub fn index_bytes(&mut self, document: usize, title: &str) -> Result<Vec<u8>, JsValue> {
        let Engine { stage, desk, .. } = self;
        desk.indexes.to_bytes(stage.embedder()?, document, title).map_err(ask_error)
    }
}

impl Stage {
    fn embedder(&mut self) -> Result<&mut Embedder, JsValue> {
        match self {
            Stage::Embedder(embedder) => Ok(embedder),
            _ => Err(error("ERR_UNSUPPORTED_MODEL", "embedder: expected a model that makes embeddings")),
        }
    }
}
