//! What tells one model file from another, taken while it streams.
//!
//! A load in a tab has no time for hashing every byte. The beginning, with the vocabulary, counts whole; of what is behind it, which is
//! weights, a few bytes of every page do: another training or another quantisation changes almost all of them. It is no checksum:
//! whether a file arrived as it should is for the hashes of `rushlight manifest`.

use std::hash::Hasher;

use twox_hash::XxHash64;

/// Bytes that count whole. The headers of published models have 1 to 10 MB.
const WHOLE: u64 = 16 << 20;
/// Behind those, the first bytes of each page.
const SAMPLE: u64 = 64;
const PAGE: u64 = 4096;

/// A fingerprint in the making: XXH64 (seed 0) of the bytes that count, and of the number of all.
pub(super) struct Fingerprint {
    hash: XxHash64,
    at: u64,
}

impl Fingerprint {
    /// Of a file of which nothing is known.
    pub fn new() -> Self {
        Fingerprint { hash: XxHash64::with_seed(0), at: 0 }
    }

    /// Takes in the next bytes; how a file is cut changes nothing.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let within = self.at % PAGE;
            let (counts, left) = match self.at {
                at if at < WHOLE => (true, WHOLE - at),
                _ if within < SAMPLE => (true, SAMPLE - within),
                _ => (false, PAGE - within),
            };
            let (part, rest) = bytes.split_at(bytes.len().min(left as usize));
            if counts {
                self.hash.write(part);
            }
            self.at += part.len() as u64;
            bytes = rest;
        }
    }

    /// The fingerprint.
    pub fn finish(mut self) -> u64 {
        self.hash.write(&self.at.to_le_bytes());
        self.hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], chunk: usize) -> u64 {
        let mut fingerprint = Fingerprint::new();
        bytes.chunks(chunk).for_each(|part| fingerprint.update(part));
        fingerprint.finish()
    }

    #[test]
    fn files_differ_by_header_weights_and_length_and_not_by_how_they_are_cut() {
        let file: Vec<u8> =
            (0..WHOLE as u32 + 100_001).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let known = of(&file, 1 << 20);
        for chunk in [file.len(), 77_777, 4096, 4095] {
            assert_eq!(of(&file, chunk), known, "{chunk}");
        }
        let changed = |range: std::ops::Range<usize>| {
            let mut other = file.clone();
            other[range].iter_mut().for_each(|byte| *byte ^= 1);
            of(&other, 1 << 20)
        };
        let behind = WHOLE as usize;
        assert_ne!(changed(12_345..12_346), known, "a byte of the header");
        assert_ne!(changed(behind - 1..behind), known);
        assert_ne!(changed(behind + 5_000..behind + 5_000 + PAGE as usize), known, "weights of a page");
        let last = behind + 24 * PAGE as usize;
        assert_ne!(changed(last + 63..last + 64), known, "the end of the last sample");
        assert_eq!(changed(behind + 1_000..behind + 1_001), known, "a byte that does not count");
        assert_ne!(of(&file[..file.len() - 1], 1 << 20), known);
    }
}
