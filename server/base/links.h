#ifndef SPINDLE_BASE_LINKS_H
#define SPINDLE_BASE_LINKS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Intrusive doubly linked lists with a sentinel: a struct embeds struct links, a list head is a struct links
 * that points at itself when empty. O(1) and no allocation. Not thread-safe.
 */

struct links {
    struct links *next;
    struct links *previous;
};

static inline void links_init(struct links *head)
{
    head->next = head;
    head->previous = head;
}

static inline bool links_is_empty(const struct links *head)
{
    return head->next == head;
}

static inline void links_append(struct links *head, struct links *node)
{
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}

/* Unlinks a node; it then is an empty list, so removing it twice is harmless. */
static inline void links_remove(struct links *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    links_init(node);
}

/* Moves the nodes from first to last, which follow each other in one list, to the end of another. */
static inline void links_move_run(struct links *head, struct links *first, struct links *last)
{
    first->previous->next = last->next;
    last->next->previous = first->previous;
    first->previous = head->previous;
    last->next = head;
    head->previous->next = first;
    head->previous = last;
}

/* Moves all nodes of another list to the end of this one. */
static inline void links_take(struct links *head, struct links *other)
{
    if (links_is_empty(other))
        return;
    other->next->previous = head->previous;
    head->previous->next = other->next;
    other->previous->next = head;
    head->previous = other->previous;
    links_init(other);
}

#define links_container(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
