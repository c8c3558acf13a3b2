//! Escapes of string literals: Python's codec `unicode-escape`.

/// The text of a literal.
///
/// # Errors
/// An escape that is cut off, names no character, or half of a surrogate pair.
pub(super) fn unescape(literal: &str) -> Result<String, String> {
    let mut out = String::with_capacity(literal.len());
    let mut rest = literal.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(kind) = rest.next() else { return Err("\\ at end of string".to_owned()) };
        match kind {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(kind),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\x0b'),
            '0'..='7' => {
                let mut code = kind.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = rest.clone().next().and_then(|c| c.to_digit(8)) else { break };
                    rest.next();
                    code = 8 * code + digit;
                }
                out.extend(char::from_u32(code));
            }
            'x' => out.push(coded(&mut rest, 2)?),
            'u' => out.push(coded(&mut rest, 4)?),
            'U' => out.push(coded(&mut rest, 8)?),
            'N' => return Err("\\N escapes are not supported".to_owned()),
            other => {
                out.push('\\');
                // The codec sees other than ASCII as escapes of its own; behind a backslash only the backslash stays apart.
                if !other.is_ascii() {
                    return Err(format!("\\{other} is not supported"));
                }
                out.push(other);
            }
        }
    }
    Ok(out)
}

fn coded(rest: &mut std::str::Chars<'_>, digits: u32) -> Result<char, String> {
    let mut code = 0;
    for _ in 0..digits {
        let digit = rest.next().and_then(|c| c.to_digit(16)).ok_or("truncated escape")?;
        code = 16 * code + digit;
    }
    char::from_u32(code).ok_or_else(|| format!("\\u{code:04x} is no character"))
}
