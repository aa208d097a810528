/*
 * The one-word mailbox.
 *
 * The stress tests play the scheduler: a queue of mailboxes that have something to do, several threads that take one,
 * run a turn as actors/turn.c does and leave it to the next.
 */
#include "mailbox/mailbox.h"

#include "sched/random.h"
#include "tests/threads.h"

#include <signal.h>

TR_MESSAGE(note, uint32_t sender; uint32_t number;);
TR_DEFINE(note);

static const tr_type types[40] = { { .name = "t0" } }; /* what matters is that their addresses differ */

static struct tri_mailbox box;
static struct tri_lanes lanes;

static tr_msg *make(uint32_t number, unsigned flags)
{
    tr_msg *m = tri_msg_new(&note_type, sizeof(note));
    cr_assert_not_null(m);
    *(note *)tri_msg_body(m) = (note){ .number = number };
    m->flags_ |= (uint16_t)flags;
    return m;
}

static void open_box(uint32_t bound, enum tri_policy policy)
{
    tri_mailbox_open(&box, 1, bound, 1, policy);
    lanes = (struct tri_lanes){ 0 };
}

/* As senders do, or without trying the usual way. */
static enum tri_push deliver(struct tri_mailbox *to, tr_msg *m, bool at_once)
{
    enum tri_push answer = at_once ? TRI_PUSH_FULL : tri_mailbox_try_push(to, m);
    return answer == TRI_PUSH_FULL ? tri_mailbox_push(to, m) : answer;
}

static bool at_once;

static enum tri_push push(uint32_t number, unsigned flags)
{
    tr_msg *m = make(number, flags);
    enum tri_push answer = deliver(&box, m, at_once);
    if (answer >= TRI_PUSH_CLOSED)
        tri_msg_free(m);
    return answer;
}

/* The number of the next message; it is freed. */
static uint32_t next(void)
{
    tr_msg *m = tri_lanes_pop(&lanes);
    cr_assert_not_null(m);
    uint32_t number = tr_body(note, m)->number;
    tri_msg_free(m);
    return number;
}

#define expect_order(...) expect_order_((const uint32_t[]){ __VA_ARGS__, UINT32_MAX })

/* These come out of the lanes, and then nothing. */
static void expect_order_(const uint32_t *number)
{
    for (; *number != UINT32_MAX; number++)
        cr_assert_eq(next(), *number);
    cr_assert_null(tri_lanes_pop(&lanes));
    cr_assert_eq(lanes.count, 0);
}

static void expect_shed(const uint32_t *number)
{
    tr_msg *m = tri_mailbox_shed(&box, &lanes), *following;
    for (; *number != UINT32_MAX; number++, m = following) {
        cr_assert_not_null(m);
        cr_assert_eq(tr_body(note, m)->number, *number);
        following = m->next_;
        tri_msg_free(m);
    }
    cr_assert_null(m);
}

#define SHED(...) ((const uint32_t[]){ __VA_ARGS__, UINT32_MAX })
#define NOTHING   ((const uint32_t[]){ UINT32_MAX })

static void close_box(void)
{
    struct tri_lanes rest = { 0 };
    tri_mailbox_close(&box, &rest);
    cr_assert_null(tri_lanes_pop(&rest));
    cr_assert_null(tri_lanes_pop(&lanes));
    cr_assert_eq(tri_pool_balance(), 0);
}

/* ---- the word ----------------------------------------------------------------------------------------------------- */

Test(mailbox, the_word_carries_address_count_and_state)
{
    tr_msg *m = make(1, 0);
    static const uint32_t counts[] = { 1, 2, 1000, TRI_WORD_COUNT_MAX };
    for (unsigned i = 0; i < 4; i++)
        for (unsigned poke = 0; poke < 2; poke++) {
            uint64_t word = tri_word_make(m, counts[i], poke);
            cr_assert_eq(tri_word_message(word), m);
            cr_assert_eq(tri_word_count(word), counts[i]);
            cr_assert_eq(word & 3, poke);
        }
    tri_msg_free(m);
    const tr_msg *highest = (const tr_msg *)(uintptr_t)0xffffffffffc0;
    cr_assert_eq(tri_word_message(tri_word_make(highest, TRI_WORD_COUNT_MAX, 3)), highest);
    for (uint64_t state = TRI_WORD_EMPTY; state <= TRI_WORD_IDLE; state++) {
        cr_assert_null(tri_word_message(state));
        cr_assert_eq(tri_word_count(state), 0);
    }
    cr_assert_null(tri_word_message(TRI_WORD_CLOSED));
    cr_assert_gt(tri_word_count(TRI_WORD_CLOSED), TRI_MAILBOX_MAX, "over every bound");
}

Test(mailbox, the_senders_half_is_half_a_cache_line)
{
    cr_assert_leq(sizeof(struct tri_mailbox), TRI_LINE);
}

/* ---- states ------------------------------------------------------------------------------------------------------- */

Test(mailbox, a_new_one_counts_as_scheduled_and_is_empty)
{
    open_box(10, TRI_REJECT);
    cr_assert_eq(box.word, TRI_WORD_EMPTY);
    cr_assert_eq(box.generation, 1);
    cr_assert_not(tri_mailbox_has_news(&box));
    cr_assert_not(tri_mailbox_drain(&box, &lanes));
    cr_assert_eq(push(1, 0), TRI_PUSHED, "its owner will come by");
    cr_assert(tri_mailbox_has_news(&box));
    tri_mailbox_drain(&box, &lanes);
    expect_order(1);
    close_box();
}

Test(mailbox, only_whoever_replaces_idle_has_to_schedule)
{
    open_box(10, TRI_REJECT);
    cr_assert(tri_mailbox_idle(&box));
    cr_assert_eq(box.word, TRI_WORD_IDLE);
    cr_assert_eq(push(1, 0), TRI_PUSHED_IDLE);
    cr_assert_eq(push(2, 0), TRI_PUSHED);
    cr_assert_eq(tri_mailbox_poke(&box), TRI_PUSHED);
    cr_assert(tri_mailbox_drain(&box, &lanes));
    cr_assert_eq(push(3, 0), TRI_PUSHED);
    tri_mailbox_drain(&box, &lanes);
    expect_order(1, 2, 3);
    close_box();
}

Test(mailbox, it_does_not_become_idle_when_something_has_come)
{
    open_box(10, TRI_REJECT);
    push(1, 0);
    cr_assert_not(tri_mailbox_idle(&box));
    tri_mailbox_drain(&box, &lanes);
    cr_assert(tri_mailbox_idle(&box));
    cr_assert_eq(tri_mailbox_poke(&box), TRI_PUSHED_IDLE);
    cr_assert_not(tri_mailbox_idle(&box), "a poke is something");
    cr_assert(tri_mailbox_drain(&box, &lanes));
    cr_assert(tri_mailbox_idle(&box));
    expect_order(1);
    close_box();
}

Test(mailbox, many_pokes_may_become_one_and_are_told_once)
{
    open_box(10, TRI_REJECT);
    cr_assert(tri_mailbox_idle(&box));
    cr_assert_eq(tri_mailbox_poke(&box), TRI_PUSHED_IDLE);
    cr_assert_eq(tri_mailbox_poke(&box), TRI_PUSHED);
    cr_assert(tri_mailbox_has_news(&box));
    cr_assert(tri_mailbox_drain(&box, &lanes));
    cr_assert_not(tri_mailbox_drain(&box, &lanes));
    cr_assert_null(tri_lanes_pop(&lanes));
    close_box();
}

Test(mailbox, a_poke_stays_with_the_messages_that_follow_and_precede_it)
{
    for (int way = 0; way < 2; way++) {
        at_once = way;
        open_box(10, TRI_REJECT);
        push(1, 0);
        tri_mailbox_poke(&box);
        push(2, 0);
        cr_assert_eq(tri_word_count(box.word), 2);
        cr_assert(tri_mailbox_drain(&box, &lanes));
        push(3, 0);
        cr_assert_not(tri_mailbox_drain(&box, &lanes), "the poke has been told");
        expect_order(1, 2, 3);
        close_box();
    }
}

Test(mailbox, a_closed_one_refuses_everything)
{
    for (int way = 0; way < 2; way++) {
        at_once = way;
        open_box(10, TRI_REJECT);
        tri_mailbox_close(&box, &lanes);
        cr_assert_eq(push(1, 0), TRI_PUSH_CLOSED);
        cr_assert_eq(push(1, TRI_MSG_EXEMPT), TRI_PUSH_CLOSED);
        cr_assert_eq(tri_mailbox_poke(&box), TRI_PUSH_CLOSED);
        cr_assert_null(tri_lanes_pop(&lanes));
        cr_assert_eq(tri_pool_balance(), 0);
    }
}

Test(mailbox, closing_leaves_what_had_arrived_to_the_owner)
{
    open_box(10, TRI_REJECT);
    push(1, 0);
    push(2, TRI_MSG_SYSTEM);
    tri_mailbox_drain(&box, &lanes);
    push(3, 0);
    push(4, TRI_MSG_URGENT);
    tri_mailbox_poke(&box);
    tri_mailbox_close(&box, &lanes);
    cr_assert_eq(lanes.count, 4);
    expect_order(2, 4, 1, 3);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(mailbox, a_closed_one_can_be_opened_for_another_actor)
{
    open_box(1, TRI_REJECT);
    tri_mailbox_add_bulk(&box, 1, 5000);
    push(1, 0);
    tri_mailbox_drain(&box, &lanes);
    expect_order(1);
    tri_mailbox_close(&box, &lanes);
    tri_mailbox_open(&box, 2, 3, 7, TRI_DROP_NEW);
    cr_assert_eq(box.generation, 2);
    cr_assert_eq(box.bound, 3);
    cr_assert_eq(box.backlog, 0);
    cr_assert_eq(tri_mailbox_bulk(&box), 0);
    cr_assert_eq(tri_mailbox_policy(&box), TRI_DROP_NEW);
    cr_assert_eq(push(2, 0), TRI_PUSHED);
    tri_mailbox_drain(&box, &lanes);
    expect_order(2);
    close_box();
}

/* ---- order -------------------------------------------------------------------------------------------------------- */

Test(mailbox, messages_come_out_in_the_order_they_were_pushed_across_drains)
{
    open_box(1000, TRI_REJECT);
    uint32_t pushed = 0, taken = 0;
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < round % 7; i++)
            push(pushed++, 0);
        tri_mailbox_drain(&box, &lanes);
        for (unsigned i = 0; i < round % 3 && taken < pushed; i++)
            cr_assert_eq(next(), taken++);
    }
    while (taken < pushed)
        cr_assert_eq(next(), taken++);
    close_box();
}

Test(mailbox, the_systems_lane_overtakes_the_urgent_one_and_that_the_normal_one)
{
    open_box(100, TRI_REJECT);
    push(1, 0);
    push(2, TRI_MSG_URGENT);
    push(3, TRI_MSG_SYSTEM);
    push(4, 0);
    tri_mailbox_drain(&box, &lanes);
    push(5, TRI_MSG_URGENT);
    push(6, TRI_MSG_SYSTEM);
    push(7, 0);
    tri_mailbox_drain(&box, &lanes);
    cr_assert_eq(lanes.count, 7);
    expect_order(3, 6, 2, 5, 1, 4, 7);
    close_box();
}

Test(mailbox, the_systems_messages_can_be_taken_alone)
{
    open_box(100, TRI_REJECT);
    push(1, 0);
    push(2, TRI_MSG_SYSTEM);
    push(3, TRI_MSG_URGENT);
    tri_mailbox_drain(&box, &lanes);
    tr_msg *m = tri_lanes_pop_system(&lanes);
    cr_assert_eq(tr_body(note, m)->number, 2);
    tri_msg_free(m);
    cr_assert_null(tri_lanes_pop_system(&lanes));
    cr_assert_eq(lanes.count, 2);
    expect_order(3, 1);
    close_box();
}

Test(mailbox, a_lane_is_a_queue)
{
    tr_msg *lane = NULL, *m[3] = { make(1, 0), make(2, 0), make(3, 0) };
    tri_lane_push(&lane, m[0]);
    cr_assert_eq(tri_lane_pop(&lane), m[0]);
    cr_assert_null(lane);
    for (unsigned i = 0; i < 3; i++)
        tri_lane_push(&lane, m[i]);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(tri_lane_pop(&lane), m[i]);
    cr_assert_null(lane);
    for (unsigned i = 0; i < 3; i++)
        tri_msg_free(m[i]);
}

/* ---- count and bound ---------------------------------------------------------------------------------------------- */

static void drain_and_drop(void)
{
    tri_mailbox_drain(&box, &lanes);
    for (tr_msg *m; (m = tri_lanes_pop(&lanes));)
        tri_msg_free(m);
    tri_mailbox_publish(&box, &lanes);
}

Test(mailbox, the_word_counts_the_messages_behind_it)
{
    open_box(100, TRI_REJECT);
    for (uint32_t i = 1; i <= 50; i++) {
        push(i, 0);
        cr_assert_eq(tri_word_count(box.word), i);
    }
    drain_and_drop();
    close_box();
}

Test(mailbox, a_message_beyond_the_bound_is_rejected)
{
    for (unsigned policy = TRI_REJECT; policy <= TRI_DROP_NEW; policy++) {
        open_box(3, (enum tri_policy)policy);
        for (uint32_t i = 0; i < 3; i++)
            cr_assert_eq(push(i, 0), TRI_PUSHED);
        cr_assert_eq(push(3, 0), TRI_PUSH_FULL);
        cr_assert_eq(push(4, TRI_MSG_URGENT), TRI_PUSH_FULL);
        cr_assert_eq(push(5, TRI_MSG_SYSTEM | TRI_MSG_EXEMPT), TRI_PUSHED, "a promised one is not");
        cr_assert_eq(push(6, TRI_MSG_EXEMPT), TRI_PUSHED);
        cr_assert_eq(push(7, 0), TRI_PUSH_FULL);
        tri_mailbox_drain(&box, &lanes);
        cr_assert_eq(lanes.count, 5);
        expect_order(5, 0, 1, 2, 6);
        close_box();
    }
}

Test(mailbox, what_has_been_drained_but_not_handled_counts_as_well)
{
    open_box(4, TRI_REJECT);
    for (uint32_t i = 0; i < 4; i++)
        push(i, 0);
    tri_mailbox_drain(&box, &lanes);
    cr_assert_eq(push(4, 0), TRI_PUSH_FULL, "four wait in the lanes");
    cr_assert_eq(next(), 0);
    cr_assert_eq(next(), 1);
    tri_mailbox_publish(&box, &lanes);
    cr_assert_eq(push(4, 0), TRI_PUSHED);
    cr_assert_eq(push(5, 0), TRI_PUSHED);
    cr_assert_eq(push(6, 0), TRI_PUSH_FULL);
    tri_mailbox_drain(&box, &lanes);
    cr_assert_eq(push(6, 0), TRI_PUSH_FULL, "two and two");
    expect_order(2, 3, 4, 5);
    tri_mailbox_publish(&box, &lanes);
    cr_assert_eq(push(6, 0), TRI_PUSHED);
    drain_and_drop();
    close_box();
}

Test(mailbox, an_idle_one_always_takes_a_message)
{
    for (int way = 0; way < 2; way++) {
        at_once = way;
        open_box(1, TRI_REJECT);
        for (uint32_t i = 0; i < 5; i++) {
            cr_assert(tri_mailbox_idle(&box));
            cr_assert_eq(push(i, 0), TRI_PUSHED_IDLE);
            cr_assert_eq(push(i, 0), TRI_PUSH_FULL);
            drain_and_drop();
        }
        close_box();
    }
}

Test(mailbox, one_that_is_idle_with_messages_in_its_lanes_keeps_to_its_bound)
{
    for (int way = 0; way < 2; way++) {
        at_once = way;
        open_box(2, TRI_REJECT);
        push(0, 0);
        for (uint32_t i = 1; i < 5; i++) { /* as that of an actor that waits for its restart */
            tri_mailbox_drain(&box, &lanes);
            tri_mailbox_publish(&box, &lanes);
            cr_assert(tri_mailbox_idle(&box));
            cr_assert_eq(push(i, 0), i == 1 ? TRI_PUSHED_IDLE : TRI_PUSH_FULL);
            if (i > 1)
                cr_assert_eq(push(9, TRI_MSG_EXEMPT), TRI_PUSHED_IDLE, "what is promised comes all the same");
        }
        tri_mailbox_drain(&box, &lanes);
        expect_order(0, 1, 9, 9, 9);
        tri_mailbox_publish(&box, &lanes);
        close_box();
    }
}

Test(mailbox, a_message_is_taken_past_the_lanes_only_when_it_is_alone)
{
    tr_msg *m = NULL;
    open_box(8, TRI_REJECT);
    cr_assert_not(tri_mailbox_take_single(&box, &lanes, &m), "none");
    push(0, 0);
    cr_assert(tri_mailbox_take_single(&box, &lanes, &m));
    cr_assert_eq(tr_body(note, m)->number, 0);
    tri_msg_free(m);
    cr_assert(tri_mailbox_idle(&box));
    push(1, 0);
    tri_mailbox_poke(&box);
    cr_assert_not(tri_mailbox_take_single(&box, &lanes, &m), "a poke would be lost");
    cr_assert(tri_mailbox_drain(&box, &lanes));
    push(2, 0);
    cr_assert_not(tri_mailbox_take_single(&box, &lanes, &m), "the lanes come first");
    cr_assert_eq(next(), 1);
    push(3, 0);
    cr_assert_not(tri_mailbox_take_single(&box, &lanes, &m), "two");
    tri_mailbox_drain(&box, &lanes);
    expect_order(2, 3);
    cr_assert(tri_mailbox_idle(&box));
    cr_assert_not(tri_mailbox_take_single(&box, &lanes, &m), "idle");
    close_box();
    cr_assert_not(tri_mailbox_take_single(&box, &lanes, &m), "closed");
}

Test(mailbox, its_count_saturates_and_is_right_again_after_a_drain)
{
    enum { COUNT = TRI_WORD_COUNT_MAX + 5 };
    tr_msg *messages = tri_memory_get_zeroed(COUNT * TRI_LINE), *m;
    open_box(TRI_MAILBOX_MAX, TRI_REJECT);
    for (size_t i = 0; i < COUNT; i++) {
        m = (tr_msg *)(void *)((char *)messages + i * TRI_LINE);
        m->type = &note_type;
        m->flags_ = TRI_MSG_EXEMPT;
        cr_assert_eq(tri_mailbox_push(&box, m), TRI_PUSHED);
    }
    cr_assert_eq(tri_word_count(box.word), TRI_WORD_COUNT_MAX);
    cr_assert_eq(push(1, 0), TRI_PUSH_FULL);
    tri_mailbox_drain(&box, &lanes);
    cr_assert_eq(lanes.count, COUNT);
    cr_assert_eq(push(1, 0), TRI_PUSH_FULL);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(tri_lanes_pop(&lanes), (tr_msg *)(void *)((char *)messages + i * TRI_LINE));
    tri_mailbox_publish(&box, &lanes);
    cr_assert_eq(push(1, 0), TRI_PUSHED);
    drain_and_drop();
    tri_memory_put(messages);
    close_box();
}

/* ---- policies ----------------------------------------------------------------------------------------------------- */

Test(mailbox, stop_marks_what_is_too_much_and_lets_it_overtake)
{
    open_box(2, TRI_STOP);
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(push(i, 0), TRI_PUSHED);
    cr_assert_eq(push(4, 0), TRI_PUSH_FULL, "beyond twice the bound even this policy rejects");
    tri_mailbox_drain(&box, &lanes);
    cr_assert_null(tri_mailbox_shed(&box, &lanes));
    for (uint32_t i = 0; i < 4; i++) {
        static const uint32_t order[] = { 2, 3, 0, 1 };
        tr_msg *m = tri_lanes_pop(&lanes);
        cr_assert_eq(tr_body(note, m)->number, order[i]);
        cr_assert_eq(!!(m->flags_ & TRI_MSG_OVERFLOW), i < 2);
        tri_msg_free(m);
    }
    close_box();
}

Test(mailbox, stop_does_not_mark_promised_messages)
{
    open_box(1, TRI_STOP);
    push(0, 0);
    for (uint32_t i = 1; i <= 5; i++)
        cr_assert_eq(push(i, TRI_MSG_EXEMPT), TRI_PUSHED);
    tri_mailbox_drain(&box, &lanes);
    for (uint32_t i = 0; i <= 5; i++) {
        tr_msg *m = tri_lanes_pop(&lanes);
        cr_assert_eq(tr_body(note, m)->number, i);
        cr_assert_not(m->flags_ & TRI_MSG_OVERFLOW);
        tri_msg_free(m);
    }
    close_box();
}

Test(mailbox, drop_old_sheds_the_oldest_down_to_the_bound)
{
    open_box(3, TRI_DROP_OLD);
    for (uint32_t i = 0; i < 5; i++)
        cr_assert_eq(push(i, 0), TRI_PUSHED);
    tri_mailbox_drain(&box, &lanes);
    expect_shed(SHED(0, 1));
    expect_shed(NOTHING);
    expect_order(2, 3, 4);
    close_box();
}

Test(mailbox, drop_old_rejects_beyond_twice_the_bound)
{
    open_box(3, TRI_DROP_OLD);
    for (uint32_t i = 0; i < 6; i++)
        cr_assert_eq(push(i, 0), TRI_PUSHED);
    cr_assert_eq(push(6, 0), TRI_PUSH_FULL);
    cr_assert_eq(push(7, TRI_MSG_EXEMPT), TRI_PUSHED);
    tri_mailbox_drain(&box, &lanes);
    expect_shed(SHED(0, 1, 2, 3));
    expect_order(4, 5, 7);
    close_box();
}

Test(mailbox, drop_old_keeps_promised_messages_and_other_lanes)
{
    open_box(4, TRI_DROP_OLD);
    push(0, TRI_MSG_EXEMPT);
    push(1, 0);
    push(2, TRI_MSG_URGENT);
    push(3, TRI_MSG_EXEMPT);
    push(4, 0);
    push(5, TRI_MSG_SYSTEM);
    push(6, 0);
    tri_mailbox_drain(&box, &lanes);
    expect_shed(SHED(1, 4, 6));
    expect_order(5, 2, 0, 3);
    close_box();
}

Test(mailbox, drop_old_sheds_nothing_when_only_promised_messages_wait)
{
    open_box(2, TRI_DROP_OLD);
    for (uint32_t i = 0; i < 5; i++)
        push(i, TRI_MSG_EXEMPT);
    tri_mailbox_drain(&box, &lanes);
    expect_shed(NOTHING);
    expect_order(0, 1, 2, 3, 4);
    close_box();
}

/* Pushes a message of types[number / 100]. */
static void push_typed(uint32_t number, unsigned flags)
{
    tr_msg *m = make(number, flags);
    m->type = &types[number / 100];
    cr_assert_eq(tri_mailbox_push(&box, m), TRI_PUSHED);
}

/* Makes notes of them again, so that their numbers can be read. */
static void forget_types(tr_msg *list)
{
    for (; list; list = list->next_)
        list->type = &note_type;
}

static void expect_shed_typed(const uint32_t *number)
{
    tr_msg *m = tri_mailbox_shed(&box, &lanes), *following;
    forget_types(m);
    for (; *number != UINT32_MAX; number++, m = following) {
        cr_assert_not_null(m, "%u should have been shed", *number);
        cr_assert_eq(tr_body(note, m)->number, *number);
        following = m->next_;
        tri_msg_free(m);
    }
    cr_assert_null(m);
}

static void expect_order_typed(const uint32_t *number)
{
    for (; *number != UINT32_MAX; number++) {
        tr_msg *m = tri_lanes_pop(&lanes);
        cr_assert_not_null(m);
        m->type = &note_type;
        cr_assert_eq(tr_body(note, m)->number, *number);
        tri_msg_free(m);
    }
    cr_assert_null(tri_lanes_pop(&lanes));
}

Test(mailbox, keep_latest_sheds_what_a_newer_message_of_its_type_replaces)
{
    open_box(3, TRI_KEEP_LATEST);
    push_typed(100, 0);
    push_typed(200, 0);
    push_typed(101, 0);
    push_typed(300, 0);
    push_typed(102, 0);
    tri_mailbox_drain(&box, &lanes);
    expect_shed_typed(SHED(100, 101));
    expect_order_typed(SHED(200, 300, 102));
    close_box();
}

Test(mailbox, keep_latest_sheds_no_more_than_is_too_much)
{
    open_box(4, TRI_KEEP_LATEST);
    push_typed(100, 0);
    push_typed(101, 0);
    push_typed(102, 0);
    push_typed(200, 0);
    push_typed(201, 0);
    tri_mailbox_drain(&box, &lanes);
    expect_shed_typed(SHED(100));
    expect_order_typed(SHED(101, 102, 200, 201));
    close_box();
}

Test(mailbox, keep_latest_sheds_the_oldest_when_no_two_are_of_a_type)
{
    open_box(2, TRI_KEEP_LATEST);
    push_typed(100, 0);
    push_typed(200, 0);
    push_typed(300, 0);
    push_typed(301, 0);
    tri_mailbox_drain(&box, &lanes);
    expect_shed_typed(SHED(300, 100));
    expect_order_typed(SHED(200, 301));
    close_box();
}

Test(mailbox, keep_latest_keeps_promised_messages_and_does_not_count_them_as_newer)
{
    open_box(3, TRI_KEEP_LATEST);
    push_typed(100, TRI_MSG_EXEMPT);
    push_typed(101, 0);
    push_typed(200, 0);
    push_typed(201, 0);
    push_typed(102, TRI_MSG_EXEMPT);
    tri_mailbox_drain(&box, &lanes);
    expect_shed_typed(SHED(200, 101));
    expect_order_typed(SHED(100, 201, 102));
    close_box();
}

Test(mailbox, keep_latest_manages_more_types_than_it_counts)
{
    open_box(20, TRI_KEEP_LATEST);
    for (uint32_t type = 0; type < 39; type++)
        push_typed(type * 100, 0);
    push_typed(1, 0); /* replaces a message of a type that is counted */
    tri_mailbox_drain(&box, &lanes);
    uint32_t shed[21], kept[21];
    shed[0] = 0; /* the replaced one first, then the oldest: 100, 200 … */
    for (uint32_t i = 1; i < 20; i++)
        shed[i] = i * 100;
    for (uint32_t i = 0; i < 19; i++)
        kept[i] = (20 + i) * 100;
    kept[19] = 1;
    shed[20] = kept[20] = UINT32_MAX;
    expect_shed_typed(shed);
    expect_order_typed(kept);
    close_box();
}

Test(mailbox, only_two_policies_shed)
{
    static const enum tri_policy policies[] = { TRI_REJECT, TRI_DROP_NEW, TRI_STOP };
    for (unsigned i = 0; i < 3; i++) {
        open_box(1, policies[i]);
        push(0, 0);
        push(1, TRI_MSG_EXEMPT);
        push(2, TRI_MSG_EXEMPT);
        tri_mailbox_drain(&box, &lanes);
        expect_shed(NOTHING);
        expect_order(0, 1, 2);
        close_box();
    }
}

/* ---- bulk --------------------------------------------------------------------------------------------------------- */

Test(mailbox, bulk_is_let_in_up_to_its_bound)
{
    tri_mailbox_open(&box, 1, 10, 4, TRI_REJECT);
    cr_assert(tri_mailbox_add_bulk(&box, 1, 4000));
    cr_assert(tri_mailbox_add_bulk(&box, 1, 96));
    cr_assert_not(tri_mailbox_add_bulk(&box, 1, 1));
    cr_assert_eq(tri_mailbox_bulk(&box), 4096, "what was refused is not counted");
    tri_mailbox_sub_bulk(&box, 1, 96);
    cr_assert_not(tri_mailbox_add_bulk(&box, 1, 97));
    cr_assert(tri_mailbox_add_bulk(&box, 1, 96));
    tri_mailbox_sub_bulk(&box, 1, 4096);
    cr_assert_eq(tri_mailbox_bulk(&box), 0);
}

Test(mailbox, bulk_for_an_actor_that_has_ended_is_not_the_next_ones)
{
    tri_mailbox_open(&box, 65535, 10, 4, TRI_REJECT);
    cr_assert(tri_mailbox_add_bulk(&box, 65535, 4000));
    cr_assert_not(tri_mailbox_add_bulk(&box, 65535, 97));
    tri_mailbox_close(&box, &lanes);
    tri_mailbox_open(&box, 65536, 10, 4, TRI_REJECT);
    cr_assert_eq(tri_mailbox_bulk(&box), 0);
    tri_mailbox_sub_bulk(&box, 65535, 4000); /* it was refused, and its sender is late */
    cr_assert_eq(tri_mailbox_bulk(&box), 0);
    cr_assert(tri_mailbox_add_bulk(&box, 65535, 4000), "its push will say that it is too late");
    cr_assert_eq(tri_mailbox_bulk(&box), 0);
    cr_assert(tri_mailbox_add_bulk(&box, 65536, 4096));
    tri_mailbox_sub_bulk(&box, 65535, 1);
    cr_assert_eq(tri_mailbox_bulk(&box), 4096);
}

Test(mailbox, one_message_is_let_in_however_much_it_carries)
{
    tri_mailbox_open(&box, 1, 10, 0, TRI_REJECT);
    cr_assert(tri_mailbox_add_bulk(&box, 1, (uint64_t)1 << 40));
    cr_assert_not(tri_mailbox_add_bulk(&box, 1, 1));
    tri_mailbox_sub_bulk(&box, 1, (uint64_t)1 << 40);
    cr_assert(tri_mailbox_add_bulk(&box, 1, 1));
}

Test(mailbox, the_largest_bounds_can_be_set)
{
    tri_mailbox_open(&box, 1, TRI_MAILBOX_MAX, TRI_BULK_MAX_KIB, TRI_STOP);
    cr_assert_eq(tri_mailbox_policy(&box), TRI_STOP);
    cr_assert(tri_mailbox_add_bulk(&box, 1, 1));
    cr_assert(tri_mailbox_add_bulk(&box, 1, ((uint64_t)TRI_BULK_MAX_KIB << 10) - 1));
    cr_assert_not(tri_mailbox_add_bulk(&box, 1, 1));
}

Test(mailbox, a_bound_of_nothing_is_a_programmer_error, .signal = SIGABRT)
{
    tri_mailbox_open(&box, 1, 0, 1, TRI_REJECT);
}

/* ---- stress ------------------------------------------------------------------------------------------------------- */

enum { BOXES = 3, SENDERS = 3, RUNNERS = 3, TURN = 8 };

struct actor {
    TRI_ALIGNED struct tri_mailbox box;
    struct tri_lanes lanes;
    struct actor *next_in_queue;
    unsigned int running;
    uint32_t last[SENDERS]; /* number of the last message of each sender */
    uint32_t handled, poked;
    uint32_t state; /* plain, to show that turns follow each other */
};

static struct actor actors[BOXES];

/* The run queue. It has a lock, so it orders whatever goes through it: what is tested is the mailbox. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t something;
    struct actor *first, **last;
    bool over;
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &queue.first, false };

static uint32_t bound_of_all;
static enum tri_policy policy_of_all;
static uint64_t sent, refused; /* under the queue's lock, at the end */
static unsigned int time_is_up;

static void schedule(struct actor *actor)
{
    pthread_mutex_lock(&queue.lock);
    actor->next_in_queue = NULL;
    *queue.last = actor;
    queue.last = &actor->next_in_queue;
    pthread_cond_signal(&queue.something);
    pthread_mutex_unlock(&queue.lock);
}

static struct actor *take_runnable(void)
{
    pthread_mutex_lock(&queue.lock);
    while (!queue.first && !queue.over)
        pthread_cond_wait(&queue.something, &queue.lock);
    struct actor *actor = queue.first;
    if (actor && !(queue.first = actor->next_in_queue))
        queue.last = &queue.first;
    pthread_mutex_unlock(&queue.lock);
    return actor;
}

static void handle(struct actor *actor, tr_msg *m)
{
    const note *n = tr_body(note, m);
    cr_assert_eq(n->number, actor->last[n->sender] + 1, "sender %u: %u after %u", n->sender, n->number,
        actor->last[n->sender]);
    ck_pr_store_32(&actor->last[n->sender], n->number); /* its sender looks how far it is ahead */
    ck_pr_store_32(&actor->handled, actor->handled + 1);
    tri_msg_free(m);
}

/* As tri_turn in actors/turn.c. */
static void turn(struct actor *actor)
{
    cr_assert_eq(ck_pr_fas_uint(&actor->running, 1), 0, "two runners");
    actor->state++;
    for (unsigned left = TURN;;) {
        bool done = false;
        if (tri_mailbox_drain(&actor->box, &actor->lanes))
            actor->poked++;
        cr_assert_leq(actor->lanes.count, bound_of_all + SENDERS, "the bound was overshot by more than the senders");
        for (tr_msg *m; left && (m = tri_lanes_pop(&actor->lanes)); left--)
            handle(actor, m);
        done = left > 0;
        if (actor->handled % 8 == 0)
            sched_yield(); /* so that others come in between where there are fewer cores than threads */
        tri_mailbox_publish(&actor->box, &actor->lanes);
        ck_pr_store_uint(&actor->running, 0);
        if (!done) {
            schedule(actor);
            return;
        }
        if (tri_mailbox_idle(&actor->box))
            return;
        cr_assert_eq(ck_pr_fas_uint(&actor->running, 1), 0, "two runners");
    }
}

static void *run_turns(void *arg)
{
    struct actor *actor;
    (void)arg;
    while ((actor = take_runnable()))
        turn(actor);
    return NULL;
}

static void *send_all_the_time(void *arg)
{
    uint32_t number[BOXES] = { 0 }, me = (uint32_t)(uintptr_t)arg;
    uint64_t out = 0, back = 0;
    struct tri_random random = { me };
    while (!ck_pr_load_uint(&time_is_up)) {
        uint32_t to = tri_random_below(&random, BOXES);
        struct actor *actor = &actors[to];
        tr_msg *m = make(0, 0);
        *(note *)tri_msg_body(m) = (note){ .sender = me, .number = number[to] + 1 };
        enum tri_push answer = deliver(&actor->box, m, number[to] % 4 == 0);
        if (answer == TRI_PUSH_FULL) {
            tri_msg_free(m);
            back++;
            sched_yield();
            continue;
        }
        number[to]++;
        out++;
        if (answer == TRI_PUSHED_IDLE)
            schedule(actor);
        /* Where there are few cores a sender may outrun the runners by any number. */
        wait_until(ck_pr_load_32(&actor->last[me]) + 10000 > number[to]);
        /* Bursts and pauses: an owner that is always busy never becomes idle, and that is where the danger is. */
        if (tri_random_below(&random, 8) == 0)
            wait_until(ck_pr_load_32(&actor->last[me]) >= number[to] || tri_random_below(&random, 4) == 0);
        if (tri_random_below(&random, 64) == 0 && tri_mailbox_poke(&actor->box) == TRI_PUSHED_IDLE)
            schedule(actor);
    }
    pthread_mutex_lock(&queue.lock);
    sent += out;
    refused += back;
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

static uint64_t handled(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < BOXES; i++)
        sum += ck_pr_load_32(&actors[i].handled);
    return sum;
}

static bool all_idle(void)
{
    for (unsigned i = 0; i < BOXES; i++)
        if (ck_pr_load_64(&actors[i].box.word) != TRI_WORD_IDLE)
            return false;
    return true;
}

/* Sends to all mailboxes from several threads while others run them, for a while; answers how much was refused. */
static uint64_t storm(uint32_t bound, enum tri_policy policy)
{
    pthread_t sender[SENDERS], runner[RUNNERS];
    bound_of_all = bound;
    policy_of_all = policy;
    for (unsigned i = 0; i < BOXES; i++) {
        tri_mailbox_open(&actors[i].box, 1, bound, 1, policy);
        schedule(&actors[i]);
    }
    for (unsigned i = 0; i < RUNNERS; i++)
        runner[i] = start_thread(run_turns, NULL);
    for (unsigned i = 0; i < SENDERS; i++)
        sender[i] = start_thread(send_all_the_time, (void *)(uintptr_t)i);
    nanosleep(&(struct timespec){ 0, A_WHILE }, NULL);
    ck_pr_store_uint(&time_is_up, 1);
    for (unsigned i = 0; i < SENDERS; i++)
        join_thread(sender[i]);
    wait_until(handled() == sent);
    wait_until(all_idle());
    pthread_mutex_lock(&queue.lock);
    queue.over = true;
    pthread_cond_broadcast(&queue.something);
    pthread_mutex_unlock(&queue.lock);
    for (unsigned i = 0; i < RUNNERS; i++)
        join_thread(runner[i]);
    cr_assert_eq(handled(), sent, "doubled");
    cr_assert_gt(sent, 0);
    cr_assert_eq(tri_pool_balance(), 0);
    return refused;
}

Test(mailbox, between_threads_nothing_is_lost_doubled_or_reordered_and_there_is_one_runner)
{
    cr_assert_eq(storm(TRI_MAILBOX_MAX, TRI_REJECT), 0);
}

Test(mailbox, senders_on_n_threads_overshoot_the_bound_by_n_at_most)
{
    cr_assert_gt(storm(50, TRI_REJECT), 0, "the bound was never met");
}

/* ---- closing while others send ---------------------------------------------------------------------------------------- */

static struct {
    TRI_ALIGNED struct tri_mailbox box;
    uint32_t accepted;
    unsigned int go;
} closing;

static void *send_until_closed(void *arg)
{
    (void)arg;
    wait_until(ck_pr_load_uint(&closing.go));
    for (;;) {
        tr_msg *m = make(0, 0);
        enum tri_push answer = deliver(&closing.box, m, false);
        if (answer < TRI_PUSH_CLOSED) {
            ck_pr_inc_32(&closing.accepted);
            continue;
        }
        tri_msg_free(m);
        if (answer == TRI_PUSH_CLOSED)
            return NULL;
        sched_yield(); /* full: the one that closes it is late */
    }
}

Test(mailbox, what_was_accepted_before_it_closed_is_there)
{
    for (unsigned round = 0; round < 200; round++) {
        pthread_t sender[2];
        struct tri_lanes got = { 0 };
        uint32_t count = 0;
        closing.accepted = closing.go = 0;
        tri_mailbox_open(&closing.box, 1, 500, 1, TRI_REJECT);
        for (unsigned i = 0; i < 2; i++)
            sender[i] = start_thread(send_until_closed, NULL);
        ck_pr_store_uint(&closing.go, 1);
        wait_until(ck_pr_load_32(&closing.accepted) >= round % 10);
        if (round & 1)
            tri_mailbox_drain(&closing.box, &got);
        tri_mailbox_close(&closing.box, &got);
        for (unsigned i = 0; i < 2; i++)
            join_thread(sender[i]);
        cr_assert_eq(closing.box.word, TRI_WORD_CLOSED);
        for (tr_msg *m; (m = tri_lanes_pop(&got)); count++)
            tri_msg_free(m);
        cr_assert_eq(count, closing.accepted, "%u of %u", count, closing.accepted);
    }
    cr_assert_eq(tri_pool_balance(), 0);
}

/* ---- bulk between threads --------------------------------------------------------------------------------------------- */

static void *add_and_sub(void *arg)
{
    struct tri_random random = { (uintptr_t)arg };
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t bytes = 1 + tri_random_below(&random, 3000);
        if (tri_mailbox_add_bulk(&box, 1, bytes))
            tri_mailbox_sub_bulk(&box, 1, bytes);
    }
    return NULL;
}

Test(mailbox, bulk_balances_between_threads)
{
    pthread_t thread[3];
    tri_mailbox_open(&box, 1, 10, 4, TRI_REJECT);
    for (unsigned i = 0; i < 3; i++)
        thread[i] = start_thread(add_and_sub, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < 3; i++)
        join_thread(thread[i]);
    cr_assert_eq(tri_mailbox_bulk(&box), 0);
}

/* ---- a new actor's ------------------------------------------------------------------------------------------------ */

static uint32_t generation_seen;

/* Looks for each generation, and when it is there at the word: it is closed no sooner than that was said. */
static void *look_for_generations(void *last)
{
    for (uint32_t generation = 1; generation <= *(uint32_t *)last; generation++) {
        wait_until(ck_pr_load_32(&box.generation) == generation);
        ck_pr_fence_load();
        cr_assert_neq(ck_pr_load_64(&box.word), TRI_WORD_CLOSED, "generation %u is there, and closed", generation);
        ck_pr_fence_release();
        ck_pr_store_32(&generation_seen, generation);
    }
    return NULL;
}

Test(mailbox, who_sees_a_new_generation_finds_the_mailbox_open)
{
    uint32_t last = 5000;
    box.word = TRI_WORD_CLOSED;
    pthread_t thread = start_thread(look_for_generations, &last);
    for (uint32_t generation = 1; generation <= last; generation++) {
        tri_mailbox_open(&box, generation, 10, 10, TRI_REJECT);
        wait_until(ck_pr_load_32(&generation_seen) == generation);
        tri_mailbox_close(&box, &lanes);
    }
    join_thread(thread);
}
