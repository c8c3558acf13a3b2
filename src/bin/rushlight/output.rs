//! Standard output, and numbers as people read them.

use std::io::{ErrorKind, Write};

use crate::error::CliError;

/// Prints at once. A reader that has gone away, as `head` does, ends the program quietly.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(CliError::failure("ERR_FILE", format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// A line to standard error, for people; that nobody reads it is no failure.
pub fn note(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Bytes in the largest decimal unit that leaves a whole number before the point.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
