/* Commands about connections: rights, names, killing, replies on and off. Error texts are compared with
 * redis-server itself by the differential tests. */
#include "command_fixture.h"
#include "commands/authenticate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- connections that remember what was asked of them ---- */

struct connection {
    const char *peer;
    bool closed, flushed, trusted;
};

static void describe(void *context, struct connection_info *info)
{
    const struct connection *connection = context;
    *info = (struct connection_info){.fd = 9, .query_bytes = 3, .query_free_bytes = 4, .memory_bytes = 100};
    snprintf(info->peer, sizeof(info->peer), "%s", connection->peer);
    snprintf(info->local, sizeof(info->local), "127.0.0.1:6379");
}

static uint64_t memory_bytes(const void *context)
{
    (void)context;
    return 100;
}

static void close_connection(void *context, bool flush)
{
    struct connection *connection = context;
    connection->closed = true;
    connection->flushed = flush;
}

static void set_trusted(void *context, bool trusted)
{
    struct connection *connection = context;
    connection->trusted = trusted;
}

static const struct session_transport transport = {.describe = describe,
                                                   .memory_bytes = memory_bytes,
                                                   .close = close_connection,
                                                   .set_trusted = set_trusted};

static struct command_fixture fixture;
static struct connection own, other;
static struct session *other_session;

static void set_up(void)
{
    fixture_init(&fixture);
    own = (struct connection){.peer = "127.0.0.1:5001"};
    other = (struct connection){.peer = "127.0.0.1:5002"};
    fixture.session->connection = &own;
    fixture.session->transport = &transport;
    other_session = session_create(&fixture.commands.sessions, &fixture.keyspace.databases[3], &other,
                                   &transport, FIXTURE_NOW_MS);
    other_session->user = fixture.commands.acl.default_user;
}

static void tear_down(void)
{
    session_free(&fixture.commands.sessions, other_session);
    fixture_free(&fixture);
}

TestSuite(cmd_connection, .init = set_up, .fini = tear_down);

#define expect(line, reply) fixture_expect(&fixture, line, reply)

#define HELLO_2                                                                                              \
    "*14|$6|server|$5|redis|$7|version|$6|7.0.15|$5|proto|:2|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|"    \
    "master|$7|modules|*0|"
#define HELLO_3                                                                                              \
    "%7|$6|server|$5|redis|$7|version|$6|7.0.15|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|"     \
    "master|$7|modules|*0|"
#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.|"
#define NOAUTH    "-NOAUTH Authentication required.|"

/* ---- rights ---- */

static void set_password(const char *password)
{
    acl_set_default_password(&fixture.commands.acl, password);
    authenticate_refresh(&fixture.commands.sessions, &fixture.commands.acl);
}

Test(cmd_connection, authenticates)
{
    set_password("secret");
    expect("PING", NOAUTH);
    expect("AUTH secre", WRONGPASS);
    expect("AUTH secrets", WRONGPASS);
    expect("AUTH secreT", WRONGPASS);
    expect("AUTH ''", WRONGPASS);
    expect("AUTH secretsecret", WRONGPASS);
    expect("AUTH nobody secret", WRONGPASS);
    expect("PING", NOAUTH);
    cr_assert_not(own.trusted);
    expect("AUTH secret", "+OK|");
    cr_assert(own.trusted);
    expect("PING", "+PONG|");
    expect("AUTH wrong", WRONGPASS);
    expect("PING", "+PONG|");
    expect("RESET", "+RESET|");
    cr_assert_not(own.trusted);
    expect("PING", NOAUTH);
    expect("AUTH default secret", "+OK|");
    expect("PING", "+PONG|");
}

Test(cmd_connection, follows_the_password)
{
    expect("AUTH default anything", "+OK|");
    set_password("secret");
    cr_assert(own.trusted, "who is in stays in");
    expect("PING", "+PONG|");
    cr_assert_not(other.trusted);
    set_password(NULL);
    cr_assert(other.trusted, "nobody is a stranger now");
}

Test(cmd_connection, needs_no_password_without_one)
{
    expect("AUTH default anything", "+OK|");
    expect("AUTH nobody anything", WRONGPASS);
    expect("AUTH a b c", "-ERR syntax error|");
    expect(
        "AUTH anything",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?|");
    expect("RESET", "+RESET|");
    cr_assert(own.trusted);
    expect("PING", "+PONG|");
}

Test(cmd_connection, says_hello)
{
    expect("HELLO", HELLO_2);
    expect("HELLO 3", HELLO_3);
    expect("HELLO", HELLO_3);
    expect("GET no", "_|");
    expect("HELLO 2 SETNAME me", HELLO_2);
    expect("CLIENT GETNAME", "$2|me|");
    expect("HELLO 3 SETNAME you WHAT", "-ERR Syntax error in HELLO option 'WHAT'|");
    expect("CLIENT GETNAME", "$3|you|");
    expect("HELLO 1", "-NOPROTO unsupported protocol version|");
    expect("HELLO x", "-ERR Protocol version is not an integer or out of range|");
    expect("HELLO 2 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'|");
}

Test(cmd_connection, hello_authenticates)
{
    set_password("secret");
    cr_assert_eq(strncmp(fixture_run(&fixture, "HELLO 3"), "-NOAUTH HELLO must", 18), 0);
    expect("HELLO 3 AUTH default wrong", WRONGPASS);
    expect("PING", NOAUTH);
    expect("HELLO 3 AUTH default secret SETNAME me", HELLO_3);
    cr_assert(own.trusted);
    expect("CLIENT GETNAME", "$2|me|");
}

/* ---- state ---- */

Test(cmd_connection, resets)
{
    expect("HELLO 3 SETNAME me", HELLO_3);
    expect("SELECT 5", "+OK|");
    expect("CLIENT NO-TOUCH ON", "+OK|");
    expect("RESET", "+RESET|");
    cr_assert_eq(fixture.session->version, 2);
    cr_assert_eq(fixture.session->db->id, 0);
    cr_assert_null(fixture.session->name);
    cr_assert_eq(fixture.session->flags, SESSION_AUTHENTICATED | SESSION_TRUSTED);
    expect("GET no", "$-1|");
}

Test(cmd_connection, selects)
{
    expect("SELECT 15", "+OK|");
    expect("SET a 1", "+OK|");
    cr_assert_eq(keyspace_count(&fixture.keyspace.databases[15]), 1);
    expect("SELECT 16", "-ERR DB index is out of range|");
    expect("SELECT -1", "-ERR DB index is out of range|");
    expect("SELECT x", "-ERR value is not an integer or out of range|");
    expect("SELECT 2147483648", "-ERR value is out of range, value must between -2147483648 and 2147483647|");
    expect("GET a", "$1|1|");
}

Test(cmd_connection, quits)
{
    expect("QUIT", "+OK|");
    cr_assert(own.closed);
    cr_assert(own.flushed);
}

Test(cmd_connection, switches_replies)
{
    expect("CLIENT REPLY SKIP", "");
    expect("PING", "");
    expect("PING", "+PONG|");
    expect("CLIENT REPLY SKIP", "");
    expect("GET", "");
    expect("PING", "+PONG|");
    expect("CLIENT REPLY OFF", "");
    expect("PING", "");
    expect("nosuch", "");
    expect("CLIENT REPLY SKIP", "");
    expect("CLIENT REPLY what", "");
    expect("CLIENT REPLY ON", "+OK|");
    expect("PING", "+PONG|");
    expect("CLIENT REPLY OFF", "");
    expect("RESET", "+RESET|");
    expect("PING", "+PONG|");
}

Test(cmd_connection, names_clients)
{
    expect("CLIENT GETNAME", "$-1|");
    expect("CLIENT SETNAME !~", "+OK|");
    expect("CLIENT GETNAME", "$2|!~|");
    expect("CLIENT SETNAME \x7f",
           "-ERR Client names cannot contain spaces, newlines or special characters.|");
    expect("CLIENT SETNAME \xc3\xa9",
           "-ERR Client names cannot contain spaces, newlines or special characters.|");
    expect("CLIENT GETNAME", "$2|!~|");
    expect("CLIENT SETNAME ''", "+OK|");
    expect("CLIENT GETNAME", "$-1|");
    expect("CLIENT SETINFO LIB-NAME redis-py", "+OK|");
    expect("CLIENT SETINFO lib-ver 5.0", "+OK|");
    expect("CLIENT SETINFO lib-ver \x01",
           "-ERR lib-ver cannot contain spaces, newlines or special characters.|");
    expect("CLIENT SETINFO what 1", "-ERR Unrecognized option 'what'|");
    cr_assert_str_eq(fixture.session->library_name, "redis-py");
    cr_assert_str_eq(fixture.session->library_version, "5.0");
}

/* ---- LIST and KILL ---- */

Test(cmd_connection, describes_clients)
{
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 7900);
    other_session->flags |= SESSION_UNIX_SOCKET | SESSION_NO_EVICT;
    char expected[1024];
    const char *format =
        "id=%d addr=127.0.0.1:%d laddr=127.0.0.1:6379 fd=9 name=%s age=7 idle=%d flags=%s db=%d sub=0 "
        "psub=0 ssub=0 multi=-1 qbuf=3 qbuf-free=4 argv-mem=%d multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 "
        "omem=0 tot-mem=%zu events=r cmd=%s user=default redir=-1 resp=2";
    expect("CLIENT SETNAME me", "+OK|");
    int length = snprintf(expected, sizeof(expected), format, 1, 5001, "me", 0, "N", 0, 10,
                          100 + sizeof(struct session) + 3, "client|list");
    length += snprintf(expected + length, sizeof(expected) - (size_t)length, format, 2, 5002, "", 7, "Ue", 3,
                       0, 100 + sizeof(struct session), "NULL");
    char reply[1200];
    snprintf(reply, sizeof(reply), "$%d|%s|", length + 2,
             expected); /* the fixture drops the two line feeds */
    expect("CLIENT LIST", reply);
    expect("CLIENT LIST TYPE pubsub", "$0||");
    expect("CLIENT LIST TYPE nobody", "-ERR Unknown client type 'nobody'|");
    expect("CLIENT LIST ID 7 0 -1", "$0||");
    expect("CLIENT LIST ID x", "-ERR Invalid client ID|");
    cr_assert_not_null(strstr(fixture_run(&fixture, "CLIENT LIST ID 2"), "id=2 "));
    cr_assert_null(strstr(fixture_run(&fixture, "CLIENT LIST ID 2"), "id=1 "));
}

Test(cmd_connection, kills_others_at_once)
{
    expect("CLIENT KILL ID 2", ":1|");
    cr_assert(other.closed);
    cr_assert_not(other.flushed);
    cr_assert_not(own.closed);
    /* it is gone for everybody, even before its connection is */
    expect("CLIENT KILL ID 2", ":0|");
    cr_assert_null(strstr(fixture_run(&fixture, "CLIENT LIST"), "id=2 "));
    expect("CLIENT LIST ID 2", "$0||");
}

Test(cmd_connection, kills_itself_after_the_reply)
{
    expect("CLIENT KILL ID 1", ":0|");
    cr_assert_not(own.closed);
    expect("CLIENT KILL ID 1 SKIPME no", ":1|");
    cr_assert(own.closed);
    cr_assert(own.flushed);
    cr_assert_not(other.closed);
}

Test(cmd_connection, kills_by_address)
{
    expect("CLIENT KILL 127.0.0.1:5003", "-ERR No such client|");
    expect("CLIENT KILL 127.0.0.1:5001", "+OK|");
    cr_assert(own.closed);
    cr_assert(own.flushed);
    cr_assert_not(other.closed);
    expect("CLIENT KILL ADDR 127.0.0.1:5002 ID 1 SKIPME no", ":0|");
    expect("CLIENT KILL LADDR 127.0.0.1:1", ":0|");
    expect("CLIENT KILL ADDR 127.0.0.1:5002 LADDR 127.0.0.1:6379 TYPE normal USER default", ":1|");
    cr_assert(other.closed);
}

Test(cmd_connection, kills_everybody)
{
    expect("CLIENT KILL TYPE pubsub SKIPME no", ":0|");
    expect("CLIENT KILL USER nobody", "-ERR No such user 'nobody'|");
    expect("CLIENT KILL TYPE normal SKIPME no", ":2|");
    cr_assert(other.closed);
    cr_assert(own.closed);
}

Test(cmd_connection, refuses_wrong_filters)
{
    expect("CLIENT KILL ID 0", "-ERR client-id should be greater than 0|");
    expect("CLIENT KILL ID x", "-ERR client-id should be greater than 0|");
    expect("CLIENT KILL ID 2 TYPE", "-ERR syntax error|");
    expect("CLIENT KILL MAXAGE 1", "-ERR syntax error|");
    expect("CLIENT KILL ID 2 SKIPME what", "-ERR syntax error|");
    cr_assert_not(other.closed);
}
