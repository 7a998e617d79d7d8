/*
 * Lists in dumps: written as nodes that are listpacks or single long elements (type 18); read from those,
 * from elements (type 1), and from the ziplists of older servers (types 10 and 14).
 */
#include "persist/rdb_reader.h"
#include "persist/rdb_write.h"
#include "persist/ziplist.h"
#include "protocol/buffer.h"
#include "store/list_type.h"
#include "store/packed.h"

/* How a node of type 18 holds its elements. */
enum { CONTAINER_PLAIN = 1, CONTAINER_PACKED = 2 };

/* ---- writing ---- */

static void write_listpack(struct rdb_writer *writer, struct slice listpack)
{
    rdb_write_length(writer->sink, CONTAINER_PACKED);
    rdb_write_string(writer, listpack);
}

static void write_compressed_node(struct rdb_writer *writer, const struct list_node *node)
{
    struct buffer listpack = {0};
    if (list_node_expand(node, buffer_reserve(&listpack, node->raw_bytes)))
        write_listpack(writer, (struct slice){listpack.data, node->raw_bytes});
    buffer_free(&listpack);
}

static void write_node(struct rdb_writer *writer, const struct list_node *node)
{
    switch (node->form) {
    case LIST_NODE_PLAIN:
        rdb_write_length(writer->sink, CONTAINER_PLAIN);
        rdb_write_string(writer, (struct slice){node->data, node->end});
        break;
    case LIST_NODE_COMPRESSED:
        write_compressed_node(writer, node);
        break;
    default: {
        const char *listpack = list_node_listpack(node);
        write_listpack(writer, (struct slice){listpack, listpack_total_bytes(listpack)});
    }
    }
}

void rdb_write_list(struct rdb_writer *writer, const struct entry *entry)
{
    if (entry_is_inline(entry)) {
        rdb_write_length(writer->sink, 1);
        write_listpack(writer, packed_view(entry));
        return;
    }
    const struct list_value *list = entry_pointer(entry);
    rdb_write_length(writer->sink, list->node_count);
    for (const struct list_node *node = list_end_node(list, LIST_HEAD); node;
         node = list_node_step(list, node, LIST_HEAD))
        write_node(writer, node);
}

/* ---- a list under construction ---- */

struct list_build {
    struct list_value *list;
    struct list_limits limits;
};

static struct list_build build_make(const struct store_settings *settings)
{
    return (struct list_build){list_value_create(), list_limits_from(settings->list_max_listpack_size,
                                                                     settings->list_compress_depth)};
}

static void build_push(struct list_build *build, struct listpack_element element)
{
    list_value_push(build->list, LIST_TAIL, element, &build->limits);
}

/* Gives the record the list: short ones as the listpack that goes into the entry. */
static void build_finish(struct rdb_reader *reader, struct list_build *build)
{
    struct list_value *list = build->list;
    struct slice listpack = list_short_listpack(list, LIST_INLINE_MAX_BYTES);
    if (list->length > 0 && listpack.data == NULL) {
        rdb_set_object(reader, VALUE_LIST, ENCODING_QUICKLIST, list);
        return;
    }
    if (list->length == 0) {
        rdb_set_empty(reader);
    } else {
        struct blob *blob = blob_create(listpack.length);
        memcpy(blob->data, listpack.data, listpack.length);
        blob->length_bytes = listpack.length;
        rdb_set_packed(reader, VALUE_LIST, ENCODING_QUICKLIST, (struct slice){blob->data, listpack.length},
                       blob);
    }
    list_value_free(list, NULL);
}

/* ---- what nodes hold ---- */

/* Is every text that is an integer stored as one, as this server does? Only then it is found again. */
static bool listpack_has_integers(const char *listpack)
{
    for (const char *at = listpack_begin(listpack); !listpack_is_end(at); at = listpack_next(at)) {
        struct listpack_element element = listpack_get(at);
        if (element.data && listpack_element_from((struct slice){element.data, element.length}).data == NULL)
            return false;
    }
    return true;
}

static int add_listpack(struct rdb_reader *reader, struct list_build *build, struct slice bytes)
{
    size_t count;
    if (!listpack_validate(bytes.data, bytes.length, &count))
        return rdb_fault_value(reader, "a listpack is damaged");
    if (count == 0)
        return 0;
    if (bytes.length <= LISTPACK_MAX_BYTES && count <= UINT32_MAX && listpack_has_integers(bytes.data)) {
        list_value_append_listpack(build->list, bytes, count, &build->limits);
        return 0;
    }
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    for (const char *at = listpack_begin(bytes.data); !listpack_is_end(at); at = listpack_next(at))
        build_push(build, listpack_element_from(listpack_text(listpack_get(at), scratch)));
    return 0;
}

static int add_ziplist(struct rdb_reader *reader, struct list_build *build, struct slice bytes)
{
    size_t count;
    if (!ziplist_validate(bytes.data, bytes.length, &count))
        return rdb_fault_value(reader, "a ziplist is damaged");
    char scratch[LISTPACK_INTEGER_TEXT_BYTES];
    for (const char *at = ziplist_begin(bytes.data); !ziplist_is_end(at); at = ziplist_next(at))
        build_push(build, listpack_element_from(listpack_text(ziplist_get(at), scratch)));
    return 0;
}

static int add_bytes(struct rdb_reader *reader, struct list_build *build, uint8_t type, uint64_t container,
                     struct slice bytes)
{
    if (type == RDB_TYPE_LIST_ZIPLIST || type == RDB_TYPE_LIST_QUICKLIST)
        return add_ziplist(reader, build, bytes);
    if (type == RDB_TYPE_LIST_QUICKLIST_2 && container == CONTAINER_PACKED)
        return add_listpack(reader, build, bytes);
    build_push(build, listpack_element_from(bytes));
    return 0;
}

/* ---- reading ---- */

/* Reads a node or an element, whichever the type consists of. */
static int read_part(struct rdb_reader *reader, struct list_build *build, uint8_t type)
{
    uint64_t container = CONTAINER_PLAIN;
    int error = type == RDB_TYPE_LIST_QUICKLIST_2 ? rdb_read_length(reader, &container) : 0;
    if (error)
        return error;
    if (container != CONTAINER_PLAIN && container != CONTAINER_PACKED)
        return rdb_fault_value(reader, "a node is neither packed nor plain");
    if (reader->structure_only)
        return rdb_skip_strings(reader, 1);
    struct rdb_element element;
    error = rdb_read_element(reader, &element);
    if (error)
        return error;
    error = add_bytes(reader, build, type, container, element.bytes);
    rdb_element_done(reader, &element);
    return error;
}

int rdb_read_list(struct rdb_reader *reader)
{
    uint8_t type = rdb_reader_record(reader)->type;
    uint64_t count = 1;
    int error = type == RDB_TYPE_LIST_ZIPLIST ? 0 : rdb_read_length(reader, &count);
    if (error)
        return error;
    struct list_build build = build_make(reader->settings);
    for (uint64_t i = 0; i < count && error == 0; i++)
        error = read_part(reader, &build, type);
    if (error || reader->structure_only)
        list_value_free(build.list, NULL);
    else
        build_finish(reader, &build);
    return error;
}
