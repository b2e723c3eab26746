/* A table from a file, mapped and not read. POSIX; everything else in the core is C11. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"

static void unmap(pastore_table *table) {
    munmap(table->mapping, table->mapping_bytes);
}

/* Maps the whole of a regular file. An empty one cannot be mapped, and is no table. */
static int map_file(int file, void **mapping, size_t *length) {
    struct stat status;
    if (fstat(file, &status) != 0)
        return PASTORE_ERROR_FILE;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return PASTORE_ERROR_FILE;
    }
    if (status.st_size == 0)
        return PASTORE_ERROR_NOT_TABLE;
    if ((uintmax_t)status.st_size > (uintmax_t)PTRDIFF_MAX)
        return PASTORE_ERROR_NO_MEMORY;
    *length = (size_t)status.st_size;
    *mapping = mmap(NULL, *length, PROT_READ, MAP_SHARED, file, 0);
    return *mapping == MAP_FAILED ? PASTORE_ERROR_FILE : PASTORE_OK;
}

int pastore_open(const char *path, pastore_table **out) {
    if (!path || !out)
        return PASTORE_ERROR_ARGUMENT;
    *out = NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not stop us */
    if (file < 0)
        return PASTORE_ERROR_FILE;
    void *mapping = NULL;
    size_t length = 0;
    int error = map_file(file, &mapping, &length);
    const int why = errno;
    close(file);
    errno = why;
    if (error)
        return error;
    error = pastore_load(mapping, length, out);
    if (error) {
        munmap(mapping, length);
        return error;
    }
    (*out)->mapping = mapping;
    (*out)->mapping_bytes = length;
    (*out)->release = unmap;
    return PASTORE_OK;
}
