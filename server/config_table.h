#ifndef SPINDLE_CONFIG_TABLE_H
#define SPINDLE_CONFIG_TABLE_H

#include "server/config.h"

/*
 * What the configuration knows about each option: one constant row. Inside the configuration only
 * (config*.c). Constant data; any thread.
 */

enum config_kind {
    CONFIG_BOOL,
    CONFIG_NUMBER, /* int or int64_t */
    CONFIG_ENUM,   /* int: one of the choices, or with OPTION_WORDS several of them or'ed */
    CONFIG_TEXT,   /* char *, never NULL */
    CONFIG_SPECIAL,
};

enum option_flag {
    OPTION_IMMUTABLE = 1 << 0,    /* not by CONFIG SET */
    OPTION_SEVERAL = 1 << 1,      /* takes several arguments; a single one is cut at its spaces */
    OPTION_HIDDEN = 1 << 2,       /* CONFIG GET shows it only by its full name */
    OPTION_PROTECTED = 1 << 3,    /* CONFIG SET as enable-protected-configs says */
    OPTION_NOT_LOADING = 1 << 4,  /* not while the data set is being loaded */
    OPTION_WORDS = 1 << 5,        /* of CONFIG_ENUM */
    OPTION_IDLE = 1 << 6,         /* nothing depends on it yet: warn about anything but the default */
    OPTION_DEFAULT_ONLY = 1 << 7, /* anything but the default is refused, for the reason in the row */

    /* Forms of CONFIG_NUMBER. */
    OPTION_MEMORY = 1 << 8,    /* 64mb */
    OPTION_PERCENT = 1 << 9,   /* 5%: kept as a negative number */
    OPTION_UNSIGNED = 1 << 10, /* all 64 bits count */
    OPTION_OCTAL = 1 << 11,
};

struct config_choice {
    const char *name; /* NULL ends a list */
    int value;
};

enum { CONFIG_ERROR_MAX_BYTES = 512 };

/* Why a value was refused: text for the client or the operator. */
struct config_error {
    char text[CONFIG_ERROR_MAX_BYTES];
};

struct config_option;

/* An option that is not a plain value. */
struct config_special {
    /* Takes the arguments over into the configuration, all or nothing. */
    bool (*set)(struct config *config, const struct slice *values, int count, struct config_error *error);
    /* Appends the value as CONFIG GET shows it; set accepts that text as a single argument. */
    void (*get)(const struct config *config, struct buffer *text);
    /* Appends the lines that CONFIG REWRITE writes, each with its line end. */
    void (*rewrite)(const struct config *config, struct buffer *lines);
    void (*release)(struct config *config); /* may be NULL */
};

struct config_option {
    const char *name;
    const char *alias; /* NULL: none */
    enum config_kind kind;
    unsigned flags;
    uint32_t offset, size;    /* where in struct config, and how wide; size 0: in its passive values */
    int64_t minimum, maximum; /* refused outside */
    int64_t floor, ceiling;   /* moved inside; both 0: any */
    const char *initial;      /* as CONFIG GET shows it; NULL: the option has no value before it is set */
    const struct config_choice *choices;
    const char *(*check)(const char *text); /* of CONFIG_TEXT, may be NULL: reason to refuse, or NULL */
    const char *refusal;                    /* of OPTION_DEFAULT_ONLY */
    const struct config_special *special;
};

extern const struct config_option config_options[];
extern const int config_option_count;

extern const struct config_special config_special_bind;
extern const struct config_special config_special_dir;
extern const struct config_special config_special_io_threads;
extern const struct config_special config_special_notify;
extern const struct config_special config_special_oom_values;
extern const struct config_special config_special_output_limits;
extern const struct config_special config_special_percentiles;
extern const struct config_special config_special_replicaof;
extern const struct config_special config_special_save;

/* ---- config_value.c ---- */

/* Sets an option from its arguments; takes nothing over when it fails. Specials may change the process
 * (dir). */
bool config_option_set(struct config *config, const struct config_option *option, const struct slice *values,
                       int count, struct config_error *error);

/* Appends the value as CONFIG GET shows it. */
void config_option_get(const struct config *config, const struct config_option *option, struct buffer *text);

/* Appends the lines that set the option in a configuration file, each with its line end. */
void config_option_rewrite(const struct config *config, const struct config_option *option,
                           struct buffer *lines);

bool config_option_is_default(const struct config *config, const struct config_option *option);

/* Nothing depends on this option yet. */
bool config_option_is_idle(const struct config_option *option);

/* Address of the value, by the option's kind. */
void *config_option_place(const struct config *config, const struct config_option *option);

/* Finds an option by name or alias, ignoring case. *is_alias says which; may be NULL. NULL: none. */
const struct config_option *config_option_find(struct slice name, bool *is_alias);

/* Reads "64mb". false when malformed or out of range. An empty number is 0. */
bool config_parse_memory(struct slice text, uint64_t *bytes);

/* Appends text in quotes, escaped as configuration files know it. */
void config_append_quoted(struct buffer *out, struct slice text);
/* Appends bytes in the largest unit that divides them. */
void config_append_memory(struct buffer *out, uint64_t bytes);
void config_append_text(struct buffer *out, const char *text);
void config_append_format(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

void config_fail(struct config_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies a slice to a string from malloc. */
char *config_copy_text(struct slice text);

/* ---- config_file.c ---- */

enum { CONFIG_FILE_MAX_BYTES = 16 * 1024 * 1024 };

/* Appends a file's contents. 0 or -errno. */
int config_read_file(const char *path, struct buffer *text);

/* Takes the next line off *text, without its line end. false at the end. */
bool config_next_line(struct slice *text, struct slice *line);

/* The line without white space around it. */
struct slice config_trim(struct slice line);

#endif
