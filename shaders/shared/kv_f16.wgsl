//!include shared/half.wgsl
// A KV cache of f16, as two and as four elements at once; the first element lies in the low half of a word.
alias KvPair = u32;
alias KvQuad = vec2<u32>;

fn kv_pack(pair: vec2<f32>) -> KvPair {
    return half_from_f32(pair.x) | (half_from_f32(pair.y) << 16u);
}

// An exponent of all ones is NaN or an infinity.
fn kv_is_finite(pair: KvPair) -> bool {
    return (pair & 0x7c00u) != 0x7c00u && (pair & 0x7c000000u) != 0x7c000000u;
}

fn kv_unpack(quad: KvQuad) -> vec4<f32> {
    return vec4<f32>(
        f32_from_half(quad.x & 0xffffu),
        f32_from_half(quad.x >> 16u),
        f32_from_half(quad.y & 0xffffu),
        f32_from_half(quad.y >> 16u),
    );
}
