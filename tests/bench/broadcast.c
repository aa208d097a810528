/*
 * broadcast: one buffer goes to 1,000 actors, N times. An operation is one of them that has received it.
 *
 * Each newspaper is a buffer of its own, which the last of its readers frees. So that readers are not buried, every tenth
 * is to be confirmed by each of them before the next ten come out.
 */
#include "tests/bench/bench.h"

enum { READERS = 1000, SIZE = 4096, UNCONFIRMED = 10 };

TR_MESSAGE(newspaper, tr_buf *text; bool confirm;);
TR_MESSAGE(newspapers_read, int64_t bytes;);

static void newspaper_drop(void *body)
{
    tr_buf_unref(((newspaper *)body)->text);
}

static size_t newspaper_bulk(const void *body)
{
    return tr_buf_size(((const newspaper *)body)->text);
}

TR_DEFINE(newspaper, .drop = newspaper_drop, .bulk = newspaper_bulk);
TR_DEFINE(newspapers_read);

static int reader(tr_self *self, void *state, const tr_msg *m)
{
    int64_t *bytes = state;
    const newspaper *paper = tr_body(newspaper, m);
    *bytes += (int64_t)tr_buf_size(paper->text);
    if (paper->confirm) {
        tr_send(self, m->from, newspapers_read, .bytes = *bytes);
        *bytes = 0;
    }
    return TR_CONTINUE;
}

static const tr_actor reader_actor = { TR_SPEC, .name = "reader", .receive = reader, .state_size = sizeof(int64_t) };

/* ---- the root ---------------------------------------------------------------------------------------------------- */

struct broadcast {
    int64_t n, sent, read, start;
    int unconfirmed; /* readers */
    tr_ref readers[READERS];
};

static void send_newspaper(tr_self *self, struct broadcast *me)
{
    void *bytes;
    tr_buf *text = tr_buf_new(SIZE, &bytes);
    bench_check(text != NULL, "broadcast: no memory");
    memset(bytes, 'x', SIZE);
    me->sent++;
    bool confirm = me->sent % UNCONFIRMED == 0 || me->sent == me->n;
    for (int i = 0; i < READERS; i++)
        tr_send(self, me->readers[i], newspaper, .text = tr_buf_ref(text), .confirm = confirm);
    tr_buf_unref(text);
    me->unconfirmed = confirm ? READERS : 0;
}

static int broadcast_start(tr_self *self, void *state, const void *arg)
{
    struct broadcast *me = state;
    bench_watch(self);
    me->n = *(const int64_t *)arg;
    for (int i = 0; i < READERS; i++)
        me->readers[i] = tr_spawn(self, &reader_actor, NULL);
    me->start = tr_now(self);
    while (!me->unconfirmed)
        send_newspaper(self, me);
    return TR_CONTINUE;
}

static int broadcast(tr_self *self, void *state, const tr_msg *m)
{
    struct broadcast *me = state;
    if (!tr_is(newspapers_read, m))
        bench_unexpected(m);
    me->read += tr_body(newspapers_read, m)->bytes;
    if (--me->unconfirmed)
        return TR_CONTINUE;
    if (me->sent == me->n) {
        bench_check(me->read == me->n * READERS * SIZE, "broadcast: not everybody has read everything");
        return bench_report(me->n * READERS, tr_now(self) - me->start);
    }
    while (!me->unconfirmed)
        send_newspaper(self, me);
    return TR_CONTINUE;
}

static const tr_actor broadcast_root = { TR_SPEC, .name = "broadcast", .start = broadcast_start, .receive = broadcast,
    .state_size = sizeof(struct broadcast), .arg_size = sizeof(int64_t) };

const struct bench_workload bench_broadcast = { .name = "broadcast", .root = &broadcast_root, .n = 2000 };
