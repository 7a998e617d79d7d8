/*
 * The programs that people use beside the server: redis-cli in its modes, redis-benchmark. They must run
 * clean against it.
 */

#include "integration/client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct server_process server;
static struct bytes output;

static void start(void)
{
    server_start(&server, SERVER_TESTED, NULL);
}

static void stop(void)
{
    bytes_release(&output);
    server_end(&server);
}

TestSuite(redis_tools, .init = start, .fini = stop);

/* Runs a shell line in which $P is the port; expects status 0 and every word of wanted in what it prints. */
static void run_clean(const char *line, const char *const *wanted)
{
    int status = run_shell(&output, "P=%d; %s", server.port, line);
    cr_assert_eq(status, 0, "%s: status %d: %s", line, status, bytes_text(&output));
    for (; wanted && *wanted; wanted++)
        cr_assert(strstr(bytes_text(&output), *wanted), "%s: no \"%s\" in: %s", line, *wanted,
                  bytes_text(&output));
    cr_assert_not(strstr(bytes_text(&output), "WARNING"), "%s: %s", line, bytes_text(&output));
    const char *error = strstr(bytes_text(&output), "rror");
    cr_assert(!error || strncmp(error, "rrors: 0,", 9) == 0, "%s: %s", line, bytes_text(&output));
}

#define words(...) ((const char *const[]){__VA_ARGS__, NULL})

static void populate(void)
{
    run_clean("redis-cli -p $P DEBUG POPULATE 5000 key 100", words("OK"));
}

Test(redis_tools, cli_talks_resp2_and_resp3)
{
    run_clean("redis-cli -p $P SET greeting hello", words("OK"));
    run_clean("redis-cli -3 -p $P GET greeting", words("hello"));
    run_clean("redis-cli -p $P -n 3 DBSIZE", words("0"));
    run_clean("printf 'SET a 1\\nINCR a\\nGET a\\n' | redis-cli -p $P", words("OK", "2"));
    run_clean("redis-cli -p $P -r 3 -i 0 PING", words("PONG"));
    run_clean("printf x | redis-cli -p $P -x SET fromstdin", words("OK"));
    run_clean("redis-cli -p $P --csv MGET greeting a", words("\"hello\",\"2\""));
    run_clean("redis-cli -3 -p $P --json HELLO", words("\"proto\":3"));
}

Test(redis_tools, cli_asks_with_a_password)
{
    run_clean("redis-cli -p $P CONFIG SET requirepass secret", words("OK"));
    run_clean("redis-cli -p $P --no-auth-warning -a secret PING", words("PONG"));
    run_clean("redis-cli -p $P --no-auth-warning --user default --pass secret PING", words("PONG"));
    run_clean("REDISCLI_AUTH=secret redis-cli -p $P CONFIG SET requirepass ''", words("OK"));
}

Test(redis_tools, cli_completes_commands_from_their_docs)
{
    run_clean("redis-cli -p $P COMMAND DOCS get", words("summary", "since", "string"));
    run_clean("redis-cli -p $P COMMAND COUNT", NULL);
}

Test(redis_tools, cli_shows_statistics)
{
    populate();
    run_clean("timeout 20 redis-cli -p $P --stat -i 0.05 | head -n 5", words("keys", "5000", "clients"));
}

Test(redis_tools, cli_scans)
{
    populate();
    run_clean("test $(redis-cli -p $P --scan | sort -u | wc -l) = 5000", NULL);
    run_clean("redis-cli -p $P --scan --pattern 'key:49?9' | sort | head -n 1", words("key:4909"));
}

Test(redis_tools, cli_finds_large_keys)
{
    populate();
    run_clean("redis-cli -p $P SET large $(printf '%05000d' 7)", words("OK"));
    run_clean("redis-cli -p $P --bigkeys -i 0", words("Biggest string found", "large", "5001 strings"));
    run_clean("redis-cli -p $P --memkeys -i 0", words("Biggest string found", "large"));
}

Test(redis_tools, cli_measures_latency)
{
    run_clean("timeout 20 redis-cli -p $P --latency -i 1 --raw", NULL);
    run_clean("redis-cli -p $P --intrinsic-latency 1 | head -n 2", NULL);
}

Test(redis_tools, cli_pipes_in_bulk)
{
    run_clean("for i in $(seq 20000); do printf 'SET bulk:%d %d\\r\\n' $i $i; done | redis-cli -p $P --pipe",
              words("All data transferred", "errors: 0, replies: 20000"));
    run_clean("redis-cli -p $P DBSIZE", words("20000"));
}

Test(redis_tools, benchmark_runs_clean)
{
    static const char *const options[] = {"-P 1 -n 2000",
                                          "-P 16 -n 20000",
                                          "-P 100 -n 50000 -r 1000000",
                                          "-P 16 -n 20000 -3",
                                          "-P 16 -n 20000 --threads 2",
                                          "-P 4 -n 5000 -d 20000"};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        char line[200];
        snprintf(line, sizeof(line),
                 "redis-benchmark -p $P -q -t ping_inline,ping_mbulk,set,get,incr,mset %s", options[i]);
        run_clean(line, words("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET"));
    }
}

Test(redis_tools, benchmark_runs_any_command)
{
    run_clean("redis-benchmark -p $P -q -n 5000 -r 100 -P 10 SET __rand_int__ __rand_int__ EX 100", NULL);
    run_clean("redis-benchmark -p $P -q -n 1000 --dbnum 3 SET a b", NULL);
    run_clean("redis-cli -p $P -n 3 GET a", words("b"));
}
