//!include shared/half.wgsl
//!include shared/nibbles32.wgsl
// Q5_1: planes quants (16 bytes a block of 32), fifth bits (4), scale d and minimum m (f16 each). w = d q + m.

const BLOCK = 32u;

fn weight8(element: u32) -> Eight {
    let scales = weight_word(params.blocks * 5u + (element >> 5u));
    let d = f32_from_half(scales & 0xffffu);
    let m = vec4<f32>(f32_from_half(scales >> 16u));
    let quants = nibbles32(element);
    let fifth = fifth_bits32(element);
    return Eight(
        vec4<f32>(bytes_of(quants.x) | fifth[0]) * d + m,
        vec4<f32>(bytes_of(quants.y) | fifth[1]) * d + m,
    );
}
