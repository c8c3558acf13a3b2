//!include shared/half.wgsl
//!include shared/weight.wgsl
// Q8_0: planes quants (32 signed bytes a block of 32), scale d (f16). w = d q.

const BLOCK = 32u;

fn weight8(element: u32) -> Eight {
    let d = f32_from_half(weight_half(params.blocks * 16u + (element >> 5u)));
    let quants = eight_bytes(weight[element >> 4u], (element >> 3u) & 1u);
    return Eight(vec4<f32>(signed_bytes_of(quants.x)) * d, vec4<f32>(signed_bytes_of(quants.y)) * d);
}
