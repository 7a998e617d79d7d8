/*
 * cmsgpack for scripts: Lua values as MessagePack and back.
 *
 * The format is that of msgpack.org. What Lua leaves open is decided as scripts know it: a table whose keys
 * are 1 to n is an array, any other a map; whole numbers take the shortest integer, other numbers a float
 * when that loses nothing; what has no shape (functions and the like) is nil, and so are tables nested deeper
 * than PACK_DEPTH_MAX. Byte strings (bin) are refused: scripts never saw them here. Main thread only.
 */
#include "lua/bytes.h"
#include "lua/interrupt.h"
#include "lua/libraries.h"

#include <endian.h>
#include <lauxlib.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bounds of the recursion, and the stack that each of its levels needs. */
enum { PACK_MAX_BYTES = 512 * 1024 * 1024 }; /* as long as a string of the server */
enum { PACK_DEPTH_MAX = 16, UNPACK_DEPTH_MAX = 1000, STACK_SLOTS = 6 };

/* ---- packing ---- */

static void add_byte(struct buffer *out, unsigned byte)
{
    *buffer_reserve(out, 1) = (char)byte;
    out->length++;
}

/* A type byte, and the lowest bytes of a number, the highest first. */
static void add_number(struct buffer *out, unsigned type, uint64_t number, size_t bytes)
{
    uint64_t big = htobe64(number << (64 - 8 * bytes));
    add_byte(out, type);
    buffer_append(out, &big, bytes);
}

static void pack_integer(struct buffer *out, int64_t number)
{
    if (number >= -32 && number <= 127)
        add_byte(out, (unsigned)number & 0xff);
    else if (number >= 0 && number <= UINT8_MAX)
        add_number(out, 0xcc, (uint64_t)number, 1);
    else if (number >= 0 && number <= UINT16_MAX)
        add_number(out, 0xcd, (uint64_t)number, 2);
    else if (number >= 0 && number <= UINT32_MAX)
        add_number(out, 0xce, (uint64_t)number, 4);
    else if (number >= 0)
        add_number(out, 0xcf, (uint64_t)number, 8);
    else if (number >= INT8_MIN)
        add_number(out, 0xd0, (uint64_t)number, 1);
    else if (number >= INT16_MIN)
        add_number(out, 0xd1, (uint64_t)number, 2);
    else if (number >= INT32_MIN)
        add_number(out, 0xd2, (uint64_t)number, 4);
    else
        add_number(out, 0xd3, (uint64_t)number, 8);
}

static void pack_number(struct buffer *out, lua_Number number)
{
    if (number >= -0x1p63 && number < 0x1p63 && number == (lua_Number)(int64_t)number) {
        pack_integer(out, (int64_t)number);
        return;
    }
    float narrow = (float)number;
    uint64_t bits;
    uint32_t narrow_bits;
    memcpy(&bits, &number, sizeof(bits));
    memcpy(&narrow_bits, &narrow, sizeof(narrow_bits));
    if ((lua_Number)narrow == number)
        add_number(out, 0xca, narrow_bits, 4);
    else
        add_number(out, 0xcb, bits, 8);
}

static void pack_string(struct buffer *out, const char *text, size_t length)
{
    if (length < 32)
        add_byte(out, 0xa0 | (unsigned)length);
    else if (length <= UINT8_MAX)
        add_number(out, 0xd9, length, 1);
    else if (length <= UINT16_MAX)
        add_number(out, 0xda, length, 2);
    else
        add_number(out, 0xdb, length, 4);
    buffer_append(out, text, length);
}

static void pack_count(struct buffer *out, size_t count, unsigned short_type, unsigned type16)
{
    if (count < 16)
        add_byte(out, short_type | (unsigned)count);
    else if (count <= UINT16_MAX)
        add_number(out, type16, count, 2);
    else
        add_number(out, type16 + 1, count, 4);
}

/* Counts the entries of the table on top. Returns whether its keys are 1 to *count. */
static bool table_is_array(lua_State *L, size_t *count)
{
    bool whole = true;
    lua_Number largest = 0;
    *count = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        ++*count;
        lua_Number key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        if (key < 1 || key != floor(key))
            whole = false;
        if (key > largest)
            largest = key;
    }
    return whole && largest == (lua_Number)*count;
}

static void pack_value(lua_State *L, struct buffer *out, int depth);

/* Packs the table on top. */
static void pack_table(lua_State *L, struct buffer *out, int depth)
{
    size_t count;
    interrupt_look(L);
    if (out->length > PACK_MAX_BYTES)
        luaL_error(L, "packed data is too long");
    if (table_is_array(L, &count)) {
        pack_count(out, count, 0x90, 0xdc);
        for (size_t i = 1; i <= count; i++) {
            lua_rawgeti(L, -1, (int)i);
            pack_value(L, out, depth);
        }
        return;
    }
    pack_count(out, count, 0x80, 0xde);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        pack_value(L, out, depth);
        pack_value(L, out, depth);
    }
}

/* Packs the value on top and takes it off. Recursion ends at PACK_DEPTH_MAX. */
static void pack_value(lua_State *L, struct buffer *out, int depth)
{
    luaL_checkstack(L, STACK_SLOTS, "in function mp_check");
    size_t length;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, -1, &length);
        pack_string(out, text, length);
        break;
    }
    case LUA_TNUMBER:
        pack_number(out, lua_tonumber(L, -1));
        break;
    case LUA_TBOOLEAN:
        add_byte(out, lua_toboolean(L, -1) ? 0xc3 : 0xc2);
        break;
    case LUA_TTABLE:
        if (depth < PACK_DEPTH_MAX) {
            pack_table(L, out, depth + 1);
            break;
        }
        /* fall through */
    default:
        add_byte(out, 0xc0);
    }
    lua_pop(L, 1);
}

static int cmsgpack_pack(lua_State *L)
{
    int count = lua_gettop(L);
    if (count == 0)
        return luaL_argerror(L, 0, "MessagePack pack needs input.");
    struct buffer *out = bytes_push(L);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, i);
        pack_value(L, out, 0);
    }
    bytes_push_result(L, out);
    return 1;
}

/* ---- unpacking ---- */

struct input {
    const uint8_t *data;
    size_t left;
};

static const uint8_t *take(lua_State *L, struct input *input, size_t count)
{
    if (input->left < count)
        luaL_error(L, "Missing bytes in input.");
    const uint8_t *bytes = input->data;
    input->data += count;
    input->left -= count;
    return bytes;
}

static uint64_t take_number(lua_State *L, struct input *input, size_t count)
{
    const uint8_t *bytes = take(L, input, count);
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

static void unpack_string(lua_State *L, struct input *input, uint64_t length)
{
    const uint8_t *bytes = take(L, input, length);
    lua_pushlstring(L, (const char *)bytes, length);
}

static void unpack_value(lua_State *L, struct input *input, int depth);

static void unpack_array(lua_State *L, struct input *input, uint64_t count, int depth)
{
    lua_newtable(L); /* the count is only announced: nothing is set aside for it */
    for (uint64_t i = 1; i <= count; i++) {
        unpack_value(L, input, depth);
        lua_rawseti(L, -2, (int)i);
    }
}

static void unpack_map(lua_State *L, struct input *input, uint64_t count, int depth)
{
    lua_newtable(L);
    for (uint64_t i = 0; i < count; i++) {
        unpack_value(L, input, depth);
        unpack_value(L, input, depth);
        lua_settable(L, -3); /* an error for nil and NaN as keys */
    }
}

static void unpack_float(lua_State *L, struct input *input, size_t bytes)
{
    uint64_t bits = take_number(L, input, bytes);
    uint32_t narrow_bits = (uint32_t)bits;
    float narrow;
    double wide;
    memcpy(&narrow, &narrow_bits, sizeof(narrow));
    memcpy(&wide, &bits, sizeof(wide));
    lua_pushnumber(L, bytes == sizeof(narrow) ? narrow : wide);
}

/* Types from 0xc0 to 0xdf. */
static void unpack_typed(lua_State *L, struct input *input, uint8_t type, int depth)
{
    switch (type) {
    case 0xc0:
        lua_pushnil(L);
        return;
    case 0xc2:
    case 0xc3:
        lua_pushboolean(L, type & 1);
        return;
    case 0xca:
    case 0xcb:
        unpack_float(L, input, type == 0xca ? 4 : 8);
        return;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: /* 64 bits are taken as a signed number, as scripts are used to */
        lua_pushnumber(L, (lua_Number)(int64_t)take_number(L, input, (size_t)1 << (type - 0xcc)));
        return;
    case 0xd0:
        lua_pushnumber(L, (int8_t)take_number(L, input, 1));
        return;
    case 0xd1:
        lua_pushnumber(L, (int16_t)take_number(L, input, 2));
        return;
    case 0xd2:
        lua_pushnumber(L, (int32_t)take_number(L, input, 4));
        return;
    case 0xd3:
        lua_pushnumber(L, (lua_Number)(int64_t)take_number(L, input, 8));
        return;
    case 0xd9:
    case 0xda:
    case 0xdb:
        unpack_string(L, input, take_number(L, input, (size_t)1 << (type - 0xd9)));
        return;
    case 0xdc:
    case 0xdd:
        unpack_array(L, input, take_number(L, input, type == 0xdc ? 2 : 4), depth);
        return;
    case 0xde:
    case 0xdf:
        unpack_map(L, input, take_number(L, input, type == 0xde ? 2 : 4), depth);
        return;
    default:
        luaL_error(L, "Bad data format in input.");
    }
}

/* Pushes the next value. Recursion ends at UNPACK_DEPTH_MAX. */
static void unpack_value(lua_State *L, struct input *input, int depth)
{
    luaL_checkstack(L, STACK_SLOTS,
                    "too many return values at once; use unpack_one or unpack_limit instead.");
    if (depth > UNPACK_DEPTH_MAX)
        luaL_error(L, "Bad data format in input.");
    uint8_t type = *take(L, input, 1);
    if (type < 0x80)
        lua_pushnumber(L, type);
    else if (type < 0x90)
        unpack_map(L, input, type & 15, depth + 1);
    else if (type < 0xa0)
        unpack_array(L, input, type & 15, depth + 1);
    else if (type < 0xc0)
        unpack_string(L, input, type & 31);
    else if (type >= 0xe0)
        lua_pushnumber(L, (int8_t)type);
    else
        unpack_typed(L, input, type, depth + 1);
}

/* Pushes up to limit values from an offset, and in front of them where it stopped: -1 at the end. Without
 * limit and offset, all values alone. */
static int unpack_from(lua_State *L, int limit, int offset)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    bool all = limit == 0 && offset == 0;
    if (offset < 0 || limit < 0)
        return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", offset,
                          (int)length);
    if ((size_t)offset > length)
        return luaL_error(L, "Start offset %d greater than input length %d.", offset, (int)length);
    struct input input = {(const uint8_t *)text + offset, length - (size_t)offset};
    lua_settop(L, 1);
    if (!all)
        lua_pushnil(L);
    while (input.left && (all || lua_gettop(L) - 2 < limit))
        unpack_value(L, &input, 0);
    if (!all) {
        lua_pushinteger(L, input.left ? (lua_Integer)(length - input.left) : -1);
        lua_replace(L, 2);
    }
    return lua_gettop(L) - 1;
}

static int cmsgpack_unpack(lua_State *L)
{
    return unpack_from(L, 0, 0);
}

static int cmsgpack_unpack_one(lua_State *L)
{
    return unpack_from(L, 1, luaL_optint(L, 2, 0));
}

static int cmsgpack_unpack_limit(lua_State *L)
{
    return unpack_from(L, luaL_checkint(L, 2), luaL_optint(L, 3, 0));
}

void cmsgpack_open(lua_State *L)
{
    const luaL_Reg functions[] = {
        {"pack", cmsgpack_pack},
        {"unpack", cmsgpack_unpack},
        {"unpack_one", cmsgpack_unpack_one},
        {"unpack_limit", cmsgpack_unpack_limit},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushliteral(L, "cmsgpack");
    lua_setfield(L, -2, "_NAME");
    lua_pushliteral(L, "lua-cmsgpack 0.4.0"); /* whose functions these are */
    lua_setfield(L, -2, "_VERSION");
    lua_pushliteral(L, "MessagePack for Lua");
    lua_setfield(L, -2, "_DESCRIPTION");
}
