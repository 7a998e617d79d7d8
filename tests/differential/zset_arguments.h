#ifndef SPINDLE_TESTS_ZSET_ARGUMENTS_H
#define SPINDLE_TESTS_ZSET_ARGUMENTS_H

#include "differential/differential.h"

/*
 * Arguments of sorted set commands, and normal forms of their replies, for the generators gen_zset and
 * gen_zset_lex. As in differential.h, every function appends to the command.
 */

/* A score: one of few that meet again, both zeros and infinities among them; also huge, tiny and denormal. */
void arg_score(struct command *command, struct prng *prng);

/* Mostly a member of the pool, sometimes any value. */
void arg_zset_member(struct command *command, struct prng *prng);

/* An end of a range by score or by member, open or closed, sometimes garbage. */
void arg_score_bound(struct command *command, struct prng *prng);
void arg_lex_bound(struct command *command, struct prng *prng);

/* LIMIT with two numbers, sometimes with fewer. */
void arg_limit(struct command *command, struct prng *prng);

/* A whole ZSCAN command. One that sees everything in one call is compared element by element. */
void generate_zset_scan(struct command *command, struct prng *prng);

/* Sorts a reply's pairs: flat ones, or an array for each. */
void zset_sort_pairs(struct bytes *frame);

#endif
