/* References and the slots they name: one that is stale, or names nobody, hits nobody. */
#include "tests/actors/puppet.h"

#include "mailbox/ref.h"

TR_MESSAGE(note, tr_ref meant_for;);
TR_DEFINE(note);
TR_SIGNAL(done);
TR_DEFINE(done);

/* ---- for ever ----------------------------------------------------------------------------------------------------- */

static int by_bits(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int send_to_all(tr_self *self, void *arg)
{
    enum { ALL = 3000 };
    for (int i = 0; i < ALL; i++)
        cr_assert_eq(tr_send(self, ((tr_ref *)arg)[i], done), TR_EDOWN);
    return TR_CONTINUE;
}

/* Slots have two actors left when they are first given out. */
Test(slot, no_reference_is_ever_given_out_twice_and_used_up_slots_are_retired)
{
    enum { ALL = 3000 };
    static tr_ref all[ALL];
    tri_slot_generation_first = TRI_SLOT_LAST_GENERATION - 2;
    open_system(1);
    for (int i = 0; i < ALL; i++) {
        all[i] = make_puppet(0);
        cr_assert_gt(tri_ref_generation(all[i]), TRI_SLOT_LAST_GENERATION - 2);
        perform(all[i], end_well, NULL);
        if (i % 100 == 0)
            perform(make_puppet(0), do_nothing, NULL);
    }
    cr_assert_gt(ck_pr_load_32(&tri_slots.retired), (unsigned)ALL / 3);
    tr_probe_do(probe, send_to_all, all);
    cr_assert(tr_alive(tr_probe_ref(probe)));
    qsort(all, ALL, sizeof all[0], by_bits);
    for (int i = 1; i < ALL; i++)
        cr_assert_not(tr_ref_eq(all[i - 1], all[i]), "a reference has become a stranger's");
    close_system();
}

/* Others look at it while the actor is in its stop, however long that takes. */
Test(slot, that_it_is_dismissed_stays_when_its_signals_are_taken)
{
    const tr_ref ref = tri_ref_make(7, 1);
    struct tri_slot slot = { .identity = ref.bits << TRI_SIGNAL_BITS };
    tri_slot_raise(&slot, ref, TRI_SIGNAL_KILL | TRI_SIGNAL_DISMISS);
    cr_assert_eq(tri_slot_take_signals(&slot), (unsigned)(TRI_SIGNAL_KILL | TRI_SIGNAL_DISMISS));
    cr_assert_eq(tri_slot_take_signals(&slot), (unsigned)TRI_SIGNAL_DISMISS);
    cr_assert_eq(slot.identity, ref.bits << TRI_SIGNAL_BITS | TRI_SIGNAL_DISMISS);
}

/* ---- nobody ------------------------------------------------------------------------------------------------------ */

static int try_nobody(tr_self *self, void *arg)
{
    tr_actor_stats stats;
    (void)arg;
    cr_assert_eq(tr_send(self, TR_NOBODY, done), TR_EDOWN);
    cr_assert_eq(tr_send_urgent(self, TR_NOBODY, done), TR_EDOWN);
    cr_assert_eq(tr_post(TR_NOBODY, done), TR_EDOWN);
    cr_assert_eq(tr_stats_of(TR_NOBODY, &stats), TR_EDOWN);
    cr_assert_not(tr_alive(TR_NOBODY));
    tr_kill(self, TR_NOBODY);
    tr_exit(self, TR_NOBODY, 0);
    tr_monitor_set(self, TR_NOBODY);
    tr_ask(self, TR_NOBODY, SOON, done);
    return TR_CONTINUE;
}

Test(slot, nobody_is_down)
{
    open_system(2);
    tr_stats before = stats_now();
    tr_probe_do(probe, try_nobody, NULL);
    cr_assert_eq(tr_body(tr_down, expect(tr_down))->reason, TR_ENOENT);
    cr_assert_eq(tr_body(tr_failed, expect(tr_failed))->reason, TR_EDOWN);
    cr_assert_eq(stats_now().dead_down, before.dead_down + 3);
    close_system();
}

Test(slot, a_reference_of_another_node_or_beyond_the_table_is_down)
{
    open_system(1);
    const tr_ref wrong[] = {
        { (uint64_t)1 << 56 | tr_probe_ref(probe).bits },
        { UINT64_MAX },
        { (uint64_t)1 << 24 | 0xffffff },
        { 1 },
        { (uint64_t)1 << 24 },
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(tr_probe_send(probe, wrong[i], done), TR_EDOWN);
        cr_assert_not(tr_alive(wrong[i]));
    }
    close_system();
}

/* ---- stale ------------------------------------------------------------------------------------------------------- */

/* Ends when it is told to; a note that was meant for another is a failure. */
static unsigned noted;

static int mayfly_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(note, m)) {
        cr_assert(tr_ref_eq(tr_body(note, m)->meant_for, tr_me(self)), "a stale reference hit a later actor");
        ck_pr_inc_uint(&noted);
    }
    return tr_is(done, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor mayfly_actor = { TR_SPEC, .name = "mayfly", .receive = mayfly_receive };

enum { LIVES = 5000 };

struct lives {
    tr_ref last;
    struct mayflies {
        tr_ref refs[LIVES];
        unsigned count;
    } * past;
};

static int abuse_the_past(tr_self *self, void *arg)
{
    struct mayflies *past = arg;
    tr_actor_stats stats;
    for (unsigned i = 0; i < past->count; i++) {
        tr_ref stale = past->refs[i];
        cr_assert_eq(tr_send(self, stale, note, .meant_for = stale), TR_EDOWN);
        cr_assert_eq(tr_post(stale, note, .meant_for = stale), TR_EDOWN);
        cr_assert_not(tr_alive(stale));
        cr_assert_eq(tr_stats_of(stale, &stats), TR_EDOWN);
        tr_kill(self, stale);
        tr_exit(self, stale, TR_EFAULT);
        tr_unlink(self, stale);
    }
    return TR_CONTINUE;
}

Test(slot, stale_references_do_not_hit_the_actor_that_has_the_slot_now)
{
    static struct mayflies past;
    static bool used[1 << 12];
    unsigned slots = 0;
    open_system(1);
    for (; past.count < LIVES; past.count++) {
        tr_ref ref = probe_spawn(&mayfly_actor, NULL, .monitor = true);
        past.refs[past.count] = ref;
        for (unsigned i = past.count; i-- > 0 && i + 10 > past.count;)
            cr_assert_not(tr_ref_eq(ref, past.refs[i]));
        cr_assert_lt(tri_ref_slot(ref), 1u << 12);
        slots += !used[tri_ref_slot(ref)];
        used[tri_ref_slot(ref)] = true;
        tr_probe_send(probe, ref, done);
        expect_down(ref, 0);
    }
    cr_assert_lt(slots, LIVES / 10u, "the slots were not reused, so this proves nothing");
    tr_ref living[200];
    for (unsigned i = 0; i < 200; i++)
        living[i] = probe_spawn(&mayfly_actor, NULL);
    tr_probe_do(probe, abuse_the_past, &past);
    for (unsigned i = 0; i < 200; i++) {
        cr_assert(tr_alive(living[i]));
        cr_assert_eq(tr_probe_send(probe, living[i], note, .meant_for = living[i]), 0);
    }
    close_system();
    cr_assert_eq(noted, 200u);
}

/* So that those who post do not outrun the workers without end. */
static const tr_actor narrow_mayfly = { TR_SPEC, .name = "mayfly", .receive = mayfly_receive, .mailbox = 64 };

/* Senders that race with the end of their receivers and with the next ones in their slots. */
struct race {
    tr_ref target; /* read and written by several threads */
    unsigned int hits, stop;
};

enum { HITS_EACH = 10 };

static void *post_at(void *arg)
{
    struct race *race = arg;
    unsigned posted = 0;
    while (!ck_pr_load_uint(&race->stop)) {
        tr_ref to = { ck_pr_load_64(&race->target.bits) };
        int error = tr_post(to, note, .meant_for = to);
        if (error == 0 && posted++ < HITS_EACH)
            ck_pr_inc_uint(&race->hits);
        if (error == TR_EFULL)
            sched_yield();
    }
    return NULL;
}

static int let_live(tr_self *self, void *arg)
{
    struct race *race = arg;
    tr_ref next = tr_spawn(self, &narrow_mayfly, NULL);
    tr_ref last = { ck_pr_load_64(&race->target.bits) };
    ck_pr_store_64(&race->target.bits, next.bits);
    tr_send(self, last, note, .meant_for = last);
    tr_exit(self, last, 0); /* not with a message: its mailbox may be full */
    tr_send(self, last, note, .meant_for = last);
    return TR_CONTINUE;
}

Test(slot, senders_that_race_with_ends_and_new_actors_hit_nobody_else)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    struct race race = { .hits = 0 };
    open_system(2);
    tr_ref puppet = make_puppet(0);
    perform(puppet, let_live, &race);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, post_at, &race);
    for (unsigned i = 0; i < scaled(3000, 300000) || ck_pr_load_uint(&race.hits) < THREADS * HITS_EACH; i++)
        perform(puppet, let_live, &race);
    ck_pr_store_uint(&race.stop, 1);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    close_system();
}

/* ---- as text ----------------------------------------------------------------------------------------------------- */

Test(slot, a_reference_is_a_number_that_can_be_compared_and_printed)
{
    char text[TR_REF_TEXT];
    cr_assert_str_eq(tr_ref_text(TR_NOBODY, text), "<nobody>");
    cr_assert_str_eq(tr_ref_text(tri_ref_make(3, 17), text), "<0.17.3>");
    cr_assert_str_eq(tr_ref_text((tr_ref){ UINT64_MAX }, text), "<255.16777215.4294967295>");
    cr_assert(tr_ref_eq(tri_ref_make(3, 17), tri_ref_make(3, 17)));
    cr_assert_not(tr_ref_eq(tri_ref_make(3, 17), tri_ref_make(4, 17)));
    cr_assert(tr_ref_is_nobody(TR_NOBODY));
    cr_assert_not(tr_ref_is_nobody(tri_ref_make(1, 0)));
}

/* ---- size -------------------------------------------------------------------------------------------------------- */

static int spawn_many(tr_self *self, void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        cr_assert_not(tr_ref_is_nobody(tr_spawn(self, &mayfly_actor, NULL)));
    return TR_CONTINUE;
}

static int count_blocks(tr_self *self, void *arg)
{
    (void)self;
    *(int64_t *)arg = tri_pool_balance();
    return TR_CONTINUE;
}

Test(slot, an_idle_actor_without_state_is_its_slot)
{
    int many = 20000;
    open_system(1);
    tr_ref puppet = make_puppet(0);
    perform(puppet, spawn_many, &(int){ 4096 });
    int64_t before, after;
    perform(puppet, count_blocks, &before);
    perform(puppet, spawn_many, &many);
    settle(puppet);
    for (int i = 0; i < 10000 && (i == 0 || after - before > 2); i++) /* until all have started */
        perform(puppet, count_blocks, &after);
    cr_assert_leq(after - before, 2, "%lld blocks for %d actors", (long long)(after - before), many);
    close_system();
}

/* ---- signals ------------------------------------------------------------------------------------------------------- */

enum { RAISERS = 3, SIGNALED = 17 };

static struct tri_slot signaled;
static unsigned int raised[RAISERS], taken[RAISERS], taking_is_over;

/* Each raises a signal of its own, and the next time when that was taken. */
static void *raise_again_and_again(void *arg)
{
    unsigned me = *(unsigned *)arg;
    tr_ref ref = tri_ref_make(1, SIGNALED);
    while (!ck_pr_load_uint(&taking_is_over)) {
        if (ck_pr_load_uint(&taken[me]) < raised[me]) {
            ck_pr_stall();
            continue;
        }
        cr_assert(tri_slot_raise(&signaled, ref, 1u << me));
        raised[me]++;
    }
    return NULL;
}

static void take_all(void)
{
    unsigned signals = tri_slot_take_signals(&signaled);
    for (unsigned i = 0; i < RAISERS; i++)
        if (signals >> i & 1)
            ck_pr_store_uint(&taken[i], taken[i] + 1);
}

Test(slot, a_signal_that_is_raised_while_others_are_taken_is_not_lost)
{
    pthread_t threads[RAISERS];
    unsigned numbers[RAISERS];
    signaled.identity = tri_ref_make(1, SIGNALED).bits << TRI_SIGNAL_BITS;
    for (unsigned i = 0; i < RAISERS; i++) {
        numbers[i] = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, raise_again_and_again, &numbers[i]), 0);
    }
    for (int64_t end = tri_clock_now(&tri_clock_real) + TR_MS(scaled(400, 5000)); tri_clock_now(&tri_clock_real) < end;)
        for (unsigned n = 0; n < 1000; n++)
            take_all();
    ck_pr_store_uint(&taking_is_over, 1);
    for (unsigned i = 0; i < RAISERS; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    take_all();
    for (unsigned i = 0; i < RAISERS; i++) {
        cr_assert_gt(raised[i], 0);
        cr_assert_eq(taken[i], raised[i], "signal %u was raised %u times and taken %u times", i, raised[i], taken[i]);
    }
}
