// Quantises rows with ggml: `ggml_quantise TYPE COLUMNS <rows.f32 >blocks`. For tests/tools/make_quantise_errors.py, which says how
// it is built.

#include "ggml.h"

#include <stdio.h>
#include <stdlib.h>

int main(int count, char ** arguments) {
    if (count != 3) {
        return 2;
    }
    const enum ggml_type type = (enum ggml_type) atoi(arguments[1]);
    const int64_t columns = atoll(arguments[2]);
    float * row = malloc(columns * sizeof(float));
    const size_t bytes = ggml_row_size(type, columns);
    void * blocks = malloc(bytes);
    while (fread(row, sizeof(float), columns, stdin) == (size_t) columns) {
        if (ggml_quantize_chunk(type, row, blocks, 0, 1, columns, NULL) != bytes
            || fwrite(blocks, 1, bytes, stdout) != bytes) {
            return 1;
        }
    }
    return 0;
}
