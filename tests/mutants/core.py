"""The mutants of the core, file by file."""

from typing import Final

from tests.mutants.runner import Mutant

_ROWS: Final = (
    Mutant("rows.c", "row->direction > PASTORE_BOTH ||", "", "a direction that is none is taken"),
    Mutant("rows.c", "row->action < PASTORE_ALLOW ||", "", "a row without an action is taken"),
    Mutant("rows.c", "row->sport_lo > row->sport_hi ||", "", "source ports may run backwards"),
    Mutant("rows.c", "backwards(row->dst_lo, row->dst_hi)", "row->dst_hi[0] < row->dst_lo[0]", "low words may run backwards"),
    Mutant("rows.c", "row->src_hi[1] > UINT32_MAX ||", "", "an IPv4 address may have 33 bits"),
    Mutant("rows.c", "row->rank < before->rank", "row->rank <= before->rank", "equal ranks are refused"),
    Mutant("rows.c", "row->rank < before->rank ? PASTORE_ERROR_ORDER", "row->rank > INT32_MAX ? PASTORE_ERROR_ORDER", "order"),
    Mutant("rows.c", "row->interface == PASTORE_ALL ||", "", "a row for all interface types applies to none"),
    Mutant("rows.c", "row->direction == PASTORE_BOTH || row->direction", "row->direction", "a row for both directions, in none"),
    Mutant("rows.c", ".dst_hi = (uint32_t)row->dst_hi[1]", ".dst_hi = (uint32_t)row->dst_lo[1]", "an IPv4 row keeps one address"),
    Mutant("rows.c", ".src_hi = key_of(row->src_hi)", ".src_hi = key_of(row->src_lo)", "an IPv6 row keeps one address"),
    Mutant("rows.c", "table->list[IPV6].rows) + row;", "table->list[IPV6].rows) + row / 2;", "another row is looked at"),
)

_SCAN: Final = (
    Mutant("scan_linear.c", "lo <= value && value <= hi", "lo < value && value <= hi", "the first value of a range is outside"),
    Mutant("scan_linear.c", "lo <= value && value <= hi", "lo <= value && value < hi", "the last value of a range is outside"),
    Mutant("scan_linear.c", "!key_less(value, lo) &&", "key_less(lo, value) &&", "the first IPv6 address of a range is outside"),
    Mutant("scan_linear.c", "&& !key_less(hi, value)", "&& key_less(value, hi)", "the last IPv6 address of a range is outside"),
    Mutant("scan_linear.c", "(uint32_t)p->src.low, dst = (uint32_t)p->dst.low", "(uint32_t)p->dst.low, dst = src", "one address"),
    Mutant("scan_linear.c", "row < 0 ? PASTORE_NONE :", "row <= 0 ? PASTORE_NONE :", "the first row gives no action"),
    Mutant(
        "scan_linear.c",
        "((const int32_t *)at(table, table->list[family].numbers))[row]",
        "(int32_t)row",
        "the row number is that among the rows of its family",
    ),
)

_COLUMNS: Final = (
    Mutant(
        "columns.h",
        "c->direction ? c->direction[i] : c->one_direction",
        "c->one_direction",
        "the column is not looked at",
        isa="scalar",
    ),
    Mutant(
        "columns.h",
        ".interface = c->interface ? c->interface[i] : c->one_interface",
        ".interface = 0",
        "always lan",
        isa="scalar",
    ),
    Mutant("columns.h", ".sport = c->sport[i],", ".sport = c->dport[i],", "the other port", isa="scalar"),
    Mutant(
        "columns.h",
        "key_from_network(c->dst6 + 16 * i)",
        "key_from_network(c->dst6 + 16 * (i / 2))",
        "another packet's address",
        isa="scalar",
    ),
    Mutant("columns.h", "? __builtin_bswap64(word) : word", "? word : word", "addresses in the wrong byte order", isa="scalar"),
    Mutant(
        "columns.h",
        "{word_from_network(bytes), word_from_network(bytes + 8)}",
        "{word_from_network(bytes), 0}",
        "half of it",
        isa="scalar",
    ),
    Mutant(
        "columns.h",
        "if (c->direction[i] > PASTORE_OUT)",
        "if (c->direction[i] > PASTORE_BOTH)",
        "a packet goes both ways",
        isa="scalar",
    ),
    Mutant(
        "columns.h",
        "if (c->interface[i] > PASTORE_RAS)",
        "if (c->interface[i] > PASTORE_ALL)",
        "a packet is everywhere",
        isa="scalar",
    ),
    Mutant(
        "columns.h",
        "direction > PASTORE_OUT || interface > PASTORE_RAS ? 0 : n",
        "n",
        "the one value is not looked at",
        isa="scalar",
    ),
    Mutant("columns.h", "*bad_packet = bad;", "*bad_packet = bad + 1;", "another packet is blamed", isa="scalar"),
    Mutant("columns.h", "!c->sport || !c->dport", "!c->dport", "a missing column is read", isa="scalar"),
    Mutant(
        "columns.h",
        "index && table->verdict != PASTORE_VERDICT_RULE",
        "false",
        "row numbers out of a table without",
        isa="scalar",
    ),
)

_STORED: Final = (
    Mutant("save.c", ".verdict = (uint32_t)table->verdict", ".verdict = 0", "a table of actions is saved as one of rows"),
    Mutant("save.c", ".length = sizeof header};", ".length = sizeof header + 64};", "sections begin later than they are said to"),
    Mutant("save.c", "pieces[1 + i].to = header.sections[i].offset", "pieces[1 + i].to = 0", "sections are not aligned"),
    Mutant("save.c", "header->length = offset + length;", "header->length = offset + length + 1;", "the length is another"),
    Mutant(
        "save.c",
        "stored.list, table->list, sizeof stored.list",
        "stored.list, table->list, sizeof *stored.list",
        "half the lists",
    ),
    Mutant("load.c", "header->length > length", "header->length > length + 64", "a table that is cut off passes"),
    Mutant("load.c", "== header->checksum ? PASTORE_OK", "!= 0 ? PASTORE_OK", "the checksum is not compared"),
    Mutant("load.c", "(uintptr_t)buffer % _Alignof(uint64_t)", "0", "a buffer that is not aligned is taken"),
    Mutant("load.c", "header->sections[i].kind == kind)", "header->sections[i].kind >= kind)", "another section is handed out"),
    Mutant("load.c", "for (uint32_t i = 1; header", "for (uint32_t i = 0; header", "the table itself is handed out as a section"),
    Mutant("load.c", "int error = prove_structure(table, NULL);", "int error = PASTORE_OK;", "the structure is believed"),
    Mutant("load.c", "return error ? error : prove_answers(table, NULL);", "return error;", "answers are believed"),
    Mutant("load.c", "memcpy(table->list, stored->list, sizeof table->list);", "", "a loaded table has no rows"),
    Mutant("map.c", "(*out)->release = unmap;", "", "a closed table stays mapped"),
    Mutant(
        "checksum.c",
        "rotate(lane + input * PRIME2, 31)",
        "rotate(lane + input * PRIME2, 30)",
        "another checksum, with itself in step",
    ),
    Mutant("checksum.c", "hash += sum->total;", "", "the length is not in the checksum"),
    Mutant(
        "checksum.c", "for (; left; left--, next++)", "for (; left > 1; left--, next++)", "the last byte is not in the checksum"
    ),
    Mutant("checksum.c", "without.checksum = 0;", "", "the checksum counts itself"),
    Mutant(
        "checksum.c",
        "*sum = (checksum){.lanes = {PRIME1 + PRIME2, PRIME2,",
        "*sum = (checksum){.lanes = {PRIME1, PRIME2,",
        "seed",
    ),
)

_VALIDATE: Final = (
    Mutant("validate.c", "where == 0 || where > 15 ||", "where == 0 ||", "a row applies in places that do not exist"),
    Mutant("validate.c", "action < PASTORE_ALLOW || action > PASTORE_PROTECT", "false", "an action that is none passes"),
    Mutant("validate.c", "if (key_less(r.hi, r.lo))", "if (false)", "a range that runs backwards passes"),
    Mutant("validate.c", "!= (int32_t)row)", "< (int32_t)row)", "row numbers may repeat"),
    Mutant("validate.c", "family == IPV4 ? !same4(&as4,", "family == IPV4 ? same4(&as4,", "other rows are its rows"),
    Mutant(
        "validate.c",
        "return memcmp(a, b, sizeof *a) == 0;\n}\n\nstatic bool same6",
        "return true;\n}\n\nstatic bool same6",
        "any rows are",
    ),
    Mutant("validate.c", "if (n != table->rows)\n        return PASTORE_ERROR_DAMAGED;", "", "fewer rows are its rows"),
)

_RULES: Final = (
    Mutant(
        "rules.c",
        "a->protocol_hi >= b->protocol_hi;",
        "a->protocol_hi <= b->protocol_hi;",
        "rows outside an earlier one are dropped",
    ),
    Mutant("rules.c", "key_less(b->lo[f], a->lo[f]) ||", "", "rows that begin before an earlier one are dropped"),
    Mutant(
        "rules.c", "a->dport_lo <= b->dport_lo", "a->dport_lo <= b->dport_hi", "a row is dropped for one that it begins before"
    ),
    Mutant(
        "rules.c", "if (s > src || d > dst ||", "if (s >= src || d > dst ||", "rows under a prefix as long are not found dead"
    ),
    Mutant("rules.c", "f->next[i] = f->head[slot];", "f->next[i] = 0;", "only the last rule of a slot is found again"),
    Mutant("rules.c", "r->protocol_hi == UINT8_MAX;", "r->protocol_hi;", "a row of one protocol takes every packet"),
    Mutant("rules.c", "c->rules[i].id = c->ids - 1;", "c->rules[i].id = c->ids;", "answers of a table of actions are one off"),
    Mutant(
        "rules.c",
        "c->rules[i].action != c->rules[i - 1].action;",
        "c->rules[i].action > c->rules[i - 1].action;",
        "rows of two actions are one answer",
    ),
)

_ADDRESSES: Final = (
    Mutant("addresses.c", "key_before(r->lo[field])", "r->lo[field]", "a rule begins one address late"),
    Mutant(
        "addresses.c", "p->hi[bounds[i].whose / 2] = distinct - 1;", "p->hi[bounds[i].whose / 2] = distinct;", "rules end late"
    ),
    Mutant("addresses.c", "p->hi[i] = distinct;", "p->hi[i] = distinct - 1;", "a rule up to the last address ends early"),
    Mutant(
        "addresses.c", "p->keys[p->levels + 1] = (n - 1) / LINE4;", "p->keys[p->levels + 1] = n / LINE4 - 1;", "a key too few"
    ),
    Mutant("addresses.c", "below ? below[(i + 1) * LINE4]", "below ? below[i * LINE4]", "upper levels hold the wrong keys"),
    Mutant("addresses.c", "below ? below[(i + 1) * LINE6]", "below ? below[(i + 1) * LINE6 - 1]", "keys of IPv6 are one early"),
    Mutant("addresses.c", "tails[distinct].before = count;", "tails[distinct].before = count - 1;", "behind the last high word"),
    Mutant("addresses.c", "lows -= ends[next - 1].low == UINT64_MAX;", "lows -= 1;", "the last low word of a tail is not kept"),
    Mutant(
        "addresses.c", "(i - tails[t].before)] = ends[i].low;", "(i - tails[t].before)] = ends[i].high;", "words of IPv6 swapped"
    ),
    Mutant("addresses.c", "const uint64_t word = digit < 8 ?", "const uint64_t word = digit < 7 ?", "ends are sorted wrongly"),
    Mutant("addresses.c", "lines += lows ? lines_of(lows, LINE6) : 0;", "lines += lows ? 1 : 0;", "long tails overlap"),
)

_PORTS: Final = (
    Mutant("ports.c", "starts[bound_in(&c->rules[i], which, true) + 1] = 1;", "", "no interval of ports begins behind a rule"),
    Mutant("ports.c", "return hi ? r->dport_hi : r->dport_lo;", "return hi ? r->sport_hi : r->sport_lo;", "the other port"),
    Mutant("ports.c", "kept[k++] = (uint16_t)(value - 1);", "kept[k++] = (uint16_t)value;", "ends of ports are one late"),
    Mutant("ports.c", "minus ^= after;", "minus = after;", "a corner of a box has the wrong sign"),
    Mutant("ports.c", "boxes[b].hi[a] + 1u", "boxes[b].hi[a]", "boxes of ports end early"),
    Mutant(
        "ports.c", "at[a] < b->lo[a] || at[a] > b->hi[a]", "at[a] < b->lo[a] || at[a] >= b->hi[a]", "boxes hold too few classes"
    ),
    Mutant("ports.c", "a->lo[k] > b->lo[k] || a->hi[k] < b->hi[k]", "a->lo[k] > b->lo[k]", "boxes are covered that are not"),
    Mutant(
        "ports.c",
        "table[value] = (uint8_t)from->interval_of[value];",
        "table[value] = (uint8_t)from->interval_of[value ? value - 1 : 0];",
        "the table of ports is one late",
    ),
    Mutant(
        "ports.c",
        "((uint16_t *)(void *)table)[value] = from->interval_of[value];",
        "((uint16_t *)(void *)table)[value] = (uint8_t)from->interval_of[value];",
        "intervals above 255 are cut",
    ),
    Mutant("classes.c", "&changes[p->hi[members[i]] + 1];", "&changes[p->hi[members[i]]];", "classes end an interval early"),
    Mutant(
        "classes.c", "!sum_equal(sum, sums[out->runs - 1])", "sum.a > sums[out->runs - 1].a", "some runs go on where others begin"
    ),
    Mutant(
        "classes.c",
        "what = mix64(what + ((uint64_t)c->address[other].lo[rule] << 32 | c->address[other].hi[rule]));",
        "",
        "rules of actions that differ in the other address are one",
    ),
    Mutant(
        "classes.c",
        "uint64_t what = mix64(c->seed ^ r->id);",
        "uint64_t what = mix64(c->seed);",
        "addresses that differ in the action only are of one class",
    ),
)

_GROUPS: Final = (
    Mutant(
        "rowset.c", "if (r->dead[box / 64] >> box % 64 & 1)", "if (r->dead[0] >> box % 64 & 1)", "the wrong word of covered boxes"
    ),
    Mutant("rowset.c", "r->dead[w] |= covered[w];", "r->dead[w] = covered[w] | ~r->dead[w];", "rules that can win are dropped"),
    Mutant("rowset.c", "kept * sizeof *r->rules) == 0))", "kept) == 0))", "rows are equal by their first rules"),
    Mutant(
        "rowset.c", "r->start[row] = (uint32_t)r->rule_count;", "r->start[row] = (uint32_t)r->rule_count + 1;", "rows begin late"
    ),
    Mutant("rowset.c", "r->shape_length[s] == count &&", "", "a shape that begins as another is that one"),
    Mutant("rowset.c", "r->shape[row] = shape;", "r->shape[row] = row ? r->shape[row - 1] : shape;", "a stale shape"),
    Mutant("finish.c", "(uint16_t)(i + 1);", "(uint16_t)i;", "places of classes are one off"),
    Mutant("finish.c", "open[w] &= ~held[w];", "", "a later box takes the place of an earlier one"),
    Mutant("finish.c", "place[k] - 1u) + 1) : 0;", "place[k] - 1u)) : 0;", "direct answers are one off"),
    Mutant("finish.c", "payloads[row] = (uint64_t)row * classes;", "payloads[row] = (uint64_t)row;", "rows of answers overlap"),
    Mutant("finish.c", "to[map ? map[k] : k] = (uint8_t)place[k];", "to[k] = (uint8_t)place[k];", "the map is not used"),
    Mutant(
        "finish.c",
        "made[k] = (uint16_t)(slots[slot] - 1);",
        "made[k] = (uint16_t)(slots[slot] / 2);",
        "classes are mapped to others",
    ),
    Mutant(
        "finish.c",
        "answers[i + 1] = r->c->rules[r->rules[i]].id;",
        "answers[i + 1] = r->rules[i];",
        "places of rules for their ids",
    ),
    Mutant(
        "finish.c",
        "(uint16_t)(r->sport_hi - r->sport_lo),",
        "(uint16_t)(r->sport_hi - r->sport_lo + 1),",
        "source ports one wider",
    ),
    Mutant("finish.c", "length < UNROLLED ? length : UNROLLED", "length <= UNROLLED ? length : 0", "long rows are not looked at"),
    Mutant("finish.c", "if (length >= UNROLLED)\n            answers[next++] = last;", "", "long rows run into the next"),
    Mutant("bands.c", ".id + 1);", ".id);", "answers in bands are one off"),
    Mutant(
        "bands.c", "to[column[k]] = answer[place[k]];", "to[k] = answer[place[k]];", "columns are not in the order of the map"
    ),
    Mutant("bands.c", "(column[k] & ((1u << shift) - 1))", "(column[k] >> shift)", "the column is the number of the band"),
    Mutant("bands.c", "number[cells[i]];", "(uint16_t)cells[i];", "lists for rows"),
    Mutant("bands.c", "* pairs) << COLUMN_BITS", ") << COLUMN_BITS", "matrices of bands overlap"),
    Mutant("bands.c", "row, width * sizeof *row) == 0", "row, width) == 0", "rows are the same by their first halves"),
    Mutant("bands.c", "memset(padded, 0, sizeof padded);", "", "answers of the band before fill the last one up"),
    Mutant(
        "dense.c", "if (sorted[base + half] < value) {", "if (sorted[base + half] <= value) {", "the wrong rule is switched off"
    ),
    Mutant(
        "dense.c", "s->extents[i].outer <= outer && outer < s->extents[i].outer_end", "s->extents[i].outer <= outer", "too many"
    ),
    Mutant("dense.c", "sum = sum_minus(sum, number_in_cell(s->c, rule));", "", "a row that was there before is taken"),
    Mutant("dense.c", "cells[class * step] = row;", "cells[class] = row;", "cells are put elsewhere"),
    Mutant(
        "dense.c",
        "f[inner].run_of[c->address[inner].hi[rule]] + 1};",
        "f[inner].run_of[c->address[inner].hi[rule]]};",
        "rules end a run early",
    ),
    Mutant("dense.c", "class * minors : class;", "class : class * minors;", "source and destination are swapped"),
    Mutant(
        "dense.c", "f[DST].classes == 1 ? SRC : f[SRC].classes", "f[DST].classes == 1 ? DST : f[SRC].classes", "the other field"
    ),
    Mutant(
        "dense.c",
        "c->rules[rule].id << 24 | c->ports.box_of[rule]);",
        "c->rules[rule].id << 24);",
        "rules of one action and other ports are one",
    ),
    Mutant("sparse.c", "run <= last; run++)", "run < last; run++)", "a rule is not in its last run"),
    Mutant("sparse.c", "entries[i].major == e->major && ", "", "cells of two lines become one"),
    Mutant(
        "sparse.c",
        "sort_entries(entries, other, count, false, f[minor].classes)",
        "sort_entries(entries, other, count, true, f[minor].classes)",
        "entries of a cell do not lie together",
    ),
    Mutant("sparse.c", "open &= ~taken;", "open &= ~taken | 1;", "lines are laid over each other"),
    Mutant("sparse.c", "p->displaced[displacement] = 1;", "", "two lines have one displacement"),
    Mutant("sparse.c", "p->displaced[none] = 1;", "", "a line is displaced as those without cells"),
    Mutant(
        "sparse.c",
        "displacement | payloads[m->row[m->first[line] + i]]",
        "displacement | payloads[m->row[m->first[line]]]",
        "stale",
    ),
    Mutant(
        "sparse.c", "memcpy(cells + m->minors, p->cells,", "memcpy(cells + m->minors - 1, p->cells,", "cells are one place off"
    ),
    Mutant(
        "sparse.c",
        "if (!length)\n            continue;",
        "if (length <= 1)\n            continue;",
        "lines of one cell are left out",
    ),
    Mutant("lists.c", "src->hi[rule] - src->lo[rule],", "src->hi[rule],", "rules of lists are too wide"),
    Mutant("lists.c", "if (stamps[class] == i + 1)", "if (stamps[class])", "lists have one rule"),
    Mutant("lists.c", "count += length ? length + 1 : 0;", "count += length;", "lists do not end"),
    Mutant("lists.c", "uint64_t count = 1;", "uint64_t count = 0;", "the first list is that of classes without rules"),
)

_TUNE: Final = (
    Mutant("tune.c", "k->groups[g].words[f][i];", "k->groups[0].words[f][i];", "records of the first group for all"),
    Mutant("tune.c", "if (parts[p])", "if (p == WIDE_BOTH)", "rules are left out of every group"),
    Mutant("tune.c", "rest[WIDE_SRC] = !add(t, k, WIDE_SRC, FINISH_COMPARE, 0, DST);", "", "rules wide in the source are lost"),
    Mutant(
        "tune.c",
        "return wide && t->count[NARROW] && count && add(t, k, NARROW, FINISH_SHAPE, 0, -1) &&",
        "return wide && count &&",
        "narrow rules are left out",
    ),
    Mutant("store.c", "&to->level[level]);", "&to->level[0]);", "levels of the search are lost"),
    Mutant(
        "store.c", "store_axis(b, p, 1, &to->axis[1])", "store_axis(b, p, 0, &to->axis[1])", "source ports for destination ports"
    ),
    Mutant(
        "store.c",
        "classed |= k->groups[g].g.finish != FINISH_COMPARE;",
        "classed |= k->groups[g].g.finish == FINISH_DIRECT;",
        "port classes are not stored for shapes",
    ),
    Mutant(
        "store.c", "error = block_copy(b, k->records[field],", "error = block_copy(b, k->records[SRC],", "source records for both"
    ),
    Mutant(
        "build.c",
        "actions[id + 1] = row_action(b->table, c->family, members[id]);",
        "actions[id] = row_action(b->table, c->family, members[id]);",
        "actions of rows are one off",
    ),
    Mutant("build.c", "numbers[id + 1] = given[members[id]];", "numbers[id + 1] = given[id];", "numbers of rows of another side"),
    Mutant(
        "build.c",
        "actions[c->rules[i].id + 1] = c->rules[i].action;",
        "actions[c->rules[i].id] = c->rules[i].action;",
        "actions one off",
    ),
    Mutant("build.c", "numbers[k] = (int32_t)i;", "numbers[k] = (int32_t)k;", "rows are numbered in each family"),
    Mutant("build.c", "family_of[side] != family ||", "", "a side of IPv6 is one of IPv4"),
    Mutant(
        "build.c",
        "& bit_of[i])\n                members[count++] = row;",
        ")\n                members[count++] = row;",
        "rows apply everywhere",
    ),
    Mutant("build.c", "live[c.rules[i].row] = 1;", "live[i] = 1;", "other rows are counted as dead"),
    Mutant(
        "build.c", "given.memory_limit - fixed : SIZE_MAX};", "given.memory_limit : SIZE_MAX};", "more memory than is allowed"
    ),
)

_CHUNKS: Final = (
    Mutant("chunks.c", "k->rules[out->first + i]].row;", "k->rules[i]].row;", "every chunk has the rows of the first"),
    Mutant("chunks.c", "s->starts[i + 1].low <= value", "s->starts[i + 1].low < value", "protocols begin late"),
    Mutant(
        "chunks.c",
        "side->chunk_count = (k->count - 1) / chunk_rows + 1;",
        "side->chunk_count = (k->count - 1) / chunk_rows + (k->count <= chunk_rows);",
        "the last chunk is missing",
    ),
    Mutant("chunks.c", "[i] = r->id;", "[i] = r->row;", "ids of the chunks are those of rows"),
    Mutant("intervals.c", "key_next(r.hi), row, false}", "r.hi, row, false}", "a row leaves with its last value"),
    Mutant("intervals.c", "(uint64_t)(words[w] != 0) << w;", "(uint64_t)(words[w] != 0) << (w + 1);", "summaries are shifted"),
    Mutant("intervals.c", "s->words * sizeof *current) == 0)", "sizeof *current) == 0)", "sets are equal by their first word"),
    Mutant("scan_bits.c", "(uint32_t)(start.low <= value.low)", "(uint32_t)(start.low < value.low)", "IPv6 intervals begin late"),
    Mutant(
        "scan_bits.c",
        "const uint16_t *starts, uint32_t n, uint16_t value) {\n    uint32_t base = 0;",
        "const uint16_t *starts, uint32_t n, uint16_t value) {\n    uint32_t base = n > 1;",
        "the first interval of ports is never found",
    ),
    Mutant("scan_bits.c", "k < side->chunk_count && ids", "k < 1 && ids", "only the first chunk is looked at"),
    Mutant("scan_bits.c", "(w - 1) * WORD_BITS", "w * WORD_BITS", "rows of the next word"),
    Mutant(
        "scan_bits.c", "for (; words; words &= words - 1)", "for (; words; words = 0)", "only the first word that may have a row"
    ),
    Mutant(
        "scan_bits.c",
        "return ids[row] < best ? ids[row] : best;",
        "return ids[row];",
        "rows of chunks win over earlier ones of groups",
    ),
    Mutant(
        "scan_bits.c",
        "search_port(table, &c->field[DPORT], p->dport)",
        "search_port(table, &c->field[DPORT], p->sport)",
        "the other port",
    ),
)

_LOOKUP: Final = (
    Mutant("lookup.c", "if (ids[i] > first) {", "if (ids[i] == NO_ID) {", "rows of chunks never win over rows of groups"),
    Mutant(
        "lookup.c",
        "out.action[i] = side->actions[(uint32_t)(ids[i] + 1)];",
        "out.action[i] = side->actions[ids[i] + (ids[i] != NO_ID ? 0 : 1)];",
        "actions are those before",
    ),
    Mutant("lookup.c", "if (side->identity)", "if (true)", "ids for numbers"),
    Mutant("lookup.c", "p.src6 = c->src6 + 16 * first;", "p.src6 = c->src6;", "later packets have the addresses of the first"),
    Mutant(
        "lookup.c",
        "memcpy(src6 + 16 * k, c->src6 + 16 * i, 16);",
        "memcpy(src6 + 16 * k, c->src6 + 16 * i, 8);",
        "half an address",
    ),
    Mutant("lookup.c", "sport[k] = c->sport[i];", "sport[k] = c->sport[k];", "ports of another packet"),
    Mutant("lookup.c", "different |= sides[i] ^ one;", "different = sides[i] ^ one;", "the last packet tells the side of all"),
    Mutant("lookup.c", "apart(dport) << 16", "apart(dport) << 15", "ports of one packet overlap"),
    Mutant("lookup.c", "*index = side->numbers[(uint32_t)(id + 1)];", "*index = (int32_t)id;", "ids for numbers, of one packet"),
    Mutant("view.c", "most > 1; most -= most / 2", "most > 2; most -= most / 2", "the longest tail is halved once too few"),
    Mutant("view.c", "intervals[a] <= 256", "intervals[a] <= 512", "wide tables of ports are read as narrow ones"),
    Mutant("view.c", "(uint8_t)(p - 1);", "(uint8_t)p;", "protocols end late"),
    Mutant(
        "view.c", "view->numbers[id + 1] == (int32_t)id;", "view->numbers[id + 1] >= (int32_t)id;", "ids are taken for numbers"
    ),
)

_FOLD: Final = (
    Mutant(
        "fold.c", "w->gaps[place - 1].width < g.width", "w->gaps[place - 1].width > g.width", "the narrowest gaps are cut out"
    ),
    Mutant("fold.c", "w->values[0] + 1, i};", "0, i};", "there is no gap before the first value"),
    Mutant(
        "fold.c", "w->values[next - 1] - first + 1;", "w->values[next - 1] - first;", "what is behind a value is folded onto it"
    ),
    Mutant("fold.c", "if (most == 0)\n                return false;", "", "all values are none"),
    Mutant("fold.c", "w->values[next] - 1 : UINT64_MAX;", "w->values[next] : UINT64_MAX;", "windows begin one late"),
    Mutant("fold.c", "offset = out->top[k] + 1;", "offset = out->top[k];", "the gap is folded onto the value behind it"),
    Mutant("fold.c", "places[place - 1] > w->gaps[k].behind", "false", "windows in the order of their gaps"),
    Mutant("fold.c", "bits[0][high] + bits[1][low] <= 64)", "bits[0][high] < 64)", "keys of more than 64 bits"),
    Mutant(
        "side.h",
        "while (w->last[k] < x)",
        "while (w->last[k] <= x && k < 7)",
        "the last value of a window is in the next",
        isa="scalar",
    ),
    Mutant(
        "side.h", "return shifted < w->top[k] ? shifted : w->top[k];", "return shifted;", "nothing ends a window", isa="scalar"
    ),
    Mutant(
        "addresses.c", "values[1][counts[1]++] = lows[i].end.low;", "values[1][counts[1]++] = ends[i].low;", "low words unsorted"
    ),
    Mutant("addresses.c", "keys[i] = fold_key(f, ends[i]);", "keys[i] = fold_key(f, key_next(ends[i]));", "ends are one off"),
)

_KERNEL: Final = tuple(
    Mutant("scan_kernel.h", original, replacement, breaks, isa="scalar")
    for original, replacement, breaks in (
        (
            "t->before + (low_words(view, t, low, often) & same)",
            "t->before + low_words(view, t, low, often)",
            "tails of other high words count",
        ),
        (
            "t->before + (low_words(view, t, low, often) & same)",
            "t->before + (low_words(view, t, high, often) & same)",
            "the high word for the low",
        ),
        ("while (left > 1)", "while (left > 2)", "the search for a line of a tail ends early"),
        ("step = view->halvings;", "step = view->halvings / 2;", "lines of long tails are not halved to the end"),
        ("*left -= half;", "*left = half;", "the rest of a tail is lost when it is halved"),
        ("return line * LINE6 + line6", "return line + line6", "lines of a tail count as one word"),
        ("line6(low->last, x.low)", "line6(high->last, x.low)", "the low word in the windows of the high"),
        (" << f->low_bits | fold_within(low", " << (f->low_bits / 2) | fold_within(low", "words overlap in the key"),
        ("view->fold ? key_of_address(view->fold, x) : x.high", "x.high", "one packet is not folded"),
        ("        return first + line6(lines + first, word);", "        return first;", "the last line of one packet"),
        (
            "line6(lines + first, x[i]), groups, &place[i], only, large)",
            "line6(lines, x[i]), groups, &place[i], only, large)",
            "one line",
        ),
        ("*place = interval * groups;", "*place = interval;", "records of another interval"),
        ("(1u << OWNER_BITS) - 1)", "(1u << (OWNER_BITS - 16)) - 1)", "owners are cut"),
        ("opaque(0 - (uint64_t)(owner == major))", "opaque(0 - (uint64_t)(owner <= major))", "cells of other owners count"),
        ("opaque(0 - (uint64_t)(owner == major))", "opaque(0 - (uint64_t)(owner != 0))", "cells of any owner count"),
        ("[payload + class] - 1;", "[payload + class];", "direct answers are one off"),
        (
            "class = ((const uint16_t *)g->map)[class];",
            "class = ((const uint16_t *)g->map)[0];",
            "all port classes are mapped to one",
        ),
        ("*minor += place >> COLUMN_BITS;", "*minor += 0;", "cells of the first band count for all"),
        ("*class = place & ((1u << COLUMN_BITS) - 1);", "", "classes are not columns"),
        ("g->shapes[top * g->classes + class]", "g->shapes[top + class]", "the shape of another row"),
        ("opaque((uint64_t)((int64_t)shape_place - 1) >> 32)", "0", "place 0 is an answer"),
        ("ids[i] = smaller(ids[i], found[i]);", "ids[i] = found[i];", "the last group decides"),
        ("return a < b ? a : b;", "return a < b ? b : a;", "the largest id wins"),
        ("best = smaller(best, id);", "best = id;", "the last group decides, of one packet"),
        ("for (; rule->id < best; rule++)", "for (; rule->id + 1 < best; rule++)", "lists end early"),
        (
            "src - rule->src <= rule->src_width",
            "src - rule->src < rule->src_width + (rule->src == 0)",
            "rules of lists are narrow",
        ),
        (
            "(uint16_t)(dport - rule->dport) <= rule->dport_width",
            "(uint16_t)(sport - rule->dport) <= rule->dport_width",
            "ports swapped",
        ),
        ("b->place[SRC][i] / groups,", "b->place[SRC][i],", "places for intervals"),
        ("const uint32_t major = side->group[g].major & 1;", "const uint32_t major = SRC;", "the source is always major"),
        (
            "        half_block4(side, p, i, ids + i);\n",
            "        half_block4(side, p, i, ids);\n",
            "half a block is written over the first",
        ),
        ("whole_block6(side, p, i, ids + i);", "whole_block6(side, p, 0, ids + i);", "every block has the packets of the first"),
        ("memcpy(src6, p->src6 + 16 * at, n * 16);", "memcpy(src6, p->src6 + 16 * at, n);", "the tail of a call loses addresses"),
        (
            "memcpy(dport, p->dport + at, n * sizeof *dport);",
            "memcpy(dport, p->dport + at, n);",
            "the tail of a call loses ports",
        ),
        ("memcpy(ids, found, n * sizeof *ids);", "memcpy(ids, found, (n - 1) * sizeof *ids);", "the last packet has no answer"),
        (
            "(first + line6((const uint64_t *)*level + first, word)) * LINE6;",
            "(first + line6((const uint64_t *)*level + first, x.low)) * LINE6;",
            "the search of one packet goes by the wrong word",
        ),
        (
            "row = sport * view->intervals[1] + dport",
            "row = sport * view->intervals[0] + dport",
            "rows of ports too long or short",
        ),
    )
)

_SCALAR: Final = tuple(
    Mutant("scan_scalar.c", original, replacement, breaks, isa="scalar")
    for original, replacement, breaks in (
        ("less += line[k] < x;", "less += line[k] <= x;", "an interval of IPv4 ends early"),
        ("less += 2 &", "less += 1 &", "a step of the search in a line"),
        ("return less + (line[less] < x);", "return less;", "the last step of the search in a line"),
        (
            "for (uint32_t k = 0; k + 1 < view->intervals[axis]; k++)",
            "for (uint32_t k = 1; k < view->intervals[axis]; k++)",
            "an end of ports",
        ),
        ("(sport[i] * dports + dport[i]) * protocols", "(dport[i] * dports + sport[i]) * protocols", "ports swapped"),
        ("place[i] += edge < x[i] ? LINE4 : 0;", "place[i] += edge <= x[i] ? LINE4 : 0;", "the next line"),
        ("rules[k].id_low | (uint32_t)rules[k].id_high << 16;", "rules[k].id_low;", "half an id"),
        ("(uint16_t)((ports >> 16) - rule->dport)", "(uint16_t)((ports >> 8) - rule->dport)", "ports shifted wrongly"),
        (
            "less = (uint16_t)(less + (ends[k] < x));",
            "less = (uint16_t)(less + (ends[k] <= x));",
            "an interval of ports, of one packet",
        ),
    )
)

_AVX2: Final = tuple(
    Mutant("scan_avx2.c", original, replacement, breaks, isa="avx2")
    for original, replacement, breaks in (
        ("_mm256_cmpgt_epi64(shifted, top));", "_mm256_setzero_si256());", "nothing ends a window"),
        ("w->last[k - 1] ^ sign));", "w->last[k] ^ sign));", "the window before"),
        ("_mm256_or_si256(shifted, _mm256_xor_si256(l, sign))", "_mm256_or_si256(shifted, l)", "keys with a sign"),
        ("_mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0)", "_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0)", "counts of other packets"),
        ("_mm256_max_epu32(a, value), a)", "_mm256_max_epi32(a, value), a)", "addresses are compared as signed"),
        ("_mm256_movemask_epi8(less)) / 4;", "_mm256_movemask_epi8(less)) / 2;", "words of IPv6 count twice"),
        ("_mm256_cmpgt_epi64(value, b));", "_mm256_cmpgt_epi64(b, value));", "half a line is compared the other way"),
        ("_mm256_slli_epi32(less[k], 4)", "_mm256_slli_epi32(less[k], 3)", "lines of 8 keys"),
        ("_mm256_unpackhi_epi64(a, b), 0xd8)", "_mm256_unpackhi_epi64(a, b), 0xe4)", "low words of packets are swapped"),
        ("_mm256_set1_epi16((short)(ends[k] ^ 0x8000))", "_mm256_set1_epi16((short)ends[k])", "ports are compared as signed"),
        (
            "_mm256_store_si256((__m256i *)(void *)(interval + i + 16), b_less);",
            "_mm256_store_si256((__m256i *)(void *)(interval + i + 16), a_less);",
            "the second half of the ports is that of the first",
        ),
        ("lanes & lanes >> 2 & lanes >> 4", "lanes & lanes >> 2", "protocols are not compared"),
        (
            "_bzhi_u64(four_rules(rules, all_ports), 16 * count)",
            "four_rules(rules, all_ports)",
            "rules of the next row are looked at",
        ),
        ("_tzcnt_u64(hits | UINT64_C(1) << 63) >> 4", "_tzcnt_u64(hits | UINT64_C(1) << 63) >> 5", "the rule before"),
    )
)

_AVX512: Final = tuple(
    Mutant("scan_avx512.c", original, replacement, breaks, isa="avx512")
    for original, replacement, breaks in (
        ("_mm512_min_epu64(_mm512_sub_epi64(x, shift), top)", "_mm512_sub_epi64(x, shift)", "nothing ends a window"),
        ("(long long)w->last[k - 1]));", "(long long)w->last[k]));", "the window before"),
        (
            "_mm512_sll_epi64(fold_values(&f->word[0], high), low_bits)",
            "fold_values(&f->word[0], high)",
            "words overlap in the key",
        ),
        (
            "_mm512_cmpgt_epu32_mask(_mm512_set1_epi32((int)x), _mm512_loadu_si512(line))",
            "_mm512_cmpge_epu32_mask(_mm512_set1_epi32((int)x), _mm512_loadu_si512(line))",
            "an interval ends early",
        ),
        ("for (int step = 16; step; step >>= 1)", "for (int step = 8; step; step >>= 1)", "only half the keys are searched"),
        (
            "place = _mm512_mask_add_epi32(place, behind[k], place, _mm512_set1_epi32(32));",
            "place = _mm512_mask_add_epi32(place, behind[k], place, _mm512_set1_epi32(31));",
            "later keys are one off",
        ),
        (
            "_mm512_mask_add_epi64(place, _mm512_cmpgt_epu64_mask(x, probed)",
            "_mm512_mask_add_epi64(place, _mm512_cmpgt_epi64_mask(x, probed)",
            "words of IPv6 are compared as signed",
        ),
        (
            "return pairs > 1 ? _mm512_mask_add_epi16(place, behind, place, _mm512_set1_epi16(64)) : place;",
            "return place;",
            "port ends behind the first 63 do not count",
        ),
        ("(count + LINE6 - 1) / LINE6, 2 * pairs);", "count / LINE6, 2 * pairs);", "the last line of keys is not loaded"),
        ("if (count <= 15)", "if (count <= 31)", "keys of IPv6 behind the first 15 are not searched"),
        ("(__mmask16)((1u << left) - 1)", "(__mmask16)((1u << left) - 2)", "the first record of a register is lost"),
        (
            "_mm512_cmpge_epu32_mask(interval, _mm512_set1_epi32((int)(32 * k)))",
            "_mm512_cmpgt_epu32_mask(interval, _mm512_set1_epi32((int)(32 * k)))",
            "the first record of a pair",
        ),
        (
            "_mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1)",
            "_mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 0)",
            "a low word is a high word",
        ),
        ("within & within >> 1 & within >> 2", "within & within >> 1", "protocols are not compared"),
        (
            "_bzhi_u32(four_rules(rules, all_ports), 8 * count)",
            "four_rules(rules, all_ports)",
            "rules of the next row are looked at",
        ),
        (
            "_mm512_add_epi32(_mm512_mullo_epi32(s, dports), d)",
            "_mm512_add_epi32(_mm512_mullo_epi32(d, dports), s)",
            "ports swapped",
        ),
        ("rules += 4;", "rules += 5;", "one rule in five is not looked at"),
    )
)

_PROOF: Final = (
    Mutant(
        "validate_groups.c",
        "payload < g->answer_count && payload % g->classes == 0",
        "payload < g->answer_count",
        "payloads between rows pass",
    ),
    Mutant("validate_groups.c", "return id < q->side->ids;", "return true;", "ids that do not exist pass"),
    Mutant(
        "validate_groups.c", "sound = cells[i] < g->rows;", "sound = cells[i] <= g->rows;", "a row behind the last one passes"
    ),
    Mutant("validate_groups.c", " && column < g->classes &&", " &&", "columns of the next row pass"),
    Mutant("validate_groups.c", "place < classes && !taken[place]", "place < classes", "two classes in one column pass"),
    Mutant("validate_groups.c", "sound = first % pairs == 0 &&", "sound =", "cells between two matrices pass"),
    Mutant("validate_groups.c", "f->low_bits >= 64 || f->reserved ||", "f->reserved ||", "a shift by all bits passes"),
    Mutant("validate_groups.c", "w->shift[k] != first - offset ||", "", "windows that overlap pass"),
    Mutant("validate_groups.c", "(w->last[k] == UINT64_MAX) != final)", "0)", "windows that end early pass"),
    Mutant(
        "validate_groups.c", "if (w->last[k] != UINT64_MAX || w->shift[k] || w->top[k])", "if (0)", "unused windows hold anything"
    ),
    Mutant("validate_groups.c", "return folded < w->top[k];", "return true;", "a key that is no end's passes"),
    Mutant("validate_groups.c", "w->top[w->windows - 1] >> bits == 0;", "1;", "words that overlap in the key pass"),
    Mutant("validate_groups.c", "(i && keys[i] <= keys[i - 1]))", "0)", "ends that do not rise pass"),
    Mutant(
        "validate_chunks.c",
        "return p->opened == p->c->rows && p->closed == ending;",
        "return true;",
        "rows that never begin pass",
    ),
    Mutant("validate_chunks.c", "return set[0] == summary;", "return true;", "summaries pass unseen"),
    Mutant("judge.c", "memcmp(b->action, b->wanted_action, b->count) != 0", "false", "answers of a table of actions pass unseen"),
)

MUTANTS: Final = (
    *_ROWS,
    *_SCAN,
    *_COLUMNS,
    *_STORED,
    *_VALIDATE,
    *_RULES,
    *_ADDRESSES,
    *_FOLD,
    *_PORTS,
    *_GROUPS,
    *_TUNE,
    *_CHUNKS,
    *_LOOKUP,
    *_KERNEL,
    *_SCALAR,
    *_AVX2,
    *_AVX512,
    *_PROOF,
)
