#include "actors/name.h"

#include "actors/self.h"

enum { CELLS_MIN = 64, SLAB_MIN = 32, SLAB_MAX = 8192, TRIES = 64 };

/* A name that is looked for. */
struct key {
    uint64_t hash;
    uint64_t text[TRI_NAME_WORDS];
};

/* False: nobody can have this name. */
static bool make_key(struct key *key, const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > TR_NAME_MAX)
        return false;
    memset(key->text, 0, sizeof key->text);
    memcpy(key->text, text, length);
    uint64_t hash = tri_hash(text);
    key->hash = hash ^ hash >> 32;
    return true;
}

static bool is_same(const struct tri_name *name, const struct key *key)
{
    uint64_t difference = 0;
    for (unsigned i = 0; i < TRI_NAME_WORDS; i++)
        difference |= ck_pr_load_64(&name->text[i]) ^ key->text[i];
    return difference == 0;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

/* What is read here may be changed meanwhile: an end is found all the same, as there are no more cells than that. */
static struct tri_name *find(const struct tri_names *names, const struct key *key)
{
    const struct tri_name_table *table = ck_pr_load_ptr(&names->table);
    if (!table)
        return NULL;
    ck_pr_fence_load(); /* pairs with the store fence in grow() */
    for (uint64_t n = 0; n <= table->mask; n++) {
        const struct tri_name_cell *cell = &table->cells[(key->hash + n) & table->mask];
        struct tri_name *name = ck_pr_load_ptr(&cell->name);
        if (!name)
            return NULL;
        ck_pr_fence_load();
        if (ck_pr_load_64(&cell->hash) == key->hash && is_same(name, key))
            return name;
    }
    return NULL;
}

static uint64_t who_is(const struct tri_name *name)
{
    uint64_t who = name ? ck_pr_load_64(&name->who) : 0;
    ck_pr_fence_acquire(); /* the mailbox is open; pairs with the release fence in tri_name_show() */
    return who;
}

tr_ref tri_name_find(struct tri_names *names, const char *text)
{
    struct key key;
    if (!make_key(&key, text))
        return TR_NOBODY;
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t version = ck_pr_load_32(&names->version);
        ck_pr_fence_load(); /* nothing of an earlier version after it; pairs with the second store fence of a change */
        uint64_t who = who_is(find(names, &key));
        ck_pr_fence_load(); /* nothing of a later one; pairs with the first */
        if (!(version & 1) && ck_pr_load_32(&names->version) == version)
            return (tr_ref){ who };
        ck_pr_stall();
    }
    pthread_mutex_lock(&names->lock);
    uint64_t who = who_is(find(names, &key));
    pthread_mutex_unlock(&names->lock);
    return (tr_ref){ who };
}

/* ---- changing, with the lock held -------------------------------------------------------------------------------- */

static void begin_change(struct tri_names *names)
{
    ck_pr_store_32(&names->version, names->version + 1);
    ck_pr_fence_store(); /* before anything that is changed; pairs with tri_name_find() */
}

static void end_change(struct tri_names *names)
{
    ck_pr_fence_release(); /* after all of it, and after what others have changed before; likewise */
    ck_pr_store_32(&names->version, names->version + 1);
}

static void set_cell(struct tri_name_cell *cell, uint64_t hash, struct tri_name *name)
{
    ck_pr_store_64(&cell->hash, hash);
    ck_pr_store_ptr(&cell->name, name);
}

static void insert(struct tri_name_table *table, struct tri_name *name)
{
    uint64_t at = name->hash & table->mask;
    while (table->cells[at].name)
        at = (at + 1) & table->mask;
    set_cell(&table->cells[at], name->hash, name);
}

/* Room for one more; false when there is no memory. */
static bool grow(struct tri_names *names)
{
    struct tri_name_table *table = names->table, *bigger;
    uint64_t cells = table ? table->mask + 1 : 0;
    if (2 * (names->count + 1) <= cells)
        return true;
    cells = cells ? 2 * cells : CELLS_MIN;
    bigger = tri_memory_get_zeroed(sizeof *bigger + cells * sizeof bigger->cells[0]);
    if (!bigger)
        return false;
    bigger->former = table;
    bigger->mask = cells - 1;
    for (uint64_t i = 0; table && i <= table->mask; i++)
        if (table->cells[i].name)
            insert(bigger, table->cells[i].name);
    begin_change(names);
    ck_pr_fence_store(); /* the table before the way to it */
    ck_pr_store_ptr(&names->table, bigger);
    end_change(names);
    return true;
}

static struct tri_name *new_name(struct tri_names *names)
{
    if (!names->free) {
        uint32_t size = names->slab_size ? names->slab_size : SLAB_MIN;
        struct tri_name_slab *slab = tri_memory_get_zeroed(sizeof *slab + size * sizeof slab->names[0]);
        if (!slab)
            return NULL;
        slab->next = names->slabs;
        names->slabs = slab;
        names->slab_size = size < SLAB_MAX ? 2 * size : SLAB_MAX;
        for (uint32_t i = size; i-- > 0; names->free = &slab->names[i])
            slab->names[i].next = names->free;
    }
    struct tri_name *name = names->free;
    names->free = name->next;
    return name;
}

static int add(struct tri_names *names, const struct key *key, struct tri_name **result)
{
    if (find(names, key))
        return TR_EEXIST;
    struct tri_name *name = grow(names) ? new_name(names) : NULL;
    if (!name)
        return TR_ENOMEM;
    begin_change(names);
    ck_pr_store_64(&name->who, 0);
    name->hash = key->hash;
    for (unsigned i = 0; i < TRI_NAME_WORDS; i++)
        ck_pr_store_64(&name->text[i], key->text[i]);
    insert(names->table, name);
    end_change(names);
    names->count++;
    *result = name;
    return 0;
}

/* Frees the cell at `hole`; those behind it that would not be found any more move up. */
static void close_hole(struct tri_name_table *table, uint64_t hole)
{
    for (uint64_t at = (hole + 1) & table->mask; table->cells[at].name; at = (at + 1) & table->mask) {
        uint64_t wanted = table->cells[at].hash & table->mask;
        if (((at - wanted) & table->mask) < ((at - hole) & table->mask))
            continue; /* it stands between its place and the hole */
        set_cell(&table->cells[hole], table->cells[at].hash, table->cells[at].name);
        hole = at;
    }
    set_cell(&table->cells[hole], 0, NULL);
}

/* ---- the names of actors ----------------------------------------------------------------------------------------- */

int tri_name_reserve(struct tri_names *names, struct tri_slot *slot, const char *text)
{
    struct key key;
    if (!make_key(&key, text))
        return TR_EINVAL;
    struct tri_cold *cold = tri_cold(slot);
    if (!cold)
        return TR_ENOMEM;
    if (cold->name) /* which nobody else changes */
        return is_same(cold->name, &key) ? 0 : TR_EEXIST;
    pthread_mutex_lock(&names->lock);
    int error = add(names, &key, &cold->name);
    pthread_mutex_unlock(&names->lock);
    return error;
}

void tri_name_show(struct tri_name *name, tr_ref who)
{
    ck_pr_fence_release(); /* the open mailbox before the way to it; pairs with who_is() */
    ck_pr_store_64(&name->who, who.bits);
}

void tri_name_end(struct tri_names *names, struct tri_cold *cold)
{
    struct tri_name *name = cold->name;
    if (!name)
        return;
    cold->name = NULL;
    pthread_mutex_lock(&names->lock);
    uint64_t at = name->hash & names->table->mask;
    while (names->table->cells[at].name != name)
        at = (at + 1) & names->table->mask;
    begin_change(names);
    close_hole(names->table, at);
    end_change(names);
    names->count--;
    name->next = names->free;
    names->free = name;
    pthread_mutex_unlock(&names->lock);
}

void tri_names_init(struct tri_names *names)
{
    *names = (struct tri_names){ 0 };
    pthread_mutex_init(&names->lock, NULL);
}

void tri_names_destroy(struct tri_names *names)
{
    for (struct tri_name_table *table = names->table, *former; table; table = former) {
        former = table->former;
        tri_memory_put(table);
    }
    for (struct tri_name_slab *slab = names->slabs, *next; slab; slab = next) {
        next = slab->next;
        tri_memory_put(slab);
    }
    pthread_mutex_destroy(&names->lock);
}

int tr_register(tr_self *self, const char *name)
{
    tri_check_self(self, "tr_register");
    int error = tri_name_reserve(&self->system->names, self->slot, name);
    if (!error)
        tri_name_show(self->slot->cold->name, self->me);
    return error;
}

void tr_unregister(tr_self *self)
{
    tri_check_self(self, "tr_unregister");
    if (self->slot->cold)
        tri_name_end(&self->system->names, self->slot->cold);
}

tr_ref tr_whereis(tr_self *self, const char *text)
{
    tri_check_self(self, "tr_whereis");
    return tri_name_find(&self->system->names, text);
}
