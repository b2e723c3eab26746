/* A main for the entry points of this folder where libFuzzer is not at hand: runs each file named on the command line
 * once, in a buffer of exactly its size so that a sanitizer sees a read one byte too far.
 *
 *     gcc -g -fsanitize=address,undefined -fno-sanitize-recover=all -Iext/core ext/fuzz/replay.c ext/fuzz/fuzz_frames.c
 * ext/core/frames.c
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    uint8_t *data = size < 0 ? NULL : malloc(size ? (size_t)size : 1);
    rewind(file);
    int failed = data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size;
    fclose(file);
    if (failed)
        fprintf(stderr, "%s: cannot be read\n", path);
    else if (size == 0)
        LLVMFuzzerTestOneInput(NULL, 0);
    else
        LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return failed;
}

int main(int argc, char **argv) {
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%d inputs\n", argc - 1);
    return failed;
}
