//! Folders as the Hugging Face hub holds models: weights in safetensors, configuration and tokenizer beside them.

use std::path::{Path, PathBuf};

use rushlight::model::hf::Files;

use crate::error::CliError;

/// The weights of such a folder.
pub const WEIGHTS: &str = "model.safetensors";

/// A folder's weights, and the small files beside them.
pub struct Folder {
    pub weights: PathBuf,
    pub files: Files,
}

impl Folder {
    /// The folder at `path`, or the one that a safetensors file lies in; `None` for any other file.
    pub fn open(path: &Path) -> Result<Option<Self>, CliError> {
        let is_weights = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("safetensors"));
        let (folder, weights) = match (path.is_dir(), is_weights) {
            (true, _) => (path, path.join(WEIGHTS)),
            (false, true) => (path.parent().unwrap_or(Path::new("")), path.to_owned()),
            (false, false) => return Ok(None),
        };
        if path.is_dir() && !folder.join("config.json").exists() {
            let expected = format!("and no folder with config.json and {WEIGHTS}");
            return Err(CliError::failure("ERR_FILE", format!("{}: not a file, {expected}", path.display())));
        }
        let needed = |name: &str| {
            let file = folder.join(name);
            std::fs::read(&file).map_err(|error| CliError::file(&file, &error))
        };
        let optional = |name: &str| std::fs::read(folder.join(name)).ok();
        Ok(Some(Folder {
            files: Files {
                config: needed("config.json")?,
                tokenizer: needed("tokenizer.json")?,
                sentence: optional("sentence_bert_config.json"),
                pooling: optional("1_Pooling/config.json"),
            },
            weights,
        }))
    }
}
