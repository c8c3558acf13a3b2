//! `rushlight tokenize` and `rushlight detokenize`

use rushlight::tokenizer::{EncodeOptions, Tokenizer};
use serde_json::json;

use crate::args::{DetokenizeArgs, TokenizeArgs};
use crate::decode::text_or_file;
use crate::error::CliError;
use crate::model_file::read_metadata;
use crate::output::{Stream, print};

pub fn tokenize(args: &TokenizeArgs) -> Result<(), CliError> {
    let text = text_or_file(args.text.as_ref(), args.file.as_ref())?;
    let tokenizer = Tokenizer::from_metadata(&read_metadata(&args.common.model)?)?;
    let options = EncodeOptions { add_special: !args.no_bos, parse_special: !args.no_special };
    let ids = tokenizer.encode(&text, options)?;
    drop(text);
    let piece = |id: u32| -> Result<String, CliError> {
        Ok(String::from_utf8_lossy(&tokenizer.piece(id)?).into_owned())
    };
    // A token at a time: a text of megabytes has millions.
    let mut out = Stream::new();
    if args.common.json {
        let comma = |index: usize| if index > 0 { "," } else { "" };
        out.write("{\"ids\":[")?;
        for (index, id) in ids.iter().enumerate() {
            out.write(&format!("{}{id}", comma(index)))?;
        }
        out.write("],\"pieces\":[")?;
        for (index, &id) in ids.iter().enumerate() {
            out.write(&format!("{}{}", comma(index), json!(piece(id)?)))?;
        }
        out.write("]}\n")?;
    } else {
        for &id in &ids {
            out.write(&format!("{id:>8}  {:?}\n", piece(id)?))?;
        }
    }
    out.finish()
}

pub fn detokenize(args: &DetokenizeArgs) -> Result<(), CliError> {
    let tokenizer = Tokenizer::from_metadata(&read_metadata(&args.common.model)?)?;
    let text = tokenizer.decode(&args.ids, args.skip_special)?;
    if args.common.json {
        print(&format!("{}\n", json!({ "text": text })))
    } else {
        print(&format!("{text}\n"))
    }
}
