//!include shared/half.wgsl
//!include shared/nibbles32.wgsl
// Q5_0: planes quants (16 bytes a block of 32), fifth bits (4), scale d (f16). w = d (q - 16).

const BLOCK = 32u;

fn weight8(element: u32) -> Eight {
    let d = f32_from_half(weight_half(params.blocks * 10u + (element >> 5u)));
    let quants = nibbles32(element);
    let fifth = fifth_bits32(element);
    let zero = vec4<f32>(16.0);
    return Eight(
        (vec4<f32>(bytes_of(quants.x) | fifth[0]) - zero) * d,
        (vec4<f32>(bytes_of(quants.y) | fifth[1]) - zero) * d,
    );
}
