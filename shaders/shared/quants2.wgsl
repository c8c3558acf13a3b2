//!include shared/weight.wgsl
// The 2-bit quants of Q2_K and Q3_K: first plane, 64 bytes a superblock of 256. Each half of a superblock (128 elements)
// has 32 bytes; bits 2k..2k+2 of byte l are element 32k + l of the half.

// Four quants in the bytes of each word: elements `element .. element + 8`.
fn quants2(element: u32) -> vec2<u32> {
    let at = (element >> 7u) * 2u + ((element >> 4u) & 1u);
    let words = eight_bytes(weight[at], (element >> 3u) & 1u);
    let shift = ((element >> 5u) & 3u) * 2u;
    return (words >> vec2<u32>(shift)) & vec2<u32>(0x03030303u);
}
