#include "actors/self.h"

void *tri_slot_chunks[TRI_SLOTS_MAX >> TRI_TABLE_CHUNK_BITS];

uint32_t tri_slot_generation_first;

static void init(void *element, uint32_t number)
{
    struct tri_slot *slot = element;
    slot->run.system = TRI_NO_SYSTEM;
    slot->box.word = TRI_WORD_CLOSED;
    slot->box.generation = number ? tri_slot_generation_first
                                  : 1; /* number 0 is nobody's, so TR_NOBODY (0 and 0) finds none */
    slot->identity = (uint64_t)number << TRI_SIGNAL_BITS;
}

struct tri_table tri_slots = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .chunks = tri_slot_chunks,
    .chunks_max = sizeof tri_slot_chunks / sizeof tri_slot_chunks[0],
    .element_size = sizeof(struct tri_slot),
    .init = init,
};

void tri_slot_release(struct tri_slot *slot)
{
    const struct tri_actor *internal = tri_internal(slot->spec);
    tr_self *self = tri_worker_here->context;

    if (internal && internal->released && !internal->released(slot, slot->state))
        return;
    if (slot->state)
        tri_block_put(slot->state, slot->tag);
    slot->state = NULL;
    tri_cold_free(slot);
    slot->status = TRI_FREE;
    if (tri_unlikely(slot->spec->thread))
        tri_sched_disown(&self->system->sched, slot->run.home);
    ck_pr_fence_release(); /* what it spawned, perhaps on another worker, was counted; pairs with the fence in living() */
    tri_count(&self->counters.ended);
    if (tri_likely(slot->box.generation != TRI_SLOT_LAST_GENERATION)) {
        tri_cache_put(&tri_slots, &self->slots, slot);
        return;
    }
    ck_pr_store_16(&slot->run.system, TRI_NO_SYSTEM); /* a reference to its first actor would come to fit a stranger */
    tri_table_retire(&tri_slots);
}

bool tr_alive(tr_ref actor)
{
    struct tri_slot *slot = tri_slot_find(actor);
    if (!slot || ck_pr_load_64(&slot->box.word) == TRI_WORD_CLOSED)
        return false;
    if (tri_system_elsewhere(ck_pr_load_16(&slot->run.system)))
        return false;
    ck_pr_fence_load(); /* the slot's next actor has its identity before the word is open again, its generation after */
    return tr_ref_eq(tri_slot_ref(slot), actor);
}
