/* A table from a file, mapped and not read. The one file that asks more of the system than C11 does: POSIX, or Windows. */
#if !defined(_WIN32)
#define _POSIX_C_SOURCE 200809L
#endif

#include <errno.h>
#include <stdlib.h>

#include "core.h"

#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static void give_back(void *mapping, size_t length) {
    (void)length;
    UnmapViewOfFile(mapping);
}

/* What callers know from errno on other systems. */
static int as_errno(DWORD error) {
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_NETPATH:
        return ENOENT;
    case ERROR_ACCESS_DENIED: /* a folder, too */
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
        return EACCES;
    case ERROR_TOO_MANY_OPEN_FILES:
        return EMFILE;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
        return ENOMEM;
    case ERROR_FILENAME_EXCED_RANGE:
        return ENAMETOOLONG;
    default:
        return EIO;
    }
}

/* The path, which is UTF-8, as Windows has it; to be freed. NULL with errno if it is no UTF-8. */
static wchar_t *wide(const char *path) {
    const int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    if (n <= 0) {
        errno = EILSEQ;
        return NULL;
    }
    wchar_t *text = malloc((size_t)n * sizeof *text);
    if (!text)
        errno = ENOMEM;
    else if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, text, n) != n) {
        free(text);
        errno = EILSEQ;
        return NULL;
    }
    return text;
}

static int map_handle(HANDLE file, void **mapping, size_t *length) {
    LARGE_INTEGER size;
    if (GetFileType(file) != FILE_TYPE_DISK) {
        errno = EINVAL;
        return PASTORE_ERROR_FILE;
    }
    if (!GetFileSizeEx(file, &size)) {
        errno = as_errno(GetLastError());
        return PASTORE_ERROR_FILE;
    }
    if (size.QuadPart == 0)
        return PASTORE_ERROR_NOT_TABLE; /* and cannot be mapped */
    if ((uint64_t)size.QuadPart > (uint64_t)PTRDIFF_MAX)
        return PASTORE_ERROR_NO_MEMORY;
    *length = (size_t)size.QuadPart;
    const HANDLE section = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    if (section) {
        *mapping = MapViewOfFile(section, FILE_MAP_READ, 0, 0, *length);
        const DWORD why = *mapping ? ERROR_SUCCESS : GetLastError();
        CloseHandle(section); /* the view holds on to it */
        SetLastError(why);
    }
    if (*mapping)
        return PASTORE_OK;
    errno = as_errno(GetLastError());
    return PASTORE_ERROR_FILE;
}

/* Maps the whole of a regular file. While it is mapped it can be renamed over and deleted, but not cut short. */
static int map_file(const char *path, void **mapping, size_t *length) {
    wchar_t *name = wide(path);
    if (!name)
        return PASTORE_ERROR_FILE;
    const DWORD sharing = FILE_SHARE_READ | FILE_SHARE_DELETE;
    const HANDLE file = CreateFileW(name, GENERIC_READ, sharing, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    const DWORD why = GetLastError();
    free(name);
    if (file == INVALID_HANDLE_VALUE) {
        errno = as_errno(why);
        return PASTORE_ERROR_FILE;
    }
    const int error = map_handle(file, mapping, length);
    CloseHandle(file); /* leaves errno alone */
    return error;
}

#else

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void give_back(void *mapping, size_t length) {
    munmap(mapping, length);
}

static int map_descriptor(int file, void **mapping, size_t *length) {
    struct stat status;
    if (fstat(file, &status) != 0)
        return PASTORE_ERROR_FILE;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return PASTORE_ERROR_FILE;
    }
    if (status.st_size == 0)
        return PASTORE_ERROR_NOT_TABLE; /* and cannot be mapped */
    if ((uintmax_t)status.st_size > (uintmax_t)PTRDIFF_MAX)
        return PASTORE_ERROR_NO_MEMORY;
    *length = (size_t)status.st_size;
    *mapping = mmap(NULL, *length, PROT_READ, MAP_SHARED, file, 0);
    return *mapping == MAP_FAILED ? PASTORE_ERROR_FILE : PASTORE_OK;
}

/* Maps the whole of a regular file. */
static int map_file(const char *path, void **mapping, size_t *length) {
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not stop us */
    if (file < 0)
        return PASTORE_ERROR_FILE;
    const int error = map_descriptor(file, mapping, length);
    const int why = errno;
    close(file);
    errno = why;
    return error;
}

#endif

static void unmap(pastore_table *table) {
    give_back(table->mapping, table->mapping_bytes);
}

int pastore_open(const char *path, pastore_table **out) {
    if (!path || !out)
        return PASTORE_ERROR_ARGUMENT;
    *out = NULL;
    void *mapping = NULL;
    size_t length = 0;
    int error = map_file(path, &mapping, &length);
    if (error)
        return error;
    error = pastore_load(mapping, length, out);
    if (error) {
        give_back(mapping, length);
        return error;
    }
    (*out)->mapping = mapping;
    (*out)->mapping_bytes = length;
    (*out)->release = unmap;
    return PASTORE_OK;
}
