#include "actors/self.h"

#include <troupe/stats.h>

static void add(struct tri_counters *sum, const struct tri_counters *part)
{
    sum->sent += ck_pr_load_64(&part->sent);
    sum->delivered += ck_pr_load_64(&part->delivered);
    for (unsigned i = 0; i < TRI_FATES; i++)
        sum->fate[i] += ck_pr_load_64(&part->fate[i]);
    sum->spawned += ck_pr_load_64(&part->spawned);
    sum->ended += ck_pr_load_64(&part->ended);
    sum->crashed += ck_pr_load_64(&part->crashed);
    sum->restarted += ck_pr_load_64(&part->restarted);
}

struct tri_counters tri_system_count(struct tri_system *system)
{
    struct tri_counters sum = { 0 };
    add(&sum, &system->foreign);
    for (unsigned i = 0; i < tri_sched_all(&system->sched); i++)
        if (system->selves[i])
            add(&sum, &system->selves[i]->counters);
    return sum;
}

void tr_system_stats(tr_self *self, tr_stats *stats)
{
    tri_check_self(self, "tr_system_stats");
    struct tri_system *system = self->system;
    struct tri_counters sum = tri_system_count(system);
    *stats = (tr_stats){
        .sent = sum.sent,
        .delivered = sum.delivered,
        .dead_down = sum.fate[TRI_DEAD_DOWN],
        .dead_full = sum.fate[TRI_DEAD_FULL],
        .dead_replaced = sum.fate[TRI_DEAD_REPLACED],
        .dead_other = sum.fate[TRI_DEAD_OTHER],
        .expired = sum.fate[TRI_EXPIRED],
        .spawned = sum.spawned,
        .ended = sum.ended,
        .crashed = sum.crashed,
        .restarted = sum.restarted,
    };
    stats->dead = stats->dead_down + stats->dead_full + stats->dead_replaced + stats->dead_other;
    for (unsigned i = 0; i < tri_sched_all(&system->sched); i++) {
        stats->turns += ck_pr_load_32(&system->sched.workers[i]->turns);
        stats->steals += ck_pr_load_32(&system->sched.workers[i]->steals);
        stats->parks += ck_pr_load_32(&system->sched.workers[i]->parks);
    }
}

int tr_stats_of(tr_ref actor, tr_actor_stats *stats)
{
    struct tri_slot *slot = tri_slot_find(actor);
    uint64_t word = slot ? ck_pr_load_64(&slot->box.word) : TRI_WORD_CLOSED;
    if (slot && tri_system_elsewhere(ck_pr_load_16(&slot->run.system)))
        return TR_ECLOSED;
    if (word == TRI_WORD_CLOSED)
        return TR_EDOWN;
    const tr_actor *spec = ck_pr_load_ptr(&slot->spec);
    *stats = (tr_actor_stats){
        .name = spec ? spec->name : "",
        .waiting = ck_pr_load_32(&slot->box.backlog) + tri_word_count(word),
        .waiting_bulk = tri_mailbox_bulk(&slot->box),
        .handled = ck_pr_load_32(&slot->run.handled),
        .restarts = ck_pr_load_16(&slot->incarnation),
    };
    return tri_slot_find(actor) == slot ? 0 : TR_EDOWN;
}
