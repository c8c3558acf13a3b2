//!include shared/half.wgsl
//!include shared/nibbles32.wgsl
// Q4_0: planes quants (16 bytes a block of 32), scale d (f16). w = d (q - 8).

const BLOCK = 32u;

fn weight8(element: u32) -> Eight {
    let block = element >> 5u;
    let d = f32_from_half(weight_half(params.blocks * 8u + block));
    let quants = nibbles32(element);
    let zero = vec4<f32>(8.0);
    return Eight((vec4<f32>(bytes_of(quants.x)) - zero) * d, (vec4<f32>(bytes_of(quants.y)) - zero) * d);
}
