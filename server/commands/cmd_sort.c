/*
 * SORT and SORT_RO: lists, sets and sorted sets in order, by themselves or by what other keys say.
 *
 * Elements are copied before anything else is looked up, since lookups may move or remove what they lie in.
 * Texts are terminated, for strtod(3) and strcoll(3). Main thread only.
 */
#include "base/check.h"
#include "base/mem.h"
#include "base/sort.h"
#include "commands/acl_call.h"
#include "commands/handlers.h"
#include "commands/sort_pattern.h"
#include "store/list_type.h"
#include "store/packed.h"
#include "store/set_type.h"
#include "store/zset_type.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct request {
    bool read_only;
    bool descending;
    bool as_text;   /* ALPHA */
    bool keeps;     /* BY without a star: no sorting */
    bool by_weight; /* by_pattern is set */
    struct sort_pattern by_pattern;
    struct sort_pattern *gets;
    size_t get_count, get_capacity;
    int64_t offset, limit; /* limit negative: none */
    int store_index;       /* argument of the destination; 0: none */
};

/* ---- arguments ---- */

static void add_get(struct request *request, struct slice text)
{
    if (request->get_count == request->get_capacity) {
        size_t capacity = request->get_capacity ? 2 * request->get_capacity : 4;
        request->gets = mem_resize(request->gets, request->get_capacity * sizeof(*request->gets),
                                   capacity * sizeof(*request->gets));
        request->get_capacity = capacity;
    }
    request->gets[request->get_count++] = sort_pattern_parse(text);
}

static void read_by(struct request *request, struct slice text)
{
    if (!sort_pattern_has_star(text)) {
        request->keeps = true; /* and stays so, whatever else BY says */
        return;
    }
    request->by_weight = true;
    request->by_pattern = sort_pattern_parse(text);
}

/* Patterns name any key. Replies and returns false when the user may not read them all. */
static bool may_look_anywhere(struct call *call, const char *option)
{
    if (acl_call_reads_all_keys(call))
        return true;
    reply_errorf(call->reply, "ERR %s option of SORT denied due to insufficient ACL permissions.", option);
    return false;
}

static bool read_request(struct call *call, struct request *request)
{
    for (int at = 2; at < call->argc; at++) {
        int behind = call->argc - at - 1;
        if (call_argument_is(call, at, "ASC")) {
            request->descending = false;
        } else if (call_argument_is(call, at, "DESC")) {
            request->descending = true;
        } else if (call_argument_is(call, at, "ALPHA")) {
            request->as_text = true;
        } else if (call_argument_is(call, at, "LIMIT") && behind >= 2) {
            if (!call_int64(call, at + 1, &request->offset, NULL) ||
                !call_int64(call, at + 2, &request->limit, NULL))
                return false;
            at += 2;
        } else if (!request->read_only && call_argument_is(call, at, "STORE") && behind >= 1) {
            request->store_index = ++at;
        } else if (call_argument_is(call, at, "BY") && behind >= 1) {
            if (sort_pattern_has_star(call->argv[++at]) && !may_look_anywhere(call, "BY"))
                return false;
            read_by(request, call->argv[at]);
        } else if (call_argument_is(call, at, "GET") && behind >= 1) {
            if (!may_look_anywhere(call, "GET"))
                return false;
            add_get(request, call->argv[++at]);
        } else {
            call_reply_syntax_error(call);
            return false;
        }
    }
    return true;
}

/* ---- elements ---- */

/* Bytes in the texts, with a zero behind them. */
struct text {
    size_t offset, length;
};

enum { TEXT_MISSING = -1 }; /* an offset: there is no such weight */

struct item {
    struct text element;
    union {
        double score;
        struct text weight; /* ALPHA with BY */
    };
};

/* Part of the elements, as Redis counts them: from start on, below end. */
struct span {
    size_t start, end;
};

struct job {
    const struct request *request;
    struct buffer texts;
    struct item *items;
    size_t count, capacity;
    void **order; /* the items, sorted */
};

static struct text add_text(struct job *job, struct slice slice)
{
    struct text text = {job->texts.length, slice.length};
    buffer_append(&job->texts, slice.data, slice.length);
    buffer_append(&job->texts, "", 1);
    return text;
}

static struct slice text_slice(const struct job *job, struct text text)
{
    return (struct slice){job->texts.data + text.offset, text.length};
}

static void add_element(struct job *job, struct slice element)
{
    CHECK(job->count < job->capacity);
    job->items[job->count++] = (struct item){.element = add_text(job, element)};
}

static bool add_member(void *context, struct slice member)
{
    add_element(context, member);
    return true;
}

static void copy_list(struct job *job, const struct entry *entry, struct span span, bool backwards)
{
    struct list_cursor cursor;
    list_cursor_begin(&cursor, entry, backwards ? LIST_TAIL : LIST_HEAD, span.start);
    for (size_t left = span.end - span.start; left > 0; left--) {
        char scratch[LISTPACK_INTEGER_TEXT_BYTES];
        add_element(job, listpack_text(list_cursor_get(&cursor), scratch));
        list_cursor_next(&cursor);
    }
    list_cursor_end(&cursor);
}

static void copy_zset(struct job *job, const struct entry *entry, struct span span, bool backwards)
{
    size_t left = span.end - span.start;
    if (left == 0)
        return;
    struct zset_cursor cursor =
        zset_cursor_at(entry, backwards ? zset_count(entry) - 1 - span.start : span.start);
    for (;;) {
        struct zset_item item;
        zset_cursor_get(&cursor, &item);
        add_element(job, item.member);
        if (--left == 0)
            return;
        if (backwards)
            zset_cursor_previous(&cursor);
        else
            zset_cursor_next(&cursor);
    }
}

static size_t element_count(const struct entry *entry)
{
    if (entry == NULL)
        return 0;
    if (entry->type == VALUE_LIST)
        return list_length(entry);
    return entry->type == VALUE_SET ? set_count(set_view_of(entry)) : zset_count(entry);
}

/* What LIMIT leaves of so many. */
static struct span limited_span(const struct request *request, size_t count)
{
    size_t start = request->offset < 0 ? 0 : (size_t)request->offset;
    start = start < count ? start : count;
    size_t length = count - start;
    if (request->limit >= 0 && (uint64_t)request->limit < length)
        length = (size_t)request->limit;
    return (struct span){start, start + length};
}

/* Copies the elements. Unsorted lists and sorted sets have an order of their own, of which LIMIT takes its
 * part here; then *span becomes all that there is. */
static void copy_elements(struct job *job, const struct entry *entry, struct span *span)
{
    bool has_order = entry && entry->type != VALUE_SET;
    struct span copied = {0, element_count(entry)};
    bool takes_part = has_order && job->request->keeps;
    if (takes_part)
        copied = *span;
    job->capacity = copied.end - copied.start;
    job->items = mem_alloc(job->capacity * sizeof(*job->items));
    bool backwards = takes_part && job->request->descending;
    if (entry && entry->type == VALUE_LIST)
        copy_list(job, entry, copied, backwards);
    else if (entry && entry->type == VALUE_ZSET)
        copy_zset(job, entry, copied, backwards);
    else if (entry)
        set_visit(set_view_of(entry), add_member, job);
    if (takes_part)
        *span = (struct span){0, job->count};
}

/* ---- sorting ---- */

static bool parse_score(const char *text, double *score)
{
    char *end;
    errno = 0;
    *score = strtod(text, &end);
    return *end == '\0' && errno != ERANGE && !isnan(*score);
}

/* Sets an item's score or weight from a text. */
static bool weigh(struct job *job, struct item *item, struct slice value)
{
    size_t length = job->texts.length;
    struct text text = add_text(job, value);
    if (job->request->as_text) {
        item->weight = text;
        return true;
    }
    bool valid = parse_score(job->texts.data + text.offset, &item->score);
    job->texts.length = length;
    return valid;
}

/* Finds what the items are sorted by. Returns false when that is no number. */
static bool weigh_all(struct call *call, struct job *job)
{
    const struct request *request = job->request;
    struct buffer name = {0};
    bool valid = true;
    for (size_t i = 0; i < job->count; i++) {
        struct item *item = &job->items[i];
        struct slice element = text_slice(job, item->element);
        struct sort_value value;
        if (!request->by_weight) {
            valid &= request->as_text || parse_score(element.data, &item->score);
        } else if (sort_pattern_find(call, &request->by_pattern, element, &name, &value)) {
            valid &= weigh(job, item, value.text);
        } else if (request->as_text) {
            item->weight.offset = (size_t)TEXT_MISSING;
        }
    }
    buffer_free(&name);
    return valid;
}

static int compare_texts(const struct job *job, struct text a, struct text b)
{
    /* What is stored does not depend on the locale. */
    if (job->request->store_index)
        return slice_compare(text_slice(job, a), text_slice(job, b));
    return strcoll(job->texts.data + a.offset, job->texts.data + b.offset);
}

static int compare_weights(const struct job *job, struct text a, struct text b)
{
    bool a_missing = a.offset == (size_t)TEXT_MISSING, b_missing = b.offset == (size_t)TEXT_MISSING;
    if (a_missing || b_missing)
        return (int)b_missing - (int)a_missing;
    return compare_texts(job, a, b);
}

static int compare_items(const void *a, const void *b, const void *context)
{
    const struct item *left = a, *right = b;
    const struct job *job = context;
    const struct request *request = job->request;
    int order;
    if (request->as_text && request->by_weight)
        order = compare_weights(job, left->weight, right->weight);
    else if (request->as_text)
        order = compare_texts(job, left->element, right->element);
    else if (left->score != right->score)
        order = left->score < right->score ? -1 : 1;
    else
        order = slice_compare(text_slice(job, left->element), text_slice(job, right->element));
    if (!request->descending)
        return order;
    return order > 0 ? -1 : order < 0;
}

static void sort_items(struct job *job, struct span span)
{
    const struct request *request = job->request;
    if (request->keeps)
        return;
    /* Items that are equal as numbers are the same bytes: in what order they come does not show. Texts equal
     * in the locale may differ; Redis sorts all of them unless BY gives them weights. */
    bool takes_part = span.end - span.start < job->count && (request->by_weight || !request->as_text);
    if (takes_part)
        sort_pointers_part(job->order, job->count, span.start, span.end, compare_items, job);
    else
        sort_pointers(job->order, job->count, compare_items, job);
}

/* ---- results ---- */

static void reply_items(struct call *call, struct job *job, struct span span)
{
    const struct request *request = job->request;
    struct buffer name = {0};
    size_t each = request->get_count ? request->get_count : 1;
    reply_array(call->reply, (span.end - span.start) * each);
    for (size_t i = span.start; i < span.end; i++) {
        struct slice element = text_slice(job, ((const struct item *)job->order[i])->element);
        if (request->get_count == 0)
            reply_slice(call->reply, element);
        for (size_t j = 0; j < request->get_count; j++) {
            struct sort_value value;
            if (!sort_pattern_find(call, &request->gets[j], element, &name, &value))
                reply_null(call->reply);
            else if (value.entry)
                call_reply_string(call, value.entry);
            else
                reply_slice(call->reply, value.text);
        }
    }
    buffer_free(&name);
}

static struct list_value *list_of_items(struct call *call, struct job *job, struct span span)
{
    const struct request *request = job->request;
    const struct store_settings *settings = &call->keyspace->settings;
    struct list_limits limits =
        list_limits_from(settings->list_max_listpack_size, settings->list_compress_depth);
    struct list_value *list = list_value_create();
    struct buffer name = {0};
    for (size_t i = span.start; i < span.end; i++) {
        struct slice element = text_slice(job, ((const struct item *)job->order[i])->element);
        if (request->get_count == 0)
            list_value_push(list, LIST_TAIL, listpack_element_from(element), &limits);
        for (size_t j = 0; j < request->get_count; j++) {
            struct sort_value value;
            if (!sort_pattern_find(call, &request->gets[j], element, &name, &value))
                value.text = (struct slice){"", 0};
            list_value_push(list, LIST_TAIL, listpack_element_from(value.text), &limits);
        }
    }
    buffer_free(&name);
    return list;
}

static void store_items(struct call *call, struct job *job, struct span span)
{
    struct key key = call_key(call, job->request->store_index);
    if (span.start == span.end) {
        keyspace_delete(call->db, &key, "del");
        reply_integer(call->reply, 0);
        return;
    }
    struct list_value *list = list_of_items(call, job, span);
    uint64_t length = list->length;
    list_store(call->db, &key, list, EXPIRY_NONE, "sortstore", length);
    reply_integer(call->reply, (int64_t)length);
}

static void sort_and_finish(struct call *call, struct job *job, struct span span)
{
    if (!job->request->keeps && !weigh_all(call, job)) {
        reply_error(call->reply, "ERR One or more scores can't be converted into double");
        return;
    }
    size_t bytes = job->count * sizeof(*job->order);
    job->order = mem_alloc(bytes);
    for (size_t i = 0; i < job->count; i++)
        job->order[i] = &job->items[i];
    sort_items(job, span);
    if (job->request->store_index)
        store_items(call, job, span);
    else
        reply_items(call, job, span);
    mem_free(job->order, bytes);
}

/* Finds the elements' key; false after an error reply. */
static bool find_elements(struct call *call, struct entry **entry)
{
    struct key key = call_key(call, 1);
    *entry = call_find(call, &key, LOOKUP_READ);
    if (*entry == NULL || (*entry)->type == VALUE_LIST || (*entry)->type == VALUE_SET)
        return true;
    if ((*entry)->type != VALUE_ZSET) {
        call_reply_wrong_type(call);
        return false;
    }
    /* Redis sorts no packed sorted set, and OBJECT ENCODING shows that it was unpacked. */
    if (packed_is(*entry))
        *entry = zset_convert(call->db, &key, *entry);
    return true;
}

static void run(struct call *call, bool read_only)
{
    struct request request = {.read_only = read_only, .limit = -1};
    struct job job = {.request = &request};
    struct entry *entry;
    if (read_request(call, &request) && find_elements(call, &entry)) {
        if (entry && entry->type == VALUE_SET && request.keeps && request.store_index) {
            /* A set has no order that would be the same on every server: it is given one. */
            request.keeps = request.by_weight = false;
            request.as_text = true;
        }
        struct span span = limited_span(&request, element_count(entry));
        copy_elements(&job, entry, &span);
        sort_and_finish(call, &job, span);
    }
    mem_free(job.items, job.capacity * sizeof(*job.items));
    mem_free(request.gets, request.get_capacity * sizeof(*request.gets));
    buffer_free(&job.texts);
}

void cmd_sort(struct call *call)
{
    run(call, false);
}

void cmd_sort_ro(struct call *call)
{
    run(call, true);
}
