/* Packet walk over capture files.
 *
 * What it does
 *   A classic pcap file is a 24-byte header and then records: 16 bytes (seconds, fraction, captured length, length on
 *   the wire) and the captured bytes. The walk steps from record to record, takes off the link layer, and reads from
 *   the IP header what a filter can ask for: addresses, protocol, ports. One function both counts and fills, so that
 *   the two passes cannot disagree about which frames are packets; the bytes are read where they lie (a mapped file).
 *   A capture is hostile input: every read is behind a comparison with what is left of the frame, lengths are compared
 *   before they are added, and the time is linear in the length of the file.
 *
 * What it reads
 *   magic       a1b2c3d4 (microseconds), a1b23c4d (nanoseconds), a1b2cd34 ("modified", 24-byte records), both byte orders
 *   link types  0 NULL and 108 LOOP, 1 Ethernet with any number of 802.1Q / 802.1ad tags, 101 (also written 12 and 14)
 *               raw IP, 113 and 276 Linux cooked, 228 IPv4, 229 IPv6
 *   IPv4        options are stepped over. A total length of 0 is what a sending host sees of its own packets when the
 *               network card cuts them into segments: then the rest of the frame is the packet.
 *   IPv6        hop-by-hop, routing, destination options, mobility, HIP, shim6 and fragment headers are stepped over.
 *               A payload length of 0 (jumbogram, segmentation by the card) means the rest of the frame.
 *   ports       of TCP, UDP, UDP-Lite, SCTP and DCCP, when the first four bytes of their header are in the frame.
 *
 * What has ports 0
 *   Other protocols; every fragment but the first; a header cut by the snapshot length before its fifth byte. AH (51) and
 *   ESP (50) are protocols of their own and what they carry is not opened, nor are tunnels. Where the chain of IPv6
 *   headers is cut, and in later fragments, the protocol is the last number that can be read.
 *
 * What it refuses
 *   pcapng; versions before 2.4 (they swap two lengths); link types not listed. A frame without IP (ARP, MPLS, PPPoE, LLC)
 *   is counted as "other"; one with a cut or self-contradicting link or IP header as "broken". A record longer than
 *   the snapshot length plus 256 KiB, or than the rest of the file, ends the walk: nothing after it can be trusted.
 *
 * References: draft-ietf-opsawg-pcap (file format), the tcpdump.org list of link types, RFC 791 and 6864 (IPv4),
 * RFC 8200, 2675, 7045 (IPv6 and its extension headers), IEEE 802.1Q.
 */
#include "frames.h"

#include <string.h>

enum { FILE_HEADER = 24, SLACK = 256 * 1024 };
enum { LINK_NULL = 0, LINK_ETHERNET = 1, LINK_RAW_BSD = 12, LINK_RAW_OPENBSD = 14, LINK_RAW = 101, LINK_LOOP = 108 };
enum { LINK_COOKED = 113, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_COOKED2 = 276 };
enum { TYPE_IPV4 = 0x0800, TYPE_VLAN = 0x8100, TYPE_IPV6 = 0x86dd, TYPE_PROVIDER_VLAN = 0x88a8, TYPE_OLD_PROVIDER_VLAN = 0x9100 };
enum { HARDWARE_NETLINK = 824 }; /* ARPHRD_NETLINK: the protocol field of a cooked frame is then no EtherType */

enum outcome { PACKET, OTHER, BROKEN };

typedef struct packet {
    uint8_t family, protocol;
    uint16_t sport, dport;
    const uint8_t *src, *dst;
} packet;

static uint16_t be16(const uint8_t *p) {
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t file32(const pastore_capture *capture, const uint8_t *p) {
    return capture->big_endian ? be32(p) : le32(p);
}

static int has_ports(uint8_t protocol) {
    return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

/* The upper-layer header begins at p. */
static void read_ports(const uint8_t *p, size_t left, packet *out) {
    if (left >= 4 && has_ports(out->protocol)) {
        out->sport = be16(p);
        out->dport = be16(p + 2);
    }
}

static enum outcome decode_ipv4(const uint8_t *p, size_t left, packet *out) {
    if (left < 20 || p[0] >> 4 != 4)
        return BROKEN;
    size_t header = (size_t)(p[0] & 15) * 4;
    size_t total = be16(p + 2);
    if (header < 20 || header > left || (total != 0 && total < header))
        return BROKEN;
    size_t end = total != 0 && total < left ? total : left;
    out->family = 4;
    out->protocol = p[9];
    out->src = p + 12;
    out->dst = p + 16;
    if ((be16(p + 6) & 0x1fff) == 0)
        read_ports(p + header, end - header, out);
    return PACKET;
}

static enum outcome decode_ipv6(const uint8_t *p, size_t left, packet *out) {
    if (left < 40 || p[0] >> 4 != 6)
        return BROKEN;
    size_t payload = be16(p + 4);
    out->family = 6;
    out->protocol = p[6];
    out->src = p + 8;
    out->dst = p + 24;
    p += 40;
    left -= 40;
    if (payload != 0 && payload < left)
        left = payload;
    for (;;) {
        size_t size = 8;
        int later = 0;
        switch (out->protocol) {
        case 0:   /* hop-by-hop options */
        case 43:  /* routing */
        case 60:  /* destination options */
        case 135: /* mobility */
        case 139: /* HIP */
        case 140: /* shim6 */
            if (left >= 2)
                size = ((size_t)p[1] + 1) * 8;
            break;
        case 44: /* fragment */
            later = left >= 4 && (be16(p + 2) & 0xfff8) != 0;
            break;
        default:
            read_ports(p, left, out);
            return PACKET;
        }
        if (left == 0)
            return PACKET;
        out->protocol = p[0];
        if (size > left || later)
            return PACKET;
        p += size;
        left -= size;
    }
}

static enum outcome decode_by_version(const uint8_t *p, size_t left, packet *out) {
    if (left == 0)
        return BROKEN;
    return p[0] >> 4 == 6 ? decode_ipv6(p, left, out) : decode_ipv4(p, left, out);
}

/* What follows an EtherType: possibly more tags, each with the next EtherType in its last two bytes. */
static enum outcome decode_type(uint16_t type, const uint8_t *p, size_t left, packet *out) {
    while (type == TYPE_VLAN || type == TYPE_PROVIDER_VLAN || type == TYPE_OLD_PROVIDER_VLAN) {
        if (left < 4)
            return BROKEN;
        type = be16(p + 2);
        p += 4;
        left -= 4;
    }
    if (type == TYPE_IPV4)
        return decode_ipv4(p, left, out);
    return type == TYPE_IPV6 ? decode_ipv6(p, left, out) : OTHER;
}

/* The address family comes in the byte order of the capturing host (NULL) or in network order (LOOP), and the number
 * for IPv6 is that host's: 10 Linux, 23 Windows, 24 NetBSD and OpenBSD, 28 FreeBSD, 30 macOS. */
static enum outcome decode_loopback(const uint8_t *p, size_t left, packet *out) {
    if (left < 4)
        return BROKEN;
    uint32_t family = be32(p);
    if (family > 0xffff)
        family = le32(p);
    p += 4;
    left -= 4;
    switch (family) {
    case 2:
        return decode_ipv4(p, left, out);
    case 10:
    case 23:
    case 24:
    case 28:
    case 30:
        return decode_ipv6(p, left, out);
    default:
        return OTHER;
    }
}

static enum outcome decode(uint16_t linktype, const uint8_t *p, size_t left, packet *out) {
    memset(out, 0, sizeof *out);
    switch (linktype) {
    case LINK_NULL:
    case LINK_LOOP:
        return decode_loopback(p, left, out);
    case LINK_ETHERNET:
        return left < 14 ? BROKEN : decode_type(be16(p + 12), p + 14, left - 14, out);
    case LINK_COOKED:
        if (left < 16)
            return BROKEN;
        return be16(p + 2) == HARDWARE_NETLINK ? OTHER : decode_type(be16(p + 14), p + 16, left - 16, out);
    case LINK_COOKED2:
        if (left < 20)
            return BROKEN;
        return be16(p + 8) == HARDWARE_NETLINK ? OTHER : decode_type(be16(p), p + 20, left - 20, out);
    case LINK_IPV4:
        return decode_ipv4(p, left, out);
    case LINK_IPV6:
        return decode_ipv6(p, left, out);
    default: /* the three raw ones: pastore_capture_open lets no other through */
        return decode_by_version(p, left, out);
    }
}

static int is_walked(uint16_t linktype) {
    switch (linktype) {
    case LINK_NULL:
    case LINK_ETHERNET:
    case LINK_RAW_BSD:
    case LINK_RAW_OPENBSD:
    case LINK_RAW:
    case LINK_LOOP:
    case LINK_COOKED:
    case LINK_IPV4:
    case LINK_IPV6:
    case LINK_COOKED2:
        return 1;
    default:
        return 0;
    }
}

int pastore_capture_open(pastore_capture *capture, const uint8_t *bytes, size_t length) {
    memset(capture, 0, sizeof *capture);
    if (length < 4)
        return PASTORE_CAPTURE_UNKNOWN;
    capture->bytes = bytes;
    capture->length = length;
    uint32_t magic = be32(bytes);
    if (magic == 0x0a0d0d0a) /* the same in both byte orders */
        return PASTORE_CAPTURE_PCAPNG;
    capture->big_endian = magic == 0xa1b2c3d4 || magic == 0xa1b23c4d || magic == 0xa1b2cd34;
    if (!capture->big_endian)
        magic = le32(bytes);
    if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d && magic != 0xa1b2cd34)
        return PASTORE_CAPTURE_UNKNOWN;
    capture->record_header = magic == 0xa1b2cd34 ? 24 : 16;
    if (length < FILE_HEADER)
        return PASTORE_CAPTURE_SHORT;
    uint32_t version = file32(capture, bytes + 4); /* two 16-bit fields, major first */
    capture->version_major = (uint16_t)(capture->big_endian ? version >> 16 : version & 0xffff);
    capture->version_minor = (uint16_t)(capture->big_endian ? version & 0xffff : version >> 16);
    if (capture->version_major != 2 || capture->version_minor < 4)
        return PASTORE_CAPTURE_VERSION;
    capture->snaplen = file32(capture, bytes + 16);
    /* The upper half of the field says how many bytes of checksum end a frame; lengths in IP make that unnecessary. */
    capture->linktype = (uint16_t)(file32(capture, bytes + 20) & 0xffff);
    return is_walked(capture->linktype) ? PASTORE_CAPTURE_OK : PASTORE_CAPTURE_LINK;
}

static void store(const pastore_frame_columns *columns, size_t row, size_t frame, const packet *from) {
    size_t size = from->family == 4 ? 4 : 16;
    columns->frame[row] = (int64_t)frame;
    columns->family[row] = from->family;
    columns->protocol[row] = from->protocol;
    columns->sport[row] = from->sport;
    columns->dport[row] = from->dport;
    memset(columns->src + row * 16, 0, 16);
    memset(columns->dst + row * 16, 0, 16);
    memcpy(columns->src + row * 16, from->src, size);
    memcpy(columns->dst + row * 16, from->dst, size);
}

void pastore_capture_walk(const pastore_capture *capture, const pastore_frame_columns *columns, pastore_walk *found) {
    uint64_t longest = (uint64_t)capture->snaplen + SLACK;
    size_t at = FILE_HEADER;
    memset(found, 0, sizeof *found);
    found->end = PASTORE_WALK_WHOLE;
    while (at < capture->length) {
        const uint8_t *record = capture->bytes + at;
        size_t left = capture->length - at;
        if (left < capture->record_header) {
            found->end = PASTORE_WALK_CUT_HEADER;
            break;
        }
        left -= capture->record_header;
        uint32_t captured = file32(capture, record + 8);
        if (captured > longest || captured > left) {
            found->end = captured > longest ? PASTORE_WALK_ABSURD : PASTORE_WALK_CUT_FRAME;
            found->claim = captured;
            break;
        }
        packet one;
        switch (decode(capture->linktype, record + capture->record_header, captured, &one)) {
        case PACKET:
            if (columns != NULL) {
                if (found->packets == columns->capacity) {
                    found->end = PASTORE_WALK_FULL; /* the file changed between the passes */
                    found->stopped = at;
                    return;
                }
                store(columns, found->packets, found->frames + 1, &one);
            }
            found->packets++;
            break;
        case OTHER:
            found->other++;
            break;
        case BROKEN:
            found->broken++;
            break;
        }
        found->frames++;
        at += capture->record_header + captured;
    }
    found->stopped = at;
}
