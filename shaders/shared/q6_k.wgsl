//!include shared/half.wgsl
//!include shared/weight.wgsl
// Q6_K: planes low nibbles (128 bytes a superblock of 256), top bits (64), sixteen signed scales s (16), d (f16).
// w = d s (q - 32), groups of 16.
//
// Element 128h + 32k + l (h half, k 0..4, l 0..32): nibble in byte 64h + 32 (k % 2) + l, low half for k < 2, high half
// otherwise; top bits in bits 2k..2k+2 of byte 32h + l.

const BLOCK = 256u;

fn weight8(element: u32) -> Eight {
    let block = element >> 8u;
    let half = (element >> 7u) & 1u;
    let quarter = (element >> 5u) & 3u;
    let sixteen = (element >> 4u) & 1u;
    let second = (element >> 3u) & 1u;
    let group = (element >> 4u) & 15u;
    let low_words = weight[block * 8u + half * 4u + (quarter & 1u) * 2u + sixteen];
    let top_words = weight[params.blocks * 8u + block * 4u + half * 2u + sixteen];
    let low = (eight_bytes(low_words, second) >> vec2<u32>((quarter >> 1u) * 4u)) & vec2<u32>(0x0f0f0f0fu);
    let top = (eight_bytes(top_words, second) >> vec2<u32>(quarter * 2u)) & vec2<u32>(0x03030303u);
    let quants = low | (top << vec2<u32>(4u));
    let packed = weight[params.blocks * 12u + block][group >> 2u];
    let scale = bitcast<i32>(packed << (24u - (group & 3u) * 8u)) >> 24u;
    let factor = f32_from_half(weight_half(params.blocks * 104u + block)) * f32(scale);
    let zero = vec4<f32>(32.0);
    return Eight(
        (vec4<f32>(bytes_of(quants.x)) - zero) * factor,
        (vec4<f32>(bytes_of(quants.y)) - zero) * factor,
    );
}
