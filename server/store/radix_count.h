#ifndef SPINDLE_STORE_RADIX_COUNT_H
#define SPINDLE_STORE_RADIX_COUNT_H

#include "store/id_tree.h"

/*
 * How many nodes a radix tree of identifiers has that is never built: Redis keeps the nodes of a stream in
 * one, and XINFO STREAM tells its size.
 *
 * Identifiers are 16 bytes there, as in dumps. The tree has a node where they part, one for each run of more
 * than one byte in which they don't, and one at each end. Main thread only.
 */

/* The nodes that an identifier adds which is not in the tree: finds its neighbours, O(log n), and
 * mostly O(1) at the ends. */
uint64_t radix_count_added(const struct id_tree *tree, struct stream_id id);

#endif
