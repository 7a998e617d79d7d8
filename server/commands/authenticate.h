#ifndef SPINDLE_COMMANDS_AUTHENTICATE_H
#define SPINDLE_COMMANDS_AUTHENTICATE_H

#include "commands/acl_user.h"
#include "commands/session.h"

#include <stdbool.h>

/*
 * Which user a session is, and what follows from changes of users for the sessions that are there.
 *
 * Invariant: a session has SESSION_RESTRICTED exactly while it has to log in, or its user may not do
 * everything. Main thread only.
 */

#define AUTHENTICATE_WRONG_PASSWORD "WRONGPASS invalid username-password pair or user is disabled."

/* Whether the session may do what its user may. */
static inline bool authenticate_is_done(const struct session *session, const struct acl *acl)
{
    return session->flags & SESSION_AUTHENTICATED || !acl_requires_login(acl);
}

/* Logs the session in. Returns false, and leaves the session as it was, when user or password are wrong. */
bool authenticate_session(struct session *session, const struct acl *acl, struct slice user,
                          struct slice password);

/* To the rights of a fresh connection. */
void authenticate_reset(struct session *session, const struct acl *acl);

/* Users, rules or passwords were changed: brings limits and restrictions of all sessions up to date. Who is
 * logged in stays so. */
void authenticate_refresh(const struct session_list *sessions, const struct acl *acl);

/* Closes the sessions of a user who is no more; the running one after its reply. */
void authenticate_end_user(const struct session_list *sessions, const struct acl *acl,
                           const struct acl_user *user, struct session *running);

/* A user is about to get these rules: closes sessions of his that are subscribed to what they do not allow
 * any more; the running one after its reply. */
void authenticate_end_listeners(const struct session_list *sessions, const struct acl_user *user,
                                const struct acl_rules *rules, struct session *running);

#endif
