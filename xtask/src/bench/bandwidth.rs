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
