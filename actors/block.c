#include "actors/promise.h"
#include "actors/self.h"

TR_DEFINE(tr_blocked);

/* Runs the function, and says meanwhile whose it is. */
static void call(struct tri_promise *promise)
{
    struct tri_runner *runner = tri_runner_here; /* a simulation has none */
    struct tri_slot *slot = tri_slot_find(promise->msg.from);
    const tr_actor *spec = slot ? ck_pr_load_ptr(&slot->spec) : NULL;
    if (runner) {
        ck_pr_store_64(&runner->owner_ref, promise->msg.from.bits);
        ck_pr_store_ptr(&runner->owner, spec && spec->name ? spec->name : "?");
    }
    promise->blocked.result = promise->function(promise->blocked.arg);
    if (runner)
        ck_pr_store_ptr(&runner->owner, NULL);
}

/* On a thread of the pool, or canceled on the one that closes it. */
static void run(struct tri_job *job, bool canceled)
{
    struct tri_promise *promise = tri_container_of(job, struct tri_promise, job);

    if (!canceled && ck_pr_load_32(&promise->state) == TRI_ARMED)
        call(promise);
    if (tri_promise_keep(promise)) {
        if (canceled) {
            if (promise->drop)
                promise->drop(promise->blocked.arg);
            promise->drop = NULL;
            promise->msg.type = &tr_failed_type;
            promise->failed = (tr_failed){ .reason = TR_ECANCELED };
        }
        tri_promise_push(NULL, promise);
        return;
    }
    if (promise->drop)
        promise->drop(promise->blocked.arg);
    tri_promise_free(promise);
}

tr_call tr_block_(tr_self *self, int (*function)(void *arg), const tr_block_options *options)
{
    tri_check_self(self, "tr_block");
    struct tri_promise *promise = tri_promise_new(self, TRI_PROMISE_JOB, &tr_blocked_type);
    if (!promise)
        return (tr_call){ 0 };
    tr_call call = { promise->msg.call };
    promise->blocked.arg = options->arg;
    promise->drop = options->drop;
    promise->function = function;
    promise->job.run = run;
    tri_outbox_flush(self);
    int error = tri_blocking_submit(&self->system->blocking, &promise->job);
    if (!error)
        return call;
    if (promise->drop)
        promise->drop(options->arg);
    promise->drop = NULL;
    promise->msg.type = &tr_failed_type;
    promise->failed = (tr_failed){ .reason = error == TR_ECLOSED ? TR_ECANCELED : error };
    promise->state = TRI_KEPT;
    tri_promise_push(self, promise);
    return call;
}
