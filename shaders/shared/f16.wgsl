//!include shared/half.wgsl
//!include shared/weight.wgsl
// F16: as in the file. Rows may start anywhere.

const BLOCK = 1u;

fn weight8(element: u32) -> Eight {
    if ((element & 7u) == 0u) {
        let words = weight[element >> 3u];
        return Eight(halves(words.xy), halves(words.zw));
    }
    return Eight(weight4(element), weight4(element + 4u));
}

fn halves(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(
        f32_from_half(words.x & 0xffffu),
        f32_from_half(words.x >> 16u),
        f32_from_half(words.y & 0xffffu),
        f32_from_half(words.y >> 16u),
    );
}

fn weight4(element: u32) -> vec4<f32> {
    return vec4<f32>(
        f32_from_half(weight_half(element)),
        f32_from_half(weight_half(element + 1u)),
        f32_from_half(weight_half(element + 2u)),
        f32_from_half(weight_half(element + 3u)),
    );
}
