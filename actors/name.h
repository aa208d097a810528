/*
 * name.h: the names of a system.
 *
 * An open table: a name stands at the first free cell from where its hash points to; the cells behind one that is removed
 * move up. It doubles when it is half full, so a look-up costs the same however many names there are.
 *
 * Who registers or removes holds the lock. Who looks for a name takes none. He reads the version, then whatever he needs, then
 * the version again: if it was even and is the same, nobody has changed anything meanwhile, and what he has read is a name or
 * that there is none. Otherwise he tries again, and after some tries he takes the lock, so he does not wait for ever. All that
 * he reads is read and written with atomic operations, and it is always there to be read: cells and names are given back
 * when the system is freed, and only those of a table that was replaced are never used again.
 *
 * A name is reserved first, and stands for nobody; it is visible from the moment when its actor's mailbox is open. So nobody
 * finds an actor by its name who cannot be sent to, and a spawn that fails has shown its reference to nobody.
 */
#ifndef TRI_NAME_H
#define TRI_NAME_H

#include "actors/cold.h"

#include <troupe/name.h>

#include <pthread.h>

enum { TRI_NAME_WORDS = (TR_NAME_MAX + 1) / 8 };

struct tri_name {
    uint64_t who; /* 0: it is reserved */
    uint64_t hash;
    uint64_t text[TRI_NAME_WORDS]; /* padded with zeros */
    struct tri_name *next;         /* free: the next one */
};

struct tri_name_cell {
    uint64_t hash;
    struct tri_name *name; /* NULL: free */
};

struct tri_name_table {
    struct tri_name_table *former; /* which this one has replaced */
    uint64_t mask;
    struct tri_name_cell cells[];
};

struct tri_name_slab {
    struct tri_name_slab *next;
    struct tri_name names[];
};

struct tri_names {
    uint32_t version; /* odd while something is being changed */
    struct tri_name_table *table;
    pthread_mutex_t lock; /* of what follows, and of all changes */
    uint64_t count;
    struct tri_name *free;
    struct tri_name_slab *slabs;
    uint32_t slab_size; /* of the next one, in names */
};

void tri_names_init(struct tri_names *names);
void tri_names_destroy(struct tri_names *names);

/* Reserves a name for the actor of this slot: 0, TR_EEXIST, TR_EINVAL or TR_ENOMEM; and when its mailbox is open makes it
 * visible. */
int tri_name_reserve(struct tri_names *names, struct tri_slot *slot, const char *text);
void tri_name_show(struct tri_name *name, tr_ref who);

/* Gives up the name of this cold block, if it has one. */
void tri_name_end(struct tri_names *names, struct tri_cold *cold);

/* Whom a name stands for. Any thread. */
tr_ref tri_name_find(struct tri_names *names, const char *text);

#endif
