//!include shared/weight.wgsl
// BF16, the upper half of an f32: as in the file. Rows may start anywhere.

const BLOCK = 1u;

fn weight8(element: u32) -> Eight {
    if ((element & 7u) == 0u) {
        let words = weight[element >> 3u];
        return Eight(uppers(words.xy), uppers(words.zw));
    }
    return Eight(weight4(element), weight4(element + 4u));
}

fn uppers(words: vec2<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(
        words.x << 16u,
        words.x & 0xffff0000u,
        words.y << 16u,
        words.y & 0xffff0000u,
    ));
}

fn weight4(element: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(
        weight_half(element),
        weight_half(element + 1u),
        weight_half(element + 2u),
        weight_half(element + 3u),
    ) << vec4<u32>(16u));
}
