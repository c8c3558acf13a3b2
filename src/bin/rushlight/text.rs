//! `rushlight tokenize` and `rushlight detokenize`

use rushlight::tokenizer::{EncodeOptions, Tokenizer};
use serde_json::json;

use crate::args::{DetokenizeArgs, TokenizeArgs};
use crate::decode::text_or_file;
use crate::error::CliError;
use crate::model_file::read_header;
use crate::output::print;

pub fn tokenize(args: &TokenizeArgs) -> Result<(), CliError> {
    let text = text_or_file(args.text.as_ref(), args.file.as_ref())?;
    let tokenizer = Tokenizer::from_metadata(&read_header(&args.common.model)?.metadata)?;
    let options = EncodeOptions { add_special: !args.no_bos, parse_special: !args.no_special };
    let ids = tokenizer.encode(&text, options)?;
    let mut pieces = Vec::with_capacity(ids.len());
    for &id in &ids {
        pieces.push(String::from_utf8_lossy(&tokenizer.piece(id)?).into_owned());
    }
    if args.common.json {
        return print(&format!("{}\n", json!({ "ids": ids, "pieces": pieces })));
    }
    let lines: String = ids.iter().zip(&pieces).map(|(id, piece)| format!("{id:>8}  {piece:?}\n")).collect();
    print(&lines)
}

pub fn detokenize(args: &DetokenizeArgs) -> Result<(), CliError> {
    let tokenizer = Tokenizer::from_metadata(&read_header(&args.common.model)?.metadata)?;
    let text = tokenizer.decode(&args.ids, args.skip_special)?;
    if args.common.json {
        print(&format!("{}\n", json!({ "text": text })))
    } else {
        print(&format!("{text}\n"))
    }
}
