#ifndef SPINDLE_COMMANDS_AUTHENTICATE_H
#define SPINDLE_COMMANDS_AUTHENTICATE_H

#include "commands/commands.h"

#include <stdbool.h>

/* Who may do what: one user, "default", and the password of requirepass. Main thread only. */

#define AUTHENTICATE_WRONG_PASSWORD "WRONGPASS invalid username-password pair or user is disabled."

static inline bool authenticate_is_required(const struct command_settings *settings)
{
    return settings->requirepass && settings->requirepass[0];
}

static inline bool authenticate_is_done(const struct session *session,
                                        const struct command_settings *settings)
{
    return session->flags & SESSION_AUTHENTICATED || !authenticate_is_required(settings);
}

/* Logs the session in. Returns false, and leaves the session as it was, when user or password are wrong. The
 * time it takes tells nothing about the password but its length. */
bool authenticate_session(struct session *session, const struct command_settings *settings, struct slice user,
                          struct slice password);

/* Back to the rights of a fresh connection. */
void authenticate_reset(struct session *session, const struct command_settings *settings);

/* The password was set, changed or removed: lifts the limits on strangers where nobody has to log in now, or
 * puts them back. Sessions keep the rights they have. */
void authenticate_refresh(const struct session_list *sessions, const struct command_settings *settings);

#endif
