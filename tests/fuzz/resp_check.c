/*
 * The parser against itself: see resp_check.h. What the parser made of a stream is written down as text, and
 * the texts are compared. One thread.
 */
#include "fuzz/resp_check.h"

#include "protocol/buffer.h"
#include "support/prng.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ELSEWHERE_MIN_BYTES = 4, /* bulk strings at least this long are sometimes received elsewhere */
    STEP_MAX_BYTES = 24,
};

/* A reader of one stream in pieces. */
struct split_reader {
    const char *data; /* the stream */
    size_t length;
    size_t taken;            /* bytes of it received so far */
    struct buffer request;   /* bytes of the current request, without what went elsewhere */
    struct buffer elsewhere; /* bulk strings received elsewhere, with line ends */
    struct buffer record;
    struct resp_parser parser;
    struct prng prng;
    size_t step_max;     /* bytes received at once: 1 to this */
    bool take_elsewhere; /* flip a coin for each long bulk string */
};

static void record_text(struct buffer *record, const char *text)
{
    buffer_append(record, text, strlen(text));
}

static void record_argument(struct buffer *record, const char *data, size_t length)
{
    char header[32];
    snprintf(header, sizeof header, " %zu:", length);
    record_text(record, header);
    buffer_append(record, data, length);
}

static void record_error(struct buffer *record, const struct resp_parser *parser)
{
    char text[128];
    size_t length = resp_error_text(parser, text, sizeof text);
    if (length != strlen(text))
        abort();
    record_text(record, text);
}

/* A block of exactly these bytes, so that AddressSanitizer sees every over-read. */
static char *exact_copy(const char *data, size_t length)
{
    char *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    if (length)
        memcpy(copy, data, length);
    return copy;
}

/* How the rest of a stream ends: where the last, incomplete request starts. */
static void record_end(struct buffer *record, size_t start)
{
    char text[48];
    snprintf(text, sizeof text, "end %zu", start);
    record_text(record, text);
}

static void check_whole(const char *data, size_t length, const struct resp_limits *limits,
                        enum resp_status status, const struct resp_parser *parser)
{
    struct slice slices[RESP_CHECK_CAPACITY];
    uint32_t count = 0;
    char *copy = exact_copy(data, length);
    size_t used = resp_parse_whole(copy, length, limits, slices, RESP_CHECK_CAPACITY, &count);
    bool ordinary = status == RESP_COMPLETE && data[0] == '*' && parser->count > 0 &&
                    parser->count <= RESP_CHECK_CAPACITY;
    bool agree = ordinary ? used == parser->position && count == parser->count : used == 0;
    for (uint32_t i = 0; agree && used && i < count; i++)
        agree = (size_t)(slices[i].data - copy) == parser->arguments[i].offset &&
                slices[i].length == parser->arguments[i].length;
    free(copy);
    if (agree)
        return;
    fprintf(stderr, "resp_parse_whole used %zu bytes for %u arguments; resp_parse said %d, %zu, %u\n", used,
            count, (int)status, parser->position, parser->count);
    abort();
}

static void record_in_one_go(const char *data, size_t length, const struct resp_limits *limits,
                             struct buffer *record)
{
    char *copy = exact_copy(data, length);
    struct resp_parser parser;
    resp_parser_init(&parser);
    size_t start = 0;
    for (;;) {
        enum resp_status status = resp_parse(&parser, copy + start, length - start, limits);
        check_whole(data + start, length - start, limits, status, &parser);
        if (status != RESP_COMPLETE) {
            if (status == RESP_ERROR)
                record_error(record, &parser);
            else
                record_end(record, start);
            break;
        }
        for (uint32_t i = 0; i < parser.count; i++)
            record_argument(record, copy + start + parser.arguments[i].offset, parser.arguments[i].length);
        record_text(record, "\n");
        start += parser.position;
        resp_parser_reset(&parser);
    }
    resp_parser_free(&parser);
    free(copy);
}

/* Receives up to count bytes of the stream; false at its end. */
static bool receive(struct split_reader *reader, struct buffer *into, size_t count)
{
    size_t left = reader->length - reader->taken;
    if (count > left)
        count = left;
    buffer_append(into, reader->data + reader->taken, count);
    reader->taken += count;
    return count > 0;
}

static size_t next_step(struct split_reader *reader)
{
    return reader->step_max == 1 ? 1 : 1 + prng_below(&reader->prng, reader->step_max);
}

/* Receives the bulk string that is being read into elsewhere; false when the stream ends before that. */
static bool receive_elsewhere(struct split_reader *reader)
{
    size_t wanted = (size_t)reader->parser.bulk_length + 2;
    size_t have = reader->request.length - reader->parser.position;
    buffer_append(&reader->elsewhere, reader->request.data + reader->parser.position, have);
    reader->request.length -= have;
    while (have < wanted) {
        size_t before = reader->taken;
        size_t step = next_step(reader);
        if (!receive(reader, &reader->elsewhere, step < wanted - have ? step : wanted - have))
            return false;
        have += reader->taken - before;
    }
    resp_parser_bulk_elsewhere(&reader->parser);
    return true;
}

static void record_request(struct split_reader *reader, const char *data)
{
    size_t used_elsewhere = 0;
    for (uint32_t i = 0; i < reader->parser.count; i++) {
        struct resp_argument argument = reader->parser.arguments[i];
        if (argument.offset != RESP_ELSEWHERE) {
            record_argument(&reader->record, data + argument.offset, argument.length);
            continue;
        }
        record_argument(&reader->record, reader->elsewhere.data + used_elsewhere, argument.length);
        used_elsewhere += argument.length + 2;
    }
    record_text(&reader->record, "\n");
}

/* Parses what has been received of one request. Returns false when the stream is used up or wrong. */
static bool read_piece(struct split_reader *reader, const struct resp_limits *limits, size_t *start)
{
    char *copy = exact_copy(reader->request.data, reader->request.length);
    enum resp_status status = resp_parse(&reader->parser, copy, reader->request.length, limits);
    if (status == RESP_COMPLETE) {
        record_request(reader, copy);
        *start += reader->parser.position + reader->elsewhere.length;
        buffer_consume(&reader->request, reader->parser.position);
        reader->elsewhere.length = 0;
        resp_parser_reset(&reader->parser);
    }
    free(copy);
    if (status == RESP_COMPLETE)
        return true;
    if (status == RESP_ERROR) {
        record_error(&reader->record, &reader->parser);
        return false;
    }
    bool going_on;
    if (reader->take_elsewhere && reader->parser.bulk_length >= ELSEWHERE_MIN_BYTES &&
        prng_one_in(&reader->prng, 2))
        going_on = receive_elsewhere(reader);
    else
        going_on = receive(reader, &reader->request, next_step(reader));
    if (!going_on)
        record_end(&reader->record, *start);
    return going_on;
}

static void check_same(const struct buffer *expected, const struct buffer *record, const char *how)
{
    if (record->length == expected->length && memcmp(record->data, expected->data, expected->length) == 0)
        return;
    fprintf(stderr, "%s:\n%.*s\nin one go:\n%.*s\n", how, (int)record->length, record->data,
            (int)expected->length, expected->data);
    abort();
}

static void check_split(const struct split_reader *settings, const struct resp_limits *limits,
                        const struct buffer *expected, const char *how)
{
    struct split_reader reader = *settings;
    size_t start = 0;
    resp_parser_init(&reader.parser);
    buffer_reserve(&reader.request, 1);
    while (read_piece(&reader, limits, &start))
        continue;
    check_same(expected, &reader.record, how);
    resp_parser_free(&reader.parser);
    buffer_free(&reader.request);
    buffer_free(&reader.elsewhere);
    buffer_free(&reader.record);
}

void resp_check_stream(const char *data, size_t length, const struct resp_limits *limits, uint64_t seed)
{
    if (length == 0)
        return;
    struct buffer expected = {0};
    record_in_one_go(data, length, limits, &expected);
    struct split_reader settings = {.data = data, .length = length, .prng = {seed}, .step_max = 1};
    check_split(&settings, limits, &expected, "byte by byte");
    settings.step_max = STEP_MAX_BYTES;
    check_split(&settings, limits, &expected, "in pieces");
    settings.take_elsewhere = true;
    check_split(&settings, limits, &expected, "in pieces, long bulk strings elsewhere");
    buffer_free(&expected);
}
