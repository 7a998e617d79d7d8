#ifndef SPINDLE_PROTOCOL_REQUEST_H
#define SPINDLE_PROTOCOL_REQUEST_H

#include "protocol/slice.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A parsed request on its way from a connection to the commands. Everything it points to lives until it was
 * executed. A request holds bytes, never a pointer into the keyspace.
 */

struct blob;

struct request {
    void *session; /* of the connection it came from */
    const struct slice *argv;
    uint32_t argc;
    bool recognized;         /* its command was looked for, and its key hashed */
    uint8_t hashed_argument; /* hash is that of this one, its first key; 0: of none */
    uint8_t member_argument; /* position of a member that is looked up in that key; 0: none */
    struct blob **blobs; /* NULL, or for each argument the block that holds it alone; taken by whoever sets it
                            to NULL */
    uint64_t hash;
    void *command; /* what the commands remember between preparing and executing */
};

enum request_outcome {
    REQUEST_DONE,
    /* Done, but the connection's next requests must wait until connection_resume. */
    REQUEST_HOLD,
    /* Not done: it must wait itself, in front of those. */
    REQUEST_PUT_OFF,
};

#endif
