//!include shared/half.wgsl
//!include shared/quants2.wgsl
// Q2_K: planes quants (64 bytes a superblock of 256), one byte a group of 16 (16 bytes: low nibble scale s, high nibble
// minimum m), d and dmin (f16 each). w = d s q - dmin m.

const BLOCK = 256u;

fn weight8(element: u32) -> Eight {
    let block = element >> 8u;
    let group = (element >> 4u) & 15u;
    let d_dmin = weight_word(params.blocks * 20u + block);
    let packed = weight_word(params.blocks * 16u + block * 4u + (group >> 2u)) >> ((group & 3u) * 8u);
    let scale = f32_from_half(d_dmin & 0xffffu) * f32(packed & 15u);
    let minimum = vec4<f32>(f32_from_half(d_dmin >> 16u) * f32((packed >> 4u) & 15u));
    let quants = quants2(element);
    return Eight(
        vec4<f32>(bytes_of(quants.x)) * scale - minimum,
        vec4<f32>(bytes_of(quants.y)) * scale - minimum,
    );
}
