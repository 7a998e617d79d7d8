#ifndef SPINDLE_COMMANDS_ACL_SELECTOR_H
#define SPINDLE_COMMANDS_ACL_SELECTOR_H

#include "commands/acl_rules.h"

/* What rules and their descriptions share: changing which commands a selector allows. Main thread only. */

/* A command goes with its subcommands. */
void acl_selector_allow_word(struct acl_selector *selector, const struct acl_words *words, int word,
                             bool allowed);
void acl_selector_allow_category(struct acl_selector *selector, const struct acl_words *words,
                                 unsigned category, bool allowed);
void acl_selector_allow_all(struct acl_selector *selector, bool allowed);

#endif
