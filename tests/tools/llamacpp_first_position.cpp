// Asks llama.cpp for log-probabilities at the first new position of texts: the oracle behind tests/fixtures/int8_quality.json (see
// int8_quality.sh).
//
//     llamacpp_first_position exact MODEL.gguf < TEXTS      a text a line, `\n` for a line break: ids and the top 20 of each
//     llamacpp_first_position chats MODEL.gguf < TEXTS      as exact, with the special tokens in the texts recognised
//     llamacpp_first_position usual MODEL.gguf < WANTED     lines `ids @ wanted ids`, made from the above: log-probabilities of those
//
// `exact` keeps the cache in F32 and does without flash attention; `usual` takes llama.cpp's own defaults. stdout: a line of JSON for
// each line of input. Log-probabilities are worked out in double from all logits.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "ggml-backend.h"
#include "llama.h"

static const int TOP = 20;

static std::vector<double> logprobs(const float * logits, int count) {
    const double largest = *std::max_element(logits, logits + count);
    double sum = 0;
    for (int i = 0; i < count; ++i) {
        sum += std::exp(logits[i] - largest);
    }
    std::vector<double> result(count);
    for (int i = 0; i < count; ++i) {
        result[i] = logits[i] - largest - std::log(sum);
    }
    return result;
}

static std::string with_line_breaks(const std::string & line) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == 'n') {
            text += '\n';
            ++i;
        } else {
            text += line[i];
        }
    }
    return text;
}

template <typename T> static void print_list(const char * key, const std::vector<T> & values, const char * format) {
    std::printf("\"%s\": [", key);
    for (size_t i = 0; i < values.size(); ++i) {
        std::printf(i ? ", " : "");
        std::printf(format, values[i]);
    }
    std::printf("]");
}

int main(int argc, char ** argv) {
    if (argc != 3) {
        return 2;
    }
    const bool chats = std::string(argv[1]) == "chats";
    const bool exact = chats || std::string(argv[1]) == "exact";
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level == GGML_LOG_LEVEL_ERROR) {
            std::fputs(text, stderr);
        }
    }, nullptr);
    // Libraries built with loadable backends, as npm's @node-llama-cpp/linux-x64 has them, are told where those lie.
    if (const char * folder = std::getenv("GGML_BACKENDS")) {
        ggml_backend_load_all_from_path(folder);
    }
    llama_model * model = llama_model_load_from_file(argv[2], llama_model_default_params());
    if (!model) {
        return 1;
    }
    const llama_vocab * vocab = llama_model_get_vocab(model);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = 256;
    params.n_threads = 1;
    params.n_threads_batch = 1;
    if (exact) {
        params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        params.type_k = GGML_TYPE_F32;
        params.type_v = GGML_TYPE_F32;
    }
    llama_context * context = llama_init_from_model(model, params);
    if (!context) {
        return 1;
    }
    for (std::string line; std::getline(std::cin, line);) {
        std::vector<llama_token> ids;
        std::vector<int> wanted;
        if (exact) {
            const std::string text = with_line_breaks(line);
            ids.resize(text.size() + 16);
            ids.resize(llama_tokenize(vocab, text.data(), (int32_t) text.size(), ids.data(), (int32_t) ids.size(), true, chats));
        } else {
            std::istringstream words(line);
            bool after = false;
            for (std::string word; words >> word;) {
                if (word == "@") {
                    after = true;
                } else {
                    (after ? wanted : ids).push_back(std::stoi(word));
                }
            }
        }
        llama_memory_clear(llama_get_memory(context), true);
        if (llama_decode(context, llama_batch_get_one(ids.data(), (int32_t) ids.size())) != 0) {
            return 1;
        }
        const std::vector<double> all = logprobs(llama_get_logits_ith(context, -1), llama_vocab_n_tokens(vocab));
        if (exact) {
            wanted.resize(all.size());
            std::iota(wanted.begin(), wanted.end(), 0);
            std::partial_sort(wanted.begin(), wanted.begin() + TOP, wanted.end(), [&](int a, int b) { return all[a] > all[b]; });
            wanted.resize(TOP);
        }
        std::vector<double> chosen;
        for (int id : wanted) {
            chosen.push_back(all[id]);
        }
        std::printf("{");
        print_list("ids", ids, "%d");
        std::printf(", ");
        print_list("top", wanted, "%d");
        std::printf(", ");
        print_list("logprobs", chosen, "%.6f");
        std::printf("}\n");
        std::fflush(stdout);
    }
    llama_free(context);
    llama_model_free(model);
    return 0;
}
