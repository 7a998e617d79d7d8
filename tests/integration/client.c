/*
 * See client.h.
 */

#include "integration/client.h"

#include <stdarg.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static redisContext *checked(redisContext *client)
{
    struct timeval patience = {.tv_sec = WIRE_PATIENCE_MS / 1000};
    fail_unless(client, "out of memory");
    fail_unless(client->err == 0, "connect: %s", client->errstr);
    redisSetTimeout(client, patience);
    return client;
}

redisContext *client_connect(const struct server_process *server)
{
    return checked(redisConnect("127.0.0.1", server->port));
}

redisContext *client_connect_unix(const struct server_process *server)
{
    return checked(redisConnectUnix(server->socket_path));
}

/* Appends a reply as text. Arrays nest as deep as the tests' own commands make them. */
static void render(const redisReply *reply, struct bytes *text)
{
    switch (reply->type) {
    case REDIS_REPLY_NIL:
        bytes_append_text(text, "(nil)");
        break;
    case REDIS_REPLY_INTEGER:
        bytes_format(text, "%lld", reply->integer);
        break;
    case REDIS_REPLY_ARRAY:
        bytes_append_text(text, "[");
        for (size_t i = 0; i < reply->elements; i++) {
            if (i)
                bytes_append_text(text, ", ");
            render(reply->element[i], text);
        }
        bytes_append_text(text, "]");
        break;
    case REDIS_REPLY_ERROR:
        bytes_append_text(text, "(error) ");
        bytes_append(text, reply->str, (size_t)reply->len);
        break;
    default:
        bytes_append(text, reply->str, (size_t)reply->len);
    }
}

static char *take_text(redisReply *reply)
{
    if (!reply)
        return NULL;
    struct bytes text = {0};
    render(reply, &text);
    char *copy = strdup(bytes_text(&text));
    fail_unless(copy, "out of memory");
    bytes_release(&text);
    freeReplyObject(reply);
    return copy;
}

char *client_run(redisContext *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(client, format, arguments);
    va_end(arguments);
    return take_text(reply);
}

char *client_run_arguments(redisContext *client, int count, const char **arguments, const size_t *sizes)
{
    return take_text(redisCommandArgv(client, count, arguments, sizes));
}

long long client_integer(redisContext *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(client, format, arguments);
    va_end(arguments);
    fail_unless(reply, "%s: %s", format, client->errstr);
    fail_unless(reply->type == REDIS_REPLY_INTEGER, "%s: not an integer: %s", format, reply->str);
    long long value = reply->integer;
    freeReplyObject(reply);
    return value;
}

char *client_info(redisContext *client, const char *field)
{
    char *info = client_run(client, "INFO everything");
    fail_unless(info, "INFO: %s", client->errstr);
    char start[96];
    snprintf(start, sizeof(start), "\n%s:", field);
    char *found = strstr(info, start);
    fail_unless(found, "INFO has no %s", field);
    found += strlen(start);
    char *value = strndup(found, strcspn(found, "\r\n"));
    free(info);
    return value;
}

long long client_info_integer(redisContext *client, const char *field)
{
    char *text = client_info(client, field);
    long long value = strtoll(text, NULL, 10);
    free(text);
    return value;
}

void client_await_info(redisContext *client, const char *field, const char *value)
{
    long long end_ms = monotonic_ms() + WIRE_PATIENCE_MS;
    for (;;) {
        char *text = client_info(client, field);
        bool equal = strcmp(text, value) == 0;
        fail_unless(equal || monotonic_ms() < end_ms, "INFO %s stays %s instead of %s", field, text, value);
        free(text);
        if (equal)
            return;
        sleep_ms(5);
    }
}

static char *run_list(const char *file, int line, redisContext *client, const char *format, va_list arguments)
{
    char *text = take_text(redisvCommand(client, format, arguments));
    if (!text)
        fail_at(file, line, "%s: %s", format, client->errstr);
    return text;
}

void expect_at(const char *file, int line, redisContext *client, const char *wanted, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = run_list(file, line, client, format, arguments);
    va_end(arguments);
    if (strcmp(text, wanted) != 0)
        fail_at(file, line, "%s: expected \"%s\", got \"%.2000s\"", format, wanted, text);
    free(text);
}

void expect_prefix_at(const char *file, int line, redisContext *client, const char *prefix,
                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = run_list(file, line, client, format, arguments);
    va_end(arguments);
    if (strncmp(text, prefix, strlen(prefix)) != 0)
        fail_at(file, line, "%s: expected \"%s...\", got \"%.2000s\"", format, prefix, text);
    free(text);
}

void wire_expect_last_words(struct wire *wire, const char *words)
{
    struct bytes rest = {0};
    fail_unless(wire_receive_rest(wire, &rest), "the server keeps the connection; it said \"%s\"",
                bytes_text(&rest));
    fail_unless(strcmp(bytes_text(&rest), words) == 0, "expected \"%s\" and a close, got \"%s\"", words,
                bytes_text(&rest));
    bytes_release(&rest);
}

void wire_expect(struct wire *wire, const char *request, const char *reply)
{
    enum { SILENCE_MS = 20 };
    size_t size = strlen(reply);
    wire_send_text(wire, request);
    while (wire->input.size < size && !wire->closed) {
        size_t before = wire->input.size;
        if (wire_receive_some(wire, WIRE_PATIENCE_MS) == before)
            break;
    }
    wire_receive_some(wire, SILENCE_MS);
    fail_unless(wire->input.size == size && memcmp(wire->input.data, reply, size) == 0,
                "to \"%s\": expected \"%s\", got \"%s\"", request, reply, bytes_text(&wire->input));
    bytes_clear(&wire->input);
}

int run_shell(struct bytes *output, const char *format, ...)
{
    struct bytes line = {0};
    va_list arguments;
    va_start(arguments, format);
    char *command = NULL;
    fail_unless(vasprintf(&command, format, arguments) >= 0, "out of memory");
    va_end(arguments);
    bytes_format(&line, "{ %s ; } 2>&1", command);
    free(command);
    FILE *pipe = popen(bytes_text(&line), "r");
    fail_unless(pipe, "popen");
    char chunk[4096];
    bytes_clear(output);
    for (size_t size; (size = fread(chunk, 1, sizeof(chunk), pipe)) > 0;)
        bytes_append(output, chunk, size);
    int status = pclose(pipe);
    bytes_release(&line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int client_count_descriptors(const struct server_process *server)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)server->pid);
    DIR *files = opendir(path);
    fail_unless(files != NULL, "no %s", path);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(files));)
        count += entry->d_name[0] != '.';
    closedir(files);
    return count;
}

void client_await_descriptors(const struct server_process *server, int expected)
{
    await(client_count_descriptors(server) == expected);
}
