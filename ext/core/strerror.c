/* What the errors mean, in a sentence. */
#include "pastore.h"

const char *pastore_strerror(int error) {
    switch (error) {
    case PASTORE_OK:
        return "no error";
    case PASTORE_ERROR_NO_MEMORY:
        return "out of memory";
    case PASTORE_ERROR_MEMORY_LIMIT:
        return "the row list alone exceeds the memory limit";
    case PASTORE_ERROR_TOO_MANY:
        return "more rows than can be numbered (2147483647)";
    case PASTORE_ERROR_RANGE:
        return "a range runs backwards, or an address does not fit its family";
    case PASTORE_ERROR_CODE:
        return "the family, direction, interface type or action is unknown";
    case PASTORE_ERROR_ORDER:
        return "the rank is lower than that of the row before";
    case PASTORE_ERROR_PACKET:
        return "the direction is neither 0 (in) nor 1 (out), or the interface type neither 0 (lan) nor 1 (ras)";
    case PASTORE_ERROR_NO_INDEX:
        return "the table was built to know actions only, it has no row numbers";
    case PASTORE_ERROR_ARGUMENT:
        return "an argument is missing or unknown";
    case PASTORE_ERROR_BROKEN:
        return "the table contradicts its rows";
    case PASTORE_ERROR_NOT_TABLE:
        return "this is not a compiled table";
    case PASTORE_ERROR_BYTE_ORDER:
        return "the table was compiled on a machine of the other byte order; compile it again on this one";
    case PASTORE_ERROR_VERSION:
        return "the table has another version of the format; compile it again with this pastore";
    case PASTORE_ERROR_TRUNCATED:
        return "the table is cut off: it is shorter than when it was written";
    case PASTORE_ERROR_CHECKSUM:
        return "the table is damaged: its checksum does not match its bytes";
    case PASTORE_ERROR_DAMAGED:
        return "the table is damaged: its checksum matches, but its contents contradict each other";
    case PASTORE_ERROR_ALIGNMENT:
        return "the buffer does not start at a multiple of 8";
    case PASTORE_ERROR_FILE:
        return "the file cannot be opened, mapped or written";
    default:
        return "unknown error";
    }
}
