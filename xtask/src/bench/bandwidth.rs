//! What the memory gives: a sum over more bytes than any cache holds. Decoding reads every weight once a token, so this is its limit.

#[path = "../../../benches/limits/mod.rs"]
mod limits;

use anyhow::{Context, Result};
use limits::ReadTest;

use super::browser::{self, Server};
use super::child;
use super::report::{Goal, Row, Side};
use super::samples::Samples;

const GB: f64 = 1e9;

/// Bytes a second that `threads` readers reach together, run by run, after one that is not timed.
pub fn read(threads: usize, runs: usize) -> Samples {
    let test = ReadTest::new();
    test.bytes_per_second(threads);
    Samples((0..runs).map(|_| test.bytes_per_second(threads)).collect())
}

/// The same in wasm, in the browser.
pub fn read_in_browser(server: &Server, threads: usize) -> Result<Samples> {
    let lines = child::text(&mut server.driver("memory", threads))?;
    let result = browser::result_of(&lines, "memory")?;
    let rates = result["bytesPerSecond"].as_array().context("the page of the memory has no rates")?;
    Ok(Samples(rates.iter().filter_map(serde_json::Value::as_f64).collect()))
}

/// Every weight is read once a token: bytes a second of a decoding over what a plain read reaches.
pub fn share(name: String, decode: &Samples, weight_bytes: f64, limit: &Samples) -> Row {
    Row::new(
        format!("{name}: share of the memory's bandwidth"),
        "GB/s",
        Side::new("rushlight", decode.scaled(weight_bytes / GB)),
        Side::new("plain read", limit.scaled(1.0 / GB)),
        Goal::None,
    )
}

#[cfg(test)]
mod tests {
    use super::limits::sum;

    #[test]
    fn every_word_is_read_once() {
        for count in [0_u64, 1, 31, 32, 33, 1000] {
            let words: Vec<u64> = (0..count).collect();
            assert_eq!(sum(&words), count * count.saturating_sub(1) / 2);
        }
    }
}
