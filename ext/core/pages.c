/* Memory for large tables. A lookup touches tables at random, so what it waits for is as often the translation of an address as
 * the data: on Linux large tables ask for huge pages. */
#if defined(__linux__)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#endif
#include <stdlib.h>

#include "compile.h"

static const size_t HUGE_PAGE = (size_t)2 << 20;

void *pages_take(size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= HUGE_PAGE / 2 && bytes <= SIZE_MAX - HUGE_PAGE) {
        const size_t whole = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        void *pages = aligned_alloc(HUGE_PAGE, whole);
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
