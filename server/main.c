/* The program: command line, configuration, daemon, server, exit status. Main thread. */
#include "base/log.h"
#include "options.h"
#include "process.h"
#include "server.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_standard_input(struct buffer *text)
{
    char chunk[4096];
    ssize_t got;
    while ((got = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
        buffer_append(text, chunk, (size_t)got);
    return got < 0 ? -1 : 0;
}

static int load_config(struct config *config, const struct options *options)
{
    struct buffer input = {0};
    config_init(config);
    if (options->read_standard_input && read_standard_input(&input) != 0) {
        fprintf(stderr, "Can't read the configuration from standard input\n");
        return -1;
    }
    const struct config_source source = {
        .path = options->config_path,
        .standard_text = {options->read_standard_input ? (input.data ? input.data : "") : NULL, input.length},
        .overrides = {options->overrides.data, options->overrides.length},
    };
    int error = config_load(config, &source, stderr);
    buffer_free(&input);
    return error;
}

static const char *find_supervisor(int supervised)
{
    if (supervised == CONFIG_SUPERVISED_SYSTEMD ||
        (supervised == CONFIG_SUPERVISED_AUTO && getenv("NOTIFY_SOCKET")))
        return "systemd";
    if (supervised == CONFIG_SUPERVISED_UPSTART ||
        (supervised == CONFIG_SUPERVISED_AUTO && getenv("UPSTART_JOB")))
        return "upstart";
    return "no";
}

/* Becomes the process that the configuration asks for. Returns the path of the PID file, "" for none. */
static const char *enter_background(struct server *server)
{
    const struct process_settings *process = &server->config.process;
    server->supervised = find_supervisor(process->supervised);
    bool daemonize = process->daemonize && strcmp(server->supervised, "no") == 0;
    if (daemonize && process_daemonize() != 0)
        log_warning("Can't daemonize; staying in the foreground");
    server_configure_log(server);
    if (process->disable_thp)
        process_disable_huge_pages();
    const char *path = process->pid_file ? process->pid_file : "";
    if (path[0] == '\0' && daemonize)
        path = CONFIG_DEFAULT_PID_FILE;
    if (path[0])
        process_write_pid_file(path);
    return path;
}

int main(int argc, char **argv)
{
    setlocale(LC_COLLATE, "");
    struct options options;
    switch (options_parse(argc, argv, &options, stdout, stderr)) {
    case OPTIONS_EXIT_SUCCESS:
        options_free(&options);
        return EXIT_SUCCESS;
    case OPTIONS_EXIT_FAILURE:
        options_free(&options);
        return EXIT_FAILURE;
    default:
        break;
    }
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return EXIT_FAILURE;
    int error = load_config(&server->config, &options);
    options_free(&options);
    if (error) {
        config_free(&server->config);
        free(server);
        return EXIT_FAILURE;
    }
    const char *pid_file = enter_background(server);
    log_notice("Spindle " SPINDLE_VERSION " is starting, pid %d", (int)getpid());
    config_log_warnings(&server->config);
    char *program = strdup(argv[0]);
    server->program = program ? program : "spindle-server";
    if (server->config.process.set_title)
        process_claim_title(argc, argv);
    server_apply_title(server);
    server_apply_oom_score(server);

    int status = EXIT_FAILURE;
    if (server_start(server) == 0)
        status = server_run(server);
    process_notify_stopping(server->supervised);
    if (pid_file[0])
        unlink(pid_file);
    server_free(server);
    free(server);
    free(program);
    return status;
}
