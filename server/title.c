/* Fills in proc-title-template. See title.h. Main thread only. */
#include "title.h"

#include <stdio.h>
#include <string.h>

enum { TITLE_WORD_MAX_BYTES = 256 };

static void write_listen_address(const struct net_settings *net, char *text, size_t capacity)
{
    const char *address = net->bind_count ? net->bind[0] : "*";
    address += address[0] == '-';
    if (net->port == 0 && net->unix_socket[0])
        snprintf(text, capacity, "unixsocket:%s", net->unix_socket);
    else
        snprintf(text, capacity, "%s:%d", address, net->port);
}

/* Replaces the variable at the start of text; returns its length, 0 when it is none. */
static size_t expand_variable(const struct config *config, const char *program, const char *text, char *word)
{
    char address[TITLE_WORD_MAX_BYTES], port[16];
    write_listen_address(&config->net, address, sizeof(address));
    snprintf(port, sizeof(port), "%d", config->net.port);
    const struct {
        const char *name, *value;
    } variables[] = {{"{title}", program},
                     {"{listen-addr}", address},
                     {"{server-mode}", ""},
                     {"{port}", port},
                     {"{tls-port}", "0"},
                     {"{unixsocket}", config->net.unix_socket},
                     {"{config-file}", config->file_path ? config->file_path : "-"}};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        size_t length = strlen(variables[i].name);
        if (strncmp(text, variables[i].name, length) != 0)
            continue;
        snprintf(word, TITLE_WORD_MAX_BYTES, "%s", variables[i].value);
        return length;
    }
    return 0;
}

void title_expand(const struct config *config, const char *program, char *title, size_t capacity)
{
    size_t length = 0;
    for (const char *at = config->process.title_template; *at && length + 1 < capacity;) {
        char word[TITLE_WORD_MAX_BYTES] = {*at, 0};
        size_t taken = expand_variable(config, program, at, word);
        at += taken ? taken : 1;
        length += (size_t)snprintf(title + length, capacity - length, "%s", word);
        length = length < capacity ? length : capacity - 1;
    }
    while (length && title[length - 1] == ' ')
        length--;
    title[length] = 0;
}
