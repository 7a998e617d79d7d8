/* Passwords and what a session's login changes. See authenticate.h. Main thread only. */
#include "commands/authenticate.h"

#include <string.h>

/* Looks at every byte of the guess, whatever the password is. */
static bool is_password(const char *password, struct slice guess)
{
    size_t length = strlen(password);
    volatile unsigned char difference = length != guess.length;
    for (size_t i = 0; i < guess.length; i++)
        difference |= (unsigned char)(guess.data[i] ^ password[length ? i % length : 0]);
    return difference == 0;
}

bool authenticate_session(struct session *session, const struct command_settings *settings, struct slice user,
                          struct slice password)
{
    if (!slice_equals(user, slice_from_string("default")))
        return false;
    if (authenticate_is_required(settings) && !is_password(settings->requirepass, password))
        return false;
    session->flags |= SESSION_AUTHENTICATED;
    session->transport->set_trusted(session->connection, true);
    return true;
}

void authenticate_reset(struct session *session, const struct command_settings *settings)
{
    bool trusted = !authenticate_is_required(settings);
    session->flags &= ~(uint32_t)SESSION_AUTHENTICATED;
    if (trusted)
        session->flags |= SESSION_AUTHENTICATED;
    session->transport->set_trusted(session->connection, trusted);
}

void authenticate_refresh(const struct session_list *sessions, const struct command_settings *settings)
{
    for (const struct links *at = sessions->sessions.next; at != &sessions->sessions; at = at->next) {
        const struct session *session = links_container(at, struct session, links);
        session->transport->set_trusted(session->connection, authenticate_is_done(session, settings));
    }
}
