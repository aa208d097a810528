/*
 * Operations of a port, submitted and cancelled at random against what arrives, and abandoned in flight: by actors that
 * have nothing above the port. Whatever they do,
 *
 *   - each submission has one terminal completion,
 *   - the bytes that arrive are those that were sent, in order: a cancel loses none,
 *   - and what is killed with operations in flight gives everything back (close_system).
 */
#include "tests/io/tcp_support.h"

#include "io/port.h"
#include "io/window.h"
#include "sched/random.h"

#ifndef _WIN32
#include <sys/syscall.h>
#endif

enum { PAIRS = 12, CALLERS = 12, PERIOD = 251, SEND_MAX = 60000, AT_A_TIME = 4 };

static uint8_t text[PERIOD + SEND_MAX];
static uint32_t over[2 * PAIRS]; /* talkers; the two of a pair are neighbours */
static tr_address address;       /* where the callers call */

/* What came of it: overtaken ones were cancelled and had succeeded already, late ones brought data besides. */
static uint64_t canceled, overtaken, late, arrived, connections;

#define demand(condition, ...) \
    do \
        if (!(condition)) \
            tri_panic(__VA_ARGS__); \
    while (0)

/* ---- one of them ------------------------------------------------------------------------------------------------- */

enum role { TALKER, CALLER, LISTENER };

struct stormer {
    TRI_ALIGNED struct tri_endpoint end;
    enum role role;
    unsigned number; /* of a talker */
    struct tri_random random;
    uint32_t moves;
    bool attached, reading, writing; /* submitted, and not come home */
    bool read_canceled, write_canceled;
    bool deaf, dumb; /* nothing more will come; nothing more can be sent */
    uint64_t sent, received;
};

static uint32_t chance(struct stormer *me, uint32_t n)
{
    return tri_random_below(&me->random, n);
}

static void count_terminal(bool was_canceled, int32_t result)
{
    if (was_canceled)
        ck_pr_inc_64(result == TR_ECANCELED ? &canceled : &overtaken);
}

static void attach(struct stormer *me, tri_fd fd)
{
    struct tri_io_port *port = tri_io_port(tri_worker_here);
    demand(fd >= 0, "no socket: %s", tr_strerror(fd));
    me->end.fd = fd;
    demand(tri_io_class(port)->attach(port, &me->end) == 0, "attach");
    me->attached = true;
}

static void detach(struct stormer *me)
{
    struct tri_io_port *port = tri_io_port(tri_worker_here);
    tri_io_class(port)->detach(port, &me->end, true);
    me->attached = false;
}

static void submit_read(tr_self *self, struct stormer *me)
{
    bool listens = me->role == LISTENER;
    me->reading = true;
    me->read_canceled = false;
    tri_op_submit(self, &me->end, &me->end.read, listens ? TRI_OP_ACCEPT : TRI_OP_RECEIVE,
        listens || chance(me, 2) ? 0 : 1 + chance(me, 20000));
}

static void submit_send(tr_self *self, struct stormer *me)
{
    tri_tag tag;
    struct tri_send *send = tri_block_get(sizeof *send + 2 * sizeof *send->pieces, &tag);
    size_t size = 2 + chance(me, chance(me, 4) ? 3000 : SEND_MAX - 2), first = 1 + chance(me, (uint32_t)size - 1);
    const uint8_t *from = text + me->sent % PERIOD;
    *send = (struct tri_send){ .bytes = size, .count = 2, .tag = tag };
    send->pieces[0] = tri_piece_of(from, first);
    send->pieces[1] = tri_piece_of(from + first, size - first);
    me->writing = true;
    me->write_canceled = false;
    tri_op_submit(self, &me->end, &send->op, TRI_OP_SEND, 0);
}

static void submit_connect(tr_self *self, struct stormer *me)
{
    tri_tag tag;
    struct tri_connect *connect = tri_block_get(sizeof *connect, &tag);
    attach(me, tri_socket_tcp(&address));
    *connect = (struct tri_connect){ .tag = tag };
    connect->length = tri_address_to_system(&address, &connect->address);
    me->writing = true;
    me->write_canceled = false;
    tri_op_submit(self, &me->end, &connect->op, TRI_OP_CONNECT, 0);
}

/* Time for something to arrive that the port has not looked at when the cancel comes. */
static void dawdle(struct stormer *me)
{
    int64_t until = tri_clock_now(&tri_clock_real) + TR_US(10) * chance(me, 10);
    while (tri_clock_now(&tri_clock_real) < until)
        ;
}

static void move_read(tr_self *self, struct stormer *me)
{
    if (!me->reading && !me->deaf) {
        submit_read(self, me);
    } else if (me->reading) {
        me->read_canceled = true;
        if (chance(me, 4) == 0)
            dawdle(me);
        tri_op_cancel(self, &me->end, &me->end.read);
    }
}

static void move_write(tr_self *self, struct stormer *me)
{
    if (me->writing) {
        me->write_canceled = true;
        tri_op_cancel(self, &me->end, me->end.write);
    } else if (me->role == CALLER) {
        submit_connect(self, me);
    } else if (!me->dumb) {
        submit_send(self, me);
    }
}

static int move(tr_self *self, struct stormer *me)
{
    for (int i = 0; i < AT_A_TIME; i++)
        if (me->role == LISTENER || (me->role == TALKER && chance(me, 2)))
            move_read(self, me);
        else if (!me->writing || chance(me, me->role == CALLER ? 2 : 30) == 0)
            move_write(self, me);
    return me->moves-- ? TR_CONTINUE : TR_STOP; /* with whatever is in flight */
}

static void on_arrivals(struct stormer *me, struct tri_op *op)
{
    for (const tr_buf *p = op->received; p; p = tr_buf_next(p)) {
        demand(memcmp(tr_buf_bytes(p), text + me->received % PERIOD, tr_buf_length(p)) == 0,
            "after %lu bytes come others than were sent", (unsigned long)me->received);
        me->received += tr_buf_length(p);
        ck_pr_add_64(&arrived, tr_buf_length(p));
    }
    tr_buf_unref(op->received);
    op->received = NULL;
}

/* Of one that the kernel has opened. ThreadSanitizer is not told, as it knows nothing of those that uring has closed, and
 * would take the number for that of an earlier one. */
static void close_accepted(tri_fd fd)
{
#ifdef _WIN32
    tri_socket_close(fd);
#else
    syscall(SYS_close, fd);
#endif
}

static void on_accepted(struct tri_op *op)
{
    struct tri_accepted *list = op->accepted;
    for (uint32_t i = 0; list && i < list->count; i++)
        close_accepted(list->fds[i]);
    if (list)
        tri_block_put(list, list->tag);
    op->accepted = NULL;
}

static void on_read(tr_self *self, struct stormer *me, struct tri_op *op)
{
    struct tri_completion done = tri_op_take(self, op);
    demand(me->reading, "a completion of nothing");
    if (done.terminal && me->read_canceled && me->role == TALKER && op->received)
        ck_pr_inc_64(&late);
    if (me->role == LISTENER)
        on_accepted(op);
    else
        on_arrivals(me, op);
    if (!done.terminal)
        return;
    me->reading = false;
    me->deaf = me->role == TALKER && done.result <= 0 && done.result != TR_ECANCELED;
    count_terminal(me->read_canceled, done.result);
    demand(!me->deaf || done.result < 0 || ck_pr_load_32(&over[me->number ^ 1]), "the end of a stream that goes on");
    demand(me->role == TALKER || done.result == TR_ECANCELED, "accepting has ended: %s", tr_strerror(done.result));
}

static void on_write(tr_self *self, struct stormer *me, struct tri_op *op)
{
    struct tri_completion done = tri_op_take(self, op);
    demand(me->writing && done.terminal && op == me->end.write, "a completion of nothing");
    me->writing = false;
    me->end.write = NULL;
    count_terminal(me->write_canceled, done.result);
    demand(done.result != TR_ECANCELED || me->write_canceled, "cancelled by nobody");
    if (me->role == CALLER) {
        demand(done.result == 0 || done.result == TR_ECANCELED || done.result == TR_ECONNREFUSED ||
                done.result == TR_ECONNRESET,
            "connect: %s", tr_strerror(done.result)); /* the listener may be gone */
        if (done.result == 0)
            ck_pr_inc_64(&connections);
        tri_block_put(op, ((struct tri_connect *)op)->tag);
        detach(me);
        return;
    }
    struct tri_send *send = (struct tri_send *)op;
    me->dumb = done.result < 0 || (uint64_t)done.result != send->bytes; /* after a cut a stream cannot go on */
    demand(!me->dumb || me->write_canceled || done.result < 0, "%d of %lu bytes were sent", (int)done.result,
        (unsigned long)send->bytes);
    if (done.result > 0)
        me->sent += (uint32_t)done.result;
    tri_block_put(op, send->tag);
}

static int stormer_start(tr_self *self, void *state, const void *arg)
{
    struct stormer *me = state;
    (void)arg;
    if (me->role != CALLER)
        attach(me, me->end.fd);
    tr_every(self, TR_US(500) + chance(me, TR_MS(2)), 0);
    return TR_CONTINUE;
}

static int stormer_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct stormer *me = state;
    if (m->type == &tri_op_type && m == &me->end.read.msg)
        on_read(self, me, &me->end.read);
    else if (m->type == &tri_op_type)
        on_write(self, me, (struct tri_op *)(void *)m);
    else if (tr_is(tr_timeout, m))
        return move(self, me);
    return TR_CONTINUE;
}

static int stormer_signaled(tr_self *self, void *state, unsigned signals)
{
    (void)self;
    (void)state;
    (void)signals;
    return TR_CONTINUE;
}

static int stormer_exit_asked(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    (void)reason;
    return TR_STOP;
}

static void stormer_stop(tr_self *self, void *state, int reason)
{
    struct stormer *me = state;
    (void)reason;
    if (me->role == TALKER)
        ck_pr_store_32(&over[me->number], 1);
    tri_op_cancel(self, &me->end, &me->end.read);
    if (me->end.write)
        tri_op_cancel(self, &me->end, me->end.write);
}

static bool stormer_released(struct tri_slot *slot, void *state)
{
    struct stormer *me = state;
    (void)slot;
    if (me->attached)
        detach(me);
    else if (me->role != CALLER) /* killed before its first turn */
        tri_socket_close(me->end.fd);
    return true;
}

static const struct tri_actor stormer_actor = {
    TRI_SPEC,
    .actor.name = "stormer",
    .actor.start = stormer_start,
    .actor.receive = stormer_receive,
    .actor.stop = stormer_stop,
    .actor.state_size = sizeof(struct stormer),
    .signaled = stormer_signaled,
    .exit_asked = stormer_exit_asked,
    .released = stormer_released,
};

/* ---- all of them ------------------------------------------------------------------------------------------------- */

struct casting {
    enum role role;
    unsigned number;
    tri_fd fd;
    uint32_t moves;
    uint16_t home;
    uint64_t seed;
    tr_ref who;
};

static int cast(tr_self *self, void *arg)
{
    struct casting *c = arg;
    int error;
    struct tri_slot *slot = tri_spawn_prepare(self, &stormer_actor.actor, NULL, c->home, &error);
    demand(slot, "spawn: %s", tr_strerror(error));
    struct stormer *me = slot->state;
    me->role = c->role;
    me->number = c->number;
    me->end.fd = c->fd;
    me->moves = c->moves;
    me->random = (struct tri_random){ c->seed };
    tri_window_open(slot);
    c->who = tri_spawn_finish(self, slot);
    return tr_monitor_set(self, c->who).bits ? 0 : TR_ENOMEM;
}

static int kill_it(tr_self *self, void *arg)
{
    tr_kill(self, *(tr_ref *)arg);
    return 0;
}

static tr_ref add(struct tri_random *random, enum role role, unsigned number, tri_fd fd, uint32_t moves)
{
    struct casting c = { role, number, fd, moves, (uint16_t)tri_random_below(random, 2), tri_random_next(random), TR_NOBODY };
    if (fd != TRI_NO_FD && role == TALKER)
        cr_assert_eq(tri_socket_adopt(fd), 0);
    cr_assert_eq(tr_probe_do(probe, cast, &c), 0);
    return c.who;
}

Test(port_storm, whatever_is_submitted_comes_home_once)
{
    enum { ALL = 2 * PAIRS + CALLERS + 1 };
    uint64_t seed = tri_random_seed();
    struct tri_random random = { seed };
    uint32_t moves = 150;
    int before = open_descriptors();
    tr_address any;
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i % PERIOD);
    tr_address_parse("127.0.0.1:0", &any);
    for (unsigned round = 0; round < scaled(is_wine() ? 2 : 3, 150); round++) {
        tr_ref all[ALL];
        int count = 0;
        memset(over, 0, sizeof over);
        open_system(2);
        tri_fd listening = tri_socket_listen(&any, 100, false);
        cr_assert_geq(listening, 0);
        address = tri_socket_local(listening);
        all[count++] = add(&random, LISTENER, 0, listening, 2 * moves);
        for (int i = 0; i < CALLERS; i++)
            all[count++] = add(&random, CALLER, 0, TRI_NO_FD, moves);
        for (int i = 0; i < PAIRS; i++) {
            tr_address here;
            int listener = peer_listen(&here), one = peer_connect(&here), other = peer_accept(listener);
            close(listener);
            all[count++] = add(&random, TALKER, 2 * (unsigned)i, one, moves);
            all[count++] = add(&random, TALKER, 2 * (unsigned)i + 1, other, moves);
        }
        for (int left = ALL; left; left--) {
            expect(tr_down);
            if (left < ALL / 2 || round % 2) /* one that may still be at it */
                tr_probe_do(probe, kill_it, &all[tri_random_below(&random, ALL)]);
        }
        close_system();
        cr_assert_eq(open_descriptors(), before);
    }
    fprintf(stderr, "%lu cancelled, %lu too late, %lu of them with data, %lu connections, %lu bytes\n",
        (unsigned long)canceled, (unsigned long)overtaken, (unsigned long)late, (unsigned long)connections,
        (unsigned long)arrived);
    cr_assert(canceled > 100 && connections > 10 && arrived > 100000, "or the test tests little");
}
