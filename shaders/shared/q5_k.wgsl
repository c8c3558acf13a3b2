//!include shared/scales6.wgsl
//!include shared/weight.wgsl
// Q5_K: as in the file, 176 bytes a superblock of 256: header (16), fifth bits (32: bit g of byte l belongs to element
// 32g + l), nibbles (128, as in Q4_K). w = d s q - dmin m, groups of 32.

const BLOCK = 256u;

fn weight8(element: u32) -> Eight {
    let start = (element >> 8u) * 11u;
    let group = (element >> 5u) & 7u;
    let factors = scale_minimum(weight[start], group);
    let sixteen = (element >> 4u) & 1u;
    let second = (element >> 3u) & 1u;
    let words = eight_bytes(weight[start + 3u + (group >> 1u) * 2u + sixteen], second);
    let fifths = eight_bytes(weight[start + 1u + sixteen], second);
    let nibbles = (words >> vec2<u32>((group & 1u) * 4u)) & vec2<u32>(0x0f0f0f0fu);
    let quants = nibbles | (((fifths >> vec2<u32>(group)) & vec2<u32>(0x01010101u)) << vec2<u32>(4u));
    let minimum = vec4<f32>(factors.y);
    return Eight(
        vec4<f32>(bytes_of(quants.x)) * factors.x - minimum,
        vec4<f32>(bytes_of(quants.y)) * factors.x - minimum,
    );
}
