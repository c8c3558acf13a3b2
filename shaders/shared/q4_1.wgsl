//!include shared/half.wgsl
//!include shared/nibbles32.wgsl
// Q4_1: planes quants (16 bytes a block of 32), scale d and minimum m (f16 each). w = d q + m.

const BLOCK = 32u;

fn weight8(element: u32) -> Eight {
    let scales = weight_word(params.blocks * 4u + (element >> 5u));
    let d = f32_from_half(scales & 0xffffu);
    let m = vec4<f32>(f32_from_half(scales >> 16u));
    let quants = nibbles32(element);
    return Eight(vec4<f32>(bytes_of(quants.x)) * d + m, vec4<f32>(bytes_of(quants.y)) * d + m);
}
