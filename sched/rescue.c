#include "sched/rescue.h"

bool tri_rescue_needed(struct tri_worker *victim, int64_t now)
{
    const struct tri_sched_config *config = &victim->sched->config;
    return tri_wheel_due(&victim->wheel) <= now || ck_pr_load_ptr(&victim->errands.head) ||
        ck_pr_load_uint(&victim->relief_count) || (config->move && ck_pr_load_ptr(&victim->inbox.head)) ||
        (config->waits && config->waits(victim));
}

void tri_worker_add_relief(struct tri_worker *worker, struct tri_relief *relief)
{
    tri_possession_enter(&worker->possession);
    cork_dllist_add_to_tail(&worker->reliefs, &relief->link);
    ck_pr_store_uint(&worker->relief_count, worker->relief_count + 1);
    tri_possession_leave(&worker->possession);
}

void tri_worker_remove_relief(struct tri_worker *worker, struct tri_relief *relief)
{
    tri_possession_enter(&worker->possession);
    cork_dllist_remove(&relief->link);
    ck_pr_store_uint(&worker->relief_count, worker->relief_count - 1);
    tri_possession_leave(&worker->possession);
}

struct rescue {
    struct tri_worker *victim, *rescuer;
    size_t fired;
};

/* In the victim's possession, and the whole of it: who cancels the timer meanwhile must find that it has fired. */
static void fire(struct tri_timer *timer, void *rescue_)
{
    struct rescue *rescue = rescue_;
    const struct tri_sched_config *config = &rescue->victim->sched->config;
    if (config->stays && config->stays(timer, rescue->victim)) {
        tri_wheel_put_off(&rescue->victim->wheel, timer);
        return;
    }
    rescue->fired++;
    config->fire(timer, rescue->rescuer);
}

/* Those that stay are put aside, so that they are not met again. */
static bool fire_timers(struct rescue *rescue, int64_t now)
{
    bool more = true;
    while (more && rescue->fired < TRI_TIMERS_AT_ONCE)
        more = tri_wheel_expire(&rescue->victim->wheel, now, TRI_TIMERS_AT_ONCE, fire, rescue);
    return more;
}

static void relieve(struct tri_worker *victim, struct tri_worker *worker)
{
    struct cork_dllist_item *link = victim->reliefs.head.next;
    for (; link != &victim->reliefs.head; link = link->next) {
        struct tri_relief *relief = tri_container_of(link, struct tri_relief, link);
        relief->relieve(relief, worker);
    }
}

/* Takes the victim's inbox: who may begin elsewhere does so here, the others go back, in their order. Anybody may do that, as
 * all is taken at once. */
static void empty_inbox(struct tri_worker *victim, struct tri_worker *worker)
{
    struct tri_run_list list = tri_worker_take_inbox(victim);
    for (struct tri_runnable *r; (r = tri_run_list_pop(&list));) {
        if (worker->sched->config.move(r, victim)) {
            ck_pr_store_16(&r->home, worker->index);
            tri_worker_schedule(worker, r);
        } else {
            tri_worker_deliver(victim, r); /* it may be about to sleep by now */
        }
    }
}

/* Whether something is left to do. */
static bool rescue_one(struct tri_worker *victim, struct tri_worker *worker)
{
    const struct tri_sched_config *config = &worker->sched->config;
    struct rescue rescue = { victim, worker, 0 };
    if (!tri_rescue_needed(victim, worker->now))
        return false;
    if (config->move)
        empty_inbox(victim, worker);
    if (!tri_possession_take(&victim->possession))
        return false; /* the monitor asks again at its next look */
    tri_worker_take_errands(victim);
    bool more = fire_timers(&rescue, worker->now);
    if (config->rescue)
        config->rescue(victim, worker);
    relieve(victim, worker);
    tri_possession_give_back(&victim->possession);
    ck_pr_store_32(&worker->rescues, worker->rescues + 1);
    return more;
}

void tri_rescue_slowly(struct tri_worker *worker)
{
    struct tri_sched *sched = worker->sched;
    bool more = false;
    if (!ck_pr_cas_uint(&sched->rescue, TRI_RESCUE_WANTED, TRI_RESCUE_RUNS))
        return;
    for (unsigned i = 0; i < tri_sched_all(sched); i++) {
        struct tri_worker *victim = sched->workers[i];
        if (victim != worker && ck_pr_load_uint(&victim->stuck))
            more |= rescue_one(victim, worker);
    }
    worker->attend_due |= more;
    ck_pr_fence_release(); /* for the next one */
    ck_pr_store_uint(&sched->rescue, more ? TRI_RESCUE_WANTED : TRI_RESCUE_NOT);
}
