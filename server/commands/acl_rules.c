/* Reading users' rules. See acl_rules.h. Main thread only. */
#include "commands/acl_rules.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "commands/acl_selector.h"

#include <ctype.h>

static const char syntax_error[] = "Syntax error";
static const char unknown_word[] = "Unknown command or category name in ACL";

/* ---- memory ---- */

static struct slice text_copy(struct slice text)
{
    char *copy = mem_alloc(text.length);
    if (text.length)
        memcpy(copy, text.data, text.length);
    return (struct slice){copy, text.length};
}

static void text_free(struct slice text)
{
    mem_free((char *)text.data, text.length);
}

/* Makes room for one more item in an array of such. */
static void *array_grow(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity)
        return items;
    size_t larger = *capacity ? 2 * *capacity : 2;
    items = mem_resize(items, *capacity * item_bytes, larger * item_bytes);
    *capacity = larger;
    return items;
}

static void patterns_clear(struct acl_patterns *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        text_free(patterns->items[i].text);
    mem_free(patterns->items, patterns->capacity * sizeof(*patterns->items));
    *patterns = (struct acl_patterns){0};
}

/* A pattern that is there already gets the permissions. */
static void patterns_add(struct acl_patterns *patterns, struct slice text, unsigned permissions)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (slice_equals(patterns->items[i].text, text)) {
            patterns->items[i].permissions |= permissions;
            return;
        }
    }
    patterns->items =
        array_grow(patterns->items, patterns->count, &patterns->capacity, sizeof(*patterns->items));
    patterns->items[patterns->count++] = (struct acl_pattern){text_copy(text), permissions};
}

static void patterns_copy(struct acl_patterns *to, const struct acl_patterns *from)
{
    *to = (struct acl_patterns){.capacity = from->count};
    to->items = mem_alloc(from->count * sizeof(*to->items));
    for (size_t i = 0; i < from->count; i++)
        to->items[to->count++] =
            (struct acl_pattern){text_copy(from->items[i].text), from->items[i].permissions};
}

static void add_first_argument(struct acl_selector *selector, int word, struct slice text)
{
    selector->first_arguments =
        array_grow(selector->first_arguments, selector->first_argument_count,
                   &selector->first_argument_capacity, sizeof(*selector->first_arguments));
    selector->first_arguments[selector->first_argument_count++] =
        (struct acl_first_argument){word, text_copy(text)};
}

/* Forgets those of a word, or of all words (negative). */
static void forget_first_arguments(struct acl_selector *selector, int word)
{
    size_t kept = 0;
    for (size_t i = 0; i < selector->first_argument_count; i++) {
        if (word < 0 || selector->first_arguments[i].word == word)
            text_free(selector->first_arguments[i].text);
        else
            selector->first_arguments[kept++] = selector->first_arguments[i];
    }
    selector->first_argument_count = kept;
}

static struct acl_selector *selector_create(const struct acl_grammar *grammar)
{
    struct acl_selector *selector = mem_alloc_zero(sizeof(*selector));
    selector->all_channels = grammar->all_channels;
    return selector;
}

static void selector_free(struct acl_selector *selector)
{
    patterns_clear(&selector->keys);
    patterns_clear(&selector->channels);
    forget_first_arguments(selector, -1);
    mem_free(selector->first_arguments,
             selector->first_argument_capacity * sizeof(*selector->first_arguments));
    mem_free(selector, sizeof(*selector));
}

static struct acl_selector *selector_copy(const struct acl_selector *from)
{
    struct acl_selector *to = mem_alloc(sizeof(*to));
    *to = *from;
    patterns_copy(&to->keys, &from->keys);
    patterns_copy(&to->channels, &from->channels);
    to->first_arguments = NULL;
    to->first_argument_count = to->first_argument_capacity = 0;
    for (size_t i = 0; i < from->first_argument_count; i++)
        add_first_argument(to, from->first_arguments[i].word, from->first_arguments[i].text);
    return to;
}

static void add_selector(struct acl_rules *rules, struct acl_selector *selector)
{
    rules->selectors = array_grow(rules->selectors, rules->selector_count, &rules->selector_capacity,
                                  sizeof(*rules->selectors));
    rules->selectors[rules->selector_count++] = selector;
}

void acl_rules_init(struct acl_rules *rules, const struct acl_grammar *grammar)
{
    *rules = (struct acl_rules){0};
    add_selector(rules, selector_create(grammar));
}

void acl_rules_free(struct acl_rules *rules)
{
    for (size_t i = 0; i < rules->selector_count; i++)
        selector_free(rules->selectors[i]);
    mem_free(rules->selectors, rules->selector_capacity * sizeof(*rules->selectors));
    mem_free(rules->passwords, rules->password_capacity * sizeof(*rules->passwords));
    *rules = (struct acl_rules){0};
}

void acl_rules_copy(struct acl_rules *to, const struct acl_rules *from)
{
    *to = *from;
    to->selectors = NULL;
    to->selector_count = to->selector_capacity = 0;
    for (size_t i = 0; i < from->selector_count; i++)
        add_selector(to, selector_copy(from->selectors[i]));
    to->password_capacity = from->password_count;
    to->passwords = mem_alloc(from->password_count * sizeof(*to->passwords));
    if (from->password_count)
        memcpy(to->passwords, from->passwords, from->password_count * sizeof(*to->passwords));
}

/* ---- commands ---- */

static void set_word(struct acl_selector *selector, int word, bool allowed)
{
    uint64_t bit = UINT64_C(1) << word % 64;
    if (allowed) {
        selector->allowed[word / 64] |= bit;
    } else {
        selector->allowed[word / 64] &= ~bit;
        selector->all_commands = false;
    }
}

void acl_selector_allow_word(struct acl_selector *selector, const struct acl_words *words, int word,
                             bool allowed)
{
    set_word(selector, word, allowed);
    forget_first_arguments(selector, word);
    if (!words->items[word].is_container)
        return;
    for (int i = word + 1; i < words->count; i++) {
        if (words->items[i].parent == word)
            set_word(selector, i, allowed);
    }
}

void acl_selector_allow_category(struct acl_selector *selector, const struct acl_words *words,
                                 unsigned category, bool allowed)
{
    for (int i = 0; i < words->count; i++) {
        if (words->items[i].categories & category)
            acl_selector_allow_word(selector, words, i, allowed);
    }
}

void acl_selector_allow_all(struct acl_selector *selector, bool allowed)
{
    memset(selector->allowed, allowed ? 0xff : 0, sizeof(selector->allowed));
    selector->all_commands = selector->begins_with_all = allowed;
    forget_first_arguments(selector, -1);
}

static bool has_first_argument(const struct acl_selector *selector, int word, struct slice text)
{
    for (size_t i = 0; i < selector->first_argument_count; i++) {
        const struct acl_first_argument *first = &selector->first_arguments[i];
        if (first->word == word && first->text.length == text.length &&
            strncasecmp(first->text.data, text.data, text.length) == 0)
            return true;
    }
    return false;
}

/* +container|subcommand, or +command|argument. */
static const char *allow_part(struct acl_selector *selector, const struct acl_words *words, struct slice name)
{
    const char *bar = memrchr(name.data, '|', name.length);
    struct slice head = {name.data, (size_t)(bar - name.data)};
    struct slice part = {bar + 1, name.length - head.length - 1};
    int word = acl_words_find(words, head);
    if (word < 0)
        return unknown_word;
    if (words->items[word].parent >= 0)
        return "Allowing first-arg of a subcommand is not supported";
    if (part.length == 0)
        return syntax_error;
    if (words->items[word].is_container) {
        word = acl_words_find(words, name);
        if (word < 0)
            return unknown_word;
        acl_selector_allow_word(selector, words, word, true);
    } else if (!has_first_argument(selector, word, part)) {
        add_first_argument(selector, word, part);
    }
    return NULL;
}

static const char *apply_command_rule(struct acl_selector *selector, const struct acl_words *words,
                                      struct slice rule)
{
    bool allowed = rule.data[0] == '+';
    struct slice name = {rule.data + 1, rule.length - 1};
    if (name.length && name.data[0] == '@') {
        unsigned category = acl_category_find((struct slice){name.data + 1, name.length - 1});
        if (category == 0)
            return unknown_word;
        acl_selector_allow_category(selector, words, category, allowed);
        return NULL;
    }
    if (allowed && name.length && memchr(name.data, '|', name.length))
        return allow_part(selector, words, name);
    int word = acl_words_find(words, name);
    if (word < 0)
        return unknown_word;
    acl_selector_allow_word(selector, words, word, allowed);
    return NULL;
}

/* ---- keys and channels ---- */

static bool is_one_word(struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\0' || isspace((unsigned char)text.data[i]))
            return false;
    }
    return true;
}

/* ~pattern or %RW~pattern. */
static const char *apply_key_rule(struct acl_selector *selector, struct slice rule)
{
    unsigned permissions = rule.data[0] == '~' ? ACL_READ_WRITE : 0;
    size_t at = 1;
    if (selector->all_keys)
        return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
               "any "
               "effect. Try 'resetkeys' to start with an empty list of patterns";
    for (bool is_list = rule.data[0] == '%'; is_list && at < rule.length; at++) {
        int letter = toupper((unsigned char)rule.data[at]);
        unsigned permission = letter == 'R' ? ACL_READ : letter == 'W' ? ACL_WRITE : 0;
        if (permission & ~permissions)
            permissions |= permission;
        else if (letter == '~' && permissions)
            is_list = false;
        else
            return syntax_error;
    }
    struct slice text = {rule.data + at, rule.length - at};
    if (permissions == 0 || !is_one_word(text))
        return syntax_error;
    patterns_add(&selector->keys, text, permissions);
    return NULL;
}

static const char *apply_channel_rule(struct acl_selector *selector, struct slice rule)
{
    struct slice text = {rule.data + 1, rule.length - 1};
    if (selector->all_channels)
        return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not "
               "have "
               "any effect. Try 'resetchannels' to start with an empty list of channels";
    if (!is_one_word(text))
        return syntax_error;
    patterns_add(&selector->channels, text, ACL_READ_WRITE);
    return NULL;
}

static void allow_all_keys(struct acl_selector *selector, bool allowed)
{
    selector->all_keys = allowed;
    patterns_clear(&selector->keys);
}

static void allow_all_channels(struct acl_selector *selector, bool allowed)
{
    selector->all_channels = allowed;
    patterns_clear(&selector->channels);
}

/* ---- selectors ---- */

static const char *selector_apply(struct acl_selector *selector, const struct acl_grammar *grammar,
                                  struct slice rule)
{
    if (slice_is_word(rule, "allkeys") || slice_is_word(rule, "~*"))
        allow_all_keys(selector, true);
    else if (slice_is_word(rule, "resetkeys"))
        allow_all_keys(selector, false);
    else if (slice_is_word(rule, "allchannels") || slice_is_word(rule, "&*"))
        allow_all_channels(selector, true);
    else if (slice_is_word(rule, "resetchannels"))
        allow_all_channels(selector, false);
    else if (slice_is_word(rule, "allcommands") || slice_is_word(rule, "+@all"))
        acl_selector_allow_all(selector, true);
    else if (slice_is_word(rule, "nocommands") || slice_is_word(rule, "-@all"))
        acl_selector_allow_all(selector, false);
    else if (rule.data[0] == '~' || rule.data[0] == '%')
        return apply_key_rule(selector, rule);
    else if (rule.data[0] == '&')
        return apply_channel_rule(selector, rule);
    else if (rule.data[0] == '+' || rule.data[0] == '-')
        return apply_command_rule(selector, grammar->words, rule);
    else
        return syntax_error;
    return NULL;
}

/* (rules): a selector of its own, unless one of them is refused. */
static const char *apply_selector_rule(struct acl_rules *rules, const struct acl_grammar *grammar,
                                       struct slice rule)
{
    struct acl_selector *selector = selector_create(grammar);
    struct slice left = {rule.data + 1, rule.length - 2};
    const char *refusal = NULL;
    while (left.length && !refusal) {
        const char *space = memchr(left.data, ' ', left.length);
        size_t length = space ? (size_t)(space - left.data) : left.length;
        if (length)
            refusal = selector_apply(selector, grammar, (struct slice){left.data, length});
        length += space != NULL;
        left = (struct slice){left.data + length, left.length - length};
    }
    if (refusal)
        selector_free(selector);
    else
        add_selector(rules, selector);
    return refusal;
}

static void clear_selectors(struct acl_rules *rules)
{
    while (rules->selector_count > 1)
        selector_free(rules->selectors[--rules->selector_count]);
}

/* ---- passwords ---- */

static bool hash_is_well_formed(struct slice digits)
{
    if (digits.length != ACL_HASH_DIGITS)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        if (!memchr("0123456789abcdef", digits.data[i], 16))
            return false;
    }
    return true;
}

static struct acl_password password_hash(struct slice text)
{
    char digits[SHA256_HEX_BYTES];
    struct acl_password password;
    sha256_hex(text.data, text.length, digits);
    memcpy(password.digits, digits, ACL_HASH_DIGITS);
    return password;
}

static size_t password_find(const struct acl_rules *rules, const struct acl_password *password)
{
    size_t at = 0;
    while (at < rules->password_count &&
           memcmp(rules->passwords[at].digits, password->digits, ACL_HASH_DIGITS) != 0)
        at++;
    return at;
}

/* >password #hash add one, <password !hash remove it. */
static const char *apply_password_rule(struct acl_rules *rules, struct slice rule)
{
    char kind = rule.data[0];
    struct slice text = {rule.data + 1, rule.length - 1};
    struct acl_password password;
    if (kind == '#' || kind == '!') {
        if (!hash_is_well_formed(text))
            return "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
                   "characters";
        memcpy(password.digits, text.data, ACL_HASH_DIGITS);
    } else {
        password = password_hash(text);
    }
    size_t at = password_find(rules, &password);
    bool is_known = at < rules->password_count;
    if (kind == '<' || kind == '!') {
        if (!is_known)
            return "The password you are trying to remove from the user does not exist";
        rules->password_count--;
        memmove(&rules->passwords[at], &rules->passwords[at + 1],
                (rules->password_count - at) * sizeof(*rules->passwords));
        return NULL;
    }
    rules->needs_no_password = false;
    if (is_known)
        return NULL;
    rules->passwords = array_grow(rules->passwords, rules->password_count, &rules->password_capacity,
                                  sizeof(*rules->passwords));
    rules->passwords[rules->password_count++] = password;
    return NULL;
}

bool acl_rules_know_password(const struct acl_rules *rules, struct slice password)
{
    const struct acl_password guess = password_hash(password);
    volatile unsigned char known = 0;
    for (size_t i = 0; i < rules->password_count; i++) {
        volatile unsigned char difference = 0;
        for (size_t j = 0; j < ACL_HASH_DIGITS; j++)
            difference |= (unsigned char)(rules->passwords[i].digits[j] ^ guess.digits[j]);
        known |= difference == 0;
    }
    return known;
}

/* ---- a user's rules ---- */

static void forget_passwords(struct acl_rules *rules, bool needs_none)
{
    rules->password_count = 0;
    rules->needs_no_password = needs_none;
}

static void choose_sanitizing(struct acl_rules *rules, bool sanitizes)
{
    rules->sanitizes = sanitizes;
    rules->skips_sanitizing = !sanitizes;
}

static void reset(struct acl_rules *rules, const struct acl_grammar *grammar)
{
    struct acl_selector *root = rules->selectors[0];
    forget_passwords(rules, false);
    rules->is_enabled = false;
    choose_sanitizing(rules, true);
    clear_selectors(rules);
    allow_all_keys(root, false);
    allow_all_channels(root, grammar->all_channels);
    acl_selector_allow_all(root, false);
}

const char *acl_rules_apply(struct acl_rules *rules, const struct acl_grammar *grammar, struct slice rule)
{
    if (rule.length == 0)
        return NULL;
    if (slice_is_word(rule, "on"))
        rules->is_enabled = true;
    else if (slice_is_word(rule, "off"))
        rules->is_enabled = false;
    else if (slice_is_word(rule, "nopass"))
        forget_passwords(rules, true);
    else if (slice_is_word(rule, "resetpass"))
        forget_passwords(rules, false);
    else if (slice_is_word(rule, "sanitize-payload"))
        choose_sanitizing(rules, true);
    else if (slice_is_word(rule, "skip-sanitize-payload"))
        choose_sanitizing(rules, false);
    else if (slice_is_word(rule, "clearselectors"))
        clear_selectors(rules);
    else if (slice_is_word(rule, "reset"))
        reset(rules, grammar);
    else if (memchr("><#!", rule.data[0], 4))
        return apply_password_rule(rules, rule);
    else if (rule.data[0] == '(' && rule.length > 1 && rule.data[rule.length - 1] == ')')
        return apply_selector_rule(rules, grammar, rule);
    else
        return selector_apply(rules->selectors[0], grammar, rule);
    return NULL;
}

bool acl_rules_are_unlimited(const struct acl_rules *rules)
{
    for (size_t i = 0; i < rules->selector_count; i++) {
        const struct acl_selector *selector = rules->selectors[i];
        if (selector->all_commands && selector->all_keys && selector->all_channels)
            return true;
    }
    return false;
}

/* ---- selectors in pieces ---- */

static bool opens_selector(struct slice argument)
{
    return argument.length && argument.data[0] == '(' && argument.data[argument.length - 1] != ')';
}

struct buffer *acl_rules_join(const struct slice *arguments, int argument_count, int *count, int *unmatched)
{
    size_t bytes = (size_t)argument_count * sizeof(struct buffer);
    struct buffer *pieces = mem_alloc_zero(bytes);
    int opened = -1;
    *count = 0;
    for (int i = 0; i < argument_count; i++) {
        struct buffer *piece = &pieces[*count];
        if (opens_selector(arguments[i])) {
            opened = i;
            piece->length = 0; /* one that was open already is forgotten, as in Redis */
        } else if (opened >= 0) {
            buffer_append(piece, " ", 1);
        }
        buffer_append(piece, arguments[i].data, arguments[i].length);
        if (opened >= 0 &&
            (opened == i || arguments[i].length == 0 || arguments[i].data[arguments[i].length - 1] != ')'))
            continue;
        opened = -1;
        (*count)++;
    }
    if (opened < 0)
        return pieces;
    *unmatched = opened;
    acl_rules_pieces_free(pieces, argument_count);
    return NULL;
}

void acl_rules_pieces_free(struct buffer *pieces, int argument_count)
{
    for (int i = 0; i < argument_count; i++)
        buffer_free(&pieces[i]);
    mem_free(pieces, (size_t)argument_count * sizeof(struct buffer));
}
