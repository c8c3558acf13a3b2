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
        if path.is_dir()
            && let Some(missing) = ["config.json", WEIGHTS].iter().find(|name| !folder.join(name).exists())
        {
            let said =
                format!("{}: not a file, and a folder without {missing}{}", path.display(), instead(folder));
            return Err(CliError::failure("ERR_FILE", said));
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

/// What a folder holds that could be meant.
fn instead(folder: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    let ending = |end: &str| names.iter().find(|name| name.to_ascii_lowercase().ends_with(end));
    if let Some(name) = ending(".gguf") {
        return format!(": give the model file itself, {name}");
    }
    if let Some(name) = ending(".safetensors.index.json") {
        return format!(
            ": {name} says that the weights are in several files, which are not read: give one file, {WEIGHTS}"
        );
    }
    match ending(".bin").or_else(|| ending(".pt")) {
        Some(name) => format!(": {name} is a PyTorch checkpoint, which has to be converted to {WEIGHTS}"),
        None => format!("; expected config.json, tokenizer.json and {WEIGHTS}"),
    }
}
