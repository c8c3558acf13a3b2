// Asks llama.cpp for the logits of a small model: the oracle behind tests/fixtures/llamacpp/*.json (see llamacpp_logits.sh).
//
//     llamacpp_logits MODEL.gguf TEXT < NAME.ids
//
// stdin: token ids, `@`, positions. All ids are evaluated in one batch with an F32 cache over the whole context and without flash
// attention, so every sum is made of F32 products. stdout: members of a JSON object, without the braces: the ids of TEXT, the
// prompt's ids, and the logits after each position.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "llama.h"

static void print_ids(const char * key, const std::vector<llama_token> & ids) {
    std::printf("\"%s\": [", key);
    for (size_t i = 0; i < ids.size(); ++i) {
        std::printf("%s%d", i ? "," : "", ids[i]);
    }
    std::printf("],\n");
}

int main(int argc, char ** argv) {
    if (argc != 3) {
        return 2;
    }
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level == GGML_LOG_LEVEL_ERROR) {
            std::fputs(text, stderr);
        }
    }, nullptr);
    llama_model * model = llama_model_load_from_file(argv[1], llama_model_default_params());
    if (!model) {
        return 1;
    }
    const llama_vocab * vocab = llama_model_get_vocab(model);

    std::vector<llama_token> ids;
    std::string word;
    while (std::cin >> word && word != "@") {
        ids.push_back(std::stoi(word));
    }
    std::vector<int> positions;
    for (int position; std::cin >> position;) {
        positions.push_back(position);
    }

    const std::string text = argv[2];
    std::vector<llama_token> text_ids(text.size() * 4 + 16);
    text_ids.resize(llama_tokenize(vocab, text.data(), (int32_t) text.size(), text_ids.data(), (int32_t) text_ids.size(), true, true));

    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_batch = 256;
    params.n_ubatch = 256;
    params.n_threads = 1;
    params.n_threads_batch = 1;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
    params.swa_full = true;
    llama_context * context = llama_init_from_model(model, params);
    if (!context) {
        return 1;
    }
    llama_batch batch = llama_batch_init((int32_t) ids.size(), 0, 1);
    batch.n_tokens = (int32_t) ids.size();
    for (int32_t i = 0; i < batch.n_tokens; ++i) {
        batch.token[i] = ids[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = true;
    }
    if (llama_decode(context, batch) != 0) {
        return 1;
    }

    print_ids("text_ids", text_ids);
    print_ids("ids", ids);
    std::printf("\"logits\": {");
    for (size_t i = 0; i < positions.size(); ++i) {
        const float * logits = llama_get_logits_ith(context, positions[i]);
        std::printf("%s\n\"%d\": [", i ? "," : "", positions[i]);
        for (int token = 0; token < llama_vocab_n_tokens(vocab); ++token) {
            std::printf("%s%.8g", token ? "," : "", logits[token]);
        }
        std::printf("]");
    }
    std::printf("\n}\n");
    llama_batch_free(batch);
    llama_free(context);
    llama_model_free(model);
    return 0;
}
