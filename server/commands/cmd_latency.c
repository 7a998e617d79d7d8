/* LATENCY: spikes by event, and histograms by command. Main thread only. */
#include "commands/argument.h"
#include "commands/commands.h"
#include "commands/handlers.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends formatted text that fits in a line. */
static void text_appendf(struct buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void text_appendf(struct buffer *text, const char *format, ...)
{
    enum { LINE_ROOM = 512 };
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer_reserve(text, LINE_ROOM), LINE_ROOM, format, arguments);
    va_end(arguments);
    text->length += (size_t)(length < LINE_ROOM ? length : LINE_ROOM - 1);
}

static void text_reply(struct call *call, struct buffer *text)
{
    reply_verbatim(call->reply, "txt", text->data, text->length);
    buffer_free(text);
}

static const struct latency_event *latency_event_argument(const struct call *call, int index)
{
    return latency_find(&call->commands->latency, call->argv[index].data, call->argv[index].length);
}

/* ---- events ---- */

void cmd_latency_latest(struct call *call)
{
    const struct latency_monitor *latency = &call->commands->latency;
    int count = latency_event_count(latency);
    reply_array(call->reply, (size_t)count);
    for (int i = 0; i < count; i++) {
        const struct latency_event *event = &latency->events[i];
        const struct latency_sample *last =
            &event->samples[(event->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
        reply_array(call->reply, 4);
        reply_string(call->reply, event->name);
        reply_integer(call->reply, last->time_s);
        reply_integer(call->reply, last->latency_ms);
        reply_integer(call->reply, event->max_ms);
    }
}

void cmd_latency_history(struct call *call)
{
    struct latency_sample samples[LATENCY_SAMPLES];
    const struct latency_event *event = latency_event_argument(call, 2);
    int count = event ? latency_samples(event, samples) : 0;
    reply_array(call->reply, (size_t)count);
    for (int i = 0; i < count; i++) {
        reply_array(call->reply, 2);
        reply_integer(call->reply, samples[i].time_s);
        reply_integer(call->reply, samples[i].latency_ms);
    }
}

void cmd_latency_reset(struct call *call)
{
    struct latency_monitor *latency = &call->commands->latency;
    int64_t count = 0;
    if (call->argc == 2) {
        count = latency_event_count(latency);
        latency_free(latency);
    }
    for (int i = 2; i < call->argc; i++)
        count += latency_reset(latency, call->argv[i].data, call->argv[i].length);
    reply_integer(call->reply, count);
}

/* ---- GRAPH ---- */

enum { GRAPH_COLUMNS = 80, GRAPH_ROWS = 4, GRAPH_LABEL_BYTES = 24 };

struct graph_column {
    int height; /* 0 to GRAPH_STEPS - 1 */
    char label[GRAPH_LABEL_BYTES];
};

/* Each row has three heights: a third full, two thirds, full. */
static const char graph_tops[] = "_o#";
enum { GRAPH_TOPS = 3, GRAPH_STEPS = GRAPH_TOPS * GRAPH_ROWS };

static void graph_format_age(char *label, int64_t age_s)
{
    static const struct {
        int64_t unit_s;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int i = 0;
    while (units[i].unit_s > 1 && age_s < units[i].unit_s)
        i++;
    snprintf(label, GRAPH_LABEL_BYTES, "%lld%c", (long long)(age_s / units[i].unit_s), units[i].letter);
}

/* Draws columns that fit in one line of text: the bars, a blank line, and the labels downwards. */
static void graph_draw(struct buffer *text, const struct graph_column *columns, int count)
{
    for (int row = GRAPH_ROWS - 1; row >= 0; row--) {
        for (int i = 0; i < count; i++) {
            int above = columns[i].height - row * GRAPH_TOPS;
            text_appendf(text, "%c", above < 0 ? ' ' : above < GRAPH_TOPS ? graph_tops[above] : '|');
        }
        text_appendf(text, "\n");
    }
    text_appendf(text, "%*s\n", count, "");
    size_t longest = 0;
    for (int i = 0; i < count; i++)
        longest = strlen(columns[i].label) > longest ? strlen(columns[i].label) : longest;
    for (size_t line = 0; line < longest; line++) {
        for (int i = 0; i < count; i++)
            text_appendf(text, "%c", line < strlen(columns[i].label) ? columns[i].label[line] : ' ');
        text_appendf(text, "\n");
    }
}

void cmd_latency_graph(struct call *call)
{
    const struct latency_event *event = latency_event_argument(call, 2);
    if (event == NULL) {
        reply_errorf(call->reply, "ERR No samples available for event '%.*s'",
                     argument_quoted_length(call->argv[2]), call->argv[2].data);
        return;
    }
    struct latency_sample samples[LATENCY_SAMPLES];
    int count = latency_samples(event, samples);
    int64_t low_ms = INT64_MAX, high_ms = 0;
    for (int i = 0; i < count; i++) {
        low_ms = samples[i].latency_ms < low_ms ? samples[i].latency_ms : low_ms;
        high_ms = samples[i].latency_ms > high_ms ? samples[i].latency_ms : high_ms;
    }
    int64_t span_ms = high_ms > low_ms ? high_ms - low_ms : 1;
    struct graph_column columns[LATENCY_SAMPLES];
    for (int i = 0; i < count; i++) {
        int64_t height = (samples[i].latency_ms - low_ms) * GRAPH_STEPS / span_ms;
        columns[i].height = (int)(height < GRAPH_STEPS ? height : GRAPH_STEPS - 1);
        graph_format_age(columns[i].label, call->keyspace->now_ms / 1000 - samples[i].time_s);
    }

    struct buffer text = {0};
    text_appendf(&text, "%s - high %lld ms, low %lld ms (all time high %lld ms)\n", event->name,
                 (long long)high_ms, (long long)low_ms, (long long)event->max_ms);
    for (int i = 0; i < GRAPH_COLUMNS; i++)
        text_appendf(&text, "-");
    text_appendf(&text, "\n");
    for (int from = 0; from < count; from += GRAPH_COLUMNS) {
        if (from > 0)
            text_appendf(&text, "\n");
        graph_draw(&text, columns + from, count - from < GRAPH_COLUMNS ? count - from : GRAPH_COLUMNS);
    }
    text_reply(call, &text);
}

/* ---- DOCTOR ---- */

struct latency_summary {
    double average_ms, deviation_ms, period_s;
};

static struct latency_summary latency_summarize(const struct latency_sample *samples, int count,
                                                int64_t now_s)
{
    struct latency_summary summary = {0};
    for (int i = 0; i < count; i++)
        summary.average_ms += (double)samples[i].latency_ms / count;
    for (int i = 0; i < count; i++)
        summary.deviation_ms += fabs((double)samples[i].latency_ms - summary.average_ms) / count;
    summary.period_s = (double)(now_s - samples[0].time_s) / count;
    return summary;
}

static void doctor_advise(const struct call *call, struct buffer *text)
{
    const struct latency_monitor *latency = &call->commands->latency;
    const struct command_settings *settings = &call->commands->settings;
    if (latency_find(latency, "command", strlen("command"))) {
        if (settings->slowlog_log_slower_than_us < 0 ||
            settings->slowlog_log_slower_than_us / 1000 > settings->latency_monitor_threshold_ms)
            text_appendf(text,
                         "- The slow log misses commands that the latency monitor sees. To see them in both: "
                         "CONFIG SET slowlog-log-slower-than %lld\n",
                         (long long)settings->latency_monitor_threshold_ms * 1000);
        text_appendf(text,
                     "- SLOWLOG GET shows which commands take long. Those that walk large collections, or "
                     "all keys, are the usual ones: SCAN and its relatives do it in small steps.\n");
    }
    if (latency_find(latency, "fast-command", strlen("fast-command")))
        text_appendf(text, "- Commands that touch a single item were slow as well: look for a busy machine, "
                           "swapping, or a CPU that this process shares.\n");
    if (latency_find(latency, "fork", strlen("fork")))
        text_appendf(text,
                     "- Starting a snapshot stalls the server while the kernel copies page tables. Virtual "
                     "machines and transparent huge pages make it longer.\n");
    if (latency_find(latency, "expire-cycle", strlen("expire-cycle")))
        text_appendf(text,
                     "- Removing expired keys took long: many keys end at the same moment. Spread their "
                     "deadlines.\n");
}

void cmd_latency_doctor(struct call *call)
{
    const struct latency_monitor *latency = &call->commands->latency;
    int events = latency_event_count(latency);
    struct buffer text = {0};
    if (events == 0 && call->commands->settings.latency_monitor_threshold_ms == 0) {
        text_appendf(&text, "Latency monitoring is off. To turn it on: CONFIG SET latency-monitor-threshold "
                            "<milliseconds>\n");
    } else if (events == 0) {
        text_appendf(&text, "No latency spike was seen so far.\n");
    } else {
        text_appendf(&text, "Latency spikes were seen:\n\n");
    }
    for (int i = 0; i < events; i++) {
        const struct latency_event *event = &latency->events[i];
        struct latency_sample samples[LATENCY_SAMPLES];
        int count = latency_samples(event, samples);
        struct latency_summary summary = latency_summarize(samples, count, call->keyspace->now_ms / 1000);
        text_appendf(
            &text,
            "%d. %s: %d latency spikes (average %.0fms, mean deviation %.0fms, period %.2f sec). Worst "
            "all time event %lldms.\n",
            i + 1, event->name, count, summary.average_ms, summary.deviation_ms, summary.period_s,
            (long long)event->max_ms);
    }
    if (events > 0) {
        text_appendf(&text, "\nWhat may help:\n\n");
        doctor_advise(call, &text);
    }
    text_reply(call, &text);
}

/* ---- HISTOGRAM ---- */

/* Ends of the classes shown: powers of two from about a microsecond to about a second. */
enum { HISTOGRAM_SHOWN_FIRST_NS = 1024, HISTOGRAM_SHOWN = 21 };

static int64_t histogram_shown_end_ns(int index)
{
    int64_t end_ns = (int64_t)HISTOGRAM_SHOWN_FIRST_NS << index;
    return index < HISTOGRAM_SHOWN - 1 ? histogram_round_up_ns(end_ns) : end_ns - 1;
}

static bool latency_reply_histogram(struct call *call, const struct registry_entry *entry)
{
    const struct histogram *histogram = entry->stats.histogram;
    if (histogram == NULL || histogram_count(histogram) == 0)
        return false;
    struct reply *reply = call->reply;
    reply_string(reply, entry->full_name);
    reply_map(reply, 2);
    reply_string(reply, "calls");
    reply_integer(reply, (int64_t)histogram_count(histogram));
    reply_string(reply, "histogram_usec");
    size_t mark = reply_deferred_begin(reply), shown = 0;
    uint64_t before = 0;
    for (int i = 0; i < HISTOGRAM_SHOWN; i++) {
        int64_t end_ns = histogram_shown_end_ns(i);
        uint64_t count = histogram_count_up_to_ns(histogram, end_ns);
        if (count == before)
            continue;
        reply_integer(reply, end_ns / 1000);
        reply_integer(reply, (int64_t)count);
        before = count;
        shown++;
    }
    reply_deferred_map(reply, mark, shown);
    return true;
}

/* Writes the histograms of a command, or of a container's subcommands; returns how many. */
static size_t latency_reply_histograms(struct call *call, const struct registry_entry *entry)
{
    if (entry->command->subcommand_count == 0)
        return latency_reply_histogram(call, entry);
    size_t count = 0;
    for (int i = 0; i < entry->command->subcommand_count; i++)
        count += latency_reply_histogram(call, &entry->subcommands[i]);
    return count;
}

void cmd_latency_histogram(struct call *call)
{
    const struct registry *registry = &call->commands->registry;
    size_t mark = reply_deferred_begin(call->reply), count = 0;
    for (int i = 0; call->argc == 2 && i < registry->count; i++)
        count += latency_reply_histograms(call, &registry->entries[i]);
    for (int i = 2; i < call->argc; i++) {
        const struct registry_entry *entry = registry_find_full(registry, call->argv[i]);
        if (entry)
            count += latency_reply_histograms(call, entry);
    }
    reply_deferred_map(call->reply, mark, count);
}

void cmd_latency_help(struct call *call)
{
    static const char *const lines[] = {
        "DOCTOR",
        "    Say in words what the latency monitor has seen.",
        "GRAPH <event>",
        "    Draw the latencies of an <event>.",
        "HISTOGRAM [<command> ...]",
        "    Count the calls of commands by how long they took; all commands by default.",
        "HISTORY <event>",
        "    List the latencies of an <event> with their times.",
        "LATEST",
        "    List the last latency of each event.",
        "RESET [<event> ...]",
        "    Forget events; all of them by default.",
        NULL,
    };
    call_reply_help(call, lines);
}
