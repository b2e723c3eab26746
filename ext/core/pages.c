/* Memory for large tables. A lookup touches tables at random, so what it waits for is as often the translation of an address as
 * the data: on Linux large tables ask for huge pages. They are mapped for the purpose, because what the heap has used before is
 * in small pages, and stays so. Whatever the size, it starts with a line of the cache. */
#if defined(__linux__)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#endif
#include <stdlib.h>

#include "compile.h"

/* Before what is handed out. */
typedef struct pages_header {
    void *start;
    size_t mapped; /* bytes from there on; 0: from the heap */
} pages_header;

static pages_header *header_of(void *pages) {
    return (pages_header *)pages - 1;
}

/* A sanitizer of addresses sees a step too far only in what it has allocated itself. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

#if defined(__linux__) && defined(MADV_HUGEPAGE) && !defined(SANITIZED)
#define HUGE_PAGES
static void *map_huge(size_t bytes) {
    const size_t huge = (size_t)2 << 20, page = (size_t)sysconf(_SC_PAGESIZE);
    if (bytes < huge / 2 || bytes > SIZE_MAX / 2 || page < sizeof(pages_header) || page > huge)
        return NULL;
    /* A small page for the header, and what is handed out from the next multiple of a huge one. */
    const size_t whole = (bytes + huge - 1) / huge * huge, length = whole + huge + page;
    unsigned char *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    const size_t before = huge - ((uintptr_t)map + page - 1) % huge - 1;
    unsigned char *pages = map + page + before;
    if (before)
        (void)munmap(map, before);
    (void)munmap(pages + whole, huge - before);
    (void)madvise(pages, whole, MADV_HUGEPAGE); /* a wish; nothing depends on it */
    *header_of(pages) = (pages_header){pages - page, whole + page};
    return pages;
}
#endif

void *pages_take(size_t bytes) {
    enum { LINE = 64 };
    if (bytes > SIZE_MAX - 2 * LINE)
        return NULL;
#if defined(HUGE_PAGES)
    void *mapped = map_huge(bytes);
    if (mapped)
        return mapped;
#endif
#if defined(__linux__)
    void *start = NULL;
    if (posix_memalign(&start, LINE, LINE + bytes)) /* which ends where it should, for a sanitizer to see */
        return NULL;
    unsigned char *pages = (unsigned char *)start + LINE;
#else
    unsigned char *start = malloc(2 * LINE + bytes);
    if (!start)
        return NULL;
    unsigned char *pages = start + 2 * LINE - (uintptr_t)start % LINE;
#endif
    *header_of(pages) = (pages_header){start, 0};
    return pages;
}

void pages_give(void *pages) {
    if (!pages)
        return;
    const pages_header header = *header_of(pages);
#if defined(HUGE_PAGES)
    if (header.mapped) {
        (void)munmap(header.start, header.mapped);
        return;
    }
#endif
    free(header.start);
}
