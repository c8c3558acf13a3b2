//! Files that are sound GGUF but no sound model: each gives its error, none a panic.

mod small;

use rushlight::session::{BackendChoice, Host, LoadOptions, Loader, Session, SessionError};
use small::gguf::{Form, Numbers, Tensor, writer};
use small::specs::{Spec, find};

/// Loads a file and says what is wrong with it.
fn error_of(what: &str, file: &[u8]) -> SessionError {
    let options = LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() };
    let loaded = pollster::block_on(async {
        let mut loader = Loader::new(options, Host::native(), Some(file.len() as u64)).await?;
        for chunk in file.chunks(10_007) {
            loader.push(chunk).await?;
        }
        Session::new(loader.finish().await?).map(|_| ())
    });
    loaded.err().unwrap_or_else(|| panic!("{what}: the model loads"))
}

fn expect(what: &str, file: &[u8], code: &str, parts: &[&str]) {
    let error = error_of(what, file);
    let text = error.to_string();
    assert_eq!(error.code(), code, "{what}: {text}");
    for part in parts {
        assert!(text.contains(part), "{what}: {text:?} does not name {part:?}");
    }
}

/// The model that is spoiled: seven layers, so that it has local and global ones.
const SOUND: &str = "gemma3-f32-64";

/// A row of the table whose metadata says something else than its tensors.
fn described(change: impl FnOnce(&mut Spec)) -> Vec<u8> {
    let sound = find(SOUND);
    let mut wrong = *sound;
    change(&mut wrong);
    writer(&wrong, sound, Form::Published, Some).to_bytes()
}

/// One tensor dropped or changed.
fn edited(model: &str, name: &str, edit: impl Fn(Tensor) -> Option<Tensor>) -> Vec<u8> {
    let spec = find(model);
    let mut found = false;
    let file = writer(spec, spec, Form::Published, |tensor| {
        if tensor.name != name {
            return Some(tensor);
        }
        found = true;
        edit(tensor)
    })
    .to_bytes();
    assert!(found, "{model} has {name}");
    file
}

#[test]
fn missing_tensors_are_named() {
    for (model, name, expected) in [
        (SOUND, "token_embd.weight", "[vocabulary, 64]"),
        (SOUND, "output_norm.weight", "[1, 64]"),
        (SOUND, "blk.6.ffn_up.weight", "[100, 64]"),
        (SOUND, "blk.3.attn_q_norm.weight", "[1, 16]"),
        (SOUND, "blk.0.post_ffw_norm.weight", "[1, 64]"),
        ("qwen2-bf16-64", "blk.1.attn_k.bias", "[1, 16]"),
        ("llama-q2_k-256", "blk.2.attn_output.weight", "[256, 256]"),
    ] {
        expect(name, &edited(model, name, |_| None), "ERR_BAD_FILE", &[name, expected, "got none"]);
    }
}

#[test]
fn wrong_shapes_are_named() {
    for (model, name, extents, expected) in [
        (SOUND, "blk.0.attn_q.weight", vec![65, 64], "expected [64, 64], got [65, 64]"),
        (SOUND, "blk.0.attn_k.weight", vec![64, 16], "expected [16, 64], got [64, 16]"),
        (SOUND, "blk.5.ffn_down.weight", vec![64, 100, 2], "expected [64, 100]"),
        (SOUND, "output_norm.weight", vec![63], "expected [1, 64], got [63]"),
        (SOUND, "token_embd.weight", vec![331, 32], "expected [331, 64], got [331, 32]"),
        // Fewer rows than tokens would be read past the end, more would write tokens that have no text.
        (
            SOUND,
            "token_embd.weight",
            vec![330, 64],
            "expected [331, 64], a row for each token, got [330, 64]",
        ),
        (
            SOUND,
            "token_embd.weight",
            vec![332, 64],
            "expected [331, 64], a row for each token, got [332, 64]",
        ),
        ("qwen2-q3_k-256", "blk.0.attn_v.bias", vec![256], "expected [1, 128], got [256]"),
        ("llama-f16-64-factors", "rope_freqs.weight", vec![4], "expected [1, 8], got [4]"),
    ] {
        let file = edited(model, name, |tensor| Some(Tensor { extents: extents.clone(), ..tensor }));
        expect(name, &file, "ERR_BAD_FILE", &[name, expected]);
    }
}

#[test]
fn empty_tensors_are_refused() {
    for name in ["token_embd.weight", "output_norm.weight", "blk.0.ffn_gate.weight"] {
        let file = edited(SOUND, name, |tensor| Some(Tensor { extents: vec![0, 64], ..tensor }));
        expect(name, &file, "ERR_BAD_FILE", &[name]);
    }
}

#[test]
fn factors_that_are_no_numbers_are_refused() {
    let file = edited("llama-f16-64-factors", "rope_freqs.weight", |tensor| {
        Some(Tensor { numbers: Numbers::Near(0.0), ..tensor })
    });
    expect("factors of zero", &file, "ERR_BAD_FILE", &["rope_freqs.weight", "positive"]);
}

#[test]
fn unknown_architectures_are_named() {
    let parts = ["architecture mamba is not supported", "gemma3", "llama", "qwen2", "qwen3"];
    expect("mamba", &described(|spec| spec.arch = "mamba"), "ERR_UNSUPPORTED_MODEL", &parts);
}

/// A number in the metadata made wrong.
type Change = fn(&mut Spec);
/// A count in it set.
type SetCount = fn(&mut Spec, usize);

#[test]
fn numbers_that_no_model_has_are_refused() {
    let huge = 4_000_000_000;
    let cases: &[(&str, Change, &[&str])] = &[
        (
            "3 KV heads for 4",
            |s| s.kv_heads = 3,
            &["gemma3.attention.head_count_kv", "a divisor of head_count", "3"],
        ),
        ("more KV heads", |s| s.kv_heads = 8, &["gemma3.attention.head_count_kv", "8"]),
        ("no heads", |s| s.heads = 0, &["gemma3.attention.head_count", "got 0"]),
        ("no KV heads", |s| s.kv_heads = 0, &["gemma3.attention.head_count_kv", "got 0"]),
        ("no layers", |s| s.layers = 0, &["gemma3.block_count", "got 0"]),
        ("no width", |s| s.width = 0, &["gemma3.embedding_length", "got 0"]),
        ("no context", |s| s.context = 0, &["gemma3.context_length", "got 0"]),
        ("odd head", |s| s.head_dim = 15, &["gemma3.rope.dimension_count", "even", "15"]),
        ("wide head", |s| s.head_dim = 512, &["gemma3.attention.key_length", "1 to 256", "512"]),
        ("a layer too many", |s| s.layers = 8, &["blk.7.attn_norm.weight", "got none"]),
        ("eps NaN", |s| s.eps = f32::NAN, &["gemma3.attention.layer_norm_rms_epsilon", "NaN"]),
        ("eps below 0", |s| s.eps = -1.0, &["gemma3.attention.layer_norm_rms_epsilon", "-1"]),
        ("RoPE base 0", |s| s.rope_base = 0.0, &["gemma3.rope.freq_base", "positive", "0"]),
        ("RoPE base NaN", |s| s.rope_base = f32::NAN, &["gemma3.rope.freq_base", "NaN"]),
        ("scaling 0", |s| s.linear = Some(0.0), &["gemma3.rope.scaling.factor", "positive", "0"]),
        ("scaling infinite", |s| s.linear = Some(f32::INFINITY), &["gemma3.rope.scaling.factor", "inf"]),
    ];
    for (what, change, parts) in cases {
        expect(what, &described(change), "ERR_BAD_FILE", parts);
    }
    let extents: &[(&str, SetCount)] = &[
        ("embedding_length", |s, n| s.width = n),
        ("block_count", |s, n| s.layers = n),
        ("feed_forward_length", |s, n| s.ffn = n),
        ("context_length", |s, n| s.context = n),
        ("attention.head_count", |s, n| s.heads = n),
        ("attention.head_count_kv", |s, n| s.kv_heads = n),
        ("attention.key_length", |s, n| s.head_dim = n),
        ("attention.sliding_window", |s, n| s.window = n),
    ];
    for (key, set) in extents {
        let text = huge.to_string();
        expect(key, &described(|spec| set(spec, huge)), "ERR_BAD_FILE", &[key, &text]);
        // Large, but not absurd by itself: no loop or allocation may follow it.
        let large = 1 << 24;
        let loaded = std::panic::catch_unwind(|| {
            let file = described(|spec| set(spec, large));
            let options = LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() };
            pollster::block_on(async {
                let mut loader = Loader::new(options, Host::native(), None).await?;
                loader.push(&file).await?;
                Session::new(loader.finish().await?).map(|_| ())
            })
        });
        assert!(loaded.is_ok(), "{key} of {large} panics");
    }
}
