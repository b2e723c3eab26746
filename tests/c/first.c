/* The least a program can do with the library: build a table, judge a packet, say who decided. */
#include <stdio.h>

#include "pastore.h"

int main(void) {
    static const char *const actions[] = {"none", "allow", "block", "protect"};
    const pastore_row row = {.src_hi = {0, UINT32_MAX},
                             .dst_lo = {0, 0x0A090007},
                             .dst_hi = {0, 0x0A090007},
                             .sport_hi = UINT16_MAX,
                             .dport_lo = 445,
                             .dport_hi = 445,
                             .protocol_lo = 6,
                             .protocol_hi = 6,
                             .family = 4,
                             .direction = PASTORE_IN,
                             .interface = PASTORE_ALL,
                             .action = PASTORE_BLOCK};
    const pastore_packet4 packet = {.src = 0x0A010203, .dst = 0x0A090007, .dport = 445, .protocol = 6, .direction = PASTORE_IN};
    pastore_table *table;
    uint8_t action;
    int32_t index;
    int error = pastore_build(&row, 1, NULL, &table, NULL);
    if (!error)
        error = pastore_match4(table, &packet, &action, &index);
    if (error) {
        fprintf(stderr, "%s\n", pastore_strerror(error));
        return 1;
    }
    printf("row %d: %s\n", (int)index, actions[action]);
    pastore_close(table);
    return 0;
}
