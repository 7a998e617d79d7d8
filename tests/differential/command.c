/*
 * Building commands: see differential.h.
 */

#include "differential/differential.h"
#include "support/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void command_add_bytes(struct command *command, const void *data, size_t size)
{
    if (command->count == command->ends_capacity) {
        command->ends_capacity = command->ends_capacity ? command->ends_capacity * 2 : 8;
        command->ends = realloc(command->ends, command->ends_capacity * sizeof(*command->ends));
        fail_unless(command->ends, "out of memory");
    }
    bytes_append(&command->text, data, size);
    command->ends[command->count++] = command->text.size;
}

void command_add(struct command *command, const char *text)
{
    command_add_bytes(command, text, strlen(text));
}

void command_add_int(struct command *command, int64_t value)
{
    command_format(command, "%lld", (long long)value);
}

void command_format(struct command *command, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fail_unless(size >= 0 && (size_t)size < sizeof(text), "argument too long for command_format");
    command_add_bytes(command, text, (size_t)size);
}

void command_rule(struct command *command, enum reply_rule rule)
{
    command->rule = rule;
}

void command_near(struct command *command, int64_t tolerance)
{
    command->rule = REPLY_NEAR;
    command->tolerance = tolerance;
}

void command_stream(struct command *command)
{
    command->stream = true;
}

void command_normalize(struct command *command, void (*normalize)(struct bytes *frame))
{
    command->normalize = normalize;
}

void command_frames(struct command *command, size_t frames)
{
    command->frames = frames;
}

void command_client(struct command *command, unsigned client)
{
    fail_unless(client < COMMAND_CLIENTS, "no such client: %u", client);
    command->client = client;
}

void command_pause(struct command *command, int pause_ms)
{
    command->pause_ms = pause_ms;
}

void command_verbatim(struct command *command)
{
    command->verbatim = true;
}

void command_raw(struct command *command, const void *data, size_t size)
{
    command->raw = true;
    command->verbatim = true;
    command_add_bytes(command, data, size);
}
