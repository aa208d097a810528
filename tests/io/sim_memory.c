/*
 * Each request for memory fails once, of what happens at the end of a listener and of an owner: where nobody can be told at
 * once he is told later, and what cannot be remembered does not go on unnoticed.
 */
#include "tests/io/sim_support.h"

static const char *const where = "10.0.0.1:7";

/* Runs it with each request failed; some of these runs have to come out whole all the same. */
static void fail_each(struct play *play, bool (*is_whole)(void))
{
    unsigned whole = 0;
    play->sim.roots_may_fail = true;
    capture_log(TR_LOG_ERROR);
    cr_assert_eq(perform(7, play), 0, "%s", run.result.what);
    cr_assert(is_whole(), "%s", run.tale);
    uint64_t requests = run.result.requests;
    for (uint64_t i = 1; i <= requests; i++) {
        play->sim.fail_memory = i;
        cr_assert_eq(perform(7, play), 0, "request %lu: %s: %s", (unsigned long)i, run.result.what, run.tale);
        whole += is_whole();
    }
    cr_assert_gt(whole, 0u, "none of %lu", (unsigned long)requests);
}

/* ---- a listener closes ------------------------------------------------------------------------------------------- */

static int listen_here(tr_self *self)
{
    return tr_tcp_listen_(self, &run.connection, &(const tr_tcp_listen_options){ .addresses = where });
}

static int close_what_listens(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_listening, m))
        tr_tcp_close(self, run.connection);
    return TR_CONTINUE;
}

static bool said_closed(void)
{
    forget_times();
    return strcmp(run.tale, "listening | closed") == 0;
}

Test(sim_memory, a_listener_that_cannot_say_that_it_is_closed_says_so_later)
{
    struct play play = { .start = listen_here, .heard = close_what_listens };
    fail_each(&play, said_closed);
}

/* ---- an owner ends ----------------------------------------------------------------------------------------------- */

enum { CONNECTIONS = 4 };

/* One actor accepts, connects to itself, and gives what it has accepted to the guardian, which ends. The other ends stay
 * open, so that they do not end their peers. */
static tr_ref connections[CONNECTIONS], guardian;
static unsigned known, down;
static bool over; /* for the guardian */

static int guardian_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    if (tr_is(tr_tcp_connected, m) && known < CONNECTIONS)
        connections[known++] = m->from;
    return TR_CONTINUE;
}

static const tr_actor guardian_actor = { TR_SPEC, .name = "guardian", .receive = guardian_receive };

static int start_guardian(tr_self *self)
{
    known = down = 0;
    over = false;
    guardian = tr_spawn(self, &guardian_actor, NULL);
    tr_after(self, TR_MS(20), 1);
    tr_after(self, TR_MS(40), 2);
    return listen_here(self);
}

static void end_guardian(tr_self *self)
{
    tr_kill(self, guardian);
    over = true;
    for (unsigned i = 0; i < known; i++)
        down += tr_monitor_set(self, connections[i]).bits == 0;
}

static int give_to_guardian(tr_self *self, const tr_msg *m)
{
    down += tr_is(tr_down, m);
    if (tr_is(tr_tcp_listening, m))
        for (int i = 0; i < CONNECTIONS; i++)
            (void)tr_tcp_connect(self, NULL, where);
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_own(self, tr_body(tr_tcp_accepted, m)->connection, guardian);
    if (!tr_is(tr_timeout, m))
        return TR_CONTINUE;
    if (tr_body(tr_timeout, m)->tag == 2)
        return TR_STOP;
    end_guardian(self);
    return TR_CONTINUE;
}

static bool none_is_left(void)
{
    cr_assert(!over || down == known, "%u of %u connections ended with their owner: %s", down, known, run.tale);
    return over && known == CONNECTIONS;
}

Test(sim_memory, what_an_owner_cannot_remember_ends_rather_than_to_outlive_it)
{
    struct play play = { .start = start_guardian, .heard = give_to_guardian, .stays = true };
    fail_each(&play, none_is_left);
}
