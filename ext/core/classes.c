/* The classes of one field for the rules of a group: intervals that lie in the same rules. */
#include "compile.h"

/* What a rule counts for in this field. Rules of one answer that differ in this field alone are the same to it. */
static sum128 number_in_field(const compiler *c, uint32_t rule, unsigned field) {
    if (c->table->verdict != PASTORE_VERDICT_ACTION)
        return number_of(c, rule);
    const live_row *r = &c->rules[rule];
    const unsigned other = !field;
    uint64_t what = mix64(c->seed ^ r->id);
    what = mix64(what + ((uint64_t)c->address[other].lo[rule] << 32 | c->address[other].hi[rule]));
    what = mix64(what + ((uint64_t)r->sport_lo << 48 | (uint64_t)r->sport_hi << 32 | (uint64_t)r->dport_lo << 16 | r->dport_hi));
    return number_of(c, what ^ ((uint64_t)r->protocol_lo << 8 | r->protocol_hi));
}

bool find_classes(compiler *c, arena *a, const uint32_t *members, uint32_t count, unsigned field, field_classes *out) {
    const address_part *p = &c->address[field];
    const uint32_t n = p->intervals;
    const size_t most = (size_t)2 * count + 2 < n ? (size_t)2 * count + 2 : n;
    size_t slot_count = 16;
    while (slot_count < 2 * most)
        slot_count *= 2;
    arena scratch = {0};
    sum128 *changes = arena_zeroed(&scratch, (size_t)n + 1, sizeof *changes), *sums = arena_take(&scratch, most, sizeof *sums);
    uint32_t *slots = arena_zeroed(&scratch, slot_count, sizeof *slots);
    *out = (field_classes){.run_of = arena_take(a, n, sizeof *out->run_of),
                           .class_of = arena_take(a, most, sizeof *out->class_of),
                           .representative = arena_take(a, most, sizeof *out->representative)};
    if (scratch.failed || a->failed) {
        arena_empty(&scratch);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const sum128 number = number_in_field(c, members[i], field);
        sum128 *first = &changes[p->lo[members[i]]], *after = &changes[p->hi[members[i]] + 1];
        *first = sum_plus(*first, number);
        *after = sum_minus(*after, number);
    }
    sum128 sum = {0, 0};
    for (uint32_t i = 0; i < n; i++) {
        sum = sum_plus(sum, changes[i]);
        if (i == 0 || !sum_equal(sum, sums[out->runs - 1]))
            sums[out->runs++] = sum;
        out->run_of[i] = out->runs - 1;
    }
    for (uint32_t r = 0; r < out->runs; r++) {
        size_t slot = sum_hash(sums[r]) & (slot_count - 1);
        while (slots[slot] && !sum_equal(sums[out->representative[slots[slot] - 1]], sums[r]))
            slot = (slot + 1) & (slot_count - 1);
        if (!slots[slot]) {
            out->representative[out->classes++] = r;
            slots[slot] = out->classes;
        }
        out->class_of[r] = slots[slot] - 1;
    }
    c->work += (uint64_t)n + 4 * count;
    arena_empty(&scratch);
    return true;
}
