/* Counts as arguments, and the addresses drawn so far: open addressing, at most half full. See sample.h. Main
 * thread only. */
#include "commands/sample.h"

#include "base/log.h"
#include "base/mem.h"
#include "commands/commands.h"

#include <inttypes.h>

enum {
    CAPACITY_MIN = 16,
    /* Of replies with repetition: redis-server goes on until memory ends. */
    REPLY_MAX_BYTES = 256 * 1024 * 1024,
};

bool sample_read_count(struct call *call, int index, int64_t *count)
{
    if (!call_int64(call, index, count, NULL))
        return false;
    if (*count == INT64_MIN) {
        reply_errorf(call->reply, "ERR value is out of range, value must between %" PRId64 " and %" PRId64,
                     -INT64_MAX, INT64_MAX);
        return false;
    }
    return true;
}

bool sample_reply_fits(struct call *call, size_t begin)
{
    uint64_t limit = call->commands->settings.reply_max_bytes;
    if (limit == 0 || limit > REPLY_MAX_BYTES)
        limit = REPLY_MAX_BYTES;
    if (call->reply->buffer.length - begin <= limit)
        return true;
    log_warning("A client is closed: it asked for a random choice of more than %llu bytes",
                (unsigned long long)limit);
    reply_truncate(call->reply, begin);
    call->session->flags |= SESSION_CLOSE_ASAP;
    call->session->transport->close(call->session->connection, false);
    return false;
}

void sample_drawn_init(struct sample_drawn *drawn, uint64_t count)
{
    drawn->capacity = CAPACITY_MIN;
    while (drawn->capacity / 2 < count)
        drawn->capacity *= 2;
    drawn->slots = mem_alloc_zero(drawn->capacity * sizeof(*drawn->slots));
}

void sample_drawn_free(struct sample_drawn *drawn)
{
    mem_free(drawn->slots, drawn->capacity * sizeof(*drawn->slots));
}

bool sample_drawn_add(struct sample_drawn *drawn, const void *address)
{
    uint64_t mixed = (uint64_t)(uintptr_t)address * 0x9e3779b97f4a7c15u;
    for (size_t at = mixed >> 32;; at++) {
        const void **slot = &drawn->slots[at & (drawn->capacity - 1)];
        if (*slot == address)
            return false;
        if (*slot == NULL) {
            *slot = address;
            return true;
        }
    }
}
