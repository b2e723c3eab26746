/* Which of the instruction sets that the lookups are compiled for is used. */
#include <stdlib.h>
#include <string.h>

#include "side.h"

#if defined(__x86_64__) || defined(_M_X64)

/* The compiler's run-time knows what the processor has and the operating system saves. */
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
}

static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

/* PASTORE_ISA names the best that may be used: of "avx512" on a machine that lacks it becomes "avx2" or "scalar". Any other value
 * is as good as none. Nothing is kept between calls, so any number of threads may ask. */
const isa *isa_chosen(void) {
    __builtin_cpu_init();
    const char *most = getenv("PASTORE_ISA");
    if (most && strcmp(most, isa_scalar.name) == 0)
        return &isa_scalar;
    if (has_avx512() && !(most && strcmp(most, isa_avx2.name) == 0))
        return &isa_avx512;
    return has_avx2() ? &isa_avx2 : &isa_scalar;
}

#else

const isa *isa_chosen(void) {
    return &isa_scalar;
}

#endif
