#ifndef SPINDLE_CONFIG_H
#define SPINDLE_CONFIG_H

#include "base/log.h"
#include "commands/commands.h"
#include "net/net_settings.h"
#include "persist/persist_settings.h"
#include "protocol/buffer.h"
#include "protocol/resp_write.h"
#include "protocol/slice.h"
#include "store/keyspace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The server's configuration: every option that Redis 7.0 knows, from the configuration file, the command
 * line and CONFIG SET.
 *
 * One table (config_table.c) describes all options: name, alias, kind, bounds, default, whether it may change
 * at run time, and where in struct config its value is. Options whose feature this server lacks are kept and
 * shown as well; setting one to anything but its default is answered with a warning in the log. Options that
 * promise durability, replication, encryption or access control that the server could not keep are refused.
 *
 * struct config is the truth; subsystems are given copies by the hooks, and borrow its strings until the next
 * change. Memory: malloc. Main thread only.
 */

enum config_oom_mode { CONFIG_OOM_NO, CONFIG_OOM_RELATIVE, CONFIG_OOM_ABSOLUTE };

/* enable-debug-command, enable-protected-configs; the first as command_settings.debug_command_access. */
enum config_access { CONFIG_ACCESS_NO, CONFIG_ACCESS_YES, CONFIG_ACCESS_LOCAL };

enum config_supervised {
    CONFIG_SUPERVISED_NO,
    CONFIG_SUPERVISED_UPSTART,
    CONFIG_SUPERVISED_SYSTEMD,
    CONFIG_SUPERVISED_AUTO,
};

enum { CONFIG_OOM_VALUES = 3 }; /* of the server, of a replica, of a snapshot child */

/* The process as its surroundings see it. */
struct process_settings {
    bool daemonize;
    char *pid_file; /* "": none, or CONFIG_DEFAULT_PID_FILE when daemonized */
    int log_level;  /* enum log_level */
    char *log_file; /* "": standard output */
    bool syslog_enabled;
    char *syslog_ident;
    int syslog_facility; /* as syslog(3): LOG_LOCAL0 ... */
    int supervised;      /* enum config_supervised */
    bool set_title;
    char *title_template;
    int oom_mode; /* enum config_oom_mode */
    int oom_values[CONFIG_OOM_VALUES];
    bool disable_thp;
    int shutdown_timeout_s;
    unsigned shutdown_on_sigint, shutdown_on_sigterm; /* enum shutdown_flag; 0: default */
    bool dynamic_hz;
    int protected_configs; /* enum config_access */
    bool active_rehashing;
    int active_expire_effort;
};

#define CONFIG_DEFAULT_PID_FILE "/var/run/redis.pid"

/* Value of an option that nothing depends on yet. */
union config_value {
    bool boolean;
    int integer;
    int64_t wide;
    char *text;
};

/* A rename-command line. to "": the command is removed. */
struct config_rename {
    char *from, *to;
};

/* A `user` line: the name and the rules. */
struct config_user {
    struct slice *words; /* with their texts, from malloc */
    int count;
};

/* How changes reach the rest of the server. Apply is called after the value changed, once for each option
 * that did, by its name in the table (never an alias); returns 0, or a negative errno with a text for the
 * client in error: all changes of the CONFIG SET are then taken back and applied again. Not called while the
 * configuration file is loaded. */
struct config_hooks {
    void *server;
    int (*apply)(void *server, const char *option_name, char *error, size_t error_size);
    /* Appends the `user` lines that CONFIG REWRITE writes instead of those of the file. */
    void (*append_user_lines)(void *server, struct buffer *lines);
};

struct config {
    struct net_settings net;
    struct persist_settings persist;
    struct process_settings process;
    struct command_settings commands;
    struct store_settings store;
    int notify_classes;          /* enum keyspace_event_class and enum notify_class */
    union config_value *passive; /* by row of the table; see config_table.h */
    struct config_rename *renames;
    size_t rename_count;
    struct config_user *users;
    size_t user_count;
    char *file_path;       /* absolute; NULL: started without a file */
    char *start_directory; /* before any `dir` */
    bool is_loading;       /* between the first and the last line of a start */
    bool save_lines_seen;  /* the first `save` line replaces the default points, more of them add */
    struct config_hooks hooks;
};

/* Everything at its default. */
void config_init(struct config *config);
void config_free(struct config *config);

/* What a start says about the configuration. */
struct config_source {
    const char *path;           /* configuration file, absolute; NULL: none */
    struct slice standard_text; /* what was read from standard input; data NULL: nothing was */
    struct slice overrides;     /* lines made of the command line's --options */
};

/* Reads file, standard input's text and overrides, in this order; later lines win. Changes the working
 * directory for `dir`. Returns 0; on a mistake writes the block Redis writes (line number, line, reason) to
 * errors and returns -EINVAL, or another -errno when a file cannot be read: the server must not start. */
int config_load(struct config *config, const struct config_source *source, FILE *errors);

/* Writes to the log what config_load had to remark. */
void config_log_warnings(struct config *config);

/* Applies the rename-command lines; config_load has checked them. */
void config_rename_commands(const struct config *config, struct registry *registry);

/* Call when the server is able to change: from here on CONFIG SET reaches it. */
void config_set_hooks(struct config *config, const struct config_hooks *hooks);

/* CONFIG GET, SET and REWRITE: see services.h. Each writes the whole reply. */
void config_reply_get(struct config *config, const struct slice *patterns, int count, struct reply *reply);
void config_reply_set(struct config *config, const struct slice *pairs, int count, unsigned config_set_flags,
                      struct reply *reply);
void config_reply_rewrite(struct config *config, struct reply *reply);

/* Name of an enum option's value, as CONFIG GET shows it ("noeviction"). Static, or NULL when the option is
 * no enum. */
const char *config_enum_name(const struct config *config, const char *option_name);

#endif
