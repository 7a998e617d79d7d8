/*
 * See wire.h. Sockets are non-blocking; poll supplies the patience.
 */

#include "support/wire.h"
#include "support/fail.h"
#include "support/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void start(struct wire *wire, int fd, const struct sockaddr *address, socklen_t size)
{
    fail_unless(fd >= 0, "socket: %s", strerror(errno));
    fail_unless(connect(fd, address, size) == 0, "connect: %s", strerror(errno));
    *wire = (struct wire){.fd = fd};
}

void wire_connect_unix(struct wire *wire, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fail_unless(strlen(path) < sizeof(address.sun_path), "socket path too long: %s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    start(wire, fd, (struct sockaddr *)&address, sizeof(address));
}

void wire_connect_tcp(struct wire *wire, const char *host, int port)
{
    if (strchr(host, ':')) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        fail_unless(inet_pton(AF_INET6, host, &address.sin6_addr) == 1, "not an address: %s", host);
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        start(wire, fd, (struct sockaddr *)&address, sizeof(address));
    } else {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        fail_unless(inet_pton(AF_INET, host, &address.sin_addr) == 1, "not an address: %s", host);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        start(wire, fd, (struct sockaddr *)&address, sizeof(address));
    }
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

void wire_close(struct wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    bytes_release(&wire->input);
    *wire = (struct wire){.fd = -1};
}

static int patience(const struct wire *wire)
{
    return wire->patience_ms ? wire->patience_ms : WIRE_PATIENCE_MS;
}

/* Waits for events; returns what happened, 0 when patience ran out. */
static short wait_for(const struct wire *wire, short events, int timeout_ms)
{
    struct pollfd poller = {.fd = wire->fd, .events = events};
    int count;
    do {
        count = poll(&poller, 1, timeout_ms);
    } while (count < 0 && errno == EINTR);
    return count > 0 ? poller.revents : 0;
}

/* Takes what has arrived. */
static void drain(struct wire *wire)
{
    char chunk[64 * 1024];
    while (!wire->closed) {
        ssize_t size = recv(wire->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (size > 0)
            bytes_append(&wire->input, chunk, (size_t)size);
        else if (size < 0 && errno == EINTR)
            continue;
        else if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        else
            wire->closed = true;
    }
}

bool wire_send(struct wire *wire, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0) {
        ssize_t sent = send(wire->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            from += sent;
            size -= (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            drain(wire);
            return false;
        }
        short events = wait_for(wire, POLLIN | POLLOUT, patience(wire));
        if (events == 0)
            return false;
        if (events & POLLIN)
            drain(wire);
    }
    return true;
}

bool wire_send_text(struct wire *wire, const char *text)
{
    return wire_send(wire, text, strlen(text));
}

void wire_finish_sending(struct wire *wire)
{
    shutdown(wire->fd, SHUT_WR);
}

size_t wire_receive_some(struct wire *wire, int timeout_ms)
{
    if (!wire->closed && wait_for(wire, POLLIN, timeout_ms))
        drain(wire);
    return wire->input.size;
}

bool wire_receive_frame(struct wire *wire, struct bytes *frame)
{
    bytes_clear(frame);
    for (;;) {
        int64_t size = frame_size(wire->input.data, wire->input.size);
        if (size > 0) {
            bytes_append(frame, wire->input.data, (size_t)size);
            bytes_consume(&wire->input, (size_t)size);
            return true;
        }
        size_t before = wire->input.size;
        if (size == 0)
            wire_receive_some(wire, patience(wire));
        if (wire->input.size == before) {
            bytes_append(frame, wire->input.data, wire->input.size);
            bytes_clear(&wire->input);
            return false;
        }
    }
}

bool wire_receive_rest(struct wire *wire, struct bytes *bytes)
{
    bytes_clear(bytes);
    while (!wire->closed) {
        size_t before = wire->input.size;
        if (wire_receive_some(wire, patience(wire)) == before && !wire->closed)
            return false;
    }
    bytes_append(bytes, wire->input.data, wire->input.size);
    bytes_clear(&wire->input);
    return true;
}

bool wire_send_command(struct wire *wire, size_t count, const char *const *arguments)
{
    struct bytes request = {0};
    bytes_format(&request, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        bytes_append_bulk(&request, arguments[i], strlen(arguments[i]));
    bool sent = wire_send(wire, request.data, request.size);
    bytes_release(&request);
    return sent;
}

const char *wire_call(struct wire *wire, struct bytes *reply, const char *words)
{
    struct bytes request = {0};
    size_t count = 1;
    for (const char *at = words; (at = strchr(at, ' ')); at++)
        count++;
    bytes_format(&request, "*%zu\r\n", count);
    for (const char *at = words; count > 0; count--) {
        size_t size = strcspn(at, " ");
        bytes_append_bulk(&request, at, size);
        at += size + 1;
    }
    bool sent = wire_send(wire, request.data, request.size);
    bytes_release(&request);
    if (!sent || !wire_receive_frame(wire, reply))
        fail("no reply to %s (got \"%s\")", words, bytes_text(reply));
    return bytes_text(reply);
}
