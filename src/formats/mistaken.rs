//! Files that people give by mistake, told by their first bytes.

use super::FormatError;

/// A kind of file that is no model.
struct Kind {
    /// How such a file begins; letters match in either case.
    beginning: &'static [u8],
    is: &'static str,
    /// What to do about it, where that is known.
    advice: &'static str,
}

const fn kind(beginning: &'static [u8], [is, advice]: [&'static str; 2]) -> Kind {
    Kind { beginning, is, advice }
}

const HTML: [&str; 2] = ["an HTML page", "the address is that of a page about the file, or of an error"];
const PICKLE: [&str; 2] =
    ["a Python pickle", "a PyTorch checkpoint has to be converted to safetensors or GGUF"];
const OLD: [&str; 2] = ["a GGML file, older than GGUF", "get the model as GGUF"];

/// The kinds, the longer of alike beginnings first. Of texts, whitespace and a byte order mark may come before.
const KINDS: &[Kind] = &[
    kind(b"version https://git-lfs", ["a Git LFS pointer", "get the file itself, with `git lfs pull`"]),
    kind(b"<!doctype", HTML),
    kind(b"<!--", HTML),
    kind(b"<html", HTML),
    kind(b"<head", HTML),
    kind(b"<?xml", ["an XML file, perhaps a server's error", ""]),
    kind(b"{\"", ["a JSON text, perhaps a server's error or a file beside the model", ""]),
    kind(b"{\n", ["a JSON text, perhaps a server's error or a file beside the model", ""]),
    kind(b"{\r\n", ["a JSON text, perhaps a server's error or a file beside the model", ""]),
    kind(b"{ ", ["a JSON text, perhaps a server's error or a file beside the model", ""]),
    kind(b"entry not found", ["a server's error", ""]),
    kind(b"not found", ["a server's error", ""]),
    kind(b"access to model", ["a server's error", "the model asks for a licence to be accepted"]),
    kind(b"access denied", ["a server's error", ""]),
    kind(b"invalid username", ["a server's error", "the address asks for a login"]),
    kind(
        b"PK\x03\x04",
        ["a zip archive", "unpack it; a PyTorch checkpoint has to be converted to safetensors or GGUF"],
    ),
    kind(b"PK\x05\x06", ["an empty zip archive", ""]),
    kind(b"\x80\x02", PICKLE),
    kind(b"\x80\x03", PICKLE),
    kind(b"\x80\x04\x95", PICKLE),
    kind(b"\x80\x05\x95", PICKLE),
    kind(b"\x1f\x8b\x08", ["a gzip archive", "unpack it"]),
    kind(b"\x28\xb5\x2f\xfd", ["a zstd archive", "unpack it"]),
    kind(b"\xfd7zXZ", ["an xz archive", "unpack it"]),
    kind(b"BZh", ["a bzip2 archive", "unpack it"]),
    kind(b"7z\xbc\xaf\x27\x1c", ["a 7z archive", "unpack it"]),
    kind(b"Rar!", ["a RAR archive", "unpack it"]),
    kind(b"\x89HDF", ["an HDF5 file, perhaps a Keras model", "convert it to safetensors"]),
    kind(b"%PDF", ["a PDF document", ""]),
    kind(b"\x7fELF", ["a program", ""]),
    kind(b"ggml", OLD),
    kind(b"lmgg", OLD),
    kind(b"fmgg", OLD),
    kind(b"tjgg", OLD),
    kind(b"algg", ["a LoRA adapter in a format older than GGUF", ""]),
    kind(b"GGUF", ["a GGUF file, which does not belong here", ""]),
    kind(b"FUGG", ["a GGUF file whose every number is turned round", ""]),
];

/// Fewest bytes that may stand for a longer beginning, where no more have come.
const ENOUGH: usize = 4;
/// Bytes that an error shows.
const SHOWN: usize = 8;

/// What kind of file begins so; `None` where it is none of the known ones. `first` may be only the beginning of a beginning.
fn kind_of(first: &[u8]) -> Option<&'static Kind> {
    let text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start();
    let begins = |bytes: &[u8], kind: &Kind| {
        let count = bytes.len().min(kind.beginning.len());
        count >= kind.beginning.len().min(ENOUGH)
            && bytes.get(..count).is_some_and(|got| got.eq_ignore_ascii_case(&kind.beginning[..count]))
    };
    KINDS.iter().find(|kind| begins(first, kind) || begins(text, kind))
}

/// What a file is that begins with `first` and should be JSON: `None` where it may be that, or is nothing known.
pub fn instead_of_json(first: &[u8]) -> Option<&'static str> {
    kind_of(first).filter(|kind| !kind.beginning.starts_with(b"{")).map(|kind| kind.is)
}

/// The error for a file that begins with `first` and is of none of the `expected` formats.
pub(super) fn magic(expected: &'static str, first: &[u8]) -> FormatError {
    let bytes = first.get(..first.len().min(SHOWN)).unwrap_or_default().escape_ascii();
    let got = match kind_of(first) {
        None => format!("\"{bytes}\""),
        Some(Kind { is, advice: "", .. }) => format!("\"{bytes}\" ({is})"),
        Some(Kind { is, advice, .. }) => format!("\"{bytes}\" ({is}): {advice}"),
    };
    FormatError::Magic { expected, got }
}

/// The same for a format that begins with a number: `None` where the bytes may well be one. `certain` says that they are not.
pub(super) fn instead_of_number(expected: &'static str, first: &[u8], certain: bool) -> Option<FormatError> {
    // Two bytes are as often the low half of a length.
    let kind = kind_of(first).filter(|kind| certain || kind.beginning.len() > 2)?;
    let got = first.get(..kind.beginning.len().max(SHOWN)).unwrap_or(first);
    Some(magic(expected, got))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_little_and_in_any_case() {
        let cases: [(&[u8], &str); 11] = [
            (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
            (b"vers", "Git LFS"),
            (b"<!DOCTYPE html>", "HTML"),
            (b"\xef\xbb\xbf\r\n <!doctype", "HTML"),
            (b"<HTML>", "HTML"),
            (b"{\"error\":\"Repository not found\"}", "JSON"),
            (b"PK\x03\x04\x00\x00\x08\x08", "zip"),
            (b"\x80\x02\x8a\x0a", "pickle"),
            (b"\x1f\x8b\x08\x00", "gzip"),
            (b"Entry not found", "server"),
            (b"tjgg\x03\0\0\0", "GGML"),
        ];
        for (first, expected) in cases {
            let kind = kind_of(first).unwrap_or_else(|| panic!("{}", first.escape_ascii()));
            assert!(kind.is.contains(expected), "{}: {}", first.escape_ascii(), kind.is);
        }
        for first in [b"".as_slice(), b"v", b"versus", b"\x00\x01\x02\x03", b"GG", b"\x10\0\0\0\0\0\0\0{\""] {
            assert!(kind_of(first).is_none(), "{}", first.escape_ascii());
        }
    }
}
