/*
 * Clients that wait for streams, alone and in groups, several at a time: who is served when and with what, in
 * the order of redis-server (see theatre.h), and that waits end.
 */

#include "integration/theatre.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    EPISODES = 24,
};

/* ---- commands ---- */

static const char *stream_key(struct prng *prng)
{
    return pick(prng, "a", "a", "a", "b", "b", "c");
}

static const char *group(struct prng *prng)
{
    return pick(prng, "g1", "g1", "g2");
}

/* COUNT, BLOCK and STREAMS with keys and identifiers. */
static void add_streams(struct bytes *line, struct prng *prng, bool waits, bool in_group)
{
    if (prng_one_in(prng, 3))
        line_add(line, "COUNT %d", (int)prng_between(prng, 1, 3));
    if (waits)
        line_add(line, "BLOCK %s", pick(prng, "0", "0", "100000"));
    if (in_group && prng_one_in(prng, 6))
        line_add(line, "NOACK");
    line_add(line, "STREAMS");
    int64_t keys = prng_between(prng, 1, prng_one_in(prng, 3) ? 3 : 1);
    for (int64_t left = keys; left > 0; left--)
        line_add(line, "%s", stream_key(prng));
    for (int64_t left = keys; left > 0; left--) {
        if (in_group)
            line_add(line, "%s", prng_one_in(prng, 12) ? "0" : ">");
        else
            line_add(line, "%s", pick(prng, "$", "$", "$", "9-4", "10-0", "0"));
    }
}

static void make_read(struct bytes *line, struct prng *prng, bool waits)
{
    bool in_group = prng_one_in(prng, 2);
    if (in_group)
        line_add(line, "XREADGROUP GROUP %s %s", group(prng), pick(prng, "alice", "bob"));
    else
        line_add(line, "XREAD");
    add_streams(line, prng, waits, in_group);
}

static void make_waiting(struct bytes *line, struct prng *prng)
{
    if (prng_one_in(prng, 10))
        line_add(line, "%s %s 0", pick(prng, "BLPOP", "BZPOPMIN"), stream_key(prng));
    else
        make_read(line, prng, true);
}

static void add_entry(struct bytes *line, struct prng *prng)
{
    line_add(line, "XADD %s %s f %d", stream_key(prng), pick(prng, "9-*", "9-*", "9-*", "10-*"),
             (int)prng_below(prng, 1000));
}

static void make_transaction(struct bytes *line, struct prng *prng)
{
    line_add(line, "MULTI");
    for (int64_t left = prng_between(prng, 1, 4); left > 0; left--) {
        line_add(line, ";");
        switch (prng_below(prng, 6)) {
        case 0:
            make_read(line, prng, true);
            break;
        case 1:
            line_add(line, "DEL %s", stream_key(prng));
            break;
        case 2:
            line_add(line, "XGROUP CREATE %s %s $ MKSTREAM", stream_key(prng), group(prng));
            break;
        default:
            add_entry(line, prng);
        }
    }
    line_add(line, ";EXEC");
}

static void make_adding(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 16)) {
    case 0:
    case 1:
        make_transaction(line, prng);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        line_add(line, "XGROUP CREATE %s %s %s MKSTREAM", stream_key(prng), group(prng),
                 pick(prng, "0", "$"));
        break;
    case 6:
        line_add(line, "%s", prng_one_in(prng, 2) ? "RPUSH" : "ZADD");
        line_add(line, "%s %s", stream_key(prng), line->data[0] == 'R' ? "v1 v2" : "1 m1");
        break;
    default:
        add_entry(line, prng);
    }
}

/* What changes streams or groups in other ways. */
static void make_change(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 10)) {
    case 0:
    case 1:
        line_add(line, "XGROUP DESTROY %s %s", stream_key(prng), group(prng));
        break;
    case 2:
        line_add(line, "XGROUP DELCONSUMER %s %s alice", stream_key(prng), group(prng));
        break;
    case 3:
        line_add(line, "XGROUP SETID %s %s %s", stream_key(prng), group(prng), pick(prng, "0", "9-2", "$"));
        break;
    case 4:
        line_add(line, "XDEL %s 9-%d 9-1 10-0", stream_key(prng), (int)prng_below(prng, 6));
        break;
    case 5:
        line_add(line, "XTRIM %s MAXLEN %d", stream_key(prng), (int)prng_below(prng, 4));
        break;
    case 6:
        line_add(line, "XSETID %s %s", stream_key(prng), pick(prng, "9-3", "10-0", "11-5"));
        break;
    case 7:
        line_add(line, "XACK %s %s 9-0 9-1 9-2", stream_key(prng), group(prng));
        break;
    case 8:
        line_add(line, "XPENDING %s %s", stream_key(prng), group(prng));
        break;
    default:
        make_read(line, prng, false);
    }
}

static void make_other(struct bytes *line, struct prng *prng)
{
    switch (prng_below(prng, 12)) {
    case 0:
        line_add(line, "%s %s %s", pick(prng, "RENAME", "RENAMENX"), stream_key(prng), stream_key(prng));
        break;
    case 1:
        line_add(line, "COPY %s %s REPLACE", stream_key(prng), stream_key(prng));
        break;
    case 2:
        line_add(line, "MOVE %s %s", stream_key(prng), pick(prng, "0", "1"));
        break;
    case 3:
        line_add(line, "%s", pick(prng, "FLUSHALL", "FLUSHDB", "SELECT 0", "SELECT 1", "PING", "DBSIZE"));
        break;
    case 4:
        line_add(line, "SET %s string", stream_key(prng));
        break;
    case 5:
        line_add(line, "RESTORE %s 0 @stream REPLACE", stream_key(prng));
        break;
    case 6:
        line_add(line, "EXPIRE %s %s", stream_key(prng), pick(prng, "1000", "-1"));
        break;
    case 7:
    case 8:
    case 9:
    case 10:
        line_add(line, "DEL %s", stream_key(prng));
        break;
    default:
        line_add(line, "XLEN %s", stream_key(prng));
    }
}

static void make_command(struct bytes *line, struct prng *prng, bool may_wait)
{
    uint64_t kind = prng_below(prng, 24);
    if (kind < 9 && may_wait)
        make_waiting(line, prng);
    else if (kind < 15)
        make_adding(line, prng);
    else if (kind < 17)
        line_add(line, "CLIENT UNBLOCK #%u%s", (unsigned)prng_below(prng, CLIENTS),
                 pick(prng, "", " TIMEOUT", " ERROR"));
    else if (kind < 21)
        make_change(line, prng);
    else
        make_other(line, prng);
}

Test(stream_blocking, clients_are_served_in_the_order_of_redis)
{
    static struct theatre theatre;
    theatre_start(&theatre, make_command);
    theatre_add_payload(&theatre, "@stream", "XADD s 9-7 f restored", "s");
    for (uint64_t seed = 1; seed <= EPISODES; seed++)
        theatre_play_episode(&theatre, seed);
    theatre_end(&theatre);
}

/* ---- time ---- */

/* The server's regular work comes once a second; short waits end before that, in both protocols. */
Test(stream_blocking, waits_end_in_time)
{
    enum { WAITS = 12 };
    static struct side side;
    struct bytes reply = {0};
    const char *const slow[] = {"--hz", "1", NULL};
    server_start(&side.server, SERVER_TESTED, slow);
    for (int resp = 2; resp <= 3; resp++) {
        const char *nothing = resp == 2 ? "*-1\r\n" : "_\r\n";
        side_open(&side, resp);
        wire_call(&side.control, &reply, "XGROUP CREATE a g $ MKSTREAM");
        wire_send_text(&side.clients[0], "XREAD BLOCK 6000 STREAMS a $\r\n");
        for (int i = 0; i < WAITS; i++) {
            cr_assert_str_eq(wire_call(&side.clients[1], &reply, "XREAD BLOCK 10 STREAMS a b $ 0"), nothing);
            cr_assert_str_eq(wire_call(&side.clients[2], &reply, "XREADGROUP GROUP g c BLOCK 10 STREAMS a >"),
                             nothing);
        }
        wire_receive_some(&side.clients[0], 0);
        cr_assert_eq(side.clients[0].input.size, 0, "many short waits took longer than one of six seconds");
        wire_call(&side.control, &reply, "XADD a 1-1 f v");
        cr_assert(wire_receive_frame(&side.clients[0], &reply));
        cr_assert(memmem(reply.data, reply.size, "1-1", 3) != NULL);
        side_close(&side);
    }
    bytes_release(&reply);
    cr_assert_eq(server_stop(&side.server), 0);
    server_remove(&side.server);
}
