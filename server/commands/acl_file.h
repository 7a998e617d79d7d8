#ifndef SPINDLE_COMMANDS_ACL_FILE_H
#define SPINDLE_COMMANDS_ACL_FILE_H

#include "commands/acl_user.h"
#include "protocol/buffer.h"

/* The file of users that the option aclfile names: a `user` line for each, as ACL LIST shows them. Main
 * thread only. */

/* Replaces all users by those of the file. Returns 0; old has those who are no more then, for acl_users_free.
 * Or -EINVAL or what kept it from being read: nothing was changed, and errors has the reasons in one line. */
int acl_file_load(struct acl *acl, const char *path, struct acl_users *old, struct buffer *errors);

/* Writes all users; at any failure the old file stays. Returns 0 or -errno (logged). */
int acl_file_save(const struct acl *acl, const char *path);

#endif
