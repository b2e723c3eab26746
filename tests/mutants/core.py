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
    Mutant("columns.h", "c->direction ? c->direction[i] : c->one_direction", "c->one_direction", "the column is not looked at"),
    Mutant("columns.h", ".interface = c->interface ? c->interface[i] : c->one_interface", ".interface = 0", "always lan"),
    Mutant("columns.h", ".sport = c->sport[i],", ".sport = c->dport[i],", "the other port"),
    Mutant(
        "columns.h", "key_from_network(c->dst6 + 16 * i)", "key_from_network(c->dst6 + 16 * (i / 2))", "another packet's address"
    ),
    Mutant("columns.h", "word << 8 | bytes[i]", "word << 8 | bytes[7 - i]", "addresses in the wrong byte order"),
    Mutant(
        "columns.h", "{word_from_network(bytes), word_from_network(bytes + 8)}", "{word_from_network(bytes), 0}", "half of it"
    ),
    Mutant("columns.h", "if (c->direction[i] > PASTORE_OUT)", "if (c->direction[i] > PASTORE_BOTH)", "a packet goes both ways"),
    Mutant("columns.h", "if (c->interface[i] > PASTORE_RAS)", "if (c->interface[i] > PASTORE_ALL)", "a packet is everywhere"),
    Mutant("columns.h", "direction > PASTORE_OUT || interface > PASTORE_RAS ? 0 : n", "n", "the one value is not looked at"),
    Mutant("columns.h", "*bad_packet = bad;", "*bad_packet = bad + 1;", "another packet is blamed"),
    Mutant("columns.h", "!c->sport || !c->dport", "!c->dport", "a missing column is read"),
    Mutant("columns.h", "index && table->verdict != PASTORE_VERDICT_RULE", "false", "row numbers out of a table without"),
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
    Mutant("load.c", "return table_is_sound(table);", "return true;", "whatever has a checksum is believed"),
    Mutant("load.c", "memcpy(table->sides, stored->sides, sizeof table->sides);", "", "a loaded table has no rows"),
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

MUTANTS: Final = (*_ROWS, *_SCAN, *_COLUMNS, *_STORED, *_VALIDATE)
