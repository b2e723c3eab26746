/* Judges every packet of a capture by a compiled table: a whole program with libpastore.
 *
 *     pastore compile policy.reg --me 10.20.4.7/16 -o site.pastore
 *     cc judge.c -o judge $(pkg-config --cflags --libs pastore)
 *     ./judge -m 10.20.4.7 site.pastore morning.pcap
 *
 * The capture is a classic pcap file of Ethernet, Linux "any" or raw IP frames. A packet goes out when its source is an address
 * given by -m, or all go the way -d says; otherwise they come in. On stdout stand the number of packets of each action and the
 * first packets that are blocked, with the row of the table that says so: the `index` of `pastore classify`.
 *
 * Exit status: 0 every frame was read, 1 the capture is cut off (what came before is judged), 2 no answer.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pastore.h>

enum { MOST_OF_OURS = 64, KEPT = 65536, SLACK = 256 * 1024 }; /* a frame may exceed the snapshot length by SLACK */
enum { WHOLE = 0, CUT_OFF = 1, NO_ANSWER = 2 };

static const char *const ACTIONS[] = {"none", "allow", "block", "protect"};

typedef struct settings {
    uint8_t ours[MOST_OF_OURS][16]; /* IPv4 in the first four bytes */
    int families[MOST_OF_OURS];
    int count;
    int direction; /* PASTORE_BOTH: by the addresses above */
    unsigned long listed;
} settings;

/* What a filter can ask of a packet. Ports are 0 where there are none. */
typedef struct headers {
    int family; /* 4 or 6 */
    uint8_t src[16], dst[16];
    uint8_t protocol;
    uint16_t sport, dport;
} headers;

static uint16_t be16(const uint8_t *p) {
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* Ports of what has them, unless the capture cut them off. */
static void read_ports(const uint8_t *p, size_t n, headers *out) {
    static const uint8_t with_ports[] = {6, 17, 33, 132, 136}; /* TCP, UDP, DCCP, SCTP, UDP-Lite */
    if (n >= 4 && memchr(with_ports, out->protocol, sizeof with_ports)) {
        out->sport = be16(p);
        out->dport = be16(p + 2);
    }
}

static bool read_ipv4(const uint8_t *p, size_t n, headers *out) {
    if (n < 20 || p[0] >> 4 != 4)
        return false;
    const size_t header = (p[0] & 15) * 4u, total = be16(p + 2);
    if (header < 20 || header > n || (total && total < header))
        return false;
    if (total && total < n) /* the rest fills the frame up; 0: the card cuts this packet into segments */
        n = total;
    out->family = 4;
    out->protocol = p[9];
    memcpy(out->src, p + 12, 4);
    memcpy(out->dst, p + 16, 4);
    if ((be16(p + 6) & 0x1FFF) == 0) /* later fragments have no ports */
        read_ports(p + header, n - header, out);
    return true;
}

/* Whether an IPv6 extension header of this number is stepped over by its own length field. */
static bool is_option(uint8_t protocol) {
    static const uint8_t options[] = {0, 43, 60, 135, 139, 140};
    return memchr(options, protocol, sizeof options) != NULL;
}

static bool read_ipv6(const uint8_t *p, size_t n, headers *out) {
    if (n < 40 || p[0] >> 4 != 6)
        return false;
    const size_t payload = be16(p + 4);
    out->family = 6;
    out->protocol = p[6];
    memcpy(out->src, p + 8, 16);
    memcpy(out->dst, p + 24, 16);
    p += 40, n -= 40;
    if (payload && payload < n)
        n = payload;
    while (n > 0 && (is_option(out->protocol) || out->protocol == 44)) {
        const bool fragment = out->protocol == 44;
        const bool later = fragment && n >= 4 && be16(p + 2) & 0xFFF8;
        const size_t length = fragment || n < 2 ? 8 : (p[1] + 1u) * 8;
        out->protocol = p[0];
        if (later || length > n)
            return true; /* no more can be known of it */
        p += length, n -= length;
    }
    read_ports(p, n, out);
    return true;
}

/* The headers of a frame; false if it holds no IP packet, or a broken one. */
static bool read_frame(uint32_t link, const uint8_t *p, size_t n, headers *out) {
    memset(out, 0, sizeof *out);
    if (link == 101) /* raw IP */
        return n > 0 && (p[0] >> 4 == 6 ? read_ipv6 : read_ipv4)(p, n, out);
    const size_t before = link == 1 ? 12 : 14; /* Ethernet, or Linux cooked: then the EtherType */
    if (n < before + 2)
        return false;
    if (link == 113 && be16(p + 2) == 824)
        return false; /* of a netlink socket: its number is no EtherType */
    uint16_t type = be16(p + before);
    for (p += before + 2, n -= before + 2; type == 0x8100 || type == 0x88A8 || type == 0x9100; p += 4, n -= 4) {
        if (n < 4)
            return false;
        type = be16(p + 2); /* after a VLAN tag */
    }
    return type == 0x0800 ? read_ipv4(p, n, out) : type == 0x86DD && read_ipv6(p, n, out);
}

static int direction_of(const settings *set, const headers *packet) {
    if (set->direction != PASTORE_BOTH)
        return set->direction;
    for (int i = 0; i < set->count; i++)
        if (set->families[i] == packet->family && memcmp(set->ours[i], packet->src, 16) == 0)
            return PASTORE_OUT;
    return PASTORE_IN;
}

static int judge(const pastore_table *table, const headers *packet, int direction, uint8_t *action, int32_t *row) {
    if (packet->family == 4) {
        const pastore_packet4 p = {.src = be32(packet->src),
                                   .dst = be32(packet->dst),
                                   .sport = packet->sport,
                                   .dport = packet->dport,
                                   .protocol = packet->protocol,
                                   .direction = (uint8_t)direction,
                                   .interface = PASTORE_LAN};
        return pastore_match4(table, &p, action, row);
    }
    pastore_packet6 p = {.sport = packet->sport,
                         .dport = packet->dport,
                         .protocol = packet->protocol,
                         .direction = (uint8_t)direction,
                         .interface = PASTORE_LAN};
    memcpy(p.src, packet->src, 16);
    memcpy(p.dst, packet->dst, 16);
    return pastore_match6(table, &p, action, row);
}

static void print_packet(unsigned long frame, const headers *packet, int direction, int32_t row) {
    const int family = packet->family == 4 ? AF_INET : AF_INET6;
    const char *form = packet->family == 4 ? "%s:%u" : "[%s]:%u";
    char address[INET6_ADDRSTRLEN], src[64], dst[64];
    snprintf(src, sizeof src, form, inet_ntop(family, packet->src, address, sizeof address), packet->sport);
    snprintf(dst, sizeof dst, form, inet_ntop(family, packet->dst, address, sizeof address), packet->dport);
    printf("frame %lu: protocol %u %s > %s %s: row %ld\n", frame, packet->protocol, src, dst,
           direction == PASTORE_OUT ? "out" : "in", (long)row);
}

/* A capture that is being read. */
typedef struct capture {
    FILE *file;
    const char *name;
    bool swapped; /* its numbers have the other byte order */
    uint32_t link, longest;
    uint8_t frame[KEPT];
    size_t kept;
} capture;

static uint32_t number(const capture *from, const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return from->swapped ? value >> 24 | (value >> 8 & 0xFF00) | (value << 8 & 0xFF0000) | value << 24 : value;
}

static bool open_capture(capture *from, const char *name) {
    uint8_t header[24];
    from->name = name;
    from->file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    if (!from->file) {
        fprintf(stderr, "judge: %s: %s\n", name, strerror(errno));
        return false;
    }
    const size_t n = fread(header, 1, sizeof header, from->file);
    if (ferror(from->file)) {
        fprintf(stderr, "judge: %s: %s\n", name, strerror(errno));
        return false;
    }
    uint32_t magic = n == sizeof header ? number(from, header) : 0;
    from->swapped = magic == 0xD4C3B2A1u || magic == 0x4D3CB2A1u;
    if (n == sizeof header)
        magic = number(from, header);
    if (magic != 0xA1B2C3D4u && magic != 0xA1B23C4Du) {
        fprintf(stderr, "judge: %s: not a classic pcap capture\n", name);
        return false;
    }
    const uint32_t snapshot = number(from, header + 16);
    from->longest = snapshot < UINT32_MAX - SLACK ? snapshot + SLACK : UINT32_MAX;
    from->link = number(from, header + 20) & 0xFFFF;
    if (from->link != 1 && from->link != 101 && from->link != 113) {
        fprintf(stderr, "judge: %s: link type %lu; read are 1 (Ethernet), 101 (raw IP), 113 (Linux)\n", name,
                (unsigned long)from->link);
        return false;
    }
    return true;
}

/* The next frame, of which the first KEPT bytes are kept. 1: there is one, 0: the end, -1: cut off, or damaged. */
static int next_frame(capture *from) {
    uint8_t header[16];
    const size_t n = fread(header, 1, sizeof header, from->file);
    if (n == 0 && feof(from->file))
        return 0;
    uint32_t left = n == sizeof header ? number(from, header + 8) : UINT32_MAX;
    if (n < sizeof header || left > from->longest)
        return -1;
    from->kept = left < KEPT ? left : KEPT;
    if (fread(from->frame, 1, from->kept, from->file) < from->kept)
        return -1;
    for (left -= (uint32_t)from->kept; left; left--)
        if (getc(from->file) == EOF)
            return -1;
    return 1;
}

static int judge_all(const settings *set, const pastore_table *table, capture *from) {
    unsigned long frames = 0, packets = 0, counts[4] = {0};
    int more;
    while ((more = next_frame(from)) > 0) {
        headers packet;
        uint8_t action;
        int32_t row;
        frames++;
        if (!read_frame(from->link, from->frame, from->kept, &packet))
            continue;
        const int direction = direction_of(set, &packet);
        const int error = judge(table, &packet, direction, &action, &row);
        if (error) {
            fprintf(stderr, "judge: frame %lu: %s\n", frames, pastore_strerror(error));
            return NO_ANSWER;
        }
        packets++;
        if (++counts[action] <= set->listed && action == PASTORE_BLOCK)
            print_packet(frames, &packet, direction, row);
    }
    for (int action = PASTORE_NONE; action <= PASTORE_PROTECT; action++)
        printf("%-7s %lu\n", ACTIONS[action], counts[action]);
    printf("%lu packets in %lu frames\n", packets, frames);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "judge: the answer cannot be written: %s\n", strerror(errno));
        return NO_ANSWER;
    }
    if (more == 0)
        return WHOLE;
    fprintf(stderr, "judge: %s: cut off or damaged after frame %lu\n", from->name, frames);
    return CUT_OFF;
}

static bool read_options(int argc, char **argv, settings *set) {
    int option;
    while ((option = getopt(argc, argv, "d:m:n:")) != -1) {
        char *end = optarg;
        if (option == 'm' && set->count < MOST_OF_OURS) {
            const bool four = inet_pton(AF_INET, optarg, set->ours[set->count]) == 1;
            if (!four && inet_pton(AF_INET6, optarg, set->ours[set->count]) != 1) {
                fprintf(stderr, "judge: -m %s: not an address\n", optarg);
                return false;
            }
            set->families[set->count++] = four ? 4 : 6;
        } else if (option == 'd' && (strcmp(optarg, "in") == 0 || strcmp(optarg, "out") == 0)) {
            set->direction = optarg[0] == 'o' ? PASTORE_OUT : PASTORE_IN;
        } else if (option == 'n' && optarg[0] >= '0' && optarg[0] <= '9' &&
                   ((set->listed = strtoul(optarg, &end, 10)), *end == '\0')) {
            continue;
        } else {
            return false;
        }
    }
    return argc - optind == 2;
}

int main(int argc, char **argv) {
    static settings set = {.direction = PASTORE_BOTH, .listed = 10};
    static capture from;
    if (!read_options(argc, argv, &set)) {
        fprintf(stderr, "usage: judge [-m ADDRESS]... [-d in|out] [-n BLOCKED] TABLE CAPTURE\n");
        return NO_ANSWER;
    }
    pastore_table *table;
    const int error = pastore_open(argv[optind], &table);
    if (error) {
        fprintf(stderr, "judge: %s: %s\n", argv[optind], error == PASTORE_ERROR_FILE ? strerror(errno) : pastore_strerror(error));
        return NO_ANSWER;
    }
    const int status = open_capture(&from, argv[optind + 1]) ? judge_all(&set, table, &from) : NO_ANSWER;
    if (from.file)
        fclose(from.file);
    pastore_close(table);
    return status;
}
