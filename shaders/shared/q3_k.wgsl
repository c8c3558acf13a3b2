//!include shared/half.wgsl
//!include shared/quants2.wgsl
// Q3_K: planes quants (64 bytes a superblock of 256), third bits (32: bit e / 32 of byte e % 32), sixteen 6-bit scales s
// (12), d (f16). w = d (s - 32) (q - 4).
//
// Scales: the low nibbles of bytes 0..8 are the low four bits of groups 0..8, their high nibbles those of groups
// 8..16; bits 2k..2k+2 of byte 8 + i are the top two of group 4k + i.

const BLOCK = 256u;

fn weight8(element: u32) -> Eight {
    let block = element >> 8u;
    let group = (element >> 4u) & 15u;
    let packed = params.blocks * 24u + block * 3u;
    let low = weight_word(packed + ((group >> 2u) & 1u)) >> ((group & 3u) * 8u + (group >> 3u) * 4u);
    let top = weight_word(packed + 2u) >> ((group & 3u) * 8u + (group >> 2u) * 2u);
    let scale = i32((low & 15u) | ((top & 3u) << 4u)) - 32;
    let factor = f32_from_half(weight_half(params.blocks * 54u + block)) * f32(scale);
    let quants = quants2(element);
    let mask_at = params.blocks * 4u + block * 2u + ((element >> 4u) & 1u);
    let mask = eight_bytes(weight[mask_at], (element >> 3u) & 1u) >> vec2<u32>((element >> 5u) & 7u);
    let third = (mask & vec2<u32>(0x01010101u)) << vec2<u32>(2u);
    let all = quants | third;
    let zero = vec4<f32>(4.0);
    return Eight((vec4<f32>(bytes_of(all.x)) - zero) * factor, (vec4<f32>(bytes_of(all.y)) - zero) * factor);
}
