//!include shared/weight.wgsl
// The 4-bit quants of Q4_0, Q4_1, Q5_0 and Q5_1: first plane, 16 bytes a block of 32; byte j holds element j in its low
// half and element j + 16 in its high half.

// Four quants in the bytes of each word: elements `element .. element + 8`.
fn nibbles32(element: u32) -> vec2<u32> {
    let words = eight_bytes(weight[element >> 5u], (element >> 3u) & 1u);
    let shift = ((element >> 4u) & 1u) * 4u;
    return (words >> vec2<u32>(shift)) & vec2<u32>(0x0f0f0f0fu);
}

// The fifth bits of Q5_0 and Q5_1: second plane, one word a block, bit e is element e's. Times 16, for eight elements.
fn fifth_bits32(element: u32) -> array<vec4<u32>, 2> {
    let bits = weight_word(params.blocks * 4u + (element >> 5u)) >> (element & 31u);
    return array<vec4<u32>, 2>(bits_of(bits) << vec4<u32>(4u), bits_of(bits >> 4u) << vec4<u32>(4u));
}
