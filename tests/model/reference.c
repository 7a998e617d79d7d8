/*
 * See reference.h.
 */

#include "model/reference.h"

void cell_set(struct cell *cell, const void *value, size_t size)
{
    if (!cell->present)
        cell->deadline_ms = -1;
    cell->present = true;
    bytes_clear(&cell->value);
    bytes_append(&cell->value, value, size);
}

void cell_remove(struct cell *cell)
{
    cell->present = false;
    cell->deadline_ms = -1;
    bytes_clear(&cell->value);
}

void cell_copy(struct cell *target, const struct cell *source)
{
    cell_remove(target);
    if (!source->present)
        return;
    cell_set(target, source->value.data, source->value.size);
    target->deadline_ms = source->deadline_ms;
}

void reference_expire(struct reference *reference, long long now_ms)
{
    for (int i = 0; i < REFERENCE_DATABASES; i++) {
        for (int j = 0; j < REFERENCE_KEYS; j++) {
            struct cell *cell = &reference->cells[i][j];
            if (cell->present && cell->deadline_ms >= 0 && cell->deadline_ms <= now_ms)
                cell_remove(cell);
        }
    }
}

size_t reference_count(const struct reference *reference, int database)
{
    size_t count = 0;
    for (int j = 0; j < REFERENCE_KEYS; j++)
        count += reference->cells[database][j].present;
    return count;
}

void reference_flush(struct reference *reference, int database)
{
    for (int j = 0; j < REFERENCE_KEYS; j++)
        cell_remove(&reference->cells[database][j]);
}

void reference_swap(struct reference *reference, int one, int other)
{
    for (int j = 0; j < REFERENCE_KEYS; j++) {
        struct cell held = reference->cells[one][j];
        reference->cells[one][j] = reference->cells[other][j];
        reference->cells[other][j] = held;
    }
}

void reference_copy(struct reference *target, const struct reference *source)
{
    for (int i = 0; i < REFERENCE_DATABASES; i++) {
        for (int j = 0; j < REFERENCE_KEYS; j++)
            cell_copy(&target->cells[i][j], &source->cells[i][j]);
    }
}

void reference_release(struct reference *reference)
{
    for (int i = 0; i < REFERENCE_DATABASES; i++) {
        for (int j = 0; j < REFERENCE_KEYS; j++)
            bytes_release(&reference->cells[i][j].value);
    }
}
