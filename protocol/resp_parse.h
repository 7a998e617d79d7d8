#ifndef SPINDLE_PROTOCOL_RESP_PARSE_H
#define SPINDLE_PROTOCOL_RESP_PARSE_H

#include "protocol/slice.h"

#include <stdint.h>

/*
 * Reading requests: arrays of bulk strings, and inline commands.
 *
 * The parser works on bytes that the caller keeps, from the first byte of one request, and is resumable:
 * after RESP_INCOMPLETE call it again with more bytes at the end. The bytes may move between calls; arguments
 * are therefore kept as offsets until the request is complete. No recursion; every length is checked before
 * it is used. Any thread.
 */

enum resp_status { RESP_COMPLETE, RESP_INCOMPLETE, RESP_ERROR };

struct resp_limits {
    int64_t bulk_max_bytes; /* proto-max-bulk-len */
    bool stranger;          /* not authenticated yet: tiny limits */
};

/* Where an argument lies relative to the first byte of the request. */
struct resp_argument {
    size_t offset;
    size_t length;
};

struct resp_parser {
    struct resp_argument *arguments; /* from malloc; kept between requests */
    uint32_t count;                  /* arguments complete so far */
    uint32_t capacity;
    int64_t expected;    /* arguments that the request announced; -1: not known yet */
    int64_t bulk_length; /* of the argument being read; -1: its length line is not complete */
    size_t position;     /* bytes consumed so far */
    size_t scanned;      /* bytes already searched for a line end */
    const char *error;   /* after RESP_ERROR: text behind "Protocol error: ", static */
    char error_byte;     /* quoted at the end of that text, when not 0 */
};

void resp_parser_init(struct resp_parser *parser);
void resp_parser_free(struct resp_parser *parser);

/* Forgets the current request. */
void resp_parser_reset(struct resp_parser *parser);

/* Reads one request. After RESP_COMPLETE, position is its length in bytes and arguments[0..count) are its
 * arguments (none for an empty line or an empty array: skip such a request). After RESP_INCOMPLETE with
 * bulk_length >= 0 the bytes from position on belong to a bulk string of that length, then come two bytes of
 * line end, whatever they are. Data is written to only in a complete inline request, where quotes and escapes
 * are taken out in place. */
enum resp_status resp_parse(struct resp_parser *parser, char *data, size_t length,
                            const struct resp_limits *limits);

/* Reads one request whose bytes are all there, straight into slices of data: the common case. Returns its
 * length in bytes and sets *count, or 0 when the request is incomplete, inline, faulty or has more than
 * capacity arguments: resp_parse then decides. */
size_t resp_parse_whole(const char *data, size_t length, const struct resp_limits *limits,
                        struct slice *arguments, uint32_t capacity, uint32_t *count);

/* The caller has received the bulk string that is being read, and its line end, elsewhere: the request goes
 * on at position, and the argument's offset is RESP_ELSEWHERE. */
#define RESP_ELSEWHERE SIZE_MAX
void resp_parser_bulk_elsewhere(struct resp_parser *parser);

/* Text for the client after RESP_ERROR, with the code, without line end: "ERR Protocol error: ...". */
size_t resp_error_text(const struct resp_parser *parser, char *text, size_t capacity);

/* Splits a line into arguments, as redis-cli and config files quote them: "\x41\n", 'it\'s'. Unescaped
 * arguments are written over the line itself. *slices is NULL or from malloc; it is replaced by an array of
 * the arguments, which the caller frees. Returns the count, or -1 when quotes do not match. */
int resp_split_line(char *line, size_t length, struct slice **slices);

#endif
