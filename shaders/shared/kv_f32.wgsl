//!include shared/finite.wgsl
// A KV cache of f32, as two and as four elements at once.
alias KvPair = vec2<f32>;
alias KvQuad = vec4<f32>;

fn kv_pack(pair: vec2<f32>) -> KvPair {
    return pair;
}

fn kv_is_finite(pair: KvPair) -> bool {
    return is_finite(pair.x) && is_finite(pair.y);
}

fn kv_unpack(quad: KvQuad) -> vec4<f32> {
    return quad;
}
