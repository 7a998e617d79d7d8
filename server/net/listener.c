/* Listening sockets: TCP and unix. Accepts in bounded bursts, for all workers in turn. Main thread only. */
#include "net/private.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTENER_REFUSAL_MAX_BYTES = 2048 };

struct listener {
    uv_poll_t poll;
    uint32_t magic;
    int fd;
    int port;
    struct net *net;
    char *path; /* NULL: TCP */
};

static void listener_tune(const struct listener *listener, int fd)
{
    int on = 1, keepalive_s = listener->net->limits.keepalive_s;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (keepalive_s <= 0)
        return;
    int interval_s = keepalive_s / 3 > 0 ? keepalive_s / 3 : 1, probes = 3;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof(keepalive_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static bool address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (address->ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return false;
}

static void listener_admit(struct listener *listener, int fd, const struct sockaddr_storage *address)
{
    struct net *net = listener->net;
    bool is_unix = listener->path != NULL;
    bool is_loopback = is_unix || address_is_loopback(address);
    const char *refusal = net->handlers.admit(net->handlers.context, is_unix, is_loopback);
    if (refusal) {
        net->connections_rejected++;
        /* A courtesy: a socket that does not take one line at once gets none. */
        char line[LISTENER_REFUSAL_MAX_BYTES];
        snprintf(line, sizeof(line), "-%s\r\n", refusal);
        ssize_t sent = send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent;
        close(fd);
        return;
    }
    if (!is_unix)
        listener_tune(listener, fd);
    net_add_connection(net, fd, (is_unix ? CONNECTION_UNIX : 0u) | (is_loopback ? CONNECTION_LOOPBACK : 0u));
}

static void listener_on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = (struct listener *)(void *)poll;
    CHECK(listener->magic == LISTENER_MAGIC);
    if (status < 0 || !(events & UV_READABLE))
        return;
    for (int i = 0; i < NET_ACCEPTS_MAX; i++) {
        struct sockaddr_storage address = {0};
        socklen_t length = sizeof(address);
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            return; /* none left, or out of descriptors: libuv will tell again */
        }
        listener_admit(listener, fd, &address);
    }
}

static int listener_start(struct net *net, int fd, int port, const char *path, struct listener **result)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    CHECK(listener != NULL);
    listener->magic = LISTENER_MAGIC;
    listener->fd = fd;
    listener->port = port;
    listener->net = net;
    listener->path = path ? strdup(path) : NULL;
    int error = uv_poll_init(net->loop, &listener->poll, fd);
    if (error) {
        close(fd);
        free(listener->path);
        free(listener);
        return error;
    }
    uv_poll_start(&listener->poll, UV_READABLE, listener_on_poll);
    *result = listener;
    return 0;
}

static int socket_fail(int fd)
{
    int error = -errno;
    close(fd);
    return error;
}

static int tcp_bind(const struct addrinfo *info, int backlog)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, backlog) != 0)
        return socket_fail(fd);
    return fd;
}

static int socket_port(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &length);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int listener_open_tcp(struct net *net, const char *address, int port, int backlog, struct listener **listener)
{
    char service[16];
    snprintf(service, sizeof(service), "%d", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    if (strcmp(address, "*") == 0) {
        hints.ai_family = AF_INET;
        address = NULL;
    } else if (strcmp(address, "::*") == 0) {
        hints.ai_family = AF_INET6;
        address = NULL;
    }
    struct addrinfo *found = NULL;
    if (getaddrinfo(address, service, &hints, &found) != 0)
        return -EADDRNOTAVAIL;
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
        fd = tcp_bind(info, backlog);
    freeaddrinfo(found);
    return fd < 0 ? fd : listener_start(net, fd, socket_port(fd), NULL, listener);
}

int listener_open_unix(struct net *net, const char *path, unsigned mode, int backlog,
                       struct listener **listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return socket_fail(fd);
    if ((mode && chmod(path, mode) != 0) || listen(fd, backlog) != 0)
        return socket_fail(fd);
    return listener_start(net, fd, 0, path, listener);
}

int listener_port(const struct listener *listener)
{
    return listener->port;
}

static void listener_on_closed(uv_handle_t *handle)
{
    free((struct listener *)(void *)handle);
}

void listener_close(struct listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, listener_on_closed);
    close(listener->fd);
    if (listener->path)
        unlink(listener->path);
    free(listener->path);
    listener->path = NULL;
}
