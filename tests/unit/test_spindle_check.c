/* The inspector of dumps, run as people run it: what it prints, and its exit status. */
#include "rdb_fixture.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/spindle-check-XXXXXX";
static struct buffer dump;
static char output[16384];

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
}

static void tear_down(void)
{
    buffer_free(&dump);
    char command[PATH_MAX + 16];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(spindle_check, .init = set_up, .fini = tear_down);

/* Columns are for the eye: a run of blanks counts as one. */
static void squeeze_blanks(void)
{
    char *to = output;
    for (const char *from = output; *from; from++)
        if (*from != ' ' || to == output || to[-1] != ' ')
            *to++ = *from;
    *to = 0;
}

/* Runs the program with arguments; returns its exit status and leaves both its outputs in output. */
static int run(const char *arguments)
{
    char command[PATH_MAX];
    snprintf(command, sizeof(command), SPINDLE_CHECK_PATH " %s 2>&1", arguments);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    size_t length = fread(output, 1, sizeof(output) - 1, pipe);
    output[length] = 0;
    squeeze_blanks();
    int status = pclose(pipe);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define expect_output(text) cr_assert_not_null(strstr(output, text), "%s", output)

static void write_dump(const char *name)
{
    FILE *file = fopen(name, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(dump.data, 1, dump.length, file), dump.length);
    fclose(file);
}

static void make_dump(void)
{
    struct keyspace keyspace;
    fixture_keyspace(&keyspace);
    for (int i = 0; i < 1234; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        fixture_set(&keyspace.databases[i % 10 == 0 ? 7 : 0], key, "v",
                    i < 1200 ? EXPIRY_NONE
                    : i % 2  ? 4102444800000
                             : 1);
    }
    dump.length = 0;
    fixture_write(&keyspace, true, &dump);
    keyspace_free(&keyspace);
}

Test(spindle_check, describes_a_sound_dump)
{
    make_dump();
    write_dump("a.rdb");
    cr_assert_eq(run("a.rdb"), 0);
    expect_output("a.rdb: OK\n");
    expect_output(" format REDIS 10\n");
    expect_output(" redis-ver 7.0.15\n");
    expect_output(" ctime 1700000000 (2023-11-14 22:13:20 UTC)\n");
    expect_output("database keys with deadline expired\n");
    expect_output(" 0 1,110 30 13\n");
    expect_output(" 7 124 4 4\n");
    expect_output(" all 1,234 34 17\n");
    expect_output(" string 1,234\n");
}

Test(spindle_check, quiet_says_one_line_for_each_file)
{
    make_dump();
    write_dump("a.rdb");
    write_dump("-b.rdb");
    cr_assert_eq(run("--quiet a.rdb a.rdb"), 0);
    cr_assert_str_eq(output, "a.rdb: OK\na.rdb: OK\n");
    cr_assert_eq(run("-q -- -b.rdb"), 0);
    cr_assert_str_eq(output, "-b.rdb: OK\n");
}

Test(spindle_check, tells_the_offset_of_a_fault_and_what_was_before)
{
    dump_append(&dump, "REDIS0010\xfe\x03\x00\x01k\x01v\x00\x01x\xc4");
    dump_end(&dump);
    write_dump("bad.rdb");
    cr_assert_eq(run("bad.rdb"), 1);
    expect_output("bad.rdb: FAULT at offset 19: unknown form of a string: 4\n");
    expect_output(" before that:\n");
    expect_output(" 3 1 0 0\n");
    cr_assert_null(strstr(output, "checksum"));
    cr_assert_eq(run("-q bad.rdb"), 1);
    cr_assert_str_eq(output, "bad.rdb: FAULT at offset 19: unknown form of a string: 4\n");
}

Test(spindle_check, finds_damage_that_only_the_checksum_tells)
{
    make_dump();
    char *value = memmem(dump.data, dump.length, "\x01v", 2);
    cr_assert_not_null(value);
    value[1] = 'w';
    write_dump("bad.rdb");
    cr_assert_eq(run("-q bad.rdb"), 1);
    expect_output("bad.rdb: FAULT at offset ");
    expect_output(": checksum ");
}

Test(spindle_check, finds_keys_that_are_there_twice)
{
    dump_append(&dump,
                "REDIS0010\xfe\x00\x00\x01k\x01v\xfe\x01\x00\x01k\x01v\xfe\x00\x00\x01j\x01v\x00\x01k\x01w");
    dump_end(&dump);
    write_dump("bad.rdb");
    cr_assert_eq(run("-q bad.rdb"), 1);
    cr_assert_str_eq(output, "bad.rdb: FAULT at offset 30: key \"k\" is there twice in database 0\n");
}

Test(spindle_check, notes_bytes_behind_the_dump)
{
    make_dump();
    dump_append(&dump, "trailing");
    write_dump("a.rdb");
    cr_assert_eq(run("a.rdb"), 0);
    expect_output(" note the last 8 bytes are not part of the dump\n");
}

Test(spindle_check, the_worst_file_decides_the_status)
{
    make_dump();
    write_dump("a.rdb");
    dump.data[dump.length - 1] ^= 1;
    write_dump("bad.rdb");
    cr_assert_eq(run("-q a.rdb bad.rdb a.rdb"), 1);
    cr_assert_eq(run("-q bad.rdb missing.rdb a.rdb"), 2);
    expect_output("missing.rdb: No such file or directory\n");
    expect_output("a.rdb: OK\n");
}

Test(spindle_check, counts_libraries_and_finds_those_that_are_there_twice)
{
    dump_append(&dump, "REDIS0010\xf5\x0d#!lua name=a\n\xf5\x0d#!lua name=b\n");
    dump_end(&dump);
    write_dump("a.rdb");
    cr_assert_eq(run("a.rdb"), 0);
    expect_output(" libraries 2\n");
    dump.length = 0;
    dump_append(&dump, "REDIS0010\xf5\x0d#!lua name=a\n\xf5\x0d#!lua name=a\n");
    dump_end(&dump);
    write_dump("a.rdb");
    cr_assert_eq(run("-q a.rdb"), 1);
    cr_assert_str_eq(output, "a.rdb: FAULT at offset 24: function library \"a\" is there twice\n");
}

Test(spindle_check, leaves_out_on_demand_what_the_server_does_not_know)
{
    dump_append(&dump, "REDIS0012\xfe\x00\x19\x01k\x01\x68\xe5\xcf\x8b\x01\x00\x00\x03"
                       "abc\x00\x01z\x01w");
    dump_end(&dump);
    write_dump("a.rdb");
    cr_assert_eq(run("-q a.rdb"), 1);
    expect_output(
        "key \"k\" holds a value of type 25 (hash (fields with deadlines)), which is not supported\n");
    cr_assert_eq(run("-d a.rdb"), 0);
    expect_output("a.rdb: left out at offset 11: key \"k\", hash (fields with deadlines)\n");
    expect_output(" left out 1 values\n");
    expect_output(" string 1\n");
}

Test(spindle_check, refuses_what_is_no_file)
{
    cr_assert_eq(run("."), 2);
    expect_output(".: Is a directory\n");
    cr_assert_eq(mkfifo("fifo", 0600), 0);
    cr_assert_eq(run("fifo"), 2);
    expect_output("fifo: not a regular file\n");
}

Test(spindle_check, explains_itself)
{
    cr_assert_eq(run("--help"), 0);
    expect_output("usage: spindle-check [-q] [-d] FILE...\n");
    cr_assert_eq(run("--version"), 0);
    expect_output("spindle-check ");
    cr_assert_eq(run(""), 2);
    expect_output("usage: ");
    cr_assert_eq(run("--unknown a.rdb"), 2);
    expect_output("unknown option --unknown\n");
}
