#include "actors/self.h"

#include <troupe/name.h>

struct tri_name {
    struct tri_name *next; /* in its bucket */
    tr_ref who;
    tri_tag tag;
    char text[TR_NAME_MAX + 1];
};

static struct tri_name **bucket_of(struct tri_system *system, const char *text)
{
    return &system->names[tri_hash(text) % TRI_NAME_BUCKETS];
}

/* With the lock held. */
static struct tri_name *find(struct tri_system *system, const char *text)
{
    struct tri_name *name = *bucket_of(system, text);
    while (name && strcmp(name->text, text) != 0)
        name = name->next;
    return name;
}

int tri_name_register(struct tri_system *system, struct tri_slot *slot, tr_ref who, const char *text)
{
    tri_tag tag;
    size_t length = strlen(text);
    if (length == 0 || length > TR_NAME_MAX)
        return TR_EINVAL;
    struct tri_cold *cold = tri_cold(slot);
    struct tri_name *name = cold ? tri_block_get(sizeof *name, &tag) : NULL;
    if (!name)
        return TR_ENOMEM;
    *name = (struct tri_name){ .who = who, .tag = tag };
    memcpy(name->text, text, length);

    pthread_mutex_lock(&system->names_lock);
    bool taken = cold->name || find(system, text);
    if (!taken) {
        struct tri_name **bucket = bucket_of(system, text);
        name->next = *bucket;
        *bucket = name;
        cold->name = name;
    }
    pthread_mutex_unlock(&system->names_lock);
    if (taken)
        tri_block_put(name, tag);
    return taken ? TR_EEXIST : 0;
}

void tri_name_end(struct tri_system *system, struct tri_cold *cold)
{
    struct tri_name *name = cold->name;
    if (!name)
        return;
    cold->name = NULL;
    pthread_mutex_lock(&system->names_lock);
    struct tri_name **at = bucket_of(system, name->text);
    while (*at != name)
        at = &(*at)->next;
    *at = name->next;
    pthread_mutex_unlock(&system->names_lock);
    tri_block_put(name, name->tag);
}

int tr_register(tr_self *self, const char *name)
{
    tri_check_self(self, "tr_register");
    return tri_name_register(self->system, self->slot, self->me, name);
}

void tr_unregister(tr_self *self)
{
    tri_check_self(self, "tr_unregister");
    if (self->slot->cold)
        tri_name_end(self->system, self->slot->cold);
}

tr_ref tr_whereis(tr_self *self, const char *text)
{
    tri_check_self(self, "tr_whereis");
    pthread_mutex_lock(&self->system->names_lock);
    struct tri_name *name = find(self->system, text);
    tr_ref who = name ? name->who : TR_NOBODY;
    pthread_mutex_unlock(&self->system->names_lock);
    return who;
}
