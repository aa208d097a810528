/* The ids of promises: a stale one finds nothing, ever. */
#include "tests/actors/puppet.h"

enum { MANY = 300, NUMBERS = 1 << 16 };

/* Timers whose ids are the last of their elements; what they were is noted. */
struct last_ids {
    uint64_t ids[MANY];
    bool used_up[NUMBERS];
};

static int use_up(tr_self *self, void *arg)
{
    struct last_ids *last = arg;
    for (unsigned i = 0; i < MANY; i++) {
        struct tri_promise *promise = tri_promise_find(tr_at(self, TR_FOREVER, i).bits);
        cr_assert_not_null(promise);
        uint32_t number = (uint32_t)promise->msg.call;
        cr_assert_lt(number, NUMBERS);
        promise->msg.call = last->ids[i] = (uint64_t)UINT32_MAX << 32 | number;
        last->used_up[number] = true;
    }
    for (unsigned i = 0; i < MANY; i++)
        cr_assert(tr_cancel(self, (tr_timer){ last->ids[i] }), "its last id is one like the others");
    return TR_CONTINUE;
}

static int set_others(tr_self *self, void *arg)
{
    struct last_ids *last = arg;
    tr_timer timers[2 * MANY];
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 2 * MANY; i++) {
            timers[i] = tr_at(self, TR_FOREVER, 0);
            cr_assert_not(last->used_up[(uint32_t)timers[i].bits], "number %u", (uint32_t)timers[i].bits);
        }
        for (unsigned i = 0; i < MANY; i++) {
            cr_assert_not(tr_cancel(self, (tr_timer){ last->ids[i] }));
            cr_assert_not(tr_cancel(self, (tr_timer){ (uint32_t)last->ids[i] }));
        }
        for (unsigned i = 0; i < 2 * MANY; i++)
            cr_assert(tr_cancel(self, timers[i]));
    }
    return TR_CONTINUE;
}

Test(promise, no_id_is_ever_given_out_twice_and_used_up_elements_are_retired)
{
    static struct last_ids last;
    open_system(1);
    uint32_t before = ck_pr_load_32(&tri_promises.retired);
    tr_ref a = make_puppet(0);
    perform(a, use_up, &last);
    perform(a, set_others, &last);
    cr_assert_eq(ck_pr_load_32(&tri_promises.retired) - before, (unsigned)MANY);
    close_system();
}
