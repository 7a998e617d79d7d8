/* What users may do: checks before commands and in EXEC, the log, changes that reach sessions. Error texts
 * are compared with redis-server itself by the differential tests. */
#include "client_fixture.h"
#include "commands/acl_call.h"
#include "commands/authenticate.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct command_fixture fixture;
static struct client client, other;

#define NO_COMMAND(name) "-NOPERM this user has no permissions to run the '" name "' command|"
#define NO_KEY           "-NOPERM this user has no permissions to access one of the keys used as arguments|"
#define NO_CHANNEL       "-NOPERM this user has no permissions to access one of the channels used as arguments|"
#define CHANGED                                                                                              \
    "-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This " \
    "command is no longer allowed for the following reason: "

static void set_up(void)
{
    fixture_init(&fixture);
    client_open(&client, &fixture);
    client_open(&other, &fixture);
    authenticate_reset(fixture.session, &fixture.commands.acl);
    authenticate_reset(client.session, &fixture.commands.acl);
    authenticate_reset(other.session, &fixture.commands.acl);
}

static void tear_down(void)
{
    client_leave(&client);
    client_leave(&other);
    fixture_free(&fixture);
}

TestSuite(acl, .init = set_up, .fini = tear_down);

#define admin(line) fixture_expect(&fixture, line, "+OK|")

static void make_alice(const char *rules)
{
    char line[512];
    snprintf(line, sizeof(line), "ACL SETUSER alice reset on nopass %s", rules);
    admin(line);
    client_expect(&client, "AUTH alice x", "+OK|");
}

static bool is_restricted(const struct session *session)
{
    return session->flags & SESSION_RESTRICTED;
}

/* ---- checks ---- */

Test(acl, commands_are_checked)
{
    make_alice("~* +get +config|get +select|0");
    client_expect(&client, "GET k", "$-1|");
    client_expect(&client, "SET k v", NO_COMMAND("set"));
    client_expect(&client, "CONFIG SET a b", NO_COMMAND("config|set"));
    client_expect(&client, "SELECT 0", "+OK|");
    client_expect(&client, "SELECT 1", NO_COMMAND("select"));
    client_expect(&client, "AUTH default x", "+OK|");
    client_expect(&client, "SET k v", "+OK|");
}

Test(acl, keys_are_checked_by_their_use)
{
    make_alice("+@all ~a* %R~r* %W~w*");
    client_expect(&client, "MSET a 1 w 2", "+OK|");
    client_expect(&client, "MSET a 1 r 2", NO_KEY);
    client_expect(&client, "MGET a r", "*2|$1|1|$-1|");
    client_expect(&client, "MGET a w", NO_KEY);
    client_expect(&client, "COPY r w", ":0|");
    client_expect(&client, "COPY w r", NO_KEY);
    client_expect(&client, "SET w 1", "+OK|");
    client_expect(&client, "SET w 1 GET", NO_KEY);
    client_expect(&client, "ZUNIONSTORE w 2 r a",
                  "-WRONGTYPE Operation against a key holding the wrong kind of value|");
    client_expect(&client, "ZUNIONSTORE w 2 r w", NO_KEY);
    client_expect(&client, "ZUNIONSTORE w 9 x", "-ERR syntax error|");
    client_expect(&client, "EXISTS x", NO_KEY);
}

Test(acl, sort_may_look_anywhere_only_with_all_keys)
{
    make_alice("+@all ~a");
    client_expect(&client, "SORT a BY nosort", "*0|");
    client_expect(&client, "SORT a BY w_*",
                  "-ERR BY option of SORT denied due to insufficient ACL permissions.|");
    client_expect(&client, "SORT a GET #",
                  "-ERR GET option of SORT denied due to insufficient ACL permissions.|");
    make_alice("+@all ~a %R~*");
    client_expect(&client, "SORT a BY w_* GET #", "*0|");
}

Test(acl, channels_are_checked_and_patterns_to_the_letter)
{
    make_alice("+@all &a* &b");
    client_expect(&client, "PUBLISH abc x", ":0|");
    client_expect(&client, "PUBLISH c x", NO_CHANNEL);
    client_expect(&client, "SPUBLISH c x", NO_CHANNEL);
    client_expect(&client, "SUBSCRIBE b c", NO_CHANNEL);
    client_expect(&client, "PSUBSCRIBE ab*", NO_CHANNEL);
    client_expect(&client, "PSUBSCRIBE a*", "*3|$10|psubscribe|$2|a*|:1|");
    client_expect(&client, "UNSUBSCRIBE c", "*3|$11|unsubscribe|$1|c|:1|");
}

Test(acl, one_selector_must_allow_all)
{
    make_alice("+get ~a (+set ~b) (+mget ~b ~c)");
    client_expect(&client, "GET a", "$-1|");
    client_expect(&client, "GET b", NO_KEY);
    client_expect(&client, "SET b 1", "+OK|");
    client_expect(&client, "MGET b c", "*2|$1|1|$-1|");
    client_expect(&client, "MGET a b", NO_KEY);
    client_expect(&client, "DEL a", NO_COMMAND("del"));
}

Test(acl, denials_end_transactions)
{
    make_alice("+@all ~a");
    client_expect(&client, "MULTI", "+OK|");
    client_expect(&client, "GET b", NO_KEY);
    client_expect(&client, "EXEC", "-EXECABORT Transaction discarded because of previous errors.|");
    client_expect(&client, "MULTI", "+OK|");
    client_expect(&client, "SET a 1", "+QUEUED|");
    client_expect(&client, "PING", "+QUEUED|");
    client_expect(&client, "PUBLISH c 1", NO_CHANNEL);
    client_expect(&client, "DISCARD", "+OK|");
    client_expect(&client, "MULTI", "+OK|");
    client_expect(&client, "SET a 1", "+QUEUED|");
    client_expect(&client, "PING", "+QUEUED|");
    client_expect(&client, "ECHO x", "+QUEUED|");
    admin("ACL SETUSER alice resetkeys -ping");
    client_expect(&client, "EXEC",
                  "*3|" CHANGED "no permission to touch the specified keys|" CHANGED
                  "no permission to execute the command or subcommand|$1|x|");
}

Test(acl, strangers_get_no_further)
{
    admin("ACL SETUSER default >secret");
    client_expect(&client, "PING", "+PONG|");
    client_expect(&client, "RESET", "+RESET|");
    client_expect(&client, "PING", "-NOAUTH Authentication required.|");
    cr_assert(is_restricted(client.session));
    client_expect(&client, "AUTH secret", "+OK|");
    cr_assert_not(is_restricted(client.session));
    admin("ACL SETUSER default off");
    client_expect(&client, "AUTH secret", "-WRONGPASS invalid username-password pair or user is disabled.|");
    client_expect(&client, "PING", "+PONG|");
}

Test(acl, rules_reach_sessions_at_once)
{
    make_alice("+@all ~* &*");
    cr_assert_not(is_restricted(client.session));
    admin("ACL SETUSER alice -get");
    cr_assert(is_restricted(client.session));
    client_expect(&client, "GET a", NO_COMMAND("get"));
    cr_assert_not(is_restricted(other.session));
    admin("ACL SETUSER alice +@all");
    cr_assert_not(is_restricted(client.session));
}

/* ---- users ---- */

Test(acl, setuser_is_all_or_nothing)
{
    fixture_expect(&fixture, "ACL SETUSER bob on +get nosuch",
                   "-ERR Error in ACL SETUSER modifier 'nosuch': Syntax error|");
    fixture_expect(&fixture, "ACL USERS", "*1|$7|default|");
    admin("ACL SETUSER bob on ~a");
    fixture_expect(&fixture, "ACL SETUSER bob off ~b (+get",
                   "-ERR Unmatched parenthesis in acl selector starting at '(+get'.|");
    fixture_expect(&fixture, "ACL LIST",
                   "*2|$34|user bob on ~a resetchannels -@all|$34|user default on nopass ~* &* +@all|");
}

Test(acl, removed_users_leave)
{
    make_alice("+@all");
    client_expect(&other, "AUTH alice x", "+OK|");
    client_expect(&client, "ACL DELUSER nosuch alice", ":1|");
    cr_assert(client.session->flags & SESSION_CLOSE_AFTER_REPLY);
    cr_assert(other.session->flags & SESSION_CLOSE_ASAP);
    cr_assert_eq(other.session->user, fixture.commands.acl.default_user);
    fixture_expect(&fixture, "ACL DELUSER alice", ":0|");
    fixture_expect(&fixture, "ACL DELUSER default", "-ERR The 'default' user cannot be removed|");
}

Test(acl, listeners_leave_with_their_channels)
{
    make_alice("+@all &a* &b");
    client_expect(&client, "SUBSCRIBE ab", "*3|$9|subscribe|$2|ab|:1|");
    admin("ACL SETUSER alice resetchannels &a?");
    cr_assert_not(client.session->flags & SESSION_CLOSE_ASAP);
    admin("ACL SETUSER alice &*");
    admin("ACL SETUSER alice resetchannels (&a*)");
    cr_assert_not(client.session->flags & SESSION_CLOSE_ASAP);
    admin("ACL SETUSER alice clearselectors &b");
    cr_assert(client.session->flags & SESSION_CLOSE_ASAP);
}

/* ---- the log ---- */

static const struct acl_log_entry *log_entry(int index)
{
    const struct links *at = fixture.commands.acl.log.entries.next;
    for (; index > 0; index--)
        at = at->next;
    return links_container(at, struct acl_log_entry, links);
}

Test(acl, log_groups_what_is_the_same)
{
    make_alice("+@all -set ~a");
    client_run(&client, "GET b");
    client_run(&client, "GET c");
    client_run(&client, "STRLEN b");
    client_run(&client, "SET a 1");
    client_run(&client, "AUTH bob x");
    const struct acl_log *log = &fixture.commands.acl.log;
    cr_assert_eq(log->count, 4);
    cr_assert_eq(log_entry(0)->reason, ACL_REASON_AUTH);
    cr_assert(slice_equals(log_entry(0)->object, slice_from_string("AUTH")));
    cr_assert(slice_equals(log_entry(0)->user_name, slice_from_string("bob")));
    cr_assert(slice_equals(log_entry(1)->object, slice_from_string("set")));
    cr_assert_eq(log_entry(2)->count, 2);
    cr_assert(slice_equals(log_entry(2)->object, slice_from_string("b")));
    keyspace_set_time(&fixture.keyspace, FIXTURE_NOW_MS + 60001);
    client_run(&client, "GET b");
    cr_assert_eq(log->count, 5);
    cr_assert_eq(log->denied[ACL_REASON_KEY], 4);
    client_expect(&client, "MULTI", "+OK|");
    client_run(&client, "GET b");
    cr_assert_eq(log_entry(0)->context, ACL_CONTEXT_MULTI);
    admin("ACL LOG RESET");
    cr_assert_eq(log->count, 0);
}

Test(acl, log_is_bounded)
{
    enum { LONG_BYTES = 3 * ACL_LOG_TEXT_MAX_BYTES };
    static char key[LONG_BYTES];
    fixture.commands.settings.acl_log_max_len = 3;
    make_alice("+@all");
    for (int i = 0; i < 10; i++) {
        char line[32];
        snprintf(line, sizeof(line), "GET k%d", i);
        client_run(&client, line);
    }
    cr_assert_eq(fixture.commands.acl.log.count, 3);
    cr_assert(slice_equals(log_entry(2)->object, slice_from_string("k7")));
    const struct slice argv[] = {slice_from_string("GET"), {key, sizeof(key)}};
    struct session *admin_session = fixture.session;
    fixture.session = client.session;
    fixture_run_slices(&fixture, argv, 2, NULL);
    fixture.session = admin_session;
    cr_assert_eq(log_entry(0)->object.length, ACL_LOG_TEXT_MAX_BYTES);
    fixture.commands.settings.acl_log_max_len = 0;
    client_run(&client, "GET k");
    cr_assert_eq(fixture.commands.acl.log.count, 0);
}

/* What a script engine asks. */
Test(acl, questions_on_behalf_of_a_call)
{
    make_alice("+get +publish ~a &a");
    struct call call = {.session = client.session,
                        .keyspace = &fixture.keyspace,
                        .commands = &fixture.commands,
                        .argv = (const struct slice[]){slice_from_string("EVAL")},
                        .argc = 1};
    const struct registry_entry *get = registry_find(&fixture.commands.registry, slice_from_string("get"));
    const struct slice allowed[] = {slice_from_string("GET"), slice_from_string("a")};
    const struct slice denied[] = {slice_from_string("GET"), slice_from_string("b")};
    cr_assert_eq(acl_call_ask(&call, get, allowed, 2, ACL_CONTEXT_SCRIPT).verdict, ACL_ALLOWED);
    cr_assert_eq(acl_call_would_be(&call, get, denied, 2).verdict, ACL_DENIED_KEY);
    cr_assert_eq(fixture.commands.acl.log.count, 0);
    struct acl_answer answer = acl_call_ask(&call, get, denied, 2, ACL_CONTEXT_SCRIPT);
    cr_assert_eq(answer.verdict, ACL_DENIED_KEY);
    cr_assert_eq(answer.argument, 1);
    cr_assert_eq(log_entry(0)->context, ACL_CONTEXT_SCRIPT);
    const struct registry_entry *publish =
        registry_find(&fixture.commands.registry, slice_from_string("publish"));
    cr_assert_eq(acl_call_would_be(&call, get, denied, 1).verdict, ACL_ALLOWED, "no arguments, no keys");
    cr_assert_eq(acl_call_would_be(&call, publish, denied, 1).verdict, ACL_ALLOWED);
    client_expect(&client, "AUTH default x", "+OK|");
    cr_assert_eq(acl_call_ask(&call, get, denied, 2, ACL_CONTEXT_SCRIPT).verdict, ACL_ALLOWED);
}
