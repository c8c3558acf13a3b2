//!include shared/scales6.wgsl
//!include shared/weight.wgsl
// Q4_K: as in the file, 144 bytes a superblock of 256: header (16), nibbles (128). w = d s q - dmin m, groups of 32.
// Byte 32k + l holds element 64k + l in its low half, element 64k + 32 + l in its high half.

const BLOCK = 256u;

fn weight8(element: u32) -> Eight {
    let start = (element >> 8u) * 9u;
    let group = (element >> 5u) & 7u;
    let factors = scale_minimum(weight[start], group);
    let words = weight[start + 1u + (group >> 1u) * 2u + ((element >> 4u) & 1u)];
    let shift = vec2<u32>((group & 1u) * 4u);
    let quants = (eight_bytes(words, (element >> 3u) & 1u) >> shift) & vec2<u32>(0x0f0f0f0fu);
    let minimum = vec4<f32>(factors.y);
    return Eight(
        vec4<f32>(bytes_of(quants.x)) * factors.x - minimum,
        vec4<f32>(bytes_of(quants.y)) * factors.x - minimum,
    );
}
