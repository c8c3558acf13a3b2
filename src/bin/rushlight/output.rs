//! Standard output, and numbers as people read them.

use std::io::{BufWriter, ErrorKind, StdoutLock, Write};

use crate::error::CliError;
use crate::trace;

/// Prints at once. A reader that has gone away, as `head` does, ends the program quietly.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    checked(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

fn checked(written: std::io::Result<()>) -> Result<(), CliError> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            trace::end().ok();
            std::process::exit(0)
        }
        Err(error) => Err(CliError::failure("ERR_FILE", format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Standard output for what is too long to be held as one text: small pieces are gathered and go out in large ones.
pub struct Stream {
    out: BufWriter<StdoutLock<'static>>,
}

impl Stream {
    /// Standard output.
    pub fn new() -> Self {
        Stream { out: BufWriter::new(std::io::stdout().lock()) }
    }

    /// Writes a piece. A reader that has gone away ends the program quietly.
    pub fn write(&mut self, piece: &str) -> Result<(), CliError> {
        checked(self.out.write_all(piece.as_bytes()))
    }

    /// Writes what is still held back.
    pub fn finish(mut self) -> Result<(), CliError> {
        checked(self.out.flush())
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
