/*
 * What a simulation checks by itself, it finds: each promise of Troupe's is broken here once, from within, and the run says
 * which. (That something is always so, the most steps and liveness: see sim_run.c.)
 */
#include "io/tcp_connection.h"
#include "mailbox/memory.h"
#include "tests/support.h"

#include <inttypes.h>

TR_MESSAGE(item, int n;);
TR_DEFINE(item);

/* Breaks something in its first turn, as the root of a host. */
typedef int breaker(tr_self *self);

static int broken_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    return (*(breaker *const *)arg)(self);
}

static int ends_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    return tr_is(tr_down, m) || (tr_is(item, m) && tr_body(item, m)->n < 2) ? TR_CONTINUE : TR_STOP;
}

static const tr_actor broken_actor = { TR_SPEC, .name = "broken", .start = broken_start, .receive = ends_receive,
    .arg_size = sizeof(breaker *) };

static int run_broken(breaker *function, const tr_sim_options *options, tr_sim_result *result)
{
    const tr_sim_host hosts[] = { { .name = "a", .actor = &broken_actor, .arg = &function }, { 0 } };
    return tr_sim_run(11, options, hosts, result);
}

/* The run ends with this error, and its text has all of these words and the seed. */
#define expect_found(function, error, ...) \
    expect_found_((function), NULL, (error), (const char *const[]){ __VA_ARGS__, "seed 11", NULL })

static void expect_found_(breaker *function, const tr_sim_options *options, int error, const char *const *words)
{
    tr_sim_result result;
    int got = run_broken(function, options, &result);
    cr_assert_eq(got, error, "it ended with %s: %s", tr_error_name(got), result.what);
    cr_assert_eq(result.error, error);
    for (; *words; words++)
        cr_assert_not_null(strstr(result.what, *words), "no \"%s\" in: %s", *words, result.what);
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static int in_order(tr_self *self)
{
    for (int n = 0; n < 3; n++)
        tr_send(self, tr_me(self), item, .n = n);
    return TR_CONTINUE;
}

static int out_of_order(tr_self *self)
{
    tr_msg *sent[3];
    for (int n = 0; n < 3; n++) {
        sent[n] = tr_message(self, &item_type);
        ((item *)tri_msg_body(sent[n]))->n = n;
        tr_send_message(self, tr_me(self), sent[n]);
    }
    uint32_t first = sent[0]->cause_; /* as if the mailbox had turned them round */
    sent[0]->cause_ = sent[1]->cause_;
    sent[1]->cause_ = first;
    return TR_CONTINUE;
}

Test(sim_teeth, messages_out_of_order_are_found_and_named)
{
    tr_sim_result result;
    cr_assert_eq(run_broken(in_order, NULL, &result), 0, "%s", result.what);
    expect_found(out_of_order, TR_EFAULT, "broken #1", "handles a item of #1 out of order");
}

static int urgently(tr_self *self)
{
    for (int n = 0; n < 2; n++)
        tr_send(self, tr_me(self), item, .n = n);
    tr_send_urgent(self, tr_me(self), item, .n = 0);
    tr_send(self, tr_me(self), item, .n = 2);
    return TR_CONTINUE;
}

/* The DOWN of one monitor twice: the second is made by hand. */
static int down_twice(tr_self *self)
{
    tr_monitor monitor = tr_monitor_set(self, TR_NOBODY);
    tr_msg *m = tr_message(self, &tr_down_type);
    m->call = monitor.bits;
    return tr_send_message(self, tr_me(self), m) || !monitor.bits ? TR_EFAULT : TR_CONTINUE;
}

Test(sim_teeth, what_is_promised_once_and_comes_twice_is_found_and_named)
{
    expect_found(down_twice, TR_EFAULT, "tr_down", "a second time");
}

Test(sim_teeth, an_urgent_message_that_overtakes_is_in_order)
{
    tr_sim_result result;
    cr_assert_eq(run_broken(urgently, NULL, &result), 0, "%s", result.what);
}

/* ---- the grammar of transports ----------------------------------------------------------------------------------- */

static int end_before_beginning(tr_self *self)
{
    tr_send(self, tr_me(self), tr_tcp_eof);
    return TR_CONTINUE;
}

static int closed_twice(tr_self *self)
{
    tr_send(self, tr_me(self), tr_tcp_listening);
    tr_send(self, tr_me(self), tr_tcp_closed);
    tr_send(self, tr_me(self), tr_tcp_closed);
    return TR_CONTINUE;
}

static int writable_twice(tr_self *self)
{
    tr_send(self, tr_me(self), tr_tcp_connected);
    tr_send(self, tr_me(self), tr_tcp_writable, .writable = false);
    tr_send(self, tr_me(self), tr_tcp_writable, .writable = false);
    return TR_CONTINUE;
}

static int all_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_CONTINUE;
}

static const tr_actor talker_actor = { TR_SPEC, .name = "talker", .start = broken_start, .receive = all_receive,
    .arg_size = sizeof(breaker *) };

static void expect_grammar(breaker *function, const char *words)
{
    const tr_sim_host hosts[] = { { .name = "a", .actor = &talker_actor, .arg = &function }, { 0 } };
    tr_sim_result result;
    cr_assert_eq(tr_sim_run(11, NULL, hosts, &result), TR_EFAULT);
    cr_assert_not_null(strstr(result.what, words), "no \"%s\" in: %s", words, result.what);
}

Test(sim_teeth, what_a_transport_says_out_of_turn_is_found_and_named)
{
    expect_grammar(end_before_beginning, "talker #1 says tr_tcp_eof after nothing");
    expect_grammar(closed_twice, "talker #1 says tr_tcp_closed after closed");
    expect_grammar(writable_twice, "talker #1 says tr_tcp_writable after connected");
}

/* ---- what is left ------------------------------------------------------------------------------------------------ */

static void *lost;

static int lose_memory(tr_self *self)
{
    (void)self;
    lost = tri_memory_get(64);
    return lost ? TR_STOP : TR_ENOMEM;
}

static int lose_a_buffer(tr_self *self)
{
    (void)self;
    lost = tr_buf_copy("lost", 4);
    return lost ? TR_STOP : TR_ENOMEM;
}

static int lose_a_descriptor(tr_self *self)
{
    tr_address address = { .family = TR_IPV4 };
    (void)self;
    return tri_socket_tcp(&address) >= 0 ? TR_STOP : TR_EMFILE;
}

Test(sim_teeth, memory_that_is_left_is_found_and_counted)
{
    expect_found(lose_memory, TR_EFAULT, "1 pieces of memory were left");
    tri_memory_put(lost);
    expect_found(lose_a_buffer, TR_EFAULT, "1 pieces of memory were left");
    tr_buf_unref(lost);
}

Test(sim_teeth, a_descriptor_that_is_left_open_is_found)
{
    expect_found(lose_a_descriptor, TR_EFAULT, "1 descriptors were left open");
}

/* ---- the fates of messages and operations -------------------------------------------------------------------------- */

static int count_one_more(tr_self *self)
{
    tri_count(&self->counters.sent); /* as if it had been lost on its way */
    return TR_STOP;
}

static void lose_a_message(void)
{
    run_broken(count_one_more, NULL, NULL);
}

static int complete_again_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    (void)self;
    if (!tr_is(tr_tcp_listening, m))
        return TR_CONTINUE;
    struct tri_slot *slot = tri_slot_at(tri_ref_slot(m->from));
    struct tri_op *op = (struct tri_op *)slot->state; /* whatever a transport's state begins with: an operation */
    op->state = TRI_OP_DONE;
    tri_op_complete(op, 0);
    return TR_CONTINUE;
}

static int listen_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_tcp_listen(self, NULL, "127.0.0.1:0");
}

static void complete_twice(void)
{
    static const tr_actor actor = { TR_SPEC, .name = "completer", .start = listen_start, .receive = complete_again_receive };
    static const tr_sim_host hosts[] = { { .name = "a", .actor = &actor, .workers = 1 }, { 0 } };
    tr_sim_run(11, NULL, hosts, NULL);
}

Test(sim_teeth, a_message_without_a_fate_is_found)
{
    expect_panic(lose_a_message, "messages were sent, but", "seed 11");
}

Test(sim_teeth, an_operation_that_completes_twice_is_found)
{
    expect_panic(complete_twice, "TRI_OP_IN_FLIGHT", "completer", "seed 11");
}

/* ---- nothing will ever happen again ------------------------------------------------------------------------------ */

static int silent_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    return tr_take(self, m) ? TR_CONTINUE : TR_ENOMEM;
}

static const tr_actor silent_actor = { TR_SPEC, .name = "silent", .receive = silent_receive };

static int ask_in_vain(tr_self *self)
{
    return tr_ask(self, tr_spawn(self, &silent_actor, NULL), TR_FOREVER, item, .n = 1).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int ask_with_a_deadline(tr_self *self)
{
    return tr_ask(self, tr_spawn(self, &silent_actor, NULL), TR_SECONDS(1), item, .n = 1).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int do_nothing(tr_self *self)
{
    (void)self;
    return TR_CONTINUE;
}

Test(sim_teeth, an_ask_that_will_never_be_answered_is_found_and_says_who_waits_for_whom)
{
    tr_sim_result result;
    expect_found(ask_in_vain, TR_EDEADLK, "broken #", "waits for silent #");
    cr_assert_eq(run_broken(ask_with_a_deadline, NULL, &result), 0, "%s", result.what);
}

Test(sim_teeth, a_run_in_which_nothing_happens_any_more_is_quiet_and_alive_it_is_not)
{
    tr_sim_result result;
    cr_assert_eq(run_broken(do_nothing, NULL, &result), 0, "%s", result.what);
    cr_assert(result.quiet);
    cr_assert_eq(run_broken(in_order, NULL, &result), 0, "%s", result.what);
    cr_assert_not(result.quiet);
    expect_found_(do_nothing, &(tr_sim_options){ .heal_ns = 1, .settle_ns = TR_SECONDS(1) }, TR_ETIMEDOUT,
        (const char *const[]){ "nothing will ever happen again, and not all roots have ended", NULL });
}
