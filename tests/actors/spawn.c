/* Spawning, starting, ending. */
#include "tests/support.h"

TR_MESSAGE(number, int n;);
TR_DEFINE(number);

struct counter {
    int sum;
};

static int counter_start(tr_self *self, void *state, const void *arg)
{
    struct counter *me = state;
    (void)self;
    me->sum = *(const int *)arg;
    return TR_CONTINUE;
}

static int counter_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct counter *me = state;
    me->sum += tr_body(number, m)->n;
    tr_send(self, m->from, number, .n = me->sum);
    return me->sum < 100 ? TR_CONTINUE : TR_STOP;
}

static const tr_actor counter_actor = {
    TR_SPEC,
    .name = "counter",
    .start = counter_start,
    .receive = counter_receive,
    .state_size = sizeof(struct counter),
    .arg_size = sizeof(int),
};

static int spawn_counter(tr_self *self, void *arg)
{
    *(tr_ref *)arg = tr_spawn(self, &counter_actor, &(int){ 10 }, .monitor = true);
    return 0;
}

Test(spawn, an_actor_starts_with_a_copy_of_its_argument_and_handles_messages)
{
    tr_ref counter;
    open_system(2);
    tr_probe_do(probe, spawn_counter, &counter);
    tr_probe_send(probe, counter, number, .n = 5);
    cr_assert_eq(tr_body(number, expect(number))->n, 15);
    tr_probe_send(probe, counter, number, .n = 85);
    cr_assert_eq(tr_body(number, expect(number))->n, 100);
    const tr_msg *m = expect(tr_down);
    cr_assert(tr_ref_eq(tr_body(tr_down, m)->who, counter));
    cr_assert_eq(tr_body(tr_down, m)->reason, 0);
    cr_assert_eq(tr_probe_send(probe, counter, number, .n = 1), TR_EDOWN);
    close_system();
}
