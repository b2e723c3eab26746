/* A group of last but one resort: for each class of one field the rules that lie in it, to be tried one after the other. */
#include <string.h>

#include "compile.h"

static list_rule list_rule_of(const compiler *c, uint32_t rule) {
    const live_row *r = &c->rules[rule];
    const address_part *src = &c->address[SRC], *dst = &c->address[DST];
    return (list_rule){src->lo[rule],
                       src->hi[rule] - src->lo[rule],
                       dst->lo[rule],
                       dst->hi[rule] - dst->lo[rule],
                       r->sport_lo,
                       r->dport_lo,
                       r->protocol_lo,
                       (uint16_t)(r->sport_hi - r->sport_lo),
                       (uint16_t)(r->dport_hi - r->dport_lo),
                       (uint16_t)(r->protocol_hi - r->protocol_lo),
                       r->id};
}

/* Calls of one pass over all rules and the classes they lie in: counts, or writes. */
static bool pass(compiler *c, const group_plan *plan, unsigned field, const field_classes *f, uint32_t *stamps, uint64_t *next,
                 list_rule *rules, uint64_t most) {
    uint64_t total = 0;
    memset(stamps, 0, f->classes * sizeof *stamps);
    for (uint32_t i = 0; i < plan->count; i++) {
        const uint32_t rule = plan->members[i];
        const uint32_t first = f->run_of[c->address[field].lo[rule]], last = f->run_of[c->address[field].hi[rule]];
        for (uint32_t run = first; run <= last; run++) {
            const uint32_t class = f->class_of[run];
            if (stamps[class] == i + 1)
                continue;
            stamps[class] = i + 1;
            if (rules)
                rules[next[class]] = list_rule_of(c, rule);
            next[class]++;
            if (++total > most || !works(c, 2))
                return false;
        }
        if (!works(c, last - first))
            return false;
    }
    return true;
}

static bool build(compiler *c, arena *a, arena *scratch, const group_plan *plan, unsigned field, built_group *out) {
    field_classes f;
    if (!find_classes(c, scratch, plan->members, plan->count, field, &f))
        return false;
    uint32_t *stamps = arena_take(scratch, f.classes, sizeof *stamps);
    uint64_t *next = arena_zeroed(scratch, f.classes, sizeof *next), *start = arena_take(scratch, f.classes, sizeof *start);
    if (scratch->failed)
        return false;
    const uint64_t most = plan->room / sizeof(list_rule) < UINT32_MAX ? plan->room / sizeof(list_rule) : UINT32_MAX;
    if (!pass(c, plan, field, &f, stamps, next, NULL, most))
        return false;
    uint64_t count = 1; /* place 0 ends at once: the list of classes without rules */
    for (uint32_t k = 0; k < f.classes; k++) {
        const uint64_t length = next[k];
        start[k] = length ? count : 0;
        next[k] = start[k];
        count += length ? length + 1 : 0;
    }
    if (count > most)
        return false;
    list_rule *rules = arena_take(a, (size_t)count, sizeof *rules);
    if (!rules)
        return false;
    for (uint64_t i = 0; i < count; i++)
        rules[i] = (list_rule){.id = NO_ID};
    if (!pass(c, plan, field, &f, stamps, next, rules, most))
        return false;
    for (unsigned k = SRC; k <= DST; k++) {
        out->words[k] = arena_zeroed(a, c->address[k].intervals, sizeof *out->words[k]);
        if (!out->words[k])
            return false;
    }
    for (uint32_t i = 0; i < c->address[field].intervals; i++)
        out->words[field][i] = (uint32_t)start[f.class_of[f.run_of[i]]];
    out->answers = rules;
    out->g.answer_count = count;
    out->g.pair = PAIR_LIST;
    out->g.finish = FINISH_COMPARE;
    out->g.major = field;
    out->g.rows = f.classes;
    out->bytes += (size_t)count * sizeof *rules;
    return true;
}

bool build_list(compiler *c, arena *a, const group_plan *plan, unsigned field, built_group *out) {
    arena scratch = {0};
    *out = (built_group){.g = {.rules = plan->count, .first = c->rules[plan->members[0]].id}};
    const bool done = build(c, a, &scratch, plan, field, out);
    arena_empty(&scratch);
    return done;
}
