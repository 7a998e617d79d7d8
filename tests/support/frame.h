#ifndef SPINDLE_TESTS_FRAME_H
#define SPINDLE_TESTS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads replies as they are on the wire, RESP2 and RESP3, without building a tree: a frame is a run of
 * bytes, its elements are frames that lie in it one after the other.
 * Format: https://github.com/redis/redis-specifications (RESP3), types + - : $ * _ , # ! = ( % ~ > |.
 */

/* The first line of a frame. */
struct frame_head {
    char type;        /* the first byte */
    size_t head_size; /* bytes of the line, CR LF included */
    int64_t length;   /* of $ ! = (payload bytes) and * ~ > % | (elements; % and | count pairs); -1 is null */
    const char *text; /* what stands between the type and the CR LF */
    size_t text_size;
};

/* Reads the head at bytes. Returns 1, 0 when more bytes are needed, -1 when it is not RESP. */
int frame_read_head(const char *bytes, size_t size, struct frame_head *head);

/* Returns the size of the whole first frame, elements included (an attribute belongs to the frame it
 * precedes); 0 when more bytes are needed; -1 when it is not RESP. */
int64_t frame_size(const char *bytes, size_t size);

/* True for * ~ > % |. */
bool frame_has_elements(char type);

/* How many frames follow an aggregate's head: twice the pairs of a map, 0 for null. */
size_t frame_element_count(const struct frame_head *head);

/* Bytes of the payload and its CR LF after the head of $ ! =; 0 for null and every other type. */
size_t frame_payload_size(const struct frame_head *head);

#endif
