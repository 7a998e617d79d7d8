/* Consumer groups of streams: made, moved and dropped, and entries acknowledged. Main thread only. */
#include "commands/argument.h"
#include "commands/handlers.h"
#include "commands/stream_call.h"

/* Nothing of a group is what WATCH guards. */
static void group_changed(struct call *call, const struct key *key, const char *event, uint64_t changes)
{
    keyspace_changed(call->db, key->name, EVENT_STREAM | EVENT_UNWATCHED, event, changes);
}

/* ---- what the subcommands of XGROUP have in common ---- */

struct group_request {
    struct key key;
    struct stream_value *stream; /* NULL: the key is missing, which MKSTREAM allows */
    struct stream_group *group;  /* NULL: there is none of that name */
    int64_t entries_read;
    bool makes_stream;
};

/* Reads what comes behind the identifier. */
static bool group_read_options(struct call *call, bool creates, struct group_request *request)
{
    static const char error[] = "ERR value for ENTRIESREAD must be positive or -1";
    for (int i = 5; i < call->argc; i++) {
        if (creates && call_argument_is(call, i, "MKSTREAM")) {
            request->makes_stream = true;
        } else if (call_argument_is(call, i, "ENTRIESREAD") && i + 1 < call->argc) {
            if (!call_int64(call, ++i, &request->entries_read, NULL))
                return false;
            if (request->entries_read < ENTRIES_READ_UNKNOWN) {
                reply_error(call->reply, error);
                return false;
            }
        } else {
            argument_reply_subcommand_syntax(call);
            return false;
        }
    }
    return true;
}

static bool group_find(struct call *call, struct group_request *request)
{
    request->key = call_key(call, 2);
    if (!stream_call_write(call, &request->key, &request->stream))
        return false;
    if (request->stream)
        request->group = stream_group_find(&request->stream->groups, call->argv[3]);
    if (request->stream || request->makes_stream)
        return true;
    reply_error(call->reply, "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you "
                             "may want to use the MKSTREAM option to create an empty stream automatically.");
    return false;
}

/* As group_find, for subcommands that need the group. */
static bool group_require(struct call *call, struct group_request *request)
{
    if (!group_find(call, request))
        return false;
    if (request->group)
        return true;
    struct slice group = call->argv[3], key = call->argv[2];
    reply_errorf(call->reply, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                 argument_quoted_length(group), group.data, argument_quoted_length(key), key.data);
    return false;
}

/* ---- XGROUP CREATE, XGROUP SETID ---- */

/* Reads the identifier that a new group begins behind. */
static bool group_read_start(struct call *call, const struct stream_value *stream, struct stream_id *id)
{
    if (!stream_mark_is(call->argv[4], "$"))
        return stream_call_id(call, 4, 0, id);
    *id = stream ? stream->last : STREAM_ID_NONE;
    return true;
}

static void group_create_stream(struct call *call, const struct group_request *request, struct stream_id last)
{
    struct stream_value *stream = stream_value_create();
    stream_group_create(&stream->groups, call->argv[3], last, request->entries_read);
    keyspace_set_object(call->db, &request->key, VALUE_STREAM, ENCODING_STREAM, stream, EXPIRY_NONE,
                        EVENT_STREAM, "xgroup-create", 1);
    reply_ok(call->reply);
}

void cmd_xgroup_create(struct call *call)
{
    enum { ARGUMENTS_MAX = 8 };
    struct group_request request = {.entries_read = ENTRIES_READ_UNKNOWN};
    struct stream_id last;
    if (!group_read_options(call, true, &request) || !group_find(call, &request))
        return;
    if (call->argc > ARGUMENTS_MAX) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    if (!group_read_start(call, request.stream, &last))
        return;
    if (request.stream == NULL) {
        group_create_stream(call, &request, last);
        return;
    }
    if (!stream_group_create(&request.stream->groups, call->argv[3], last, request.entries_read)) {
        reply_error(call->reply, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    group_changed(call, &request.key, "xgroup-create", 1);
    reply_ok(call->reply);
}

/* Here "-" and "+" are identifiers as well. */
static bool group_read_last(struct call *call, const struct stream_value *stream, struct stream_id *id)
{
    if (stream_mark_is(call->argv[4], "-"))
        *id = STREAM_ID_NONE;
    else if (stream_mark_is(call->argv[4], "+"))
        *id = STREAM_ID_MAX;
    else
        return group_read_start(call, stream, id);
    return true;
}

void cmd_xgroup_setid(struct call *call)
{
    struct group_request request = {.entries_read = ENTRIES_READ_UNKNOWN};
    struct stream_id last;
    if (!group_read_options(call, false, &request) || !group_require(call, &request))
        return;
    if (call->argc != 5 && call->argc != 7) {
        argument_reply_subcommand_syntax(call);
        return;
    }
    if (!group_read_last(call, request.stream, &last))
        return;
    request.group->last = last;
    request.group->entries_read = request.entries_read;
    group_changed(call, &request.key, "xgroup-setid", 1);
    reply_ok(call->reply);
}

/* ---- XGROUP DESTROY ---- */

enum { DRAIN_STEP = 1024 }; /* pending entries freed at a time */

static bool group_drain_step(void *state, uint64_t *freed)
{
    return stream_group_drain(state, DRAIN_STEP, freed);
}

/* Frees what was detached: at once when it is small. */
static void group_free(struct call *call, struct stream_group *group)
{
    uint64_t pending = group->pending.count, freed = 0;
    if (group_drain_step(group, &freed))
        reclaim_add(&call->keyspace->reclaim, group_drain_step, group, pending - freed);
}

void cmd_xgroup_destroy(struct call *call)
{
    struct group_request request = {0};
    if (!group_find(call, &request))
        return;
    if (request.group) {
        stream_group_detach(&request.stream->groups, request.group);
        group_free(call, request.group);
        group_changed(call, &request.key, "xgroup-destroy", 1);
    }
    reply_integer(call->reply, request.group != NULL);
}

/* ---- consumers ---- */

void cmd_xgroup_createconsumer(struct call *call)
{
    struct group_request request = {0};
    if (!group_require(call, &request))
        return;
    bool is_new = stream_consumer_find(request.group, call->argv[4]) == NULL;
    if (is_new)
        stream_call_consumer(call, &request.key, request.group, call->argv[4]);
    reply_integer(call->reply, is_new);
}

void cmd_xgroup_delconsumer(struct call *call)
{
    struct group_request request = {0};
    if (!group_require(call, &request))
        return;
    struct stream_consumer *consumer = stream_consumer_find(request.group, call->argv[4]);
    uint64_t pending = 0;
    if (consumer) {
        pending = consumer->pending.count;
        group_free(call, stream_consumer_detach(request.group, consumer));
        group_changed(call, &request.key, "xgroup-delconsumer", 1);
    }
    reply_integer(call->reply, (int64_t)pending);
}

/* ---- XACK ---- */

void cmd_xack(struct call *call)
{
    struct key key = call_key(call, 1);
    struct stream_value *stream;
    if (!stream_call_read(call, &key, &stream))
        return;
    struct stream_group *group = stream ? stream_group_find(&stream->groups, call->argv[2]) : NULL;
    if (group == NULL) {
        reply_integer(call->reply, 0);
        return;
    }
    struct stream_id id;
    for (int i = 3; i < call->argc; i++) {
        if (!stream_call_id(call, i, 0, &id))
            return;
    }
    uint64_t acknowledged = 0;
    for (int i = 3; i < call->argc; i++) {
        stream_id_parse(call->argv[i], 0, &id, NULL);
        acknowledged += stream_pending_delete(group, id);
    }
    if (acknowledged > 0)
        group_changed(call, &key, NULL, acknowledged);
    reply_integer(call->reply, (int64_t)acknowledged);
}
