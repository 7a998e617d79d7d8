/*
 * Users: random rules, what is shown of them, and commands of clients who have to obey them. Client 0 stays
 * the default user and changes the others; 1 and 2 log in and run commands; 3 subscribes, so that losing a
 * channel closes it. Only client 0 changes rules: redis-server does not survive a client that closes itself
 * that way.
 */

#include "differential/differential.h"

#include <stdlib.h>
#include <string.h>

enum { ADMIN = 0, LISTENER = 3, LINE_WORDS_MAX = 16 };

/* ---- what differs by nature ---- */

enum { RUN_WORDS_MAX = 512 };

struct word {
    char *data;
    size_t size;
};

static int compare_words(const void *left, const void *right)
{
    const struct word *a = left, *b = right;
    size_t common = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, common);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static bool ends_word(char byte)
{
    return byte == ' ' || byte == ')' || byte == '\r';
}

/* Sorts the words from data on, as many as there are bytes for. */
static void sort_run(struct word *words, size_t count, char *data, size_t size)
{
    struct bytes sorted = {0};
    qsort(words, count, sizeof(*words), compare_words);
    for (size_t i = 0; i < count; i++) {
        if (i)
            bytes_append_text(&sorted, " ");
        bytes_append(&sorted, words[i].data, words[i].size);
    }
    memcpy(data, sorted.data, size < sorted.size ? size : sorted.size);
    bytes_release(&sorted);
}

/* Names of commands that redis-server 7.0 lacks, and lengths, which they change. */
static size_t skipped_at(const struct bytes *frame, size_t at)
{
    static const char *const words[] = {" +client|no-touch", " -client|no-touch", " +client|setinfo",
                                        " -client|setinfo"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t length = strlen(words[i]);
        if (frame->size - at >= length && memcmp(frame->data + at, words[i], length) == 0)
            return length;
    }
    size_t length = 0;
    if (frame->data[at] == '$' && (at == 0 || frame->data[at - 1] == '\n')) {
        while (at + length < frame->size && frame->data[at + length] != '\r')
            length++;
    }
    return length;
}

static void drop_skipped(struct bytes *frame)
{
    struct bytes kept = {0};
    for (size_t at = 0; at < frame->size;) {
        size_t skipped = skipped_at(frame, at);
        if (skipped == 0)
            bytes_append(&kept, frame->data + at, 1);
        at += skipped ? skipped : 1;
    }
    bytes_release(frame);
    *frame = kept;
}

/* redis-server names single commands in the order of a hash table. */
static void normalize_rules(struct bytes *frame)
{
    drop_skipped(frame);
    char *end = frame->data + frame->size;
    for (char *at = frame->data; at < end;) {
        struct word words[RUN_WORDS_MAX];
        size_t count = 0;
        char *start = at, *behind = at;
        while (at < end && (*at == '+' || *at == '-') && at + 1 < end && at[1] != '@' &&
               (at == frame->data || at[-1] == ' ') && count < RUN_WORDS_MAX) {
            char *from = at;
            while (at < end && !ends_word(*at))
                at++;
            words[count++] = (struct word){from, (size_t)(at - from)};
            behind = at;
            at += at < end && *at == ' ';
        }
        if (count > 1)
            sort_run(words, count, start, (size_t)(behind - start));
        if (count == 0)
            at++;
    }
}

/* Leaves out what follows the word: a line, or a bulk string with its length. */
static void blank_values(struct bytes *frame, const char *word)
{
    struct bytes kept = {0};
    size_t length = strlen(word);
    for (size_t at = 0; at < frame->size;) {
        bool found = frame->size - at >= length && memcmp(frame->data + at, word, length) == 0;
        bytes_append(&kept, frame->data + at, found ? length : 1);
        at += found ? length : 1;
        int lines = found && at < frame->size && frame->data[at] == '$' ? 2 : 1;
        for (; found && lines > 0 && at < frame->size; at++)
            lines -= frame->data[at] == '\n';
    }
    bytes_release(frame);
    *frame = kept;
}

static void normalize_log(struct bytes *frame)
{
    blank_values(frame, "age-seconds\r\n");
    blank_values(frame, "client-info\r\n");
}

/* ---- words ---- */

static const char *pick_user(struct prng *prng)
{
    return pick_word(prng, "alice", "alice", "bob", "carol");
}

static const char *pick_key(struct prng *prng)
{
    return pick_word(prng, "a1", "a2", "b1", "b2", "c1", "d");
}

static const char *pick_channel(struct prng *prng)
{
    return pick_word(prng, "a1", "a2", "b1", "news", "a*", "*");
}

static const char *pick_category(struct prng *prng)
{
    return pick_word(prng, "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string",
                     "bitmap", "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking",
                     "dangerous", "connection", "transaction", "scripting");
}

static const char *pick_command(struct prng *prng)
{
    return pick_word(prng, "get", "set", "GET", "mget", "del", "config", "config|get", "config|set", "client",
                     "client|list", "CLIENT|KILL", "select", "publish", "subscribe", "psubscribe", "sort",
                     "multi", "exec", "eval", "cluster|info", "cluster", "script|load", "acl", "acl|whoami",
                     "ping", "auth", "hello", "xread", "xgroup", "xgroup|create", "memory|usage",
                     "replicaof");
}

static void add_command_rule(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
        command_add(command, pick_word(prng, "+@all", "-@all", "allcommands", "nocommands"));
        break;
    case 1:
    case 2:
    case 3:
        command_format(command, "%s%s", pick_word(prng, "+@", "-@"), pick_category(prng));
        break;
    case 4:
        command_add(command,
                    pick_word(prng, "+select|0", "+select|1", "+get|a1", "+config|nosuch", "+client|",
                              "+nosuch", "-nosuch", "+@nosuch", "-select|0", "+client|list|x", "+", "-", "+@",
                              "+debug|sleep", "+SELECT|x", "+|", "+get|"));
        break;
    default:
        command_format(command, "%s%s", pick_word(prng, "+", "+", "-"), pick_command(prng));
    }
}

static void add_rule(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
        command_add(command, pick_word(prng, "~a*", "~b*", "%R~b*", "%W~c*", "~a1", "%RW~d", "~*", "%R~*",
                                       "%W~*", "allkeys", "resetkeys", "%~x", "%X~a", "%R", "~", "%RR~a",
                                       "%rw~c?", "~a\tb", "AllKeys"));
        break;
    case 2:
        command_add(command, pick_word(prng, "&a*", "&a1", "&b?", "&news", "&*", "allchannels",
                                       "resetchannels", "resetchannels", "&", "&a b"));
        break;
    case 3:
        command_add(command, pick_word(prng, "on", "on", "off", "nopass", ">one", ">two", "<one", "<nosuch",
                                       "resetpass",
                                       "#2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                                       "!2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                                       "#2c26", "!xyz", "sanitize-payload", "skip-sanitize-payload",
                                       "clearselectors", "reset", "", "nosuch", ">", "ON"));
        break;
    case 4:
        command_add(command, pick_word(prng, "(+get ~b*)", "(+@read %R~c* &b1)", "(+set ~x", "+get)", "()",
                                       "(+@write ~c*)", "(allcommands allkeys)", "(+publish &a*)", "(", ")",
                                       "(on)", "(nosuch)", "(+sort %R~*)", "(-@all +config|get)"));
        break;
    default:
        add_command_rule(command, prng);
    }
}

/* Nobody publishes to these: what was sent to a client that is closed may get lost. */
static void add_channels(struct command *command, struct prng *prng)
{
    for (uint64_t left = 1 + prng_below(prng, 2); left > 0; left--)
        command_add(command, pick_word(prng, "l1", "l2", "l3", "more", "l*", "l?"));
}

/* ---- command lines ---- */

/* K stands for a key, C for a channel, S for a script. */
static const char *pick_line(struct prng *prng)
{
    return pick_word(
        prng, "GET K", "GET K", "SET K x", "SET K x GET", "SET K x EX 1000", "MGET K K", "MSET K 1 K 2",
        "DEL K", "EXISTS K", "TYPE K", "STRLEN K", "APPEND K x", "INCR K", "GETSET K x", "GETDEL K",
        "COPY K K", "RENAME K K", "LPUSH K 3 1 2", "LRANGE K 0 -1", "LMOVE K K LEFT RIGHT", "RPOPLPUSH K K",
        "SADD K a", "SUNION K K", "SUNIONSTORE K K K", "SINTERCARD 2 K K", "SINTERCARD 5 K", "ZADD K 1 a",
        "ZUNIONSTORE K 2 K K", "ZUNION 1 K", "ZRANGESTORE K K 0 -1", "ZDIFF 9 K", "HSET K f v", "HGETALL K",
        "SORT K ALPHA", "SORT K BY w_*", "SORT K GET #", "SORT K STORE K", "SORT_RO K GET x*",
        "BITFIELD K GET u8 0", "BITFIELD K SET u8 0 1", "BITOP AND K K K", "PFADD K a", "PFCOUNT K K",
        "PFMERGE K K", "XADD K 1-1 a b", "XREAD COUNT 1 STREAMS K 0", "XRANGE K - +", "XLEN K",
        "XGROUP CREATE K g 0", "XREADGROUP GROUP g c STREAMS K >", "GEOADD K 1 1 a",
        "GEORADIUS K 1 1 1 m STORE K", "GEORADIUS K 1 1 1 m", "GEOSEARCHSTORE K K FROMMEMBER a BYRADIUS 1 m",
        "OBJECT ENCODING K", "EXPIRE K 1000", "PERSIST K", "LMPOP 1 K LEFT", "LCS K K", "SMOVE K K a",
        "PUBLISH C x", "SPUBLISH C x", "CONFIG GET maxclients", "CONFIG", "CLIENT GETNAME", "CLIENT ID x",
        "ACL WHOAMI", "ACL CAT nosuch", "ACL GETUSER nosuch", "PING", "ECHO x", "SELECT 0", "SELECT 1",
        "SELECT x", "DBSIZE x", "KEYS nosuch", "COMMAND COUNT x", "nosuch K", "GET", "WATCH K", "UNWATCH",
        "TOUCH K K", "UNLINK K", "SUBSTR K 0 1", "HELLO 2 AUTH", "AUTH", "AUTH a b c", "LATENCY LATEST x",
        "EVAL S 1 K", "EVAL S 1 K", "EVAL S 0", "EVAL_RO S 1 K", "EVAL S 5 K", "FCALL nosuch 1 K",
        "SCRIPT EXISTS x", "FUNCTION DELETE nosuch");
}

static const char *pick_script(struct prng *prng)
{
    return pick_word(prng, "return redis.call('get', KEYS[1] or 'a1')", "return redis.call('set', 'b1', 'x')",
                     "return redis.pcall('mget', 'a1', 'b1')", "return redis.pcall('publish', 'a1', 'x')",
                     "return redis.call('spublish', 'b1', 'x')",
                     "return redis.call('sort', 'a1', 'by', 'w_*')",
                     "return redis.pcall('config', 'get', 'maxclients')", "return redis.pcall('select', '1')",
                     "return {redis.acl_check_cmd('get', 'b1'), 1, redis.acl_check_cmd('set', 'a1', 'x'), 2, "
                     "redis.acl_check_cmd('publish', 'a1', 'x'), 3, redis.acl_check_cmd('config')}",
                     "return redis.acl_check_cmd('nosuch')");
}

static void add_line(struct command *command, struct prng *prng)
{
    char line[128];
    char *rest = line;
    strncpy(line, pick_line(prng), sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        if (strcmp(word, "K") == 0)
            command_add(command, pick_key(prng));
        else if (strcmp(word, "C") == 0)
            command_add(command, pick_channel(prng));
        else if (strcmp(word, "S") == 0)
            command_add(command, pick_script(prng));
        else
            command_add(command, word);
    }
}

/* ---- the administrator ---- */

static void generate_setuser(struct command *command, struct prng *prng)
{
    command_add(command, "SETUSER");
    command_add(command, prng_one_in(prng, 60) ? "a b" : pick_user(prng));
    for (uint64_t left = prng_below(prng, 6); left > 0; left--)
        add_rule(command, prng);
}

/* Rules that leave a lot to do. */
static void generate_useful_user(struct command *command, struct prng *prng)
{
    command_add(command, "SETUSER");
    command_add(command, pick_user(prng));
    command_add(command, "on");
    command_add(command, pick_word(prng, "nopass", ">one"));
    command_add(command, pick_word(prng, "+@all", "+@all", "+@read", "+@write", "+@fast"));
    add_rule(command, prng);
    add_command_rule(command, prng);
    if (prng_one_in(prng, 2))
        command_add(command, pick_word(prng, "~*", "~a*", "%R~b*", "resetkeys"));
}

static void generate_log(struct command *command, struct prng *prng)
{
    command_add(command, "LOG");
    command_normalize(command, normalize_log);
    if (prng_one_in(prng, 3))
        command_add(command, pick_word(prng, "RESET", "reset", "0", "1", "5", "-1", "x", "100"));
}

static void generate_cat(struct command *command, struct prng *prng)
{
    command_add(command, "CAT");
    command_rule(command, REPLY_UNORDERED);
    if (prng_one_in(prng, 4))
        return;
    command_add(command, pick_word(prng, "read", "set", "sortedset", "list", "hash", "string", "bitmap",
                                   "hyperloglog", "geo", "stream", "pubsub", "blocking", "transaction",
                                   "nosuch", "READ", "@read", ""));
}

/* Must be able to PING, which is how the end of a stream is found. */
static void generate_listening_user(struct command *command, struct prng *prng)
{
    command_add(command, pick_word(prng, "SETUSER", "SETUSER", "SETUSER", "SETUSER", "DELUSER"));
    command_add(command, "lisa");
    if (strcmp(bytes_text(&command->text), "ACLDELUSERlisa") == 0)
        return;
    command_add(command, "on");
    command_add(command, "nopass");
    command_add(command, "+@all");
    if (prng_one_in(prng, 2))
        command_add(command, pick_word(prng, "resetchannels", "(&l1 +@all)", "clearselectors"));
    for (uint64_t left = prng_below(prng, 3); left > 0; left--)
        command_add(command, pick_word(prng, "&l*", "&l1", "&l?", "&more", "&*", "resetchannels", "(&l2)"));
}

static void generate_question(struct command *command, struct prng *prng)
{
    switch (prng_below(prng, 9)) {
    case 0:
        command_add(command, "LIST");
        command_normalize(command, normalize_rules);
        break;
    case 1:
        command_add(command, "USERS");
        break;
    case 2:
        generate_cat(command, prng);
        break;
    case 3:
        generate_log(command, prng);
        break;
    case 4:
        command_add(command, "DELUSER");
        for (uint64_t left = 1 + prng_below(prng, 2); left > 0; left--)
            command_add(command, prng_one_in(prng, 20) ? "default" : pick_user(prng));
        break;
    case 5:
        command_add(command, "GENPASS");
        command_rule(command, REPLY_SHAPE);
        if (prng_one_in(prng, 2))
            command_add(command, pick_word(prng, "1", "5", "0", "-1", "4096", "4097", "x", "64"));
        break;
    case 6:
        command_add(command, pick_word(prng, "WHOAMI", "LOAD", "SAVE", "nosuch"));
        break;
    default:
        command_add(command, "GETUSER");
        command_add(command, prng_one_in(prng, 20) ? "nosuch" : pick_user(prng));
        command_normalize(command, normalize_rules);
    }
}

static void generate_of_admin(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 12)) {
        add_line(command, prng);
        return;
    }
    command_add(command, "ACL");
    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
        generate_setuser(command, prng);
        break;
    case 5:
        generate_listening_user(command, prng);
        break;
    case 2:
        generate_useful_user(command, prng);
        break;
    case 3:
    case 4:
        command_add(command, "DRYRUN");
        command_add(command, prng_one_in(prng, 20) ? "default" : pick_user(prng));
        add_line(command, prng);
        break;
    default:
        generate_question(command, prng);
    }
}

/* ---- the others ---- */

static void generate_login(struct command *command, struct prng *prng)
{
    const char *user = prng_one_in(prng, 10) ? pick_word(prng, "nosuch", "default") : pick_user(prng);
    if (prng_one_in(prng, 8)) {
        command_add(command, pick_word(prng, "RESET", "RESET", "AUTH"));
        if (prng_one_in(prng, 2))
            command_add(command, "one");
        return;
    }
    command_add(command, "AUTH");
    command_add(command, user);
    command_add(command, pick_word(prng, "one", "one", "two", "foo", ""));
}

static void generate_of_user(struct command *command, struct prng *prng)
{
    if (prng_one_in(prng, 6))
        generate_login(command, prng);
    else if (prng_one_in(prng, 5))
        command_add(command, pick_word(prng, "MULTI", "MULTI", "EXEC", "EXEC", "DISCARD"));
    else
        add_line(command, prng);
}

static void generate_of_listener(struct command *command, struct prng *prng)
{
    command_stream(command);
    if (prng_one_in(prng, 4)) {
        command_add(command, "AUTH");
        command_add(command, "lisa");
        command_add(command, "");
        return;
    }
    command_add(command, pick_word(prng, "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "PING", "UNSUBSCRIBE",
                                   "PUNSUBSCRIBE", "SUBSCRIBE"));
    if (strcmp(bytes_text(&command->text), "PING") != 0)
        add_channels(command, prng);
}

static void generate(struct command *command, struct prng *prng)
{
    unsigned client = prng_one_in(prng, 2) ? ADMIN : (unsigned)prng_below(prng, COMMAND_CLIENTS);
    command_client(command, client);
    command_verbatim(command);
    if (client == ADMIN)
        generate_of_admin(command, prng);
    else if (client == LISTENER)
        generate_of_listener(command, prng);
    else
        generate_of_user(command, prng);
}

static const char *const config[] = {"acllog-max-len", "12", NULL};

const struct generator generator_acl = {.name = "acl", .config = config, .generate = generate};
