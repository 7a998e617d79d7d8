/* Commands on keys of any type: events, counts of changes and effects, as Redis 7.0.15 has them. Replies and
 * error texts are compared with redis-server itself by the differential tests. */
#include "command_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct command_fixture fixture;

/* ---- a server behind the commands, as far as DUMP and RESTORE need one ---- */

static struct {
    int status; /* what restore returns */
    int calls;
    int64_t expiry_ms, idle_s, frequency;
} server;

static void service_dump(void *context, const struct entry *entry, struct buffer *out)
{
    (void)context;
    char scratch[ENTRY_INTEGER_TEXT_BYTES];
    struct slice value = entry_string(entry, scratch);
    buffer_append(out, "<", 1);
    buffer_append(out, value.data, value.length);
    buffer_append(out, "0123456789", 10);
}

static int service_restore(void *context, struct database *db, const struct key *key, struct slice payload,
                           int64_t expiry_ms, int64_t idle_s, int64_t frequency)
{
    (void)context;
    server.calls++;
    server.expiry_ms = expiry_ms;
    server.idle_s = idle_s;
    server.frequency = frequency;
    if (server.status == 0)
        keyspace_set_string(db, key, payload, expiry_ms, "restore");
    return server.status;
}

static const struct services services = {.dump = service_dump, .restore = service_restore};

static void set_up(void)
{
    fixture_init(&fixture);
    fixture.commands.services = &services;
    fixture.commands.settings.debug_command_access = 1;
    memset(&server, 0, sizeof(server));
}

static void tear_down(void)
{
    fixture_free(&fixture);
}

TestSuite(cmd_keys, .init = set_up, .fini = tear_down);

#define expect(line, reply)                       fixture_expect(&fixture, line, reply)
#define expect_change(line, reply, events, dirty) fixture_expect_change(&fixture, line, reply, events, dirty)

#define SYNTAX  "-ERR syntax error|"
#define NOT_INT "-ERR value is not an integer or out of range|"

/* ---- removing ---- */

Test(cmd_keys, removes)
{
    expect("SET a 1", "+OK|");
    expect("SET b 1", "+OK|");
    expect_change("DEL a a c b", ":2|", "del a;del b;", 2);
    expect_change("DEL a", ":0|", "", 0);
    expect("SET a 1", "+OK|");
    expect_change("UNLINK a x", ":1|", "del a;", 1);
    expect("EXISTS a b", ":0|");
}

Test(cmd_keys, counts_what_exists)
{
    expect("SET a 1", "+OK|");
    uint64_t hits = fixture.keyspace.stats.hits, misses = fixture.keyspace.stats.misses;
    expect("EXISTS a a b", ":2|");
    expect("TOUCH a b b", ":1|");
    expect("TYPE a", "+string|");
    expect("TYPE b", "+none|");
    cr_assert_eq(fixture.keyspace.stats.hits - hits, 4);
    cr_assert_eq(fixture.keyspace.stats.misses - misses, 4);
}

Test(cmd_keys, lookups_leave_the_access_clock_alone_unless_they_read)
{
    expect("SET a 1", "+OK|");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 60000);
    expect("EXISTS a", ":1|");
    expect("TYPE a", "+string|");
    expect("TTL a", ":-1|");
    expect("OBJECT ENCODING a", "$3|int|");
    expect("OBJECT IDLETIME a", ":60|");
    fixture.session->flags |= SESSION_NO_TOUCH;
    expect("DUMP a", "$12|<10123456789|");
    expect("COPY a b", ":1|");
    expect("OBJECT IDLETIME a", ":60|");
    expect("TOUCH a", ":1|"); /* says that it wants to */
    expect("OBJECT IDLETIME a", ":0|");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 120000);
    fixture.session->flags &= ~(uint32_t)SESSION_NO_TOUCH;
    expect("DUMP a", "$12|<10123456789|");
    expect("OBJECT IDLETIME a", ":0|");
}

/* ---- names ---- */

Test(cmd_keys, renames_with_deadline_and_clock)
{
    expect("SET a x PX 5000", "+OK|");
    expect("SET b y", "+OK|");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 2000);
    expect_change("RENAME a b", "+OK|", "rename_from a;rename_to b;", 1);
    expect("GET b", "$1|x|");
    expect("PTTL b", ":3000|");
    expect("EXISTS a", ":0|");
    expect_change("RENAME b b", "+OK|", "", 0);
    expect_change("RENAMENX b b", ":0|", "", 0);
    expect_change("RENAME a b", "-ERR no such key|", "", 0);
    expect_change("RENAMENX a a", "-ERR no such key|", "", 0);
    expect("SET c z", "+OK|");
    expect_change("RENAMENX b c", ":0|", "", 0);
    expect_change("RENAMENX b a", ":1|", "rename_from b;rename_to a;", 1);
    cr_assert_eq(fixture.keyspace.databases[0].expires_count, 1);
}

Test(cmd_keys, moves_between_databases)
{
    expect("SET a x PX 5000", "+OK|");
    expect_change("MOVE a 3", ":1|", "move_from a;move_to a;", 1);
    expect_change("MOVE a 3", ":0|", "", 0);
    expect("SET a y", "+OK|");
    expect_change("MOVE a 3", ":0|", "", 0);
    expect("MOVE a 0", "-ERR source and destination objects are the same|");
    expect("MOVE a 16", "-ERR DB index is out of range|");
    expect("MOVE a -1", "-ERR DB index is out of range|");
    expect("MOVE a x", NOT_INT);
    expect("MOVE a 4294967296", "-ERR value is out of range, value must between -2147483648 and 2147483647|");
    fixture.session->db = &fixture.keyspace.databases[3];
    expect("GET a", "$1|x|");
    expect("PTTL a", ":5000|");
    cr_assert_eq(fixture.keyspace.databases[0].expires_count, 0);
    cr_assert_eq(fixture.keyspace.databases[3].expires_count, 1);
}

Test(cmd_keys, copies)
{
    expect("SET a x PX 5000", "+OK|");
    expect_change("COPY a b", ":1|", "copy_to b;", 1);
    expect("PTTL b", ":5000|");
    expect("SET a y", "+OK|");
    expect_change("COPY a b", ":0|", "", 0);
    expect_change("COPY a b REPLACE", ":1|", "copy_to b;", 1);
    expect("GET b", "$1|y|");
    expect("TTL b", ":-1|");
    expect("COPY a a", "-ERR source and destination objects are the same|");
    expect_change("COPY a a DB 2", ":1|", "copy_to a;", 1);
    expect("COPY a a DB 2 DB 0", "-ERR source and destination objects are the same|");
    expect_change("COPY no b REPLACE", ":0|", "", 0);
    expect("COPY a b DB", SYNTAX);
    expect("COPY a b DB 99", "-ERR DB index is out of range|");
    expect("COPY a b WHAT", SYNTAX);
    /* the copy is a copy */
    expect("APPEND b !", ":2|");
    expect("GET a", "$1|y|");
}

Test(cmd_keys, copies_long_strings)
{
    char text[5000];
    memset(text, 'v', sizeof(text));
    struct slice set[] = {{"SET", 3}, {"a", 1}, {text, sizeof(text)}};
    cr_assert_str_eq(fixture_run_slices(&fixture, set, 3, NULL), "+OK|");
    expect("COPY a b", ":1|");
    expect("SETRANGE a 0 X", ":5000|");
    expect("GETRANGE b 0 1", "$2|vv|");
    expect("DEL a", ":1|");
    expect("STRLEN b", ":5000|");
}

/* ---- deadlines ---- */

Test(cmd_keys, sets_deadlines)
{
    expect("SET a 1", "+OK|");
    expect_change("EXPIRE a 10", ":1|", "expire a;", 1);
    expect("PTTL a", ":10000|");
    expect("PEXPIRETIME a", ":1700000010000|");
    expect("EXPIRETIME a", ":1700000010|");
    expect_change("PEXPIREAT a 1700000001499", ":1|", "expire a;", 1);
    expect("TTL a", ":1|");
    expect("EXPIRETIME a", ":1700000001|");
    expect("PEXPIREAT a 1700000001500", ":1|");
    expect("TTL a", ":2|");
    expect_change("PERSIST a", ":1|", "persist a;", 1);
    expect_change("PERSIST a", ":0|", "", 0);
    expect("TTL a", ":-1|");
    expect("TTL b", ":-2|");
    expect_change("EXPIRE b 10", ":0|", "", 0);
    expect_change("PERSIST b", ":0|", "", 0);
}

Test(cmd_keys, deadlines_in_the_past_remove)
{
    static const char *const lines[] = {"EXPIRE a 0",
                                        "EXPIRE a -1",
                                        "PEXPIRE a 0",
                                        "EXPIREAT a 1",
                                        "PEXPIREAT a 1700000000000",
                                        "PEXPIREAT a -1",
                                        "PEXPIRE a -9223372036854775808",
                                        "EXPIRE a -9223372036854775"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        expect("SET a 1", "+OK|");
        expect_change(lines[i], ":1|", "del a;", 1);
        expect("EXISTS a", ":0|");
        expect_change(lines[i], ":0|", "", 0);
    }
    cr_assert_eq(fixture.keyspace.stats.expired_keys, 0);
}

Test(cmd_keys, deadlines_too_far_are_refused)
{
    expect("SET a 1", "+OK|");
    expect("EXPIRE a 9223372036854776", "-ERR invalid expire time in 'expire' command|");
    expect("EXPIRE a 9223372036854775", "-ERR invalid expire time in 'expire' command|");
    expect("EXPIRE a -9223372036854776", "-ERR invalid expire time in 'expire' command|");
    expect("PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command|");
    expect("EXPIREAT a 9223372036854776", "-ERR invalid expire time in 'expireat' command|");
    expect("EXPIRE no 9223372036854776", "-ERR invalid expire time in 'expire' command|");
    expect("PEXPIREAT a 9223372036854775807", ":1|");
    expect("PEXPIRETIME a", ":9223372036854775807|");
    expect("EXPIRETIME a", ":9223372036854776|");
    expect("TTL a", ":9223370336854776|");
}

Test(cmd_keys, conditions_on_deadlines)
{
    expect("SET a 1", "+OK|");
    expect("EXPIRE a 100 XX", ":0|");
    expect("EXPIRE a 100 GT", ":0|");
    expect("EXPIRE a 100 NX", ":1|");
    expect("EXPIRE a 200 NX", ":0|");
    expect("EXPIRE a 100 GT", ":0|");
    expect("EXPIRE a 101 GT", ":1|");
    expect("EXPIRE a 101 LT", ":0|");
    expect("EXPIRE a 100 LT", ":1|");
    expect("EXPIRE a 50 XX LT", ":1|");
    expect("EXPIRE a -1 GT", ":0|");
    expect("EXPIRE a -1 NX", ":0|");
    expect("PERSIST a", ":1|");
    expect("EXPIRE a 100 LT", ":1|");
    expect_change("EXPIRE a -1 xx lt", ":1|", "del a;", 1);
    expect("EXPIRE a 1 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible|");
    expect("EXPIRE a 1 GT NX", "-ERR NX and XX, GT or LT options at the same time are not compatible|");
    expect("EXPIRE a 1 LT GT", "-ERR GT and LT options at the same time are not compatible|");
    expect("EXPIRE a x NO", "-ERR Unsupported option NO|");
    expect("EXPIRE a x NX", NOT_INT);
}

/* ---- RESTORE ---- */

Test(cmd_keys, restores)
{
    expect_change("RESTORE a 0 v", "+OK|", "restore a;", 1);
    cr_assert_eq(server.expiry_ms, EXPIRY_NONE);
    cr_assert_eq(server.idle_s, -1);
    cr_assert_eq(server.frequency, -1);
    expect("RESTORE a 0 w", "-BUSYKEY Target key name already exists.|");
    cr_assert_eq(server.calls, 1);
    expect("RESTORE a 500 w REPLACE IDLETIME 7", "+OK|");
    cr_assert_eq(server.expiry_ms, FIXTURE_NOW_MS + 500);
    cr_assert_eq(server.idle_s, 7);
    expect("RESTORE a 1800000000000 w REPLACE ABSTTL FREQ 9", "+OK|");
    cr_assert_eq(server.expiry_ms, 1800000000000);
    cr_assert_eq(server.frequency, 9);
    expect("RESTORE a 9223372036854775807 w REPLACE", "+OK|");
    cr_assert_eq(server.expiry_ms, 0, "a sum that overflows lies in the past");
    expect("RESTORE b 0 w IDLETIME 16777217", "+OK|");
    cr_assert_eq(server.idle_s, 1, "the clock has 24 bits");
}

Test(cmd_keys, refuses_to_restore_in_the_order_of_redis)
{
    expect("SET a 1", "+OK|");
    expect("RESTORE a x v WHAT", SYNTAX);
    expect("RESTORE a x v IDLETIME -1", "-ERR Invalid IDLETIME value, must be >= 0|");
    expect("RESTORE a x v FREQ 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255|");
    expect("RESTORE a x v FREQ 1 IDLETIME 1", SYNTAX);
    expect("RESTORE a x v IDLETIME 1 FREQ 1", SYNTAX);
    expect("RESTORE a x v", "-BUSYKEY Target key name already exists.|");
    expect("RESTORE b x v", NOT_INT);
    expect("RESTORE b -1 v", "-ERR Invalid TTL value, must be >= 0|");
    cr_assert_eq(server.calls, 0);
    server.status = -EINVAL;
    expect_change("RESTORE b 0 v", "-ERR DUMP payload version or checksum are wrong|", "", 0);
    server.status = -EBADMSG;
    expect_change("RESTORE a 0 v REPLACE", "-ERR Bad data format|", "", 0);
    expect("GET a", "$1|1|");
}

/* ---- OBJECT and DEBUG ---- */

Test(cmd_keys, counts_references)
{
    expect("SET a 9999", "+OK|");
    expect("OBJECT REFCOUNT a", ":2147483647|");
    expect("SET a 10000", "+OK|");
    expect("OBJECT REFCOUNT a", ":1|");
    expect("SET a -1", "+OK|");
    expect("OBJECT REFCOUNT a", ":1|");
    expect("OBJECT REFCOUNT b", "$-1|");
    expect("OBJECT IDLETIME b", "$-1|");
    expect("OBJECT FREQ b", "$-1|");
}

Test(cmd_keys, describes_an_object)
{
    expect("SET a hello", "+OK|");
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 5000);
    const char *reply = fixture_run(&fixture, "DEBUG OBJECT a");
    const char *facts = strchr(reply, ' ');
    cr_assert_eq(strncmp(reply, "+Value at:0x", 12), 0);
    facts = strchr(facts + 1, ' ');
    cr_assert_str_eq(facts, " refcount:1 encoding:embstr serializedlength:5 lru:5501184 lru_seconds_idle:5|");
    expect("DEBUG OBJECT b", "-ERR no such key|");
}

Test(cmd_keys, populates)
{
    expect("SET key:1 mine", "+OK|");
    expect("DEBUG POPULATE 3", "+OK|");
    expect("GET key:0", "$7|value:0|");
    expect("GET key:1", "$4|mine|");
    expect("GET key:2", "$7|value:2|");
    expect("EXISTS key:3", ":0|");
    expect("DEBUG POPULATE 1 p 3", "+OK|");
    expect("GET p:0", "$3|val|");
    expect("DEBUG POPULATE 1 q 2000", "+OK|");
    expect("STRLEN q:0", ":2000|");
    expect("OBJECT ENCODING q:0", "$3|raw|");
    expect("DEBUG POPULATE -1", "-ERR value is out of range, must be positive|");
    expect("DEBUG POPULATE 1 x -1", "-ERR value is out of range, must be positive|");
    expect("DEBUG POPULATE 1 x 99999999999", "-ERR value is out of range, must be positive|");
    expect("DEBUG POPULATE",
           "-ERR unknown subcommand or wrong number of arguments for 'POPULATE'. Try DEBUG HELP.|");
}

Test(cmd_keys, debug_needs_permission)
{
    static const char refused[] =
        "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run "
        "it "
        "from a local connection, otherwise you need to set this option in the configuration file, and then "
        "restart the server.|";
    fixture.commands.settings.debug_command_access = 0;
    expect("DEBUG SLEEP 0", refused);
    expect("DEBUG HELP", refused);
    fixture.commands.settings.debug_command_access = 2;
    expect("DEBUG SLEEP 0", refused);
    fixture.session->flags |= SESSION_UNIX_SOCKET;
    expect("DEBUG SLEEP 0", "+OK|");
}
