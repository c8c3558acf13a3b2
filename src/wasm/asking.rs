//! Questions about documents: `AskApi` of `pkg/src/engine.ts`.

use js_sys::JsString;
use wasm_bindgen::prelude::*;

use super::ask::Reads;
use super::{Engine, Stage, error, parse, to_json};
use crate::tasks::ask::view::View;
use crate::tasks::ask::{self, AskError};

/// NFC by the browser's own tables.
fn compose(text: &str) -> String {
    JsString::from(text).normalize("NFC").into()
}

pub(super) fn ask_error(failure: AskError) -> JsValue {
    error(failure.code(), &failure.to_string())
}

#[wasm_bindgen]
impl Engine {
    /// Throws where there is nothing to answer.
    #[wasm_bindgen(js_name = askCheck)]
    pub fn ask_check(&self, question: &str) -> Result<(), JsValue> {
        ask::check(question).map_err(ask_error)
    }

    /// The text as it is searched, in which sentences are to be found.
    #[wasm_bindgen(js_name = askView)]
    pub fn ask_view(&self, text: &str) -> String {
        View::new(text, compose).text().to_owned()
    }

    /// Takes in documents; the key and the number of the sentences of each, as JSON.
    #[wasm_bindgen(js_name = askOpen)]
    pub fn ask_open(&mut self, documents: &str) -> Result<String, JsValue> {
        to_json(&self.desk.open(parse(documents)?, compose).map_err(ask_error)?)
    }

    /// The sentences of a document, as JSON.
    #[wasm_bindgen(js_name = askSentences)]
    pub fn ask_sentences(&self, document: usize) -> Result<String, JsValue> {
        to_json(&self.desk.sentences(document).map_err(ask_error)?)
    }

    /// The sentences whose vectors a question needs, counted through the documents.
    #[wasm_bindgen(js_name = askFirst)]
    pub fn ask_first(&mut self, question: &str) -> Result<Vec<u32>, JsValue> {
        let Engine { stage, desk, .. } = self;
        let first = desk.first(stage.reads()?, question).map_err(ask_error)?;
        Ok(first.into_iter().map(|sentence| sentence as u32).collect())
    }

    /// Finds passages.
    #[wasm_bindgen(js_name = askStart)]
    pub fn ask_start(&mut self, request: &str) -> Result<String, JsValue> {
        let Engine { stage, desk, .. } = self;
        let request = parse(request)?;
        to_json(&desk.start(stage.reads()?, request).map_err(ask_error)?)
    }

    /// Reads the next passage; how many have been read.
    #[wasm_bindgen(js_name = askStep)]
    pub async fn ask_step(&mut self) -> Result<usize, JsValue> {
        let Engine { stage, desk, .. } = self;
        desk.step(stage.reads()?).await.map_err(ask_error)
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

impl Stage {
    /// What reads documents.
    fn reads(&mut self) -> Result<Reads<'_>, JsValue> {
        match self {
            Stage::Reader(reader) => Ok(Reads::Marks(reader)),
            Stage::Embedder(_) => Err(error(
                "ERR_UNSUPPORTED_MODEL",
                "this model makes embeddings and answers no questions: give it as the option embedder",
            )),
            _ => self.session().map(Reads::Writes),
        }
    }
}
