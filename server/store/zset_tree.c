/* The counted B+tree: searching, splitting, balancing. See zset_tree.h. Main thread only. */
#include "store/zset_tree.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

enum {
    LEAF_MIN = ZSET_LEAF_MAX / 4,
    BRANCH_MIN = ZSET_BRANCH_MAX / 4,
    /* Neighbours that hold at most so many together are merged. */
    LEAF_MERGE_MAX = ZSET_LEAF_MAX * 3 / 4,
    BRANCH_MERGE_MAX = ZSET_BRANCH_MAX * 3 / 4,
    /* A full leaf gives to a neighbour that has at least so much room, and is split otherwise. */
    LEAF_GIVE_ROOM = ZSET_LEAF_MAX / 8 + 1,
};

struct zset_branch {
    uint16_t count;
    uint16_t shared_bytes;           /* of firsts from 1 on */
    uint32_t hints[ZSET_BRANCH_MAX]; /* likewise */
    uint64_t counts[ZSET_BRANCH_MAX];
    void *children[ZSET_BRANCH_MAX];
    struct zset_element *firsts[ZSET_BRANCH_MAX];
};

/* ---- sort keys ---- */

/* The score's 8 bytes as a number that sorts like the score; both zeros are equal. */
static inline uint64_t score_key(double score)
{
    score += 0.0; /* -0 becomes 0 */
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* What is searched for. */
struct probe {
    uint64_t score_key;
    struct slice member;
};

static inline struct probe probe_of(const struct zset_element *element)
{
    return (struct probe){score_key(element->score), zset_element_member(element)};
}

static int compare_members(struct slice a, struct slice b)
{
    size_t length = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.data, b.data, length);
    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

static int compare_probes(const struct probe *a, const struct probe *b)
{
    if (a->score_key != b->score_key)
        return a->score_key < b->score_key ? -1 : 1;
    return compare_members(a->member, b->member);
}

int zset_compare(double a_score, struct slice a_member, double b_score, struct slice b_member)
{
    struct probe a = {score_key(a_score), a_member}, b = {score_key(b_score), b_member};
    return compare_probes(&a, &b);
}

static size_t members_share(struct slice a, struct slice b)
{
    size_t length = a.length < b.length ? a.length : b.length, at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t a_word, b_word;
        memcpy(&a_word, a.data + at, 8);
        memcpy(&b_word, b.data + at, 8);
        if (a_word != b_word)
            return at + (size_t)__builtin_ctzll(a_word ^ b_word) / 8;
    }
    while (at < length && a.data[at] == b.data[at])
        at++;
    return at;
}

/* Leading bytes that two keys have in common, at most what a node can note. */
static uint16_t keys_share(const struct zset_element *a, const struct zset_element *b)
{
    uint64_t difference = score_key(a->score) ^ score_key(b->score);
    if (difference)
        return (uint16_t)(__builtin_clzll(difference) / 8);
    size_t shared = 8 + members_share(zset_element_member(a), zset_element_member(b));
    return shared < UINT16_MAX ? (uint16_t)shared : UINT16_MAX;
}

/* The 4 bytes of a key behind the shared ones; zeros where score or member end. */
static inline uint32_t key_hint(const struct probe *probe, unsigned shared_bytes)
{
    if (shared_bytes < 8)
        return (uint32_t)(probe->score_key << (8 * shared_bytes) >> 32);
    size_t at = shared_bytes - 8;
    const uint8_t *bytes = (const uint8_t *)probe->member.data + at;
    size_t left = probe->member.length > at ? probe->member.length - at : 0;
    if (left >= 4) {
        uint32_t word;
        memcpy(&word, bytes, sizeof(word));
        return __builtin_bswap32(word);
    }
    uint32_t hint = 0;
    for (size_t i = 0; i < left; i++)
        hint |= (uint32_t)bytes[i] << (24 - 8 * i);
    return hint;
}

/* Order of a probe and the bytes that a node's elements share. */
static inline int compare_shared(const struct probe *probe, const struct zset_element *element,
                                 unsigned shared_bytes)
{
    if (shared_bytes == 0)
        return 0;
    uint64_t element_key = score_key(element->score);
    unsigned shift = shared_bytes < 8 ? 64 - 8 * shared_bytes : 0;
    uint64_t own = probe->score_key >> shift, theirs = element_key >> shift;
    if (own != theirs)
        return own < theirs ? -1 : 1;
    if (shared_bytes <= 8)
        return 0;
    size_t length = shared_bytes - 8u;
    bool is_short = probe->member.length < length;
    int order = memcmp(probe->member.data, zset_element_member(element).data,
                       is_short ? probe->member.length : length);
    return order ? order : is_short ? -1 : 0;
}

/* ---- runs: elements in order, with hints ---- */

struct run {
    uint32_t *hints;
    struct zset_element **elements;
    unsigned count;
    uint16_t *shared_bytes;
};

static inline struct run leaf_run(const struct zset_leaf *node)
{
    struct zset_leaf *leaf = (struct zset_leaf *)node;
    return (struct run){leaf->hints, leaf->elements, leaf->count, &leaf->shared_bytes};
}

/* The first elements of all children but the first. */
static inline struct run branch_run(const struct zset_branch *node)
{
    struct zset_branch *branch = (struct zset_branch *)node;
    return (struct run){branch->hints + 1, branch->firsts + 1, branch->count - 1u, &branch->shared_bytes};
}

/* Number of elements that are less than the probe or (or_equal) equal to it. */
static inline unsigned run_search(struct run run, const struct probe *probe, bool or_equal)
{
    if (run.count == 0)
        return 0;
    int order = compare_shared(probe, run.elements[0], *run.shared_bytes);
    if (order != 0)
        return order < 0 ? 0 : run.count;
    uint32_t hint = key_hint(probe, *run.shared_bytes);
    unsigned low = 0, high = run.count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        bool is_before = run.hints[middle] < hint;
        if (run.hints[middle] == hint) {
            struct probe own = probe_of(run.elements[middle]);
            is_before = compare_probes(&own, probe) < or_equal;
        }
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    return low;
}

static void run_rebuild(struct run run, uint16_t shared_bytes)
{
    *run.shared_bytes = shared_bytes;
    for (unsigned i = 0; i < run.count; i++) {
        struct probe probe = probe_of(run.elements[i]);
        run.hints[i] = key_hint(&probe, shared_bytes);
    }
}

/* Makes the hints right after elements came from elsewhere, or went. */
static void run_refresh(struct run run)
{
    if (run.count > 0)
        run_rebuild(run, keys_share(run.elements[0], run.elements[run.count - 1]));
}

/* Makes the hints right after the element at index was put there. */
static void run_note(struct run run, unsigned index)
{
    if (index == 0 || index + 1 == run.count) {
        uint16_t shared = keys_share(run.elements[0], run.elements[run.count - 1]);
        if (run.count == 1 || shared < *run.shared_bytes) {
            run_rebuild(run, shared);
            return;
        }
    }
    struct probe probe = probe_of(run.elements[index]);
    run.hints[index] = key_hint(&probe, *run.shared_bytes);
}

static void run_open(struct run run, unsigned index)
{
    memmove(run.hints + index + 1, run.hints + index, (run.count - index) * sizeof(*run.hints));
    memmove(run.elements + index + 1, run.elements + index, (run.count - index) * sizeof(*run.elements));
}

static void run_close(struct run run, unsigned index)
{
    unsigned behind = run.count - index - 1;
    memmove(run.hints + index, run.hints + index + 1, behind * sizeof(*run.hints));
    memmove(run.elements + index, run.elements + index + 1, behind * sizeof(*run.elements));
}

/* ---- nodes ---- */

static void *node_create(struct zset_tree *tree, size_t size)
{
    tree->bytes += mem_round(size);
    return mem_alloc_zero(size);
}

static void node_free(struct zset_tree *tree, void *node, size_t size)
{
    tree->bytes -= mem_round(size);
    mem_free(node, size);
}

/* A new leaf behind one. */
static struct zset_leaf *leaf_create_after(struct zset_tree *tree, struct zset_leaf *before)
{
    struct zset_leaf *leaf = node_create(tree, sizeof(*leaf));
    leaf->previous = before;
    leaf->next = before ? before->next : NULL;
    if (before)
        before->next = leaf;
    else
        tree->first = leaf;
    if (leaf->next)
        leaf->next->previous = leaf;
    else
        tree->last = leaf;
    return leaf;
}

static void leaf_free(struct zset_tree *tree, struct zset_leaf *leaf)
{
    if (leaf->previous)
        leaf->previous->next = leaf->next;
    else
        tree->first = leaf->next;
    if (leaf->next)
        leaf->next->previous = leaf->previous;
    else
        tree->last = leaf->previous;
    node_free(tree, leaf, sizeof(*leaf));
}

static void branch_insert(struct zset_branch *branch, unsigned index, void *child, struct zset_element *first,
                          uint64_t count)
{
    DCHECK(index > 0 && branch->count < ZSET_BRANCH_MAX);
    unsigned behind = branch->count - index;
    memmove(branch->children + index + 1, branch->children + index, behind * sizeof(*branch->children));
    memmove(branch->counts + index + 1, branch->counts + index, behind * sizeof(*branch->counts));
    run_open(branch_run(branch), index - 1);
    branch->children[index] = child;
    branch->counts[index] = count;
    branch->firsts[index] = first;
    branch->count++;
    run_note(branch_run(branch), index - 1);
}

static void branch_remove(struct zset_branch *branch, unsigned index)
{
    DCHECK(index > 0);
    unsigned behind = branch->count - index - 1u;
    memmove(branch->children + index, branch->children + index + 1, behind * sizeof(*branch->children));
    memmove(branch->counts + index, branch->counts + index + 1, behind * sizeof(*branch->counts));
    run_close(branch_run(branch), index - 1);
    branch->count--;
}

/* Child index now begins with another element, between the same neighbours. */
static void branch_set_first(struct zset_branch *branch, unsigned index, struct zset_element *first)
{
    branch->firsts[index] = first;
    if (index > 0)
        run_note(branch_run(branch), index - 1);
}

static uint64_t branch_total(const struct zset_branch *branch)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < branch->count; i++)
        total += branch->counts[i];
    return total;
}

/* ---- neighbours: children index and index + 1 of a branch ---- */

/* Moves elements so that the left leaf has left_count of them. */
static void leaves_share(struct zset_branch *parent, unsigned index, unsigned left_count)
{
    struct zset_leaf *left = parent->children[index], *right = parent->children[index + 1];
    unsigned total = left->count + right->count;
    if (left_count < left->count) {
        unsigned moved = left->count - left_count;
        memmove(right->elements + moved, right->elements, right->count * sizeof(*right->elements));
        memcpy(right->elements, left->elements + left_count, moved * sizeof(*right->elements));
    } else {
        unsigned moved = left_count - left->count;
        memcpy(left->elements + left->count, right->elements, moved * sizeof(*left->elements));
        memmove(right->elements, right->elements + moved, (right->count - moved) * sizeof(*right->elements));
    }
    left->count = (uint16_t)left_count;
    right->count = (uint16_t)(total - left_count);
    run_refresh(leaf_run(left));
    run_refresh(leaf_run(right));
    parent->counts[index] = left->count;
    parent->counts[index + 1] = right->count;
}

static void leaves_balance(struct zset_branch *parent, unsigned index)
{
    const struct zset_leaf *left = parent->children[index], *right = parent->children[index + 1];
    leaves_share(parent, index, (left->count + right->count) / 2u);
    branch_set_first(parent, index + 1, right->elements[0]);
}

static void leaves_merge(struct zset_tree *tree, struct zset_branch *parent, unsigned index)
{
    struct zset_leaf *left = parent->children[index], *right = parent->children[index + 1];
    leaves_share(parent, index, left->count + right->count);
    branch_remove(parent, index + 1);
    leaf_free(tree, right);
}

static void branch_copy(struct zset_branch *to, unsigned to_index, const struct zset_branch *from,
                        unsigned from_index, unsigned count)
{
    memmove(to->children + to_index, from->children + from_index, count * sizeof(*to->children));
    memmove(to->counts + to_index, from->counts + from_index, count * sizeof(*to->counts));
    memmove(to->firsts + to_index, from->firsts + from_index, count * sizeof(*to->firsts));
}

/* Moves children so that the left branch has left_count of them. */
static void branches_share(struct zset_branch *parent, unsigned index, unsigned left_count)
{
    struct zset_branch *left = parent->children[index], *right = parent->children[index + 1];
    unsigned total = left->count + right->count;
    if (left_count < left->count) {
        unsigned moved = left->count - left_count;
        branch_copy(right, moved, right, 0, right->count);
        branch_copy(right, 0, left, left_count, moved);
    } else {
        unsigned moved = left_count - left->count;
        branch_copy(left, left->count, right, 0, moved);
        branch_copy(right, 0, right, moved, right->count - moved);
    }
    left->count = (uint16_t)left_count;
    right->count = (uint16_t)(total - left_count);
    run_refresh(branch_run(left));
    parent->counts[index] = branch_total(left);
    if (right->count > 0)
        run_refresh(branch_run(right));
    parent->counts[index + 1] = branch_total(right);
}

static void branches_balance(struct zset_branch *parent, unsigned index)
{
    const struct zset_branch *left = parent->children[index], *right = parent->children[index + 1];
    branches_share(parent, index, (left->count + right->count) / 2u);
    branch_set_first(parent, index + 1, right->firsts[0]);
}

static void branches_merge(struct zset_tree *tree, struct zset_branch *parent, unsigned index)
{
    struct zset_branch *left = parent->children[index], *right = parent->children[index + 1];
    branches_share(parent, index, left->count + right->count);
    branch_remove(parent, index + 1);
    node_free(tree, right, sizeof(*right));
}

/* ---- making room ---- */

/* Puts a branch above the root. */
static struct zset_branch *tree_raise(struct zset_tree *tree)
{
    CHECK(tree->height < ZSET_HEIGHT_MAX);
    struct zset_branch *root = node_create(tree, sizeof(*root));
    root->count = 1;
    root->children[0] = tree->root;
    root->counts[0] = tree->count;
    tree->root = root;
    tree->height++;
    return root;
}

/* How many of a full leaf's elements stay in it: about half, but those who add in order fill their leaves. */
static unsigned leaf_split_point(const struct zset_leaf *leaf, const struct probe *probe)
{
    struct probe first = probe_of(leaf->elements[0]), last = probe_of(leaf->elements[leaf->count - 1]);
    if (leaf->next == NULL && compare_probes(probe, &last) > 0)
        return leaf->count - 1u;
    if (leaf->previous == NULL && compare_probes(probe, &first) < 0)
        return 1;
    return leaf->count / 2u;
}

static bool leaf_has_room(const struct zset_branch *parent, unsigned index)
{
    const struct zset_leaf *leaf = parent->children[index];
    return leaf->count + LEAF_GIVE_ROOM <= ZSET_LEAF_MAX;
}

/* Child index is a full leaf: gives to a neighbour or splits. */
static void leaf_relieve(struct zset_tree *tree, struct zset_branch *parent, unsigned index,
                         const struct probe *probe)
{
    if (index + 1u < parent->count && leaf_has_room(parent, index + 1)) {
        leaves_balance(parent, index);
        return;
    }
    if (index > 0 && leaf_has_room(parent, index - 1)) {
        leaves_balance(parent, index - 1);
        return;
    }
    struct zset_leaf *left = parent->children[index];
    unsigned left_count = leaf_split_point(left, probe);
    struct zset_leaf *right = leaf_create_after(tree, left);
    branch_insert(parent, index + 1, right, left->elements[left_count], 0);
    leaves_share(parent, index, left_count);
}

/* Child index is a full branch: splits it; the last one keeps more, for those who add in order. */
static void branch_relieve(struct zset_tree *tree, struct zset_branch *parent, unsigned index)
{
    struct zset_branch *left = parent->children[index], *right = node_create(tree, sizeof(*right));
    bool is_last = index + 1u == parent->count;
    unsigned left_count = is_last ? left->count * 3u / 4 : left->count / 2u;
    branch_insert(parent, index + 1, right, left->firsts[left_count], 0);
    branches_share(parent, index, left_count);
}

static bool child_is_full(const struct zset_branch *parent, unsigned index, bool is_leaf)
{
    if (is_leaf)
        return ((const struct zset_leaf *)parent->children[index])->count == ZSET_LEAF_MAX;
    return ((const struct zset_branch *)parent->children[index])->count == ZSET_BRANCH_MAX;
}

static bool root_is_full(const struct zset_tree *tree)
{
    if (tree->height == 0)
        return ((const struct zset_leaf *)tree->root)->count == ZSET_LEAF_MAX;
    return ((const struct zset_branch *)tree->root)->count == ZSET_BRANCH_MAX;
}

void zset_tree_insert(struct zset_tree *tree, struct zset_element *element)
{
    struct probe probe = probe_of(element);
    if (tree->root == NULL)
        tree->root = leaf_create_after(tree, NULL);
    if (root_is_full(tree))
        tree_raise(tree);
    void *node = tree->root;
    for (unsigned level = tree->height; level > 0; level--) {
        struct zset_branch *branch = node;
        unsigned index = run_search(branch_run(branch), &probe, true);
        if (child_is_full(branch, index, level == 1)) {
            if (level == 1)
                leaf_relieve(tree, branch, index, &probe);
            else
                branch_relieve(tree, branch, index);
            index = run_search(branch_run(branch), &probe, true);
        }
        branch->counts[index]++;
        node = branch->children[index];
    }
    struct zset_leaf *leaf = node;
    unsigned index = run_search(leaf_run(leaf), &probe, false);
    run_open(leaf_run(leaf), index);
    leaf->elements[index] = element;
    leaf->count++;
    run_note(leaf_run(leaf), index);
    tree->count++;
}

/* ---- removing ---- */

/* The way from the root to a leaf: branches[i] was left through its child indexes[i]. */
struct path {
    struct zset_branch *branches[ZSET_HEIGHT_MAX];
    unsigned indexes[ZSET_HEIGHT_MAX];
    struct zset_leaf *leaf;
    unsigned index;
};

/* Joins or balances child index, which has few children or elements, with a neighbour. */
static void branch_fix_child(struct zset_tree *tree, struct zset_branch *branch, unsigned index, bool is_leaf)
{
    unsigned left = index > 0 ? index - 1 : 0;
    if (is_leaf) {
        const struct zset_leaf *a = branch->children[left], *b = branch->children[left + 1];
        if (a->count + b->count <= LEAF_MERGE_MAX)
            leaves_merge(tree, branch, left);
        else
            leaves_balance(branch, left);
        return;
    }
    const struct zset_branch *a = branch->children[left], *b = branch->children[left + 1];
    if (a->count + b->count <= BRANCH_MERGE_MAX)
        branches_merge(tree, branch, left);
    else
        branches_balance(branch, left);
}

/* Corrects what the branches above say about the first element of a leaf that is not empty. */
static void path_set_first(struct path *path, unsigned height)
{
    for (unsigned level = height; level-- > 0;) {
        branch_set_first(path->branches[level], path->indexes[level], path->leaf->elements[0]);
        if (path->indexes[level] > 0)
            return;
    }
}

/* Restores the invariants of what a removal left behind, from the leaf up. */
static void path_fix(struct zset_tree *tree, struct path *path)
{
    unsigned height = tree->height;
    if (height > 0 && path->leaf->count < LEAF_MIN)
        branch_fix_child(tree, path->branches[height - 1], path->indexes[height - 1], true);
    for (unsigned level = height; level-- > 1;) {
        if (path->branches[level]->count >= BRANCH_MIN)
            break;
        branch_fix_child(tree, path->branches[level - 1], path->indexes[level - 1], false);
    }
    while (tree->height > 0 && ((const struct zset_branch *)tree->root)->count == 1) {
        struct zset_branch *root = tree->root;
        tree->root = root->children[0];
        tree->height--;
        node_free(tree, root, sizeof(*root));
    }
}

static struct zset_element *path_remove(struct zset_tree *tree, struct path *path)
{
    struct zset_leaf *leaf = path->leaf;
    struct zset_element *element = leaf->elements[path->index];
    for (unsigned level = 0; level < tree->height; level++)
        path->branches[level]->counts[path->indexes[level]]--;
    run_close(leaf_run(leaf), path->index);
    leaf->count--;
    tree->count--;
    if (path->index == 0 && leaf->count > 0)
        path_set_first(path, tree->height);
    if (tree->height > 0) {
        path_fix(tree, path);
    } else if (leaf->count == 0) {
        leaf_free(tree, leaf);
        tree->root = NULL;
    }
    return element;
}

static void path_to_element(const struct zset_tree *tree, const struct zset_element *element,
                            struct path *path)
{
    struct probe probe = probe_of(element);
    void *node = tree->root;
    for (unsigned level = 0; level < tree->height; level++) {
        struct zset_branch *branch = node;
        unsigned index = run_search(branch_run(branch), &probe, true);
        path->branches[level] = branch;
        path->indexes[level] = index;
        node = branch->children[index];
    }
    path->leaf = node;
    path->index = run_search(leaf_run(node), &probe, false);
    CHECK(path->index < path->leaf->count && path->leaf->elements[path->index] == element);
}

static void path_to_rank(const struct zset_tree *tree, uint64_t rank, struct path *path)
{
    void *node = tree->root;
    for (unsigned level = 0; level < tree->height; level++) {
        struct zset_branch *branch = node;
        unsigned index = 0;
        while (rank >= branch->counts[index])
            rank -= branch->counts[index++];
        path->branches[level] = branch;
        path->indexes[level] = index;
        node = branch->children[index];
    }
    path->leaf = node;
    path->index = (unsigned)rank;
}

void zset_tree_remove(struct zset_tree *tree, const struct zset_element *element)
{
    struct path path;
    path_to_element(tree, element, &path);
    path_remove(tree, &path);
}

struct zset_element *zset_tree_remove_at(struct zset_tree *tree, uint64_t rank)
{
    CHECK(rank < tree->count);
    struct path path;
    path_to_rank(tree, rank, &path);
    return path_remove(tree, &path);
}

/* ---- looking ---- */

uint64_t zset_tree_rank(const struct zset_tree *tree, const struct zset_element *element)
{
    struct path path;
    path_to_element(tree, element, &path);
    uint64_t rank = path.index;
    for (unsigned level = 0; level < tree->height; level++)
        for (unsigned i = 0; i < path.indexes[level]; i++)
            rank += path.branches[level]->counts[i];
    return rank;
}

struct zset_place zset_tree_at(const struct zset_tree *tree, uint64_t rank)
{
    if (rank >= tree->count)
        return (struct zset_place){0};
    struct path path;
    path_to_rank(tree, rank, &path);
    return (struct zset_place){path.leaf, path.index};
}

uint64_t zset_tree_count_before(const struct zset_tree *tree,
                                bool (*is_before)(const void *bound, const struct zset_element *element),
                                const void *bound)
{
    if (tree->count == 0)
        return 0;
    uint64_t rank = 0;
    const void *node = tree->root;
    for (unsigned level = tree->height; level > 0; level--) {
        const struct zset_branch *branch = node;
        unsigned low = 1, high = branch->count;
        while (low < high) {
            unsigned middle = (low + high) / 2;
            if (is_before(bound, branch->firsts[middle]))
                low = middle + 1;
            else
                high = middle;
        }
        for (unsigned i = 0; i + 1 < low; i++)
            rank += branch->counts[i];
        node = branch->children[low - 1];
    }
    const struct zset_leaf *leaf = node;
    unsigned low = 0, high = leaf->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (is_before(bound, leaf->elements[middle]))
            low = middle + 1;
        else
            high = middle;
    }
    return rank + low;
}

/* ---- freeing ---- */

/* Frees the last branch without children, or whose children are leaves. */
static void tree_free_branch(struct zset_tree *tree)
{
    struct zset_branch *parent = NULL, *branch = tree->root;
    for (unsigned level = tree->height; level > 1 && branch->count > 0; level--) {
        parent = branch;
        branch = branch->children[branch->count - 1];
    }
    if (parent) {
        parent->count--;
    } else {
        tree->height = 0;
        tree->root = NULL;
    }
    node_free(tree, branch, sizeof(*branch));
}

bool zset_tree_free_node(struct zset_tree *tree)
{
    if (tree->first == NULL)
        return false;
    if (tree->height > 0) {
        tree_free_branch(tree);
        return true;
    }
    tree->root = NULL;
    leaf_free(tree, tree->first);
    return true;
}

/* ---- checking ---- */

static void run_check(struct run run)
{
    for (unsigned i = 0; i < run.count; i++) {
        struct probe probe = probe_of(run.elements[i]);
        CHECK(run.hints[i] == key_hint(&probe, *run.shared_bytes));
        CHECK(keys_share(run.elements[0], run.elements[i]) >= *run.shared_bytes);
        if (i > 0) {
            struct probe before = probe_of(run.elements[i - 1]);
            CHECK(compare_probes(&before, &probe) < 0);
        }
    }
}

static uint64_t node_check(const void *node, unsigned height, const struct zset_leaf **expected,
                           const struct zset_element **first)
{
    if (height == 0) {
        const struct zset_leaf *leaf = node;
        CHECK(leaf->count > 0 && leaf->count <= ZSET_LEAF_MAX && leaf == *expected);
        *expected = leaf->next;
        CHECK(leaf->next == NULL || leaf->next->previous == leaf);
        run_check(leaf_run(leaf));
        *first = leaf->elements[0];
        return leaf->count;
    }
    const struct zset_branch *branch = node;
    CHECK(branch->count > 1 && branch->count <= ZSET_BRANCH_MAX);
    run_check(branch_run(branch));
    uint64_t total = 0;
    for (unsigned i = 0; i < branch->count; i++) {
        const struct zset_element *own;
        uint64_t count = node_check(branch->children[i], height - 1, expected, &own);
        CHECK(count == branch->counts[i]);
        CHECK(i == 0 || own == branch->firsts[i]);
        if (i == 0)
            *first = own;
        total += count;
    }
    return total;
}

void zset_tree_check(const struct zset_tree *tree)
{
    if (tree->root == NULL) {
        CHECK(tree->count == 0 && tree->first == NULL && tree->last == NULL && tree->bytes == 0);
        return;
    }
    const struct zset_leaf *expected = tree->first;
    const struct zset_element *first;
    CHECK(node_check(tree->root, tree->height, &expected, &first) == tree->count);
    CHECK(expected == NULL && tree->last->next == NULL && tree->first->previous == NULL);
}
