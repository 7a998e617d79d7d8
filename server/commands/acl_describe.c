/*
 * Users' rules as text, for GETUSER, LIST and files. See acl_rules.h.
 *
 * Commands are bits: the text is made by taking, again and again, the category that explains most of what is
 * left and spoils least, and then naming the single commands that are still wrong. Categories come in the
 * order in which redis-server takes them; single commands in that of their names. Main thread only.
 */
#include "commands/acl_rules.h"

#include "base/check.h"
#include "base/mem.h"
#include "commands/acl_selector.h"

#include <limits.h>
#include <stdio.h>

static void append_text(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text));
}

static void append_slice(struct buffer *out, struct slice text)
{
    buffer_append(out, text.data, text.length);
}

/* Begins another word. */
static void append_space(struct buffer *out, size_t start)
{
    if (out->length > start)
        append_text(out, " ");
}

/* ---- commands ---- */

/* How many words of a category a selector has and lacks. */
static void count_category(const struct acl_selector *selector, const struct acl_words *words,
                           unsigned category, int *has, int *lacks)
{
    *has = *lacks = 0;
    for (int i = 0; i < words->count; i++) {
        const struct acl_word *word = &words->items[i];
        if (!(word->categories & category) || word->is_newer)
            continue;
        if (acl_selector_has_word(selector, i))
            ++*has;
        else
            ++*lacks;
    }
}

/* The category that fits best of those that were not taken, as its number; -1: none fits more than it
 * spoils. */
static int best_category(const struct acl_selector *left, const struct acl_words *words, bool adds,
                         unsigned taken)
{
    int best = -1, fewest_wrong = INT_MAX, most_right = 0;
    for (int i = 0; i < ACL_CATEGORIES; i++) {
        int has, lacks;
        if (taken >> i & 1)
            continue;
        count_category(left, words, 1u << i, &has, &lacks);
        int right = adds ? has : lacks, wrong = adds ? lacks : has;
        if (right <= wrong)
            continue;
        if (wrong < fewest_wrong || (wrong == fewest_wrong && right > most_right)) {
            best = i;
            fewest_wrong = wrong;
            most_right = right;
        }
    }
    return best;
}

static void append_word(struct buffer *out, bool adds, const char *kind, const char *name)
{
    append_text(out, adds ? " +" : " -");
    append_text(out, kind);
    append_text(out, name);
}

/* Names categories, and brings said, a selector, to what they mean. */
static void describe_categories(const struct acl_selector *selector, const struct acl_words *words,
                                struct acl_selector *said, struct buffer *out)
{
    bool adds = !selector->begins_with_all;
    struct acl_selector left = {0};
    memcpy(left.allowed, selector->allowed, sizeof(left.allowed));
    unsigned taken = 0;
    int best;
    while ((best = best_category(&left, words, adds, taken)) >= 0) {
        append_word(out, adds, "@", acl_category_names[best]);
        acl_selector_allow_category(said, words, 1u << best, adds);
        acl_selector_allow_category(&left, words, 1u << best, !adds);
        taken |= 1u << best;
    }
}

static void describe_first_arguments(const struct acl_selector *selector, const struct acl_words *words,
                                     int word, struct buffer *out)
{
    for (size_t i = 0; i < selector->first_argument_count; i++) {
        const struct acl_first_argument *first = &selector->first_arguments[i];
        if (first->word != word)
            continue;
        append_word(out, true, "", words->items[word].name);
        append_text(out, "|");
        append_slice(out, first->text);
    }
}

void acl_selector_describe_commands(const struct acl_selector *selector, const struct acl_words *words,
                                    struct buffer *out)
{
    struct acl_selector said = {0};
    acl_selector_allow_all(&said, selector->begins_with_all);
    append_text(out, selector->begins_with_all ? "+@all" : "-@all");
    describe_categories(selector, words, &said, out);
    for (int i = 0; i < words->count; i++) {
        bool allowed = acl_selector_has_word(selector, i);
        if (allowed != acl_selector_has_word(&said, i)) {
            append_word(out, allowed, "", words->items[i].name);
            acl_selector_allow_word(&said, words, i, allowed);
        }
        if (!allowed)
            describe_first_arguments(selector, words, i, out);
    }
}

/* ---- keys and channels ---- */

void acl_selector_describe_keys(const struct acl_selector *selector, struct buffer *out)
{
    static const char *const marks[] = {[ACL_READ] = "%R~", [ACL_WRITE] = "%W~", [ACL_READ_WRITE] = "~"};
    size_t start = out->length;
    if (selector->all_keys)
        append_text(out, "~*");
    for (size_t i = 0; i < selector->keys.count; i++) {
        append_space(out, start);
        append_text(out, marks[selector->keys.items[i].permissions]);
        append_slice(out, selector->keys.items[i].text);
    }
}

void acl_selector_describe_channels(const struct acl_selector *selector, struct buffer *out)
{
    size_t start = out->length;
    if (selector->all_channels)
        append_text(out, "&*");
    for (size_t i = 0; i < selector->channels.count; i++) {
        append_space(out, start);
        append_text(out, "&");
        append_slice(out, selector->channels.items[i].text);
    }
}

static void describe_selector(const struct acl_selector *selector, const struct acl_words *words,
                              struct buffer *out)
{
    size_t start = out->length;
    acl_selector_describe_keys(selector, out);
    append_space(out, start);
    if (!selector->all_channels)
        append_text(out, selector->channels.count ? "resetchannels " : "resetchannels");
    acl_selector_describe_channels(selector, out);
    append_space(out, start);
    acl_selector_describe_commands(selector, words, out);
}

/* ---- users ---- */

int acl_rules_flags(const struct acl_rules *rules, const char *names[ACL_RULES_FLAGS])
{
    int count = 0;
    names[count++] = rules->is_enabled ? "on" : "off";
    if (rules->needs_no_password)
        names[count++] = "nopass";
    if (rules->skips_sanitizing)
        names[count++] = "skip-sanitize-payload";
    if (rules->sanitizes)
        names[count++] = "sanitize-payload";
    return count;
}

void acl_rules_describe(const struct acl_rules *rules, const struct acl_words *words, struct buffer *out)
{
    const char *flags[ACL_RULES_FLAGS];
    int flag_count = acl_rules_flags(rules, flags);
    for (int i = 0; i < flag_count; i++) {
        append_text(out, flags[i]);
        append_text(out, " ");
    }
    for (size_t i = 0; i < rules->password_count; i++) {
        append_text(out, "#");
        buffer_append(out, rules->passwords[i].digits, ACL_HASH_DIGITS);
        append_text(out, " ");
    }
    describe_selector(rules->selectors[0], words, out);
    for (size_t i = 1; i < rules->selector_count; i++) {
        append_text(out, " (");
        describe_selector(rules->selectors[i], words, out);
        append_text(out, ")");
    }
}
