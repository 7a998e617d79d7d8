#ifndef SPINDLE_TESTS_WIRE_H
#define SPINDLE_TESTS_WIRE_H

#include "support/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * A client connection at the level of bytes: what is sent and received is exactly what the test says.
 * Waits are bounded by patience_ms without any progress. One thread.
 */

enum {
    WIRE_PATIENCE_MS = 30 * 1000,
};

struct wire {
    int fd;             /* -1 when not connected */
    bool closed;        /* the server has closed its side */
    int patience_ms;    /* 0: WIRE_PATIENCE_MS */
    struct bytes input; /* received and not yet taken */
};

/* Both fail the test when there is no connection. */
void wire_connect_unix(struct wire *wire, const char *path);
void wire_connect_tcp(struct wire *wire, const char *host, int port);
void wire_close(struct wire *wire);

/* Sends everything, receiving meanwhile so that neither side waits for the other. Returns false when the
 * server closed the connection first or its patience ran out. */
bool wire_send(struct wire *wire, const void *data, size_t size);
bool wire_send_text(struct wire *wire, const char *text);

/* Tells the server that nothing more will come. */
void wire_finish_sending(struct wire *wire);

/* Moves the next whole frame into frame (cleared first). Returns false when the server closed the
 * connection, stayed silent, or sent something that is not RESP (then frame holds the bytes). */
bool wire_receive_frame(struct wire *wire, struct bytes *frame);

/* Moves everything until the server closes into bytes (cleared first). False when it does not close. */
bool wire_receive_rest(struct wire *wire, struct bytes *bytes);

/* Receives for about this long at most, until anything came or the server closed. Returns input.size. */
size_t wire_receive_some(struct wire *wire, int timeout_ms);

/* Sends arguments as one RESP array. */
bool wire_send_command(struct wire *wire, size_t count, const char *const *arguments);

/* Sends one command given as words separated by single spaces, and returns its reply frame as text, which
 * is valid until the next call on this wire. Fails the test when there is none. */
const char *wire_call(struct wire *wire, struct bytes *reply, const char *words);

#endif
