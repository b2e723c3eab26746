/* Memory for large tables. A lookup touches tables at random, so what it waits for is as often the translation of an address as
 * the data: on Linux large tables ask for huge pages. */
#if defined(__linux__)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#endif
#include <stdlib.h>

#include "compile.h"

void *pages_take(size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const size_t huge = (size_t)2 << 20;
    if (bytes >= huge / 2 && bytes <= SIZE_MAX - huge) {
        const size_t whole = (bytes + huge - 1) / huge * huge;
        void *pages = aligned_alloc(huge, whole);
        if (pages)
            (void)madvise(pages, whole, MADV_HUGEPAGE); /* a wish; nothing depends on it */
        return pages;
    }
#endif
    return malloc(bytes ? bytes : 1);
}

void pages_give(void *pages) {
    free(pages);
}
