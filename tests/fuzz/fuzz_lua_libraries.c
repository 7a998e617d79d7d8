/*
 * Hostile bytes for what scripts can decode: cmsgpack, struct and cjson. The first line of an input is a
 * format of struct, the rest is data; as a payload of FUNCTION RESTORE the whole is tried too. What must
 * hold, beside memory: values that were unpacked pack again, in a
 * form that unpacks (unless a table in a key is too deep to pack and becomes nil), and struct.size tells
 * where struct.unpack stops. One thread.
 */
#include "fuzz/fuzz.h"

#include "base/check.h"
#include "lua/interpreter.h"
#include "persist/crc64.h"
#include "persist/rdb_dump.h"
#include "persist/rdb_format.h"

#include <errno.h>
#include <string.h>

static const char script[] = "local format, data = ARGV[1], ARGV[2]\n"
                             "local many = 1000\n"
                             "local values = {pcall(cmsgpack.unpack, data)}\n"
                             "if values[1] and #values > 1 and #values < many then\n"
                             "    local ok, text = pcall(cmsgpack.unpack, cmsgpack.pack(unpack(values, 2)))\n"
                             "    assert(ok or text:find('index is nil'))\n"
                             "end\n"
                             "pcall(cmsgpack.unpack_one, data)\n"
                             "pcall(cmsgpack.unpack_one, data, #format)\n"
                             "pcall(cmsgpack.unpack_limit, data, 3, 1)\n"
                             "local sized, size = pcall(struct.size, format)\n"
                             "values = {pcall(struct.unpack, format, data)}\n"
                             "if values[1] and sized then assert(values[#values] == size + 1) end\n"
                             "pcall(struct.unpack, format, data, #format)\n"
                             "pcall(struct.pack, format, unpack(values, 2, math.min(#values, many)))\n"
                             "pcall(struct.pack, format, data, data, data)\n"
                             "local ok, value = pcall(cjson.decode, data)\n"
                             "if ok then pcall(cjson.encode, value) cmsgpack.pack(value) end\n"
                             "return {values[2], value}";

static bool never(void *context)
{
    (void)context;
    return false;
}

static void run_script(struct interpreter *interpreter, int reference, struct slice format, struct slice data)
{
    const struct slice arguments[] = {format, data};
    const struct interpreter_call call = {
        .reference = reference, .arguments = arguments, .argument_count = 2, .version = 3};
    struct reply reply = {.version = 3};
    interpreter_execute(interpreter, &call);
    interpreter_finish(interpreter, slice_from_string("fuzz"), &reply);
    CHECK(reply.buffer.length && reply.buffer.data[0] == '*');
    reply_free(&reply);
}

static void count_source(void *context, struct slice source)
{
    *(size_t *)context += source.length;
}

static void check_payload(const uint8_t *data, size_t size)
{
    struct buffer payload = {0};
    size_t total = 0;
    buffer_append(&payload, data, size);
    buffer_append(&payload, (const char[]){RDB_VERSION, 0}, 2);
    uint64_t crc = crc64_update(0, payload.data, payload.length);
    for (int i = 0; i < RDB_CHECKSUM_BYTES; i++)
        buffer_append(&payload, (const char[]){(char)(crc >> (8 * i))}, 1);
    int status = rdb_read_function_dump((struct slice){payload.data, payload.length}, count_source, &total);
    CHECK(status == 0 || status == -EBADMSG);
    buffer_free(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct interpreter *interpreter; /* one for all inputs: a new one would take most of the time */
    static int reference;
    if (interpreter == NULL) {
        const struct interpreter_host host = {.interrupt = never};
        struct buffer error = {0};
        interpreter = interpreter_create(INTERPRETER_SCRIPTS, &host);
        reference = interpreter_compile(interpreter, slice_from_string(script), &error);
        CHECK(reference >= 0);
    }
    const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
    size_t line = line_end ? (size_t)(line_end - data) : size;
    size_t skipped = line_end ? line + 1 : size;
    run_script(interpreter, reference, (struct slice){(const char *)data, line},
               (struct slice){(const char *)data + skipped, size - skipped});
    check_payload(data, size);
    return 0;
}
