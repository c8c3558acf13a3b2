//! What the memory gives: a sum over more bytes than any cache holds. Decoding reads every weight once a token, so this is its limit.

#[path = "../../../benches/limits/mod.rs"]
mod limits;

use limits::ReadTest;

use super::samples::Samples;

/// Bytes a second that `threads` readers reach together, run by run, after one that is not timed.
pub fn read(threads: usize, runs: usize) -> Samples {
    let test = ReadTest::new();
    test.bytes_per_second(threads);
    Samples((0..runs).map(|_| test.bytes_per_second(threads)).collect())
}
