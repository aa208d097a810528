/* A client of the echo service: sends, waits until all of it has come back, compares it, and goes on with the next. */
#include "demo.h"

enum { RETRY_MS = 10 };

struct echo_client {
    struct client is;
    tr_ref connection; /* TR_NOBODY: there is none */
    const char *bytes; /* of this round */
    size_t size, received;
    int64_t began; /* the round; 0: none yet */
    unsigned round;
    bool ready, started, finishing, leaving;
    struct report report;
};

static int try_to_connect(tr_self *self, struct echo_client *me)
{
    if (tr_tcp_connect(self, NULL, me->is.address))
        tr_after(self, TR_MS(RETRY_MS), 0);
    return TR_CONTINUE;
}

/* Also again, over a new connection: the time counts from the first attempt. */
static int send_round(tr_self *self, struct echo_client *me)
{
    me->received = 0;
    if (!me->began)
        me->began = tr_now(self);
    tr_tcp_write(self, me->connection, tr_buf_adopt(me->bytes, me->size, NULL, NULL)); /* static: nothing to release */
    return TR_CONTINUE;
}

static int next_round(tr_self *self, struct echo_client *me)
{
    me->began = 0;
    if (me->finishing) {
        me->leaving = true;
        tr_tcp_close(self, me->connection);
        return TR_CONTINUE;
    }
    me->bytes = pattern_bytes(me->is.number, ++me->round, &me->size);
    return send_round(self, me);
}

static int compare(tr_self *self, struct echo_client *me, const tr_buf *buf)
{
    for (; buf; buf = tr_buf_next(buf)) {
        size_t length = tr_buf_length(buf);
        if (!me->began || length > me->size - me->received ||
            memcmp(tr_buf_bytes(buf), me->bytes + me->received, length) != 0) {
            tr_log(self, TR_LOG_ERROR, "echo client %u got wrong bytes in its round %u", me->is.number, me->round);
            return TR_EPROTO;
        }
        me->received += length;
        me->report.bytes += length;
    }
    if (me->received < me->size)
        return TR_CONTINUE;
    report_round(self, me->is.director, &me->report, me->began);
    return next_round(self, me);
}

static int connected(tr_self *self, struct echo_client *me, tr_ref connection)
{
    me->connection = connection;
    if (!me->ready)
        tr_send(self, me->is.director, client_ready);
    me->ready = true;
    return me->began ? send_round(self, me) : me->started ? next_round(self, me) : TR_CONTINUE;
}

/* The service was killed, or not there: again in a moment. Unless there is nothing more to do. */
static int disconnected(tr_self *self, struct echo_client *me)
{
    me->connection = TR_NOBODY;
    if (me->leaving) {
        report_send(self, me->is.director, &me->report);
        return TR_STOP;
    }
    tr_after(self, TR_MS(RETRY_MS), 0);
    return TR_CONTINUE;
}

static int echo_client_start(tr_self *self, void *state, const void *arg)
{
    struct echo_client *me = state;
    me->is = *(const struct client *)arg;
    me->report.service = ECHO;
    return try_to_connect(self, me);
}

static int echo_client(tr_self *self, void *state, const tr_msg *m)
{
    struct echo_client *me = state;
    if (tr_is(tr_tcp_data, m))
        return compare(self, me, tr_body(tr_tcp_data, m)->buf);
    if (tr_is(tr_tcp_connected, m))
        return connected(self, me, m->from);
    if (tr_is(tr_timeout, m))
        return try_to_connect(self, me);
    if (tr_is(tr_tcp_closed, m))
        me->report.reconnects += !me->leaving;
    if (tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m))
        return disconnected(self, me);
    if (tr_is(client_finish, m))
        me->finishing = true;
    if (!tr_is(client_start, m))
        return TR_CONTINUE;
    me->started = true;
    return tr_ref_is_nobody(me->connection) ? TR_CONTINUE : next_round(self, me);
}

const tr_actor echo_client_actor = {
    TR_SPEC,
    .name = "echo client",
    .start = echo_client_start,
    .receive = echo_client,
    .state_size = sizeof(struct echo_client),
    .arg_size = sizeof(struct client),
};
