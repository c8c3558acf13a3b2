//! Text files as text: the encodings that the page reads too (`www/src/read/decode.ts`).

use std::io::Read;
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::error::CliError;

/// A text from a flag or a file; `-` is standard input.
pub fn text_or_file(text: Option<&String>, file: Option<&PathBuf>) -> Result<String, CliError> {
    match (text, file) {
        (Some(text), _) => Ok(text.clone()),
        (None, Some(path)) => text_file(path),
        (None, None) => Err(CliError::usage("a text or a file with one is needed")),
    }
}

/// A file as text; `-` is standard input.
pub fn text_file(path: &Path) -> Result<String, CliError> {
    let read = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = read.map_err(|error| CliError::file(path, &error))?;
    decode(&bytes).map_err(|what| {
        CliError::failure("ERR_FILE", format!("{}: expected text, got {what}", path.display()))
    })
}

/// Bytes that begin a file of another kind, which may well look like letters.
const OTHERS: [(&[u8], &str); 4] = [
    (b"%PDF-", "a PDF: the page reads those; here give its text, such as pdftotext writes it"),
    (b"PK\x03\x04", "a zip file, as those of Word and LibreOffice are: save it as plain text"),
    (b"\x1f\x8b", "a gzip file: unpack it first"),
    (b"GGUF", "a GGUF model"),
];
/// Bytes in which one of value 0 is looked for: no encoding of text without a mark has it.
const LOOKED_AT: usize = 65_536;

/// The text without its byte order mark. The mark says the encoding; without one it is UTF-8, and where that fails what Windows took
/// for Western texts. What it is otherwise is the error.
fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(what);
    }
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return Ok(encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned());
    }
    if bytes.iter().take(LOOKED_AT).any(|&byte| byte == 0) {
        return Err("bytes of value 0: UTF-16 needs its byte order mark, and anything else is no text");
    }
    let text = UTF_8.decode_without_bom_handling_and_without_replacement(bytes);
    Ok(text.unwrap_or_else(|| WINDOWS_1252.decode_without_bom_handling(bytes).0).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_by_their_marks() {
        let words = "Grüße – “καλημέρα”, 日本語 😀";
        let little: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            words.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", words.as_bytes()].concat(),
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Ok(words));
        }
        assert_eq!(decode(b"Gr\xfc\xdfe \x96\r\nja").as_deref(), Ok("Grüße –\r\nja"));
        for empty in [&b""[..], b"\xef\xbb\xbf", b"\xff\xfe"] {
            assert_eq!(decode(empty).as_deref(), Ok(""));
        }
        assert_eq!(decode(b"\xff\xfea").as_deref(), Ok("\u{FFFD}"), "half a character");
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, what) in [
            (&b"%PDF-1.7\n"[..], "PDF"),
            (b"PK\x03\x04\x14", "zip"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"GGUF\x03", "model"),
            (b"\x89PNG\0\0\0", "no text"),
            (b"a\0b\0", "byte order mark"),
        ] {
            assert!(decode(bytes).expect_err("no text").contains(what), "{what}");
        }
    }
}
