// What the unpackers of all weight types share. A kernel that includes one binds `weight: array<vec4<u32>>` and has
// `blocks` in its Params: quantisation blocks of the part that is bound, from which planes get their starts.
//
// An unpacker has `BLOCK`, the elements of a quantisation block, and `weight8(element)`, the eight elements from there on
// (`element` counts from the start of the part; 8 divides it for quantised types).

// Eight consecutive elements of a row.
struct Eight {
    lo: vec4<f32>,
    hi: vec4<f32>,
}

const BYTE_SHIFTS = vec4<u32>(0u, 8u, 16u, 24u);

fn weight_word(index: u32) -> u32 {
    return weight[index >> 2u][index & 3u];
}

fn weight_half(index: u32) -> u32 {
    return (weight_word(index >> 1u) >> ((index & 1u) * 16u)) & 0xffffu;
}

// Words 0 and 1, or 2 and 3, of 16 bytes: the eight bytes from `8 * second`.
fn eight_bytes(words: vec4<u32>, second: u32) -> vec2<u32> {
    return select(words.xy, words.zw, second != 0u);
}

fn bytes_of(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> BYTE_SHIFTS) & vec4<u32>(0xffu);
}

fn signed_bytes_of(word: u32) -> vec4<i32> {
    return bitcast<vec4<i32>>(vec4<u32>(word) << (vec4<u32>(24u) - BYTE_SHIFTS)) >> vec4<u32>(24u);
}

// Bits 0..4 of `bits`, one an element.
fn bits_of(bits: u32) -> vec4<u32> {
    return (vec4<u32>(bits) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
}
