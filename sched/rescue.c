#include "sched/rescue.h"

bool tri_rescue_needed(struct tri_worker *victim, int64_t now)
{
    const struct tri_sched_config *config = &victim->sched->config;
    return tri_wheel_due(&victim->wheel) <= now || ck_pr_load_ptr(&victim->errands.head) ||
        (config->waits && config->waits(victim));
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

/* Whether something is left to do. */
static bool rescue_one(struct tri_worker *victim, struct tri_worker *worker)
{
    const struct tri_sched_config *config = &worker->sched->config;
    struct rescue rescue = { victim, worker, 0 };
    if (!tri_rescue_needed(victim, worker->now) || !tri_possession_take(&victim->possession))
        return false; /* the monitor asks again at its next look */
    tri_worker_take_errands(victim);
    bool more = fire_timers(&rescue, worker->now);
    if (config->rescue)
        config->rescue(victim, worker);
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
    for (unsigned i = 0; i < sched->count; i++) {
        struct tri_worker *victim = sched->workers[i];
        if (victim != worker && ck_pr_load_uint(&victim->stuck))
            more |= rescue_one(victim, worker);
    }
    worker->attend_due |= more;
    ck_pr_fence_release(); /* for the next one */
    ck_pr_store_uint(&sched->rescue, more ? TRI_RESCUE_WANTED : TRI_RESCUE_NOT);
}
