#ifndef SPINDLE_PROTOCOL_RESP_LIMITS_H
#define SPINDLE_PROTOCOL_RESP_LIMITS_H

/* Bounds on what a peer may send. Values are those that Redis 7.0 clients can rely on. */
enum {
    RESP_INLINE_MAX_BYTES = 64 * 1024, /* an inline command, or a length line */
    RESP_ARGUMENTS_MAX = 0x7fffffff,   /* before authentication: RESP_STRANGER_ARGUMENTS_MAX */
    RESP_STRANGER_ARGUMENTS_MAX = 10,
    RESP_STRANGER_BULK_MAX_BYTES = 16 * 1024,
/* A bulk string at least this long is received into a block of its own. */
#ifdef SPINDLE_STRESS
    RESP_LARGE_BULK_BYTES = 64,
#else
    RESP_LARGE_BULK_BYTES = 32 * 1024,
#endif
    /* Arguments for which room is reserved on the word of a length line alone. */
    RESP_ARGUMENTS_RESERVED = 1024,
};

#endif
