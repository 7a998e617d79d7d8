/*
 * See server_process.h. The child gets PR_SET_PDEATHSIG, so that a test program that crashes leaves no
 * server behind; only a snapshot child of that server may outlive it for a moment.
 */

#include "support/server_process.h"
#include "support/fail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SPINDLE_SERVER_PATH
#error "the build names the server under test"
#endif

void sleep_ms(int duration_ms)
{
    struct timespec left = {.tv_sec = duration_ms / 1000, .tv_nsec = duration_ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static long long clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

long long monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

long long unix_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

const char *server_program(enum server_kind kind)
{
    const char *chosen = getenv(kind == SERVER_TESTED ? "SPINDLE_SERVER" : "REDIS_SERVER");
    if (chosen && *chosen)
        return chosen;
    return kind == SERVER_TESTED ? SPINDLE_SERVER_PATH : "redis-server";
}

bool server_tested_is_oracle(void)
{
    const char *program = server_program(SERVER_TESTED);
    const char *slash = strrchr(program, '/');
    return strcmp(slash ? slash + 1 : program, "redis-server") == 0;
}

int server_free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    fail_unless(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &size) == 0,
                "no free port: %s", strerror(errno));
    close(fd);
    return ntohs(address.sin_port);
}

void server_path(const struct server_process *server, const char *name, char *path, size_t path_size)
{
    int length = snprintf(path, path_size, "%s/%s", server->directory, name);
    fail_unless(length >= 0 && (size_t)length < path_size, "path too long: %s/%s", server->directory, name);
}

static void add_argument(struct server_process *server, const char *text)
{
    size_t count = 0;
    while (server->arguments[count])
        count++;
    fail_unless(count < SERVER_ARGUMENTS_MAX, "too many server arguments");
    server->arguments[count] = strdup(text);
    fail_unless(server->arguments[count], "out of memory");
}

static void add_option(struct server_process *server, const char *name, const char *value)
{
    add_argument(server, name);
    add_argument(server, value);
}

void server_prepare(struct server_process *server, enum server_kind kind, const char *const *arguments)
{
    *server = (struct server_process){.kind = kind, .port = server_free_port()};
    const char *parent = getenv("TMPDIR");
    snprintf(server->directory, sizeof(server->directory), "%s/%s-XXXXXX",
             parent && *parent ? parent : "/tmp", kind == SERVER_TESTED ? "spindle" : "redis");
    fail_unless(mkdtemp(server->directory), "mkdtemp %s: %s", server->directory, strerror(errno));
    server_path(server, "socket", server->socket_path, sizeof(server->socket_path));
    server_path(server, "log", server->log_path, sizeof(server->log_path));

    char port[16];
    snprintf(port, sizeof(port), "%d", server->port);
    bool first_is_file = arguments && arguments[0] && arguments[0][0] != '-';
    add_argument(server, server_program(kind));
    if (first_is_file)
        add_argument(server, *arguments++);
    add_option(server, "--port", port);
    add_option(server, "--unixsocket", server->socket_path);
    add_option(server, "--dir", server->directory);
    add_option(server, "--save", "");
    add_option(server, "--enable-debug-command", "yes");
    const char *threads = getenv("SPINDLE_IO_THREADS");
    if (kind == SERVER_TESTED && threads && *threads)
        add_option(server, "--io-threads", threads);
    while (arguments && *arguments)
        add_argument(server, *arguments++);
}

static _Noreturn void run_server(const struct server_process *server, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    int input = open("/dev/null", O_RDONLY);
    int output = open(server->log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (input < 0 || output < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 ||
        chdir(server->directory) != 0)
        _exit(126);
    close_range(3, ~0u, 0);
    setenv("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=0", 0);
    setenv("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1", 0);
    execvp(server->arguments[0], server->arguments);
    dprintf(2, "cannot run %s: %s\n", server->arguments[0], strerror(errno));
    _exit(127);
}

void server_launch_again(struct server_process *server)
{
    fail_unless(server->pid == 0, "the server runs already");
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    fail_unless(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0)
        run_server(server, parent);
    server->pid = pid;
}

void server_launch(struct server_process *server, enum server_kind kind, const char *const *arguments)
{
    server_prepare(server, kind, arguments);
    server_launch_again(server);
}

void server_start(struct server_process *server, enum server_kind kind, const char *const *arguments)
{
    server_prepare(server, kind, arguments);
    server_start_again(server);
}

void server_start_again(struct server_process *server)
{
    server_launch_again(server);
    server_await_ready(server);
}

/* One PING over the unix socket. */
static bool answers_pong(const struct server_process *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, server->socket_path, strnlen(server->socket_path, sizeof(address.sun_path) - 1));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    char reply[7] = "";
    struct timeval patience = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    bool answered = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                    send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 && recv(fd, reply, 7, MSG_WAITALL) == 7 &&
                    (memcmp(reply, "+PONG\r\n", 7) == 0 || memcmp(reply, "-NOAUTH", 7) == 0);
    close(fd);
    return answered;
}

static void fail_with_log(const struct server_process *server, const char *what)
{
    char *log = server_read_log(server);
    size_t size = strlen(log);
    fprintf(stderr, "--- the end of %s\n%s\n---\n", server->log_path, log + (size > 4000 ? size - 4000 : 0));
    fail("%s %s", server_program(server->kind), what);
}

void server_await_ready(struct server_process *server)
{
    long long end_ms = monotonic_ms() + SERVER_START_PATIENCE_MS;
    while (!answers_pong(server)) {
        if (!server_is_running(server))
            fail_with_log(server, "ended instead of starting");
        if (monotonic_ms() > end_ms)
            fail_with_log(server, "does not answer");
        sleep_ms(5);
    }
}

bool server_is_running(struct server_process *server)
{
    if (server->pid == 0)
        return false;
    siginfo_t info = {0};
    int result = waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return result == 0 && info.si_pid == 0;
}

int server_await_exit(struct server_process *server, int timeout_ms)
{
    fail_unless(server->pid > 0, "the server does not run");
    long long end_ms = monotonic_ms() + timeout_ms;
    while (server_is_running(server)) {
        if (monotonic_ms() > end_ms)
            fail_with_log(server, "does not end");
        sleep_ms(2);
    }
    int status = 0;
    waitpid(server->pid, &status, 0);
    server->pid = 0;
    server_check_log(server);
    return status;
}

int server_stop(struct server_process *server)
{
    fail_unless(server->pid > 0, "the server does not run");
    kill(server->pid, SIGTERM);
    int status = server_await_exit(server, SERVER_START_PATIENCE_MS);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void server_kill(struct server_process *server)
{
    fail_unless(server->pid > 0, "the server does not run");
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    server_check_log(server);
}

/* Deletes the directory and the plain files and sockets in it. */
static void delete_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
    }
    closedir(directory);
    rmdir(path);
}

static void forget(struct server_process *server)
{
    delete_directory(server->directory);
    for (size_t i = 0; server->arguments[i]; i++)
        free(server->arguments[i]);
    *server = (struct server_process){0};
}

void server_remove(struct server_process *server)
{
    if (server->pid > 0)
        server_stop(server);
    else
        server_check_log(server);
    forget(server);
}

void server_end(struct server_process *server)
{
    int status = server_stop(server);
    fail_unless(status == 0, "the server ended with %d", status);
    server_remove(server);
}

void server_put_down(struct server_process *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    server->pid = 0;
}

void server_discard(struct server_process *server)
{
    server_put_down(server);
    forget(server);
}

char *server_read_log(const struct server_process *server)
{
    struct bytes log = {0};
    int fd = open(server->log_path, O_RDONLY | O_CLOEXEC);
    char chunk[16 * 1024];
    for (ssize_t size; fd >= 0 && (size = read(fd, chunk, sizeof(chunk))) > 0;)
        bytes_append(&log, chunk, (size_t)size);
    if (fd >= 0)
        close(fd);
    char *copy = strdup(bytes_text(&log));
    fail_unless(copy, "out of memory");
    bytes_release(&log);
    return copy;
}

bool server_log_contains(const struct server_process *server, const char *text)
{
    char *log = server_read_log(server);
    bool found = strstr(log, text);
    free(log);
    return found;
}

void server_await_log(const struct server_process *server, const char *text)
{
    long long end_ms = monotonic_ms() + WIRE_PATIENCE_MS;
    while (!server_log_contains(server, text)) {
        if (monotonic_ms() > end_ms) {
            fprintf(stderr, "missing: %s\n", text);
            fail_with_log(server, "does not log a line");
        }
        sleep_ms(5);
    }
}

void server_check_log(const struct server_process *server)
{
    static const char *const reports[] = {"AddressSanitizer", "LeakSanitizer",  "ThreadSanitizer",
                                          "MemorySanitizer",  "runtime error:", "invariant broken at"};
    char *log = server_read_log(server);
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        const char *found = strstr(log, reports[i]);
        if (!found)
            continue;
        fprintf(stderr, "--- %s\n%.8000s\n---\n", server->log_path, found - log > 200 ? found - 200 : log);
        fail("%s: %s in the log", server_program(server->kind), reports[i]);
    }
    free(log);
}

void server_connect(const struct server_process *server, struct wire *wire)
{
    wire_connect_unix(wire, server->socket_path);
}

void server_connect_tcp(const struct server_process *server, struct wire *wire)
{
    wire_connect_tcp(wire, "127.0.0.1", server->port);
}
