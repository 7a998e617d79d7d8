#ifndef SPINDLE_TESTS_STREAM_ARGUMENTS_H
#define SPINDLE_TESTS_STREAM_ARGUMENTS_H

#include "differential/differential.h"

/*
 * Arguments of stream commands, and normal forms of their replies, for the generators gen_stream and
 * gen_stream_group. As in differential.h, every function appends to the command.
 *
 * Identifiers are small, so that they meet again; most of those for new entries let the server choose the
 * sequence number in one millisecond, so that streams grow whatever came before.
 */

/* One of five keys that only hold streams, the first ones most often; arg_stream gives any other key now and
 * then. */
void arg_stream_only(struct command *command, struct prng *prng);
void arg_stream(struct command *command, struct prng *prng);

/* The identifier of an entry, whole or only its milliseconds; sometimes of none, huge, or garbage. */
void arg_stream_id(struct command *command, struct prng *prng);

/* As XADD takes it. Never one that the clock chooses. */
void arg_new_id(struct command *command, struct prng *prng);

/* An end of a range, open or closed. */
void arg_stream_bound(struct command *command, struct prng *prng);

/* Fields with values, mostly one of a few sets of fields; sometimes one value too few. */
void arg_stream_fields(struct command *command, struct prng *prng);

/* MAXLEN or MINID with all that may follow. */
void arg_trimming(struct command *command, struct prng *prng);

/* Mostly nothing. */
void arg_stream_count(struct command *command, struct prng *prng);

void arg_stream_group(struct command *command, struct prng *prng);

/* A whole XADD to one of the keys above. */
void generate_stream_add(struct command *command, struct prng *prng);

/* CONFIG SET of how long nodes become: what is trimmed "about" depends on it. */
void generate_node_limits(struct command *command, struct prng *prng);

/* COUNT and BLOCK in front of STREAMS; never a wait without end. */
void arg_read_options(struct command *command, struct prng *prng);

/* STREAMS with keys, then for each what add_id gives; sometimes one too many or too few. */
void arg_streams(struct command *command, struct prng *prng,
                 void (*add_id)(struct command *command, struct prng *prng));

/* Hides moments, times since, identifiers that the clock chose, and the number of nodes that Redis' own tree
 * has. */
void mask_stream_times(struct bytes *frame);

/* The same for XPENDING, where times since remain as far as they are surely equal. */
void mask_pending_times(struct bytes *frame);

#endif
