/* Replies as Lua values and back. See values.h. Main thread only. */
#include "lua/values.h"

#include "base/check.h"
#include "lua/interrupt.h"
#include "protocol/number.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- from replies ---- */

enum {
    /* The server's own replies are flat: COMMAND DOCS is the deepest. */
    REPLY_DEPTH_MAX = 64,
    PUSH_STACK_SLOTS = 6, /* that one level needs */
};

/* Where in a reply one is. Our own bytes: they are checked, not doubted. */
struct reader {
    const struct reply *reply;
    size_t at;
    size_t segment; /* the first that may come next */
    int depth;
};

/* Takes a line without its type byte and line end. */
static struct slice take_line(struct reader *reader)
{
    const struct buffer *buffer = &reader->reply->buffer;
    const char *start = buffer->data + reader->at + 1;
    const char *end = memchr(start, '\r', buffer->length - reader->at - 1);
    CHECK(end != NULL);
    reader->at = (size_t)(end - buffer->data) + 2;
    return (struct slice){start, (size_t)(end - start)};
}

static int64_t line_number(struct slice line)
{
    int64_t number = 0;
    CHECK(number_parse_int64(line.data, line.length, &number));
    return number;
}

/* Takes the bytes of a bulk string; they may lie outside the buffer. */
static struct slice take_bulk(struct reader *reader, size_t length)
{
    const struct reply *reply = reader->reply;
    while (reader->segment < reply->segment_count && reply->segments[reader->segment].offset < reader->at)
        reader->segment++;
    if (reader->segment < reply->segment_count && reply->segments[reader->segment].offset == reader->at) {
        const struct reply_segment *segment = &reply->segments[reader->segment++];
        CHECK(segment->length == length);
        reader->at += 2;
        return (struct slice){segment->data, length};
    }
    struct slice bytes = {reply->buffer.data + reader->at, length};
    reader->at += length + 2;
    CHECK(reader->at <= reply->buffer.length);
    return bytes;
}

static void push_value(lua_State *L, struct reader *reader);

static void push_field(lua_State *L, const char *name, struct slice text)
{
    lua_pushlstring(L, text.data, text.length);
    lua_setfield(L, -2, name);
}

static void push_error(lua_State *L, struct slice text)
{
    lua_createtable(L, 0, 2);
    push_field(L, "err", text);
    lua_pushboolean(L, true);
    lua_setfield(L, -2, VALUES_COUNTED_FIELD);
}

static void push_array(lua_State *L, struct reader *reader, int64_t count)
{
    if (count < 0) {
        lua_pushboolean(L, false);
        return;
    }
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (int64_t i = 1; i <= count; i++) {
        push_value(L, reader);
        lua_rawseti(L, -2, (int)i);
    }
}

/* A table in the field "map" or "set" of another; members of sets are true. */
static void push_keyed(lua_State *L, struct reader *reader, int64_t count, const char *field)
{
    bool is_map = *field == 'm';
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, count < INT32_MAX ? (int)count : 0);
    for (int64_t i = 0; i < count; i++) {
        push_value(L, reader);
        if (is_map)
            push_value(L, reader);
        else
            lua_pushboolean(L, true);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, field);
}

static void push_bulk(lua_State *L, struct reader *reader, int64_t length)
{
    if (length < 0) {
        lua_pushboolean(L, false);
        return;
    }
    struct slice bytes = take_bulk(reader, (size_t)length);
    lua_pushlstring(L, bytes.data, bytes.length);
}

static void push_verbatim(lua_State *L, struct reader *reader, int64_t length)
{
    enum { FORMAT_BYTES = 3 };
    struct slice bytes = take_bulk(reader, (size_t)length);
    lua_createtable(L, 0, 1);
    lua_createtable(L, 0, 2);
    push_field(L, "format", (struct slice){bytes.data, FORMAT_BYTES});
    push_field(L, "string", (struct slice){bytes.data + FORMAT_BYTES + 1, bytes.length - FORMAT_BYTES - 1});
    lua_setfield(L, -2, "verbatim_string");
}

static void push_number(lua_State *L, struct slice text)
{
    char terminated[64] = {0};
    memcpy(terminated, text.data, text.length < sizeof(terminated) ? text.length : sizeof(terminated) - 1);
    lua_createtable(L, 0, 1);
    lua_pushnumber(L, strtod(terminated, NULL));
    lua_setfield(L, -2, "double");
}

static void push_value(lua_State *L, struct reader *reader)
{
    CHECK(++reader->depth < REPLY_DEPTH_MAX);
    luaL_checkstack(L, PUSH_STACK_SLOTS, "too many values");
    char type = reader->reply->buffer.data[reader->at];
    struct slice line = take_line(reader);
    switch (type) {
    case '$':
        push_bulk(L, reader, line_number(line));
        break;
    case ':':
        lua_pushnumber(L, (lua_Number)line_number(line));
        break;
    case '+':
        lua_createtable(L, 0, 1);
        push_field(L, "ok", line);
        break;
    case '-':
        push_error(L, line);
        break;
    case '*':
        push_array(L, reader, line_number(line));
        break;
    case '%':
        push_keyed(L, reader, line_number(line), "map");
        break;
    case '~':
        push_keyed(L, reader, line_number(line), "set");
        break;
    case '_':
        lua_pushnil(L);
        break;
    case '#':
        lua_pushboolean(L, *line.data == 't');
        break;
    case ',':
        push_number(L, line);
        break;
    case '=':
        push_verbatim(L, reader, line_number(line));
        break;
    default:
        CHECK(type == '(');
        lua_createtable(L, 0, 1);
        push_field(L, "big_number", line);
    }
    reader->depth--;
}

void values_push_reply(lua_State *L, const struct reply *reply, size_t start)
{
    struct reader reader = {.reply = reply, .at = start};
    push_value(L, &reader);
}

/* ---- to replies ---- */

enum kind { KIND_ARRAY, KIND_MAP, KIND_SET };

/* A table being written: itself, and for maps and sets the key, are on the Lua stack. */
struct level {
    enum kind kind;
    bool value_is_next; /* the key has been written; its value is on the stack above it */
    size_t mark;        /* where the header goes */
    size_t count;
};

enum { LEVELS_FIRST = 16, LEVELS_MAX = 2000, LEVEL_STACK_SLOTS = 6, LOOK_EVERY = 256 };

/* Small tables can hold each other so that what they stand for is without end. */
enum { WRITTEN_MAX_BYTES = 1024 * 1024 * 1024 };

struct writer {
    lua_State *L;
    struct reply *reply;
    int script_version;
    struct level *levels;
    size_t level_count, level_capacity;
    bool error_is_counted; /* the last one */
};

/* Raw field of the table on top: pushes it and returns true when it has this type; pushes nothing otherwise.
 */
static bool push_raw_field(lua_State *L, const char *name, int type)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == type)
        return true;
    lua_pop(L, 1);
    return false;
}

/* A line must stay one. */
static void write_line(struct reply *reply, char type, const char *text, size_t length)
{
    char *to = buffer_reserve(&reply->buffer, length + 3);
    *to++ = type;
    for (size_t i = 0; i < length; i++)
        *to++ = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
    memcpy(to, "\r\n", 2);
    reply->buffer.length += length + 3;
}

/* Casts as Redis does on x86: what has no integer becomes the smallest. */
static int64_t truncated(lua_Number number)
{
    return number >= -0x1p63 && number < 0x1p63 ? (int64_t)number : INT64_MIN;
}

static void write_big_number(struct reply *reply, const char *text, size_t length)
{
    if (reply->version >= 3) {
        write_line(reply, '(', text, length);
        return;
    }
    size_t mark = reply->buffer.length;
    write_line(reply, '(', text, length);
    char header[32];
    header[0] = '$';
    size_t header_length = 1 + number_format_uint64(header + 1, length);
    memcpy(header + header_length, "\r\n", 2);
    memmove(reply->buffer.data + mark, reply->buffer.data + mark + 1, length + 2); /* drops the type byte */
    reply->buffer.length--;
    reply_insert(reply, mark, header, header_length + 2);
}

/* Tables that stand for one value. Returns false when the table on top is none; takes nothing off. */
static bool write_special(struct writer *writer)
{
    lua_State *L = writer->L;
    struct reply *reply = writer->reply;
    size_t length;
    if (push_raw_field(L, "err", LUA_TSTRING)) {
        reply_error(reply, lua_tostring(L, -1));
        lua_pop(L, 1);
        writer->error_is_counted = push_raw_field(L, VALUES_COUNTED_FIELD, LUA_TBOOLEAN);
        if (!writer->error_is_counted)
            return true;
    } else if (push_raw_field(L, "ok", LUA_TSTRING)) {
        const char *text = lua_tostring(L, -1); /* up to its first zero byte, as errors are */
        write_line(reply, '+', text, strlen(text));
    } else if (push_raw_field(L, "double", LUA_TNUMBER)) {
        reply_double(reply, lua_tonumber(L, -1));
    } else if (push_raw_field(L, "big_number", LUA_TSTRING)) {
        const char *text = lua_tolstring(L, -1, &length);
        write_big_number(reply, text, length);
    } else if (push_raw_field(L, "verbatim_string", LUA_TTABLE)) {
        if (!push_raw_field(L, "format", LUA_TSTRING)) {
            lua_pop(L, 1);
            return false;
        }
        const char *format = lua_tolstring(L, -1, &length);
        char name[4] = {0};
        memcpy(name, format, length < 3 ? length : 3);
        lua_pop(L, 1);
        if (!push_raw_field(L, "string", LUA_TSTRING)) {
            lua_pop(L, 1);
            return false;
        }
        const char *text = lua_tolstring(L, -1, &length);
        reply_verbatim(reply, name, text, length);
        lua_pop(L, 1);
    } else {
        return false;
    }
    lua_pop(L, 1);
    return true;
}

/* The table on top becomes a level; with a field map or set its place is taken by that. Returns false when
 * it is too deep. */
static bool begin_level(struct writer *writer)
{
    lua_State *L = writer->L;
    if (writer->level_count == LEVELS_MAX || !lua_checkstack(L, LEVEL_STACK_SLOTS))
        return false;
    if (writer->level_count == writer->level_capacity) {
        size_t capacity = writer->level_capacity ? 2 * writer->level_capacity : LEVELS_FIRST;
        struct level *levels = realloc(writer->levels, capacity * sizeof(*levels));
        CHECK(levels != NULL);
        writer->levels = levels;
        writer->level_capacity = capacity;
    }
    struct level level = {.kind = KIND_ARRAY};
    if (push_raw_field(L, "map", LUA_TTABLE))
        level.kind = KIND_MAP;
    else if (push_raw_field(L, "set", LUA_TTABLE))
        level.kind = KIND_SET;
    if (level.kind != KIND_ARRAY) {
        lua_remove(L, -2);
        lua_pushnil(L); /* the key to go on from */
    }
    level.mark = reply_deferred_begin(writer->reply);
    writer->levels[writer->level_count++] = level;
    return true;
}

/* Writes the value on top and takes it off; a table may become a level instead. */
static void write_value(struct writer *writer)
{
    lua_State *L = writer->L;
    struct reply *reply = writer->reply;
    size_t length;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, -1, &length);
        reply_bulk(reply, text, length);
        break;
    }
    case LUA_TNUMBER:
        reply_integer(reply, truncated(lua_tonumber(L, -1)));
        break;
    case LUA_TBOOLEAN:
        if (writer->script_version >= 3)
            reply_bool(reply, lua_toboolean(L, -1));
        else if (lua_toboolean(L, -1))
            reply_integer(reply, 1);
        else
            reply_null(reply);
        break;
    case LUA_TTABLE:
        if (write_special(writer))
            break;
        if (begin_level(writer))
            return;
        reply_error(reply, "ERR reached lua stack limit");
        break;
    default:
        reply_null(reply);
    }
    lua_pop(L, 1);
}

/* Pushes the next value of the level on top to be written, and returns true; or ends the level. For maps and
 * sets that is a copy of the key, above the value. */
static bool next_of_level(struct writer *writer)
{
    lua_State *L = writer->L;
    struct level *level = &writer->levels[writer->level_count - 1];
    if (level->kind == KIND_ARRAY) {
        lua_rawgeti(L, -1, (int)level->count + 1);
        if (!lua_isnil(L, -1)) {
            level->count++;
            return true;
        }
        lua_pop(L, 2);
        reply_deferred_array(writer->reply, level->mark, level->count);
    } else if (lua_next(L, -2)) {
        level->count++;
        level->value_is_next = true;
        lua_pushvalue(L, -2);
        return true;
    } else {
        lua_pop(L, 1);
        if (level->kind == KIND_MAP)
            reply_deferred_map(writer->reply, level->mark, level->count);
        else
            reply_deferred_set(writer->reply, level->mark, level->count);
    }
    writer->level_count--;
    return false;
}

/* Raises an error when the run is to end, or the reply has become too long. */
static void check_writing(struct writer *writer)
{
    bool is_due = interrupt_is_due(writer->L);
    if (!is_due && writer->reply->buffer.length <= WRITTEN_MAX_BYTES)
        return;
    free(writer->levels);
    if (is_due)
        interrupt_raise(writer->L);
    luaL_error(writer->L, "the reply of the script is too long");
}

bool values_write(lua_State *L, struct reply *reply, int script_version)
{
    struct writer writer = {.L = L, .reply = reply, .script_version = script_version};
    write_value(&writer);
    while (writer.level_count) {
        struct level *level = &writer.levels[writer.level_count - 1];
        if (level->count % LOOK_EVERY == 0)
            check_writing(&writer);
        if (!level->value_is_next) {
            if (next_of_level(&writer))
                write_value(&writer);
            continue;
        }
        level->value_is_next = false;
        if (level->kind == KIND_MAP)
            write_value(&writer);
        else
            lua_pop(L, 1);
    }
    free(writer.levels);
    return writer.error_is_counted;
}
