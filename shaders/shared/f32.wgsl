//!include shared/weight.wgsl
// F32: as in the file. Rows may start anywhere.

const BLOCK = 1u;

fn weight8(element: u32) -> Eight {
    if ((element & 3u) == 0u) {
        let at = element >> 2u;
        return Eight(bitcast<vec4<f32>>(weight[at]), bitcast<vec4<f32>>(weight[at + 1u]));
    }
    return Eight(weight4(element), weight4(element + 4u));
}

fn weight4(element: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(
        weight_word(element),
        weight_word(element + 1u),
        weight_word(element + 2u),
        weight_word(element + 3u),
    ));
}
