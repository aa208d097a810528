#include "mailbox/message.h"

#include "mailbox/panic.h"

#include <string.h>

void (*tri_msg_release[TRI_MEMORY_KINDS])(tr_msg *m);
void (*tri_msg_returned)(tr_msg *m);

uint64_t tri_hash(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    return hash;
}

uint64_t tr_type_hash(const tr_type *type)
{
    return tri_hash(type->name);
}

bool tr_type_same_(const tr_type *a, const tr_type *b)
{
    return a->size == b->size && strcmp(a->name, b->name) == 0;
}

void tr_body_mismatch_(const tr_msg *m, const tr_type *type)
{
    tri_panic("tr_body(%s, m): m is a %s", type->name, m->type->name);
}
