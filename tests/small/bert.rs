//! A small BERT in safetensors, with the files beside it.

use rushlight::model::hf::Files;
use serde_json::json;

/// A BERT of one layer, and more tensors: name, type, extents.
pub fn bert(more: &[(&str, &str, &[usize])]) -> (Files, Vec<u8>) {
    const WIDTH: usize = 8;
    let matrix: &[usize] = &[WIDTH, WIDTH];
    let vector: &[usize] = &[WIDTH];
    let mut tensors: Vec<(String, &str, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), "F32", vec![5, WIDTH]),
        ("embeddings.position_embeddings.weight".into(), "F32", vec![32, WIDTH]),
        ("embeddings.token_type_embeddings.weight".into(), "F32", vec![2, WIDTH]),
    ];
    let layer = "encoder.layer.0";
    for name in [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ] {
        tensors.push((format!("{layer}.{name}.weight"), "F32", matrix.to_vec()));
        tensors.push((format!("{layer}.{name}.bias"), "F32", vector.to_vec()));
    }
    for name in [
        "embeddings.LayerNorm".to_owned(),
        format!("{layer}.attention.output.LayerNorm"),
        format!("{layer}.output.LayerNorm"),
    ] {
        tensors.push((format!("{name}.weight"), "F32", vector.to_vec()));
        tensors.push((format!("{name}.bias"), "F32", vector.to_vec()));
    }
    tensors.extend(more.iter().map(|(name, dtype, extents)| ((*name).to_owned(), *dtype, extents.to_vec())));
    let (mut header, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
    for (index, (name, dtype, shape)) in tensors.iter().enumerate() {
        let begin = data.len();
        for element in 0..shape.iter().product::<usize>() {
            match *dtype {
                "F32" => data.extend((((element * 7 + index * 3) % 11) as f32 / 8.0 - 0.5).to_le_bytes()),
                "I64" => data.extend((element as u64).to_le_bytes()),
                _ => data.push(element as u8),
            }
        }
        header.insert(
            name.clone(),
            json!({ "dtype": dtype, "shape": shape, "data_offsets": [begin, data.len()] }),
        );
    }
    let header = serde_json::Value::Object(header).to_string();
    let weights = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    let words = ["[UNK]", "[CLS]", "[SEP]", "a", "b"];
    let vocab: serde_json::Map<String, serde_json::Value> =
        words.iter().enumerate().map(|(id, word)| ((*word).to_owned(), id.into())).collect();
    let tokenizer = json!({
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": false },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1] },
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab },
    });
    let config = json!({
        "model_type": "bert", "num_hidden_layers": 1, "max_position_embeddings": 32, "hidden_size": WIDTH,
        "intermediate_size": WIDTH, "num_attention_heads": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    });
    let files = Files {
        config: config.to_string().into_bytes(),
        tokenizer: tokenizer.to_string().into_bytes(),
        ..Files::default()
    };
    (files, weights)
}
