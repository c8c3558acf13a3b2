//! Bytes to tensors: incremental readers of GGUF and safetensors, quantisation block layouts.

pub mod quant;
