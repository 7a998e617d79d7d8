/*
 * struct for scripts: Lua values as the bytes of C structures and back, after Roberto Ierusalimschy's library
 * (inf.puc-rio.br/~roberto/struct), whose format strings these are:
 *
 *   > < big, little endian      ! !n alignment, of 8 or n       b B h H l L T f d   C's types
 *   i In  integers of n bytes   x a zero byte    s a string with a zero behind   cn  n bytes, c0: all there
 * are
 *
 * Integers wider than 8 bytes are filled up with zeros. Main thread only.
 */
#include "lua/bytes.h"
#include "lua/libraries.h"

#include <ctype.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { INTEGER_MAX_BYTES = 32, ALIGNMENT_DEFAULT = 8 };

struct format {
    lua_State *L;
    const char *at;
    bool little;
    size_t alignment;
};

static struct format format_begin(lua_State *L)
{
    return (struct format){.L = L, .at = luaL_checkstring(L, 1), .little = true, .alignment = 1};
}

/* Reads a number behind an option, or takes the default. */
static size_t format_number(struct format *format, size_t otherwise)
{
    if (!isdigit((unsigned char)*format->at))
        return otherwise;
    size_t number = 0;
    for (; isdigit((unsigned char)*format->at); format->at++) {
        size_t digit = (size_t)(*format->at - '0');
        if (number > (INT_MAX - digit) / 10)
            luaL_error(format->L, "integral size overflow");
        number = number * 10 + digit;
    }
    return number;
}

/* Size of what an option stands for; 0: none of its own. Reads the number behind it. */
static size_t format_size(struct format *format, char option)
{
    switch (option) {
    case 'B':
    case 'b':
        return sizeof(char);
    case 'H':
    case 'h':
        return sizeof(short);
    case 'L':
    case 'l':
        return sizeof(long);
    case 'T':
        return sizeof(size_t);
    case 'f':
        return sizeof(float);
    case 'd':
        return sizeof(double);
    case 'x':
        return 1;
    case 'c':
        return format_number(format, 1);
    case 'i':
    case 'I': {
        size_t size = format_number(format, sizeof(int));
        if (size > INTEGER_MAX_BYTES)
            luaL_error(format->L, "integral size %d is larger than limit of %d", (int)size,
                       INTEGER_MAX_BYTES);
        return size;
    }
    default:
        return 0;
    }
}

/* Bytes to skip before something of this size at an offset. */
static size_t format_padding(const struct format *format, size_t size, char option, size_t offset)
{
    if (size == 0 || option == 'c' || option == 'x')
        return 0;
    size_t alignment = size < format->alignment ? size : format->alignment;
    if (alignment <= 1)
        return 0;
    return (alignment - (offset & (alignment - 1))) & (alignment - 1);
}

/* Obeys an option that stands for no value. */
static void format_obey(struct format *format, char option)
{
    switch (option) {
    case ' ':
        break;
    case '>':
        format->little = false;
        break;
    case '<':
        format->little = true;
        break;
    case '!':
        format->alignment = format_number(format, ALIGNMENT_DEFAULT);
        if (format->alignment == 0 || (format->alignment & (format->alignment - 1)))
            luaL_error(format->L, "alignment %d is not a power of 2", (int)format->alignment);
        break;
    default: {
        const char *text = lua_pushfstring(format->L, "invalid format option '%c'", option);
        luaL_argerror(format->L, 1, text);
    }
    }
}

static void swap_unless_little(const struct format *format, unsigned char *bytes, size_t size)
{
    if (format->little)
        return;
    for (size_t i = 0; i < size / 2; i++) {
        unsigned char byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
}

/* ---- packing ---- */

static void add_zeros(struct buffer *out, size_t count)
{
    if (count == 0)
        return;
    memset(buffer_reserve(out, count), 0, count);
    out->length += count;
}

/* Numbers that no integer holds become the smallest one, as in a cast. */
static uint64_t integer_bits(lua_Number number)
{
    if (number >= 0)
        return number < 0x1p64 ? (uint64_t)number : 0;
    return number >= -0x1p63 ? (uint64_t)(int64_t)number : (uint64_t)INT64_MIN;
}

static void pack_integer(const struct format *format, struct buffer *out, size_t size, lua_Number number)
{
    unsigned char bytes[INTEGER_MAX_BYTES] = {0};
    uint64_t bits = integer_bits(number);
    for (size_t i = 0; i < size && i < sizeof(bits); i++)
        bytes[i] = (unsigned char)(bits >> 8 * i);
    swap_unless_little(format, bytes, size);
    buffer_append(out, bytes, size);
}

static void pack_float(const struct format *format, struct buffer *out, size_t size, lua_Number number)
{
    unsigned char bytes[sizeof(double)];
    float narrow = (float)number;
    double wide = number;
    memcpy(bytes, size == sizeof(narrow) ? (const void *)&narrow : (const void *)&wide, size);
    swap_unless_little(format, bytes, size);
    buffer_append(out, bytes, size);
}

static void pack_string(lua_State *L, struct buffer *out, char option, size_t size, int argument)
{
    size_t length;
    const char *text = luaL_checklstring(L, argument, &length);
    if (option == 'c' && size > 0) {
        luaL_argcheck(L, length >= size, argument + 1, "string too short");
        length = size;
    }
    buffer_append(out, text, length);
    if (option == 's')
        add_zeros(out, 1);
}

static int struct_pack(lua_State *L)
{
    struct format format = format_begin(L);
    int index = 2;
    struct buffer *out = bytes_push(L);
    lua_replace(L, lua_upvalueindex(1)); /* errors name arguments by their number: none may be added */
    lua_pushnil(L);                      /* what is missing reads as nil */
    while (*format.at) {
        char option = *format.at++;
        size_t size = format_size(&format, option);
        add_zeros(out, format_padding(&format, size, option, out->length));
        switch (option) {
        case 'b':
        case 'B':
        case 'h':
        case 'H':
        case 'l':
        case 'L':
        case 'T':
        case 'i':
        case 'I':
            pack_integer(&format, out, size, luaL_checknumber(L, index++));
            break;
        case 'f':
        case 'd':
            pack_float(&format, out, size, luaL_checknumber(L, index++));
            break;
        case 'c':
        case 's':
            pack_string(L, out, option, size, index++);
            break;
        case 'x':
            add_zeros(out, 1);
            break;
        default:
            format_obey(&format, option);
        }
    }
    bytes_push_result(L, out);
    return 1;
}

/* ---- unpacking ---- */

static void push_integer(const struct format *format, const char *data, size_t size, bool is_signed)
{
    unsigned char bytes[INTEGER_MAX_BYTES];
    memcpy(bytes, data, size);
    swap_unless_little(format, bytes, size);
    uint64_t bits = 0;
    for (size_t i = 0; i < size && i < sizeof(bits); i++)
        bits |= (uint64_t)bytes[i] << 8 * i;
    if (!is_signed) {
        lua_pushnumber(format->L, (lua_Number)bits);
        return;
    }
    if (size > 0 && size < sizeof(bits) && bits >> (8 * size - 1))
        bits |= UINT64_MAX << 8 * size;
    lua_pushnumber(format->L, (lua_Number)(int64_t)bits);
}

static void push_float(const struct format *format, const char *data, size_t size)
{
    unsigned char bytes[sizeof(double)];
    float narrow;
    double wide;
    memcpy(bytes, data, size);
    swap_unless_little(format, bytes, size);
    memcpy(&narrow, bytes, sizeof(narrow));
    memcpy(&wide, bytes, sizeof(wide));
    lua_pushnumber(format->L, size == sizeof(narrow) ? narrow : wide);
}

/* c0: as many bytes as the number before it says, which is taken off. */
static size_t take_size(lua_State *L, int first_value)
{
    if (lua_gettop(L) < first_value || !lua_isnumber(L, -1))
        luaL_error(L, "format 'c0' needs a previous size");
    lua_Number number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number > -1 && number < 0x1p53 ? (size_t)number : SIZE_MAX;
}

static int struct_unpack(lua_State *L)
{
    struct format format = format_begin(L);
    size_t length;
    const char *data = luaL_checklstring(L, 2, &length);
    lua_Number start = luaL_optnumber(L, 3, 1) - 1;
    luaL_argcheck(L, start >= 0 && start < 0x1p53, 3, "offset must be 1 or greater");
    size_t at = (size_t)start;
    lua_settop(L, 2);
    while (*format.at) {
        char option = *format.at++;
        size_t size = format_size(&format, option);
        at += format_padding(&format, size, option, at);
        luaL_argcheck(L, at <= length && size <= length - at, 2, "data string too short");
        luaL_checkstack(L, 2, "too many results");
        switch (option) {
        case 'b':
        case 'B':
        case 'h':
        case 'H':
        case 'l':
        case 'L':
        case 'T':
        case 'i':
        case 'I':
            push_integer(&format, data + at, size, islower((unsigned char)option));
            break;
        case 'f':
        case 'd':
            push_float(&format, data + at, size);
            break;
        case 'c':
            if (size == 0) {
                size = take_size(L, 3);
                luaL_argcheck(L, size <= length - at, 2, "data string too short");
            }
            lua_pushlstring(L, data + at, size);
            break;
        case 's': {
            const char *end = memchr(data + at, '\0', length - at);
            if (end == NULL)
                return luaL_error(L, "unfinished string in data");
            size = (size_t)(end - (data + at)) + 1;
            lua_pushlstring(L, data + at, size - 1);
            break;
        }
        case 'x':
            break;
        default:
            format_obey(&format, option);
        }
        at += size;
    }
    lua_pushinteger(L, (lua_Integer)at + 1);
    return lua_gettop(L) - 2;
}

static int struct_size(lua_State *L)
{
    struct format format = format_begin(L);
    size_t total = 0;
    while (*format.at) {
        char option = *format.at++;
        size_t size = format_size(&format, option);
        if (option == 's')
            luaL_argerror(L, 1, "option 's' has no fixed size");
        else if (option == 'c' && size == 0)
            luaL_argerror(L, 1, "option 'c0' has no fixed size");
        total += format_padding(&format, size, option, total);
        if (strchr("bBhHlLTiIfdcsx", option) == NULL)
            format_obey(&format, option);
        if (total > INT_MAX - size)
            luaL_error(L, "format result too large");
        total += size;
    }
    lua_pushinteger(L, (lua_Integer)total);
    return 1;
}

void struct_open(lua_State *L)
{
    const luaL_Reg functions[] = {
        {"unpack", struct_unpack},
        {"size", struct_size},
        {NULL, NULL},
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushnil(L);
    lua_pushcclosure(L, struct_pack, 1);
    lua_setfield(L, -2, "pack");
}
