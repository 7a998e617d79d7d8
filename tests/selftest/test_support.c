/*
 * Tests of the tests: the frame reader, the comparison of replies, the watch over server processes. What
 * these let pass, every other suite would let pass.
 */

#include "differential/compare.h"
#include "support/fail.h"
#include "support/frame.h"
#include "support/server_process.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool match(const char *expected, const char *actual, enum reply_rule rule, int64_t tolerance)
{
    struct bytes frames[2] = {{0}, {0}};
    bytes_append_text(&frames[0], expected);
    bytes_append_text(&frames[1], actual);
    bool equal = replies_match(&frames[0], &frames[1], rule, tolerance);
    bool mirrored = replies_match(&frames[1], &frames[0], rule, tolerance);
    bytes_release(&frames[0]);
    bytes_release(&frames[1]);
    cr_assert_eq(equal, mirrored, "not symmetrical: %s and %s", expected, actual);
    return equal;
}

Test(frame, whole_frames_are_found_at_every_length)
{
    static const char *const frames[] = {
        "+OK\r\n",
        "-ERR x\r\n",
        ":12\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "$5\r\na\r\nbc\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
        "%1\r\n+k\r\n*2\r\n:1\r\n:2\r\n",
        "~2\r\n_\r\n#t\r\n",
        ">2\r\n+message\r\n$1\r\nx\r\n",
        "|1\r\n+ttl\r\n:3\r\n*1\r\n+x\r\n",
        "=7\r\ntxt:abc\r\n",
        ",1.5\r\n",
        "(123456789012345678901234567890\r\n",
    };
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        struct bytes bytes = {0};
        size_t size = strlen(frames[i]);
        bytes_append_text(&bytes, frames[i]);
        bytes_append_text(&bytes, "+next\r\n");
        for (size_t cut = 0; cut < size; cut++)
            cr_assert_eq(frame_size(frames[i], cut), 0, "%s cut at %zu", frames[i], cut);
        cr_assert_eq(frame_size(bytes.data, bytes.size), (int64_t)size, "%s", frames[i]);
        bytes_release(&bytes);
    }
}

Test(frame, what_is_no_resp_is_refused)
{
    static const char *const bad[] = {"OK\r\n", "$x\r\n",  "$2\r\nabc\r\n", "*1\r\nfoo\r\n",
                                      "+a\n",   "$-2\r\n", "\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(frame_size(bad[i], strlen(bad[i])), -1, "%s", bad[i]);
}

Test(compare, exact_means_every_byte)
{
    cr_assert(match("$1\r\na\r\n", "$1\r\na\r\n", REPLY_EXACT, 0));
    cr_assert_not(match("$1\r\na\r\n", "$1\r\nb\r\n", REPLY_EXACT, 0));
    cr_assert_not(match("$1\r\na\r\n", "+a\r\n", REPLY_EXACT, 0));
    cr_assert_not(match(":1\r\n", ":01\r\n", REPLY_EXACT, 0));
}

Test(compare, unordered_looks_at_the_elements)
{
    const char *ab = "*2\r\n$1\r\na\r\n$1\r\nb\r\n";
    const char *ba = "*2\r\n$1\r\nb\r\n$1\r\na\r\n";
    const char *aa = "*2\r\n$1\r\na\r\n$1\r\na\r\n";
    cr_assert(match(ab, ba, REPLY_UNORDERED, 0));
    cr_assert_not(match(ab, aa, REPLY_UNORDERED, 0));
    cr_assert_not(match(ab, "*1\r\n$1\r\na\r\n", REPLY_UNORDERED, 0));
    cr_assert_not(match(ab, "~2\r\n$1\r\nb\r\n$1\r\na\r\n", REPLY_UNORDERED, 0));
    cr_assert_not(
        match("*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n", "*2\r\n*2\r\n:2\r\n:1\r\n:3\r\n", REPLY_UNORDERED, 0));
    cr_assert_not(match("$1\r\na\r\n", "$1\r\nb\r\n", REPLY_UNORDERED, 0));
}

Test(compare, unordered_pairs_stay_together)
{
    const char *one = "*4\r\n+a\r\n+1\r\n+b\r\n+2\r\n";
    cr_assert(match(one, "*4\r\n+b\r\n+2\r\n+a\r\n+1\r\n", REPLY_UNORDERED_PAIRS, 0));
    cr_assert_not(match(one, "*4\r\n+b\r\n+1\r\n+a\r\n+2\r\n", REPLY_UNORDERED_PAIRS, 0));
    cr_assert(
        match("%2\r\n+a\r\n+1\r\n+b\r\n+2\r\n", "%2\r\n+b\r\n+2\r\n+a\r\n+1\r\n", REPLY_UNORDERED_PAIRS, 0));
}

Test(compare, near_gives_way_to_integers_only)
{
    cr_assert(match(":100\r\n", ":103\r\n", REPLY_NEAR, 5));
    cr_assert_not(match(":100\r\n", ":106\r\n", REPLY_NEAR, 5));
    cr_assert(match("*2\r\n+a\r\n:9\r\n", "*2\r\n+a\r\n:11\r\n", REPLY_NEAR, 2));
    cr_assert_not(match("*2\r\n+a\r\n:9\r\n", "*2\r\n+b\r\n:9\r\n", REPLY_NEAR, 2));
}

Test(compare, shape_and_type_forget_values)
{
    cr_assert(match("*2\r\n$1\r\na\r\n:1\r\n", "*2\r\n$3\r\nxyz\r\n:7\r\n", REPLY_SHAPE, 0));
    cr_assert_not(match("*2\r\n$1\r\na\r\n:1\r\n", "*1\r\n$1\r\na\r\n", REPLY_SHAPE, 0));
    cr_assert_not(match("$-1\r\n", "$1\r\na\r\n", REPLY_SHAPE, 0));
    cr_assert_not(match("*1\r\n:1\r\n", "*1\r\n+1\r\n", REPLY_SHAPE, 0));
    cr_assert(match("$1\r\na\r\n", "$-1\r\n", REPLY_TYPE, 0));
    cr_assert_not(match("$1\r\na\r\n", "*0\r\n", REPLY_TYPE, 0));
}

Test(compare, errors_are_exact_under_every_rule)
{
    static const enum reply_rule rules[] = {REPLY_UNORDERED, REPLY_UNORDERED_PAIRS, REPLY_NEAR, REPLY_SHAPE,
                                            REPLY_TYPE};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        cr_assert_not(match("-ERR one\r\n", "-ERR two\r\n", rules[i], 100));
    cr_assert(match("-ERR one\r\n", "-ERR two\r\n", REPLY_IGNORED, 0));
}

/* Makes a program that prints a line and then is redis-server, and has it tested. */
static void use_talking_server(const char *line)
{
    char path[128];
    const char *parent = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/talking-%d", parent ? parent : "/tmp", (int)getpid());
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fprintf(file, "#!/bin/sh\necho '%s'\nexec redis-server \"$@\"\n", line);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, 0755), 0);
    setenv("SPINDLE_SERVER", path, 1);
}

static void start_and_stop(void)
{
    struct server_process server;
    server_start(&server, SERVER_TESTED, NULL);
    cr_assert_eq(server_stop(&server), 0);
    server_remove(&server);
}

Test(server, quiet_server_passes)
{
    use_talking_server("all is well");
    start_and_stop();
}

Test(server, sanitizer_report_fails_the_test, .signal = SIGABRT)
{
    use_talking_server("==1==ERROR: AddressSanitizer: heap-use-after-free");
    start_and_stop();
}

Test(server, undefined_behaviour_fails_the_test, .signal = SIGABRT)
{
    use_talking_server("x.c:1:2: runtime error: signed integer overflow");
    start_and_stop();
}

Test(server, broken_invariant_fails_the_test, .signal = SIGABRT)
{
    use_talking_server("spindle: invariant broken at x.c:1: true");
    start_and_stop();
}

Test(server, server_that_does_not_start_fails_the_test, .signal = SIGABRT)
{
    struct server_process server;
    setenv("SPINDLE_SERVER", "/bin/false", 1);
    server_start(&server, SERVER_TESTED, NULL);
}

Test(server, killed_server_is_noticed_and_starts_again)
{
    struct server_process server;
    struct wire wire;
    struct bytes reply = {0};
    use_talking_server("hello");
    server_start(&server, SERVER_TESTED, NULL);
    server_connect_tcp(&server, &wire);
    cr_assert_str_eq(wire_call(&wire, &reply, "PING"), "+PONG\r\n");
    server_kill(&server);
    cr_assert_not(server_is_running(&server));
    cr_assert_not(wire_receive_frame(&wire, &reply));
    cr_assert(wire.closed);
    wire_close(&wire);
    server_start_again(&server);
    server_connect(&server, &wire);
    cr_assert_str_eq(wire_call(&wire, &reply, "ECHO again"), "$5\r\nagain\r\n");
    cr_assert(server_log_contains(&server, "hello"));
    wire_close(&wire);
    bytes_release(&reply);
    server_remove(&server);
}
