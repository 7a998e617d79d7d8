/* Which arguments are secrets. See redact.h. Any thread. */
#include "commands/redact.h"

struct redact redact_begin(const struct slice *argv, int argc)
{
    struct redact redact = {.argv = argv, .argc = argc, .next_option = 2, .secrets_until = -1};
    if (slice_is_word(argv[0], "auth") && argc <= 3)
        redact.kind = REDACT_AUTH;
    else if (slice_is_word(argv[0], "hello"))
        redact.kind = REDACT_HELLO;
    else if (slice_is_word(argv[0], "config") && argc > 1 && slice_is_word(argv[1], "set"))
        redact.kind = REDACT_CONFIG_SET;
    else if (slice_is_word(argv[0], "acl") && argc > 1 && slice_is_word(argv[1], "setuser"))
        redact.kind = REDACT_ACL_SETUSER;
    return redact;
}

static bool is_secret_option(struct slice name)
{
    return slice_is_word(name, "requirepass") || slice_is_word(name, "masterauth") ||
           slice_is_word(name, "masteruser") || slice_is_word(name, "tls-key-file-pass") ||
           slice_is_word(name, "tls-client-key-file-pass");
}

/* HELLO version [AUTH user password] [SETNAME name] ... */
static bool is_hello_secret(struct redact *redact, int index)
{
    if (index != redact->next_option)
        return index <= redact->secrets_until;
    int behind = redact->argc - 1 - index;
    if (slice_is_word(redact->argv[index], "auth") && behind >= 2) {
        redact->secrets_until = index + 2;
        redact->next_option = index + 3;
    } else if (slice_is_word(redact->argv[index], "setname") && behind >= 1) {
        redact->next_option = index + 2;
    }
    return false;
}

bool redact_is_secret(struct redact *redact, int index)
{
    switch (redact->kind) {
    case REDACT_AUTH:
        return index > 0;
    case REDACT_HELLO:
        return is_hello_secret(redact, index);
    case REDACT_CONFIG_SET:
        return index >= 3 && index % 2 == 1 && is_secret_option(redact->argv[index - 1]);
    case REDACT_ACL_SETUSER:
        return index >= 2;
    default:
        return false;
    }
}
