//! What a file brings that no plan follows is refused by name, tensors as well as metadata; biases are added; what is harmless is left
//! out and takes no memory.

mod session_support;
mod small;

use rushlight::formats::gguf::{GgufReader, GgufWriter, Value};
use rushlight::model::hf::Files;
use rushlight::model::unread::{HARMLESS, HARMLESS_SAFETENSORS};
use rushlight::model::{Config, Head, PlanOptions, build};
use rushlight::session::{
    BackendChoice, Embedder, Forecaster, GenerateOptions, Host, LoadOptions, Loader, MAX_CHUNK, SessionError,
};
use rushlight::tasks::quantise::Quantiser;
use rushlight::tensor::{DType, TensorDesc};
use serde::Deserialize;
use serde_json::json;
use session_support::{answer, file, load, options};
use sha2::{Digest, Sha256};
use small::bert::bert;
use small::gguf::{BIASED, BIASED_PROMPT, Form, add_vector, biased, tensor_count, write, writer};
use small::oracle::{deviation, logits, rounding};
use small::specs::{self, SPECS, Spec};
use std::collections::BTreeMap;
use std::fs::read;

#[derive(Deserialize)]
struct Biased {
    sha256: String,
    logits: Vec<f32>,
}

#[test]
fn biases_are_added_as_numpy_adds_them() {
    let fixture: BTreeMap<String, Biased> =
        serde_json::from_str(include_str!("fixtures/biases.json")).expect("the fixture is JSON");
    assert!(fixture.keys().eq(BIASED.iter()));
    for (name, expected) in fixture {
        let spec = specs::find(&name);
        let file = biased(spec);
        let hex: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected.sha256, "{name}: run tests/tools/biases_reference.py");
        let mut session = small::oracle::load(BackendChoice::Cpu, DType::F32, &file);
        let ids = &spec.prompt_ids()[..BIASED_PROMPT];
        for chunk in [MAX_CHUNK, 1] {
            let deviation = deviation(&logits(&mut session, ids, chunk), &expected.logits);
            assert!(deviation < rounding(spec), "{name}: {deviation}");
        }
        // They matter, or the comparison would be of nothing.
        let mut plain = small::oracle::load(BackendChoice::Cpu, DType::F32, &write(spec, Form::Published));
        assert!(deviation(&logits(&mut plain, ids, MAX_CHUNK), &expected.logits) > 0.1, "{name}");
    }
}

/// Ids that the numpy reference of the public bug report's files gives.
#[test]
fn models_of_one_layer_with_biases_write_what_the_reference_writes() {
    for (name, expected) in [("attn_output_bias", 15), ("mlp_bias", 238)] {
        let path = format!("{}/tests/fixtures/unplanned/{name}.gguf", env!("CARGO_MANIFEST_DIR"));
        let file = read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        for precision in [rushlight::plan::Precision::Exact, rushlight::plan::Precision::Fast] {
            let options = LoadOptions { precision, ..options() };
            let mut session =
                load(std::slice::from_ref(&file), options, Host::native()).expect("the model loads");
            let three =
                GenerateOptions { max_tokens: Some(3), ignore_eos: true, ..GenerateOptions::default() };
            assert_eq!(answer(&mut session, "hello world", three).ids(), [expected; 3], "{name}");
        }
    }
}

/// A model with some vectors more.
fn with_vectors(spec: &Spec, names: &[&str]) -> Vec<u8> {
    let mut writer = writer(spec, spec, Form::Published, Some);
    for name in names {
        add_vector(&mut writer, spec, name, spec.width);
    }
    writer.to_bytes()
}

fn forecast(file: &[u8]) -> Option<SessionError> {
    pollster::block_on(async {
        let mut forecaster = Forecaster::new(options(), Host::native(), None, Some(file.len() as u64)).await;
        forecaster.push(file);
        forecaster.finish(false).await.failure
    })
}

/// A load, a forecast and `inspect`'s plan refuse a file, and name what it is about.
fn refused(what: &str, file: &[u8], name: &str) {
    let loaded = load(&[file.to_vec()], options(), Host::native()).err();
    for (who, error) in [("load", loaded), ("forecast", forecast(file))] {
        let error = error.unwrap_or_else(|| panic!("{who}: {what} is taken"));
        assert_eq!(error.code(), "ERR_UNSUPPORTED_MODEL", "{who}: {what}: {error}");
        assert!(error.to_string().contains(name), "{who}: {what}: {error}");
    }
}

#[test]
fn tensors_that_no_plan_reads_are_refused_by_name() {
    let llama = [
        "output.bias",
        "output.scale",
        "output_norm.bias",
        "token_embd_norm.weight",
        "position_embd.weight",
        "token_types.weight",
        "rope_factors_long.weight",
        "cls.weight",
        "cls.output.weight",
        "dense_2.weight",
        "per_layer_token_embd.weight",
        "v.patch_embd.weight",
        "mm.0.weight",
        "qa_outputs.weight",
        "my_own.weight",
        // Layers that the model has not, or not by this name.
        "blk.3.attn_norm.weight",
        "blk.01.attn_norm.weight",
        "blk.+1.attn_norm.weight",
        "blk.attn_norm.weight",
        "blk.99999999999999999999.attn_norm.weight",
    ];
    let within = [
        "attn_q_norm.weight",
        "attn_k_norm.weight",
        "attn_sub_norm.weight",
        "attn_norm.bias",
        "attn_norm_2.weight",
        "attn_qkv.weight",
        "attn_qkv.bias",
        "attn_sinks.weight",
        "attn_gate.weight",
        "attn_rot_embd.weight",
        "attn_q.scale",
        "attn_q.input_scale",
        "attn_q.weight.lora_a",
        "attn_q.weight.lora_b",
        "post_attention_norm.weight",
        "post_ffw_norm.weight",
        "rope_freqs.weight",
        "ffn_norm.bias",
        "ffn_sub_norm.weight",
        "ffn_down.scale",
        "ffn_act.scales",
        "ffn_gate_inp.weight",
        "ffn_gate_exps.weight",
        "ffn_up_shexp.weight",
        "ffn_down_shexp.weight",
        "nextn.eh_proj.weight",
        "layer_output_scale.weight",
    ];
    let spec = specs::find("llama-f16-64-factors");
    assert_eq!(spec.layers, 3);
    for name in llama.map(str::to_owned).into_iter().chain(within.map(|name| format!("blk.1.{name}"))) {
        refused(&name, &with_vectors(spec, &[&name]), &name);
    }
    let others = [
        ("qwen2-bf16-64", "blk.0.ffn_up.bias"),
        ("qwen2-bf16-64", "blk.0.attn_q_norm.weight"),
        ("qwen2-bf16-64", "rope_freqs.weight"),
        ("qwen3-q5_1-64", "blk.0.ffn_down.bias"),
        ("qwen3-q5_1-64", "output.bias"),
        ("qwen3-q5_1-64", "cls.output.weight"),
        ("qwen3-q5_1-64", "rope_freqs.weight"),
        ("gemma3-f32-64", "output.bias"),
        ("gemma3-f32-64", "rope_freqs.weight"),
        ("gemma3-f32-64", "blk.0.attn_output_norm.weight"),
        ("gemma3-f32-64", "dense_3.weight"),
    ];
    for (model, name) in others {
        refused(name, &with_vectors(specs::find(model), &[name]), name);
    }
}

/// In a later part too, when its header is there and before its weights come.
#[test]
fn parts_of_a_split_model_are_refused_at_their_header() {
    let spec = specs::find("llama-q2_k-256");
    let count = tensor_count(spec);
    let counts = [10, count - 10];
    let parts = [part(spec, 0, &counts), part(spec, 1, &counts)];
    // The last part has only the tensor that nobody knows.
    let mut last = GgufWriter::new();
    add_vector(&mut last, spec, "blk.1.ffn_gate_inp.weight", 1 << 16);
    last.metadata("split.no", 2_u16).expect("a new key");
    last.metadata("split.count", 3_u16).expect("a new key");
    last.metadata("split.tensors.count", count as i32 + 1).expect("a new key");
    let last = last.to_bytes();
    pollster::block_on(async {
        let mut loader = Loader::new(options(), Host::native(), None).await.expect("the CPU is there");
        for part in &parts {
            loader.push(part).await.expect("the part is sound");
            loader.next_part(None).await.expect("it is whole");
        }
        let header = last.len() - 4 * (1 << 16);
        let error = loader.push(&last[..header]).await.expect_err("the header says it");
        assert_eq!(error.code(), "ERR_UNSUPPORTED_MODEL");
        assert!(error.to_string().contains("blk.1.ffn_gate_inp.weight"), "{error}");
    });
    pollster::block_on(async {
        let mut forecaster = Forecaster::new(options(), Host::native(), None, None).await;
        for part in parts.iter().chain([&last]) {
            forecaster.push(part);
            if part.as_slice() != last {
                forecaster.next_part(None);
            }
        }
        let failure = forecaster.finish(false).await.failure.expect("it would fail");
        assert_eq!(failure.code(), "ERR_UNSUPPORTED_MODEL");
    });
}

/// One of the parts of a model that has one part more.
fn part(spec: &Spec, number: usize, counts: &[usize]) -> Vec<u8> {
    let first: usize = counts[..number].iter().sum();
    let mut index = 0..;
    let mut writer = writer(spec, spec, Form::Published, |tensor| {
        index.next().is_some_and(|i| (first..first + counts[number]).contains(&i)).then_some(tensor)
    });
    writer.metadata("split.no", number as u16).expect("a new key");
    writer.metadata("split.count", counts.len() as u16 + 1).expect("a new key");
    writer.metadata("split.tensors.count", tensor_count(spec) as i32 + 1).expect("a new key");
    writer.to_bytes()
}

/// What a plan reads is what the file has: nothing of the table's models is left out by mistake.
#[test]
fn plans_read_every_tensor_of_their_files() {
    let files = SPECS.iter().map(|spec| (spec.name, file(spec.name)));
    for (name, file) in files.chain(BIASED.map(|name| (name, biased(specs::find(name))))) {
        let mut reader = GgufReader::new();
        reader.push(&file).expect("a sound file");
        let header = reader.header().expect("it is whole");
        let tensors: Vec<TensorDesc> = header.tensors.iter().map(|tensor| tensor.desc.clone()).collect();
        let config = Config::from_metadata(&header.metadata).expect("a known architecture");
        let options = PlanOptions { context: 64, max_tokens: 8, kv: DType::F32, head: Head::Greedy };
        let plan = build(&config, &tensors, options).expect("the plan is built");
        let mut read: Vec<&str> = plan.weights().map(|value| value.name.as_str()).collect();
        if tensors.iter().any(|desc| desc.name == "rope_freqs.weight") {
            read.push("rope_freqs.weight");
        }
        read.sort_unstable();
        let mut there: Vec<&str> = tensors.iter().map(|desc| desc.name.as_str()).collect();
        there.sort_unstable();
        assert_eq!(read, there, "{name}");
    }
}

#[test]
fn harmless_tensors_are_left_out_and_take_no_memory() {
    let all = || HARMLESS.iter().chain(HARMLESS_SAFETENSORS);
    assert!(all().count() < 10 && all().all(|harmless| harmless.reason.len() > 20));
    let spec = specs::find("gemma3-f32-64");
    let ids = &spec.prompt_ids()[..20];
    let mut plain = load(&[file(spec.name)], options(), Host::native()).expect("the model loads");
    let beside = with_vectors(spec, &["v.patch_embd.weight", "mm.input_projection.weight"]);
    let told = forecast(&beside);
    assert!(told.is_none(), "{told:?}");
    let mut session = load(&[beside], options(), Host::native()).expect("the model loads");
    assert_eq!(session.memory(), plain.memory());
    assert_eq!(session.info().parameters, plain.info().parameters);
    assert_eq!(logits(&mut session, ids, MAX_CHUNK), logits(&mut plain, ids, MAX_CHUNK));
}

/// A model with a key more.
fn with_key(spec: &Spec, key: &str, value: impl Into<Value>) -> Vec<u8> {
    let mut writer = writer(spec, spec, Form::Published, Some);
    writer.metadata(key, value).unwrap_or_else(|error| panic!("{key}: {error}"));
    writer.to_bytes()
}

#[test]
fn metadata_that_asks_for_more_is_refused_by_name() {
    let llama = specs::find("llama-f16-64-factors");
    let number = |key: &str, wrong: f32, right: f32| (key.to_owned(), Value::F32(wrong), Value::F32(right));
    let count = |key: &str, wrong: u32, right: u32| (key.to_owned(), Value::U32(wrong), Value::U32(right));
    let flag = |key: &str, wrong: bool| (key.to_owned(), Value::Bool(wrong), Value::Bool(!wrong));
    let text = |key: &str, wrong: &str, right: &str| {
        (key.to_owned(), Value::from(wrong.to_owned()), Value::from(right.to_owned()))
    };
    let cases = [
        flag("attention.causal", false),
        number("attention.clamp_kqv", 8.0, 0.0),
        number("attention.max_alibi_bias", 8.0, 0.0),
        number("attention.output_scale", 0.5, 1.0),
        number("attention.value_scale", 0.5, 1.0),
        number("attention.temperature_scale", 0.1, 0.0),
        count("attention.sliding_window", 16, 0),
        count("attention.sliding_window", 255, 256),
        count("attention.q_lora_rank", 16, 0),
        count("attention.key_length_swa", 32, 16),
        number("attn_logit_softcapping", 50.0, 0.0),
        number("final_logit_softcapping", 30.0, 0.0),
        number("logit_scale", 0.0625, 1.0),
        number("logit_scale", f32::NAN, 0.0),
        number("residual_scale", 0.22, 1.0),
        number("embedding_scale", 12.0, 1.0),
        count("embedding_length_out", 32, 64),
        count("expert_count", 8, 0),
        count("expert_used_count", 2, 0),
        count("nextn_predict_layers", 1, 0),
        flag("use_parallel_residual", true),
        count("rope.dimension_count_swa", 8, 16),
        number("rope.scaling.attn_factor", 1.2, 1.0),
        number("rope.scaling.yarn_ext_factor", 1.0, -1.0),
        number("rope.scaling.yarn_attn_factor", 0.8, 1.0),
        text("rope.scaling.type", "yarn", "none"),
        text("rope.scaling.type", "longrope", "linear"),
        text("hidden_activation", "gelu_pytorch_tanh", "silu"),
        // In a type that can't be understood.
        (String::from("logit_scale"), Value::from(String::from("small")), Value::F32(1.0)),
    ];
    for (key, wrong, right) in cases {
        let key = format!("llama.{key}");
        let wrong = with_key(llama, &key, wrong);
        for error in [load(std::slice::from_ref(&wrong), options(), Host::native()).err(), forecast(&wrong)] {
            let error = error.unwrap_or_else(|| panic!("{key} is taken"));
            assert!(error.to_string().contains(&key), "{key}: {error}");
            assert!(matches!(error.code(), "ERR_UNSUPPORTED_MODEL" | "ERR_BAD_FILE"), "{key}: {error}");
        }
        let loaded = load(&[with_key(llama, &key, right)], options(), Host::native());
        assert!(loaded.is_ok(), "{key}: {:?}", loaded.err());
    }
    // Not said of a model whose architecture has it.
    let gemma = with_key(specs::find("gemma3-f32-64"), "gemma3.embedding_scale", 8.0_f32);
    assert!(load(&[gemma], options(), Host::native()).is_ok());
    // Known and told apart from what changes the result.
    let informs = with_key(llama, "llama.rope.scaling.finetuned", true);
    assert!(load(&[informs], options(), Host::native()).is_ok());
}

fn embedder(files: &Files, weights: &[u8]) -> Result<Embedder, SessionError> {
    pollster::block_on(async {
        let len = Some(weights.len() as u64);
        let mut loader = Loader::new_safetensors(options(), Host::native(), files, len).await?;
        loader.push(weights).await?;
        Embedder::new(loader.finish().await?)
    })
}

fn forecast_safetensors(files: &Files, weights: &[u8]) -> Option<SessionError> {
    pollster::block_on(async {
        let len = Some(weights.len() as u64);
        let mut forecaster = Forecaster::new(options(), Host::native(), Some(files), len).await;
        forecaster.push(weights);
        forecaster.finish(false).await.failure
    })
}

#[test]
fn tensors_of_safetensors_are_refused_by_their_own_name() {
    let wide: &[usize] = &[8];
    for (name, dtype) in [
        ("classifier.weight", "F32"),
        ("encoder.layer.0.attention.self.distance_embedding.weight", "F32"),
        ("encoder.layer.0.attention.self.query.weight_scale", "F32"),
        ("encoder.layer.1.output.dense.bias", "F32"),
        ("encoder.layer.0.output.dense.SCB", "I8"),
        ("bert.adapter.weight", "F32"),
        ("embeddings.extra", "I64"),
        ("linear", "F32"),
    ] {
        let (files, weights) = bert(&[(name, dtype, wide)]);
        for error in [embedder(&files, &weights).err(), forecast_safetensors(&files, &weights)] {
            let error = error.unwrap_or_else(|| panic!("{name} is taken"));
            assert_eq!(error.code(), "ERR_UNSUPPORTED_MODEL", "{name}: {error}");
            assert!(error.to_string().contains(name), "{name}: {error}");
        }
        let mut quantiser = Quantiser::new(DType::F16, 1, Some(&files), None).expect("the files are sound");
        let error = quantiser.push(&weights).expect_err("nothing is dropped in silence");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}

#[test]
fn heads_of_pre_training_are_left_out() {
    let (files, weights) = bert(&[]);
    let mut plain = embedder(&files, &weights).expect("the model loads");
    let (_, with_heads) = bert(&[
        ("embeddings.position_ids", "I64", &[1, 16]),
        ("bert.pooler.dense.weight", "F32", &[8, 8]),
        ("pooler.dense.bias", "F32", &[8]),
        ("cls.predictions.transform.dense.weight", "F32", &[8, 8]),
        ("cls.predictions.bias", "F32", &[5]),
        ("cls.seq_relationship.weight", "F32", &[2, 8]),
    ]);
    let told = forecast_safetensors(&files, &with_heads);
    assert!(told.is_none(), "{told:?}");
    let mut session = embedder(&files, &with_heads).expect("the model loads");
    assert_eq!(session.model().memory(), plain.model().memory());
    let vectors =
        |embedder: &mut Embedder| pollster::block_on(embedder.embed(&["a b a"])).expect("it runs").vectors;
    assert_eq!(vectors(&mut session), vectors(&mut plain));
}

#[test]
fn files_beside_the_weights_that_ask_for_more_are_refused() {
    let (files, weights) = bert(&[]);
    for (key, value) in
        [("is_decoder", json!(true)), ("add_cross_attention", json!(true)), ("hidden_act", json!("relu"))]
    {
        let mut config: serde_json::Value = serde_json::from_slice(&files.config).expect("it is JSON");
        config[key] = value;
        let files = Files { config: config.to_string().into_bytes(), ..files.clone() };
        let error = embedder(&files, &weights).err().unwrap_or_else(|| panic!("{key} is taken"));
        assert!(error.to_string().contains(key), "{error}");
    }
    let lower =
        Files { sentence: Some(br#"{"max_seq_length": 8, "do_lower_case": true}"#.to_vec()), ..files };
    let error = embedder(&lower, &weights).err().expect("the tokenizer keeps case");
    assert!(error.to_string().contains("do_lower_case"), "{error}");
}
