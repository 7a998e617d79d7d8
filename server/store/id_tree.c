/* A B+tree of stream identifiers. See id_tree.h. Main thread only; a forked child may read. */
#include "store/id_tree.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

enum {
    FIRST_CAPACITY = 2,
    /* A node with so few is joined with a neighbour that has room. */
    LEAF_FEW = ID_LEAF_MAX / 4,
    BRANCH_FEW = ID_BRANCH_MAX / 4,
};

struct id_item {
    struct stream_id id;
    void *pointer;
};

struct id_leaf {
    struct id_leaf *next, *previous;
    unsigned count, capacity;
    struct id_item items[];
};

struct id_branch {
    unsigned count;
    void *children[ID_BRANCH_MAX];
    struct stream_id lows[ID_BRANCH_MAX]; /* of the children; that of the first one is not used */
};

/* The way from the root to a leaf: which child of each branch. */
struct id_path {
    struct id_branch *branches[ID_HEIGHT_MAX];
    unsigned indexes[ID_HEIGHT_MAX];
    unsigned height;
    struct id_leaf *leaf;
};

/* ---- nodes ---- */

static size_t leaf_bytes(unsigned capacity)
{
    return sizeof(struct id_leaf) + capacity * sizeof(struct id_item);
}

static struct id_leaf *leaf_create(struct id_tree *tree, unsigned capacity)
{
    struct id_leaf *leaf = mem_alloc(leaf_bytes(capacity));
    *leaf = (struct id_leaf){.capacity = capacity};
    tree->bytes += mem_round(leaf_bytes(capacity));
    return leaf;
}

static void leaf_free(struct id_tree *tree, struct id_leaf *leaf)
{
    tree->bytes -= mem_round(leaf_bytes(leaf->capacity));
    mem_free(leaf, leaf_bytes(leaf->capacity));
}

/* Doubles the only leaf. */
static struct id_leaf *leaf_grow(struct id_tree *tree, struct id_leaf *leaf)
{
    unsigned capacity = 2 * leaf->capacity < ID_LEAF_MAX ? 2 * leaf->capacity : ID_LEAF_MAX;
    tree->bytes += mem_round(leaf_bytes(capacity)) - mem_round(leaf_bytes(leaf->capacity));
    leaf = mem_resize(leaf, leaf_bytes(leaf->capacity), leaf_bytes(capacity));
    leaf->capacity = capacity;
    tree->root = tree->first = tree->last = leaf;
    return leaf;
}

static struct id_branch *branch_create(struct id_tree *tree)
{
    tree->bytes += mem_round(sizeof(struct id_branch));
    struct id_branch *branch = mem_alloc(sizeof(*branch));
    branch->count = 0;
    return branch;
}

static void branch_free(struct id_tree *tree, struct id_branch *branch)
{
    tree->bytes -= mem_round(sizeof(*branch));
    mem_free(branch, sizeof(*branch));
}

/* Puts a leaf into the chain behind another. */
static void chain_insert(struct id_tree *tree, struct id_leaf *leaf, struct id_leaf *added)
{
    added->previous = leaf;
    added->next = leaf->next;
    if (leaf->next)
        leaf->next->previous = added;
    else
        tree->last = added;
    leaf->next = added;
}

static void chain_remove(struct id_tree *tree, struct id_leaf *leaf)
{
    if (leaf->previous)
        leaf->previous->next = leaf->next;
    else
        tree->first = leaf->next;
    if (leaf->next)
        leaf->next->previous = leaf->previous;
    else
        tree->last = leaf->previous;
}

void id_tree_init(struct id_tree *tree)
{
    *tree = (struct id_tree){0};
}

/* Takes away, again and again, the branch at the end of the way over last children. */
static void free_branches(struct id_tree *tree)
{
    while (tree->height > 0) {
        struct id_branch *above = NULL, *branch = tree->root;
        for (unsigned level = 1; level < tree->height && branch->count > 0; level++) {
            above = branch;
            branch = branch->children[branch->count - 1];
        }
        branch_free(tree, branch);
        if (above)
            above->count--;
        else
            tree->height = 0;
    }
}

void id_tree_clear(struct id_tree *tree)
{
    free_branches(tree);
    for (struct id_leaf *leaf = tree->first, *next; leaf; leaf = next) {
        next = leaf->next;
        leaf_free(tree, leaf);
    }
    id_tree_init(tree);
}

/* ---- searching ---- */

/* The child whose identifiers an identifier would be among. */
static unsigned branch_seek(const struct id_branch *branch, struct stream_id id)
{
    unsigned low = 1, high = branch->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (stream_id_is_less(id, branch->lows[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    return low - 1;
}

/* The first item that is not less. */
static unsigned leaf_seek(const struct id_leaf *leaf, struct stream_id id)
{
    unsigned low = 0, high = leaf->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (stream_id_is_less(leaf->items[middle].id, id))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool leaf_has(const struct id_leaf *leaf, unsigned index, struct stream_id id)
{
    return index < leaf->count && stream_id_is_equal(leaf->items[index].id, id);
}

/* The tree is not empty. */
static void path_find(const struct id_tree *tree, struct stream_id id, struct id_path *path)
{
    void *node = tree->root;
    for (path->height = 0; path->height < tree->height; path->height++) {
        struct id_branch *branch = node;
        unsigned index = branch_seek(branch, id);
        path->branches[path->height] = branch;
        path->indexes[path->height] = index;
        node = branch->children[index];
    }
    path->leaf = node;
}

static struct id_leaf *leaf_find(const struct id_tree *tree, struct stream_id id)
{
    void *node = tree->root;
    for (unsigned level = 0; level < tree->height; level++) {
        const struct id_branch *branch = node;
        node = branch->children[branch_seek(branch, id)];
    }
    return node;
}

void **id_tree_find(const struct id_tree *tree, struct stream_id id)
{
    if (tree->root == NULL)
        return NULL;
    struct id_leaf *leaf = leaf_find(tree, id);
    unsigned index = leaf_seek(leaf, id);
    return leaf_has(leaf, index, id) ? &leaf->items[index].pointer : NULL;
}

struct id_place id_tree_first(const struct id_tree *tree)
{
    return (struct id_place){tree->first, 0};
}

struct id_place id_tree_last(const struct id_tree *tree)
{
    return (struct id_place){tree->last, tree->last ? tree->last->count - 1 : 0};
}

struct id_place id_tree_seek(const struct id_tree *tree, struct stream_id id)
{
    if (tree->root == NULL)
        return (struct id_place){NULL, 0};
    struct id_leaf *leaf = leaf_find(tree, id);
    unsigned index = leaf_seek(leaf, id);
    return index < leaf->count ? (struct id_place){leaf, index} : (struct id_place){leaf->next, 0};
}

struct id_place id_tree_seek_back(const struct id_tree *tree, struct stream_id id)
{
    if (tree->root == NULL)
        return (struct id_place){NULL, 0};
    struct id_leaf *leaf = leaf_find(tree, id);
    unsigned index = leaf_seek(leaf, id);
    if (leaf_has(leaf, index, id))
        return (struct id_place){leaf, index};
    return id_place_previous((struct id_place){leaf, index});
}

struct id_place id_place_next(struct id_place place)
{
    if (place.index + 1 < place.leaf->count)
        return (struct id_place){place.leaf, place.index + 1};
    return (struct id_place){place.leaf->next, 0};
}

struct id_place id_place_previous(struct id_place place)
{
    if (place.index > 0)
        return (struct id_place){place.leaf, place.index - 1};
    struct id_leaf *leaf = place.leaf->previous;
    return (struct id_place){leaf, leaf ? leaf->count - 1 : 0};
}

struct stream_id id_place_id(struct id_place place)
{
    return place.leaf->items[place.index].id;
}

void **id_place_pointer(struct id_place place)
{
    return &place.leaf->items[place.index].pointer;
}

/* ---- inserting ---- */

static void leaf_insert(struct id_leaf *leaf, unsigned index, struct stream_id id, void *pointer)
{
    struct id_item *at = &leaf->items[index];
    memmove(at + 1, at, (leaf->count - index) * sizeof(*at));
    *at = (struct id_item){id, pointer};
    leaf->count++;
}

static void branch_insert(struct id_branch *branch, unsigned index, void *child, struct stream_id low)
{
    size_t behind = branch->count - index;
    memmove(&branch->children[index + 1], &branch->children[index], behind * sizeof(void *));
    memmove(&branch->lows[index + 1], &branch->lows[index], behind * sizeof(struct stream_id));
    branch->children[index] = child;
    branch->lows[index] = low;
    branch->count++;
}

/* Moves the children from an index on to a new branch. */
static struct id_branch *branch_split(struct id_tree *tree, struct id_branch *branch, unsigned index)
{
    struct id_branch *added = branch_create(tree);
    added->count = branch->count - index;
    memcpy(added->children, &branch->children[index], added->count * sizeof(void *));
    memcpy(added->lows, &branch->lows[index], added->count * sizeof(struct stream_id));
    branch->count = index;
    return added;
}

static void tree_grow(struct id_tree *tree, void *right, struct stream_id low)
{
    CHECK(tree->height < ID_HEIGHT_MAX);
    struct id_branch *root = branch_create(tree);
    branch_insert(root, 0, tree->root, STREAM_ID_NONE);
    branch_insert(root, 1, right, low);
    tree->root = root;
    tree->height++;
}

/* Puts a child behind the one at the end of the path; branches that are full split. */
static void path_insert(struct id_tree *tree, struct id_path *path, void *child, struct stream_id low)
{
    while (path->height > 0) {
        path->height--;
        struct id_branch *branch = path->branches[path->height];
        unsigned index = path->indexes[path->height] + 1;
        if (branch->count < ID_BRANCH_MAX) {
            branch_insert(branch, index, child, low);
            return;
        }
        /* At the end the left one stays nearly full. */
        unsigned middle = index == branch->count ? branch->count - 1 : branch->count / 2;
        struct id_branch *added = branch_split(tree, branch, middle);
        if (index <= middle)
            branch_insert(branch, index, child, low);
        else
            branch_insert(added, index - middle, child, low);
        child = added;
        low = added->lows[0];
    }
    tree_grow(tree, child, low);
}

/* Makes room for an item at an index of a full leaf: returns the leaf and the index where it goes. */
static struct id_leaf *leaf_split(struct id_tree *tree, struct id_path *path, unsigned *index,
                                  struct stream_id id)
{
    struct id_leaf *leaf = path->leaf, *added = leaf_create(tree, ID_LEAF_MAX);
    bool is_append = leaf->next == NULL && *index == leaf->count;
    unsigned kept = is_append ? leaf->count : leaf->count / 2;
    added->count = leaf->count - kept;
    memcpy(added->items, &leaf->items[kept], added->count * sizeof(struct id_item));
    leaf->count = kept;
    chain_insert(tree, leaf, added);
    path_insert(tree, path, added, is_append ? id : added->items[0].id);
    if (!is_append && *index <= kept)
        return leaf;
    *index -= kept;
    return added;
}

bool id_tree_insert(struct id_tree *tree, struct stream_id id, void *pointer)
{
    struct id_path path;
    if (tree->root == NULL)
        tree->root = tree->first = tree->last = leaf_create(tree, FIRST_CAPACITY);
    path_find(tree, id, &path);
    struct id_leaf *leaf = path.leaf;
    unsigned index = leaf_seek(leaf, id);
    if (leaf_has(leaf, index, id))
        return false;
    if (leaf->count == leaf->capacity)
        leaf = leaf->capacity < ID_LEAF_MAX ? leaf_grow(tree, leaf) : leaf_split(tree, &path, &index, id);
    leaf_insert(leaf, index, id, pointer);
    tree->count++;
    return true;
}

/* ---- removing ---- */

static void branch_remove(struct id_branch *branch, unsigned index)
{
    branch->count--;
    size_t behind = branch->count - index;
    memmove(&branch->children[index], &branch->children[index + 1], behind * sizeof(void *));
    memmove(&branch->lows[index], &branch->lows[index + 1], behind * sizeof(struct stream_id));
}

static bool leaves_join(struct id_tree *tree, struct id_leaf *left, struct id_leaf *right)
{
    if (left->count + right->count > left->capacity)
        return false;
    memcpy(&left->items[left->count], right->items, right->count * sizeof(struct id_item));
    left->count += right->count;
    chain_remove(tree, right);
    leaf_free(tree, right);
    return true;
}

static bool branches_join(struct id_tree *tree, struct id_branch *left, struct id_branch *right,
                          struct stream_id low)
{
    if (left->count + right->count > ID_BRANCH_MAX)
        return false;
    right->lows[0] = low;
    memcpy(&left->children[left->count], right->children, right->count * sizeof(void *));
    memcpy(&left->lows[left->count], right->lows, right->count * sizeof(struct stream_id));
    left->count += right->count;
    branch_free(tree, right);
    return true;
}

/* Joins two neighbouring children of a branch, if one has room for both. */
static bool branch_join_children(struct id_tree *tree, struct id_branch *branch, unsigned left,
                                 bool are_leaves)
{
    if (left + 1 >= branch->count)
        return false;
    void *a = branch->children[left], *b = branch->children[left + 1];
    bool joined = are_leaves ? leaves_join(tree, a, b) : branches_join(tree, a, b, branch->lows[left + 1]);
    if (joined)
        branch_remove(branch, left + 1);
    return joined;
}

/* Walks up from a leaf that has few items, or none and is gone: nodes that are left with few children are
 * joined, empty ones go. */
static void path_shrink(struct id_tree *tree, struct id_path *path, bool is_gone)
{
    bool are_leaves = true;
    while (path->height > 0) {
        path->height--;
        struct id_branch *branch = path->branches[path->height];
        unsigned index = path->indexes[path->height];
        if (is_gone)
            branch_remove(branch, index);
        else if (!branch_join_children(tree, branch, index, are_leaves) &&
                 (index == 0 || !branch_join_children(tree, branch, index - 1, are_leaves)))
            break;
        are_leaves = false;
        is_gone = branch->count == 0;
        if (is_gone)
            branch_free(tree, branch);
        else if (branch->count > BRANCH_FEW)
            break;
    }
    while (tree->height > 0 && ((struct id_branch *)tree->root)->count == 1) {
        struct id_branch *root = tree->root;
        tree->root = root->children[0];
        tree->height--;
        branch_free(tree, root);
    }
}

/* The last item of a leaf has gone. */
static void leaf_drop(struct id_tree *tree, struct id_path *path)
{
    chain_remove(tree, path->leaf);
    leaf_free(tree, path->leaf);
    if (tree->count == 0)
        tree->root = NULL;
    else
        path_shrink(tree, path, true);
}

void *id_tree_remove(struct id_tree *tree, struct stream_id id)
{
    struct id_path path;
    if (tree->root == NULL)
        return NULL;
    path_find(tree, id, &path);
    struct id_leaf *leaf = path.leaf;
    unsigned index = leaf_seek(leaf, id);
    if (!leaf_has(leaf, index, id))
        return NULL;
    void *pointer = leaf->items[index].pointer;
    leaf->count--;
    tree->count--;
    memmove(&leaf->items[index], &leaf->items[index + 1], (leaf->count - index) * sizeof(struct id_item));
    if (leaf->count == 0)
        leaf_drop(tree, &path);
    else if (leaf->count <= LEAF_FEW)
        path_shrink(tree, &path, false);
    return pointer;
}

/* ---- for tests ---- */

/* Every identifier is found from the root, and the chain is in order. */
bool id_tree_is_sound(const struct id_tree *tree)
{
    uint64_t count = 0, bytes = tree->bytes;
    const struct id_leaf *previous = NULL;
    struct stream_id last = STREAM_ID_NONE;
    for (struct id_leaf *leaf = tree->first; leaf; previous = leaf, leaf = leaf->next) {
        bytes -= mem_round(leaf_bytes(leaf->capacity));
        if (leaf->previous != previous || leaf->count == 0 || leaf->count > leaf->capacity)
            return false;
        for (unsigned i = 0; i < leaf->count; i++, count++) {
            struct stream_id id = leaf->items[i].id;
            if ((count > 0 && !stream_id_is_less(last, id)) ||
                id_tree_find(tree, id) != &leaf->items[i].pointer)
                return false;
            last = id;
        }
    }
    return tree->last == previous && count == tree->count && (tree->root == NULL) == (count == 0) &&
           bytes % mem_round(sizeof(struct id_branch)) == 0 && (bytes > 0) == (tree->height > 0);
}
