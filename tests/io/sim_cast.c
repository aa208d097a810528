#include "tests/io/sim_cast.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TASKS = 12, /* of a host */
    HELD = 12,  /* promises to one task */
    STREAMS = 1024,
    SINKS = 5,   /* one for each policy */
    MEMBERS = 3, /* of a group of siblings */
    GROUPS = 2,
    BOX = 6,
    STREAM_MAX = 30000,
};

#define TICK     TR_MS(3)
#define PATIENCE TR_SECONDS(5)

/* ---- what is said ------------------------------------------------------------------------------------------------ */

TR_MESSAGE(plea, int how; uint64_t n;);
TR_MESSAGE(grace, uint64_t n;);
TR_MESSAGE(wave, uint32_t by; uint64_t n;);
TR_MESSAGE(parcel, tr_buf *buf;);
TR_MESSAGE(memo, uint64_t n;);
TR_SIGNAL(nudge);

static void parcel_drop(void *body)
{
    tr_buf_unref(((parcel *)body)->buf);
}

static size_t parcel_bulk(const void *body)
{
    const tr_buf *buf = ((const parcel *)body)->buf;
    return buf ? tr_buf_size(buf) : 0;
}

TR_DEFINE(plea);
TR_DEFINE(grace);
TR_DEFINE(wave);
TR_DEFINE(parcel, .drop = parcel_drop, .bulk = parcel_bulk);
TR_DEFINE(memo);
TR_DEFINE(nudge);

/* ---- what all know ----------------------------------------------------------------------------------------------- */

enum manner { ECHO, SLICES, COPIES, TAKES, HANDS_OVER, PAUSES, DETACHES, MANNERS };

/* A stream of bytes to a server and back. What one side has done the other may check: it is all one process. */
struct stream {
    uint32_t up, down;  /* bytes that were written */
    enum manner manner; /* of the server */
    bool finished;      /* the client has written all, and shut its side down */
    bool returned;      /* the server has written all of it back, and closed */
    bool closed;        /* whoever owns the server's connection was told so */
    bool detached;      /* the server wants the descriptor: it may end the stream whenever it gets it */
};

static struct {
    unsigned rounds;
    bool done[CAST_HOSTS][TASKS];
    unsigned left; /* tasks that are not done */
    struct stream streams[STREAMS];
    uint32_t stream_count;
    uint64_t numbers;
    int64_t running; /* starts without a stop */
    int64_t jobs;    /* arguments of jobs that nobody has released */
    bool alive[CAST_HOSTS][GROUPS][MEMBERS];
} cast;

static unsigned host_of(tr_self *self)
{
    const char *name = tr_sim_host_name(self);
    return name ? (unsigned)(name[0] - 'a') : 0;
}

static bool chance(tr_self *self, uint32_t in)
{
    return tr_random_below(self, in) == 0;
}

/* ---- promises ---------------------------------------------------------------------------------------------------- */

enum kind { ASK, TIMER, EVERY, MONITOR, LINK, JOB, TELL, KINDS };

struct promise {
    uint64_t id; /* 0: none */
    enum kind kind;
    uint64_t n;
    int64_t due;
    tr_ref who;
};

struct account {
    struct promise held[HELD];
};

static struct promise *find(struct account *account, uint64_t id)
{
    for (int i = 0; i < HELD; i++)
        if (account->held[i].id == id)
            return &account->held[i];
    return NULL;
}

static unsigned promises(const struct account *account)
{
    unsigned count = 0;
    for (int i = 0; i < HELD; i++)
        count += account->held[i].id != 0;
    return count;
}

/* 0, or TR_ENOMEM when it was not promised. */
static int hold(struct account *account, struct promise promise)
{
    struct promise *place = find(account, 0);
    if (promise.id == 0)
        return TR_ENOMEM;
    TR_ALWAYS(place != NULL);
    TR_ALWAYS(!find(account, promise.id) || promise.kind == LINK);
    if (place)
        *place = promise;
    return 0;
}

/* The promise that is kept by a message with this id. */
static struct promise keep(struct account *account, uint64_t id, enum kind kind)
{
    struct promise *promise = id ? find(account, id) : NULL, copy = { 0 };
    TR_ALWAYS(promise != NULL); /* once only, and not when it was given up */
    if (!promise)
        return copy;
    TR_ALWAYS(promise->kind == kind);
    copy = *promise;
    if (kind != EVERY)
        promise->id = 0;
    return copy;
}

/* ---- groups of siblings ------------------------------------------------------------------------------------------ */

struct place {
    unsigned group, index;
};

struct member {
    unsigned host;
    struct place place;
    bool waits;
};

static int member_start(tr_self *self, void *state, const void *arg)
{
    struct member *me = state;
    me->host = host_of(self);
    me->place = *(const struct place *)arg;
    cast.running++;
    bool *alive = cast.alive[me->host][me->place.group];
    TR_ALWAYS(!alive[me->place.index]);
    for (unsigned i = me->place.index + 1; i < MEMBERS; i++)
        TR_ALWAYS(!alive[i]); /* they were stopped first, and are started after this one */
    alive[me->place.index] = true;
    TR_SOMETIMES(tr_incarnation(self) > 2);
    if (chance(self, 3)) {
        me->waits = true;
        return tr_after(self, TR_MS(1), 0).bits ? TR_NOT_READY : TR_ENOMEM;
    }
    return chance(self, 20) ? TR_EIO : TR_CONTINUE;
}

static int member_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct member *me = state;
    if (tr_is(tr_timeout, m)) {
        TR_ALWAYS(me->waits);
        me->waits = false;
        tr_ready(self);
    }
    if (!tr_is(plea, m))
        return TR_CONTINUE;
    if (tr_body(plea, m)->how % 3 == 0)
        return tr_body(plea, m)->how % 2 ? TR_EPROTO : TR_STOP;
    (void)tr_reply(self, grace, .n = tr_body(plea, m)->n);
    return TR_CONTINUE;
}

static void member_stop(tr_self *self, void *state, int reason)
{
    struct member *me = state;
    (void)self;
    (void)reason;
    cast.alive[me->host][me->place.group][me->place.index] = false;
    cast.running--;
}

static const tr_actor member_actor = { TR_SPEC, .name = "member", .start = member_start, .receive = member_receive,
    .stop = member_stop, .state_size = sizeof(struct member), .arg_size = sizeof(struct place) };

#define MEMBER(name_, group, index) \
    { \
        .name = (name_), .actor = &member_actor, .arg = &(const struct place) \
        { \
            (group), (index) \
        } \
    }

static const tr_child all_children[] = { MEMBER("all 0", 0, 0), MEMBER("all 1", 0, 1), MEMBER("all 2", 0, 2) };
static const tr_child rest_children[] = { MEMBER("rest 0", 1, 0), MEMBER("rest 1", 1, 1), MEMBER("rest 2", 1, 2) };

static const tr_supervisor all_supervisor = { TR_SUPERVISOR, .name = "all", .strategy = TR_ONE_FOR_ALL,
    .children = all_children, .count = MEMBERS };
static const tr_supervisor rest_supervisor = { TR_SUPERVISOR, .name = "rest", .strategy = TR_REST_FOR_ONE,
    .children = rest_children, .count = MEMBERS };
static const tr_supervisor pool_supervisor = { TR_SUPERVISOR, .name = "pool", .strategy = TR_DYNAMIC };

/* ---- the bank ---------------------------------------------------------------------------------------------------- */

enum how { REPLY, REFUSE, IGNORE, TAKE, PASS, RELAY, CRASH, STOP, WAYS };

struct bank {
    tr_msg *taken[4];
    tr_msg *relayed; /* while the clerk is asked */
};

static int bank_start(tr_self *self, void *state, const void *arg)
{
    (void)self;
    (void)state;
    (void)arg;
    cast.running++;
    return TR_CONTINUE;
}

static int clerk_said(tr_self *self, void *state, const tr_msg *m)
{
    struct bank *me = state;
    tr_msg *request = me->relayed;
    me->relayed = NULL;
    TR_ALWAYS(request != NULL);
    if (!request)
        return TR_CONTINUE;
    TR_SOMETIMES(tr_is(grace, m));
    if (tr_is(grace, m))
        (void)tr_reply_to(self, request, grace, .n = tr_body(grace, m)->n);
    else
        (void)tr_refuse(self, request, TR_EAGAIN);
    return TR_CONTINUE;
}

static int relay(tr_self *self, struct bank *me, const tr_msg *m)
{
    uint64_t n = tr_body(plea, m)->n;
    int64_t left = tr_time_left(self);
    if (me->relayed) {
        (void)tr_refuse(self, NULL, TR_EAGAIN);
        return TR_CONTINUE;
    }
    me->relayed = tr_take(self, m);
    if (!me->relayed)
        return TR_CONTINUE;
    tr_call call = tr_ask(self, tr_whereis(self, "clerk"), TR_SECONDS(60), plea, .how = REPLY, .n = n);
    TR_ALWAYS(left > 0);
    if (!call.bits) {
        tr_release(self, me->relayed);
        me->relayed = NULL;
    } else {
        tr_then(self, call, clerk_said);
    }
    return TR_CONTINUE;
}

static int keep_for_later(tr_self *self, struct bank *me, const tr_msg *m)
{
    tr_timer timer = { 0 };
    for (unsigned i = 0; i < 4; i++)
        if (!me->taken[i]) {
            timer = tr_after(self, (int64_t)tr_random_below(self, (uint32_t)TR_MS(10)), i);
            if (timer.bits)
                me->taken[i] = tr_take(self, m);
            return TR_CONTINUE;
        }
    return TR_CONTINUE;
}

static int bank_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct bank *me = state;
    if (tr_is(tr_timeout, m)) {
        tr_msg **taken = &me->taken[tr_body(tr_timeout, m)->tag];
        if (*taken && chance(self, 10))
            tr_release(self, *taken);
        else if (*taken)
            (void)tr_reply_to(self, *taken, grace, .n = tr_body(plea, *taken)->n);
        *taken = NULL;
    }
    if (!tr_is(plea, m))
        return TR_CONTINUE;
    switch ((enum how)tr_body(plea, m)->how) {
    case REPLY: (void)tr_reply(self, grace, .n = tr_body(plea, m)->n); return TR_CONTINUE;
    case REFUSE: (void)tr_refuse(self, NULL, TR_EACCES); return TR_CONTINUE;
    case TAKE: return keep_for_later(self, me, m);
    case PASS: (void)tr_forward(self, m, tr_whereis(self, "clerk")); return TR_CONTINUE;
    case RELAY: return relay(self, me, m);
    case CRASH: return TR_EPROTO;
    case STOP: return TR_STOP;
    default: return TR_CONTINUE;
    }
}

static void bank_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    (void)reason;
    cast.running--;
}

static const tr_actor bank_actor = { TR_SPEC, .name = "bank", .start = bank_start, .receive = bank_receive,
    .stop = bank_stop, .state_size = sizeof(struct bank), .mailbox = 64 };

static int clerk_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(plea, m))
        (void)tr_reply(self, grace, .n = tr_body(plea, m)->n);
    return TR_CONTINUE;
}

static const tr_actor clerk_actor = { TR_SPEC, .name = "clerk", .start = bank_start, .receive = clerk_receive,
    .stop = bank_stop };

/* ---- sinks: mailboxes with bounds -------------------------------------------------------------------------------- */

struct sink {
    uint64_t last[TASKS];
};

static int sink_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct sink *me = state;
    (void)self;
    if (tr_is(wave, m)) {
        const wave *w = tr_body(wave, m);
        TR_ALWAYS(w->n > me->last[w->by]);
        TR_SOMETIMES(me->last[w->by] && w->n > me->last[w->by] + 1);
        me->last[w->by] = w->n;
    }
    if (tr_is(parcel, m))
        TR_ALWAYS(tr_buf_size(tr_body(parcel, m)->buf) > 0);
    return TR_CONTINUE;
}

#define SINK(name_, policy_) \
    { \
        TR_SPEC, .name = name_, .start = bank_start, .receive = sink_receive, .stop = bank_stop, \
                 .state_size = sizeof(struct sink), .mailbox = BOX, .mailbox_kib = 4, .policy = policy_ \
    }

static const tr_actor sinks[SINKS] = { SINK("sink 0", TR_REJECT), SINK("sink 1", TR_DROP_NEW), SINK("sink 2", TR_DROP_OLD),
    SINK("sink 3", TR_KEEP_LATEST), SINK("sink 4", TR_STOP_FULL) };

/* ---- servers of streams ------------------------------------------------------------------------------------------ */

static uint8_t byte_at(uint32_t stream, uint32_t place)
{
    if (place < 4)
        return (uint8_t)(stream >> 8 * place);
    return (uint8_t)(place * 31 + (place >> 8) * 7 + stream * 13);
}

struct session {
    uint32_t id, got; /* the first four bytes say which stream it is */
    uint32_t returned;
    bool known, handed, ended, paused;
    tr_ref connection;
    tr_msg *taken;
    tr_call detach;
    int falses;
};

static const tr_actor session_actor;

static struct stream *stream_of(const struct session *me)
{
    return me->known ? &cast.streams[me->id] : NULL;
}

/* Each byte is the one that was sent at this place. */
static bool check_bytes(struct session *me, const tr_buf *buf)
{
    bool right = true;
    for (; buf; buf = tr_buf_next(buf)) {
        const uint8_t *bytes = tr_buf_bytes(buf);
        for (size_t i = 0; i < tr_buf_length(buf) && right; i++, me->got++) {
            if (me->got < 4)
                me->id |= (uint32_t)bytes[i] << 8 * me->got;
            if (me->got == 3) {
                me->known = me->id < cast.stream_count;
                right = me->known;
            }
            right = right && bytes[i] == byte_at(me->id, me->got);
        }
    }
    TR_ALWAYS(right);
    TR_ALWAYS(!right || !me->known || me->got <= cast.streams[me->id].up);
    return right;
}

/* What was not taken ends the connection, so nothing can follow it. */
static bool write_back(tr_self *self, struct session *me, tr_buf *buf, uint32_t size)
{
    if (tr_tcp_write(self, me->connection, buf))
        return false;
    me->returned += size;
    if (me->known)
        stream_of(me)->down = me->returned;
    return true;
}

static void give_back(tr_self *self, struct session *me, tr_buf *buf)
{
    uint32_t size = (uint32_t)tr_buf_size(buf);
    enum manner manner = me->known ? cast.streams[me->id].manner : ECHO;
    if (manner == SLICES && size > 1) {
        (void)(write_back(self, me, tr_buf_slice(buf, 0, size / 2), size / 2) &&
            write_back(self, me, tr_buf_slice(buf, size / 2, size), size - size / 2));
    } else if (manner == COPIES) {
        char bytes[512];
        for (size_t at = 0, n; (n = tr_buf_read(buf, at, bytes, sizeof bytes)) > 0; at += n)
            if (!write_back(self, me, tr_buf_copy(bytes, n), (uint32_t)n))
                break;
    } else {
        (void)write_back(self, me, tr_buf_ref(buf), size);
    }
}

static int session_start(tr_self *self, void *state, const void *arg)
{
    struct session *me = state;
    (void)self;
    cast.running++;
    *me = *(const struct session *)arg;
    return TR_CONTINUE;
}

static void session_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    (void)reason;
    cast.running--;
}

static int session_data(tr_self *self, struct session *me, const tr_msg *m)
{
    tr_buf *buf = tr_body(tr_tcp_data, m)->buf;
    TR_ALWAYS(!me->handed && !me->ended && !me->taken);
    TR_ALWAYS(tr_buf_size(buf) > 0);
    if (!check_bytes(me, buf))
        return TR_EPROTO;
    enum manner manner = me->known ? cast.streams[me->id].manner : ECHO;
    if (manner == TAKES && chance(self, 3) && tr_after(self, (int64_t)tr_random_below(self, (uint32_t)TR_MS(20)), 1).bits) {
        me->taken = tr_take(self, m);
        if (me->taken)
            return TR_CONTINUE;
    }
    give_back(self, me, buf);
    if (manner == HANDS_OVER && chance(self, 3)) {
        struct session heir = *me;
        tr_ref ref = tr_spawn(self, &session_actor, &heir);
        if (tr_ref_is_nobody(ref))
            return TR_CONTINUE;
        int error = tr_tcp_own(self, me->connection, ref);
        me->handed = error != TR_ENOMEM; /* or it will end, and nobody hears of that but its owner */
        if (!me->handed)
            tr_kill(self, ref);
        return chance(self, 2) ? TR_STOP : TR_CONTINUE;
    }
    if (manner == PAUSES && !me->paused && chance(self, 2) && tr_after(self, TR_MS(10), 2).bits) {
        me->paused = true;
        (void)tr_tcp_window(self, me->connection, 0);
    }
    if (manner == DETACHES && me->known && chance(self, 3) && !me->detach.bits) {
        stream_of(me)->detached = true;
        me->detach = tr_tcp_detach(self, me->connection, PATIENCE);
    }
    return TR_CONTINUE;
}

/* The client has finished: what it has sent has come, all of it. */
static int session_eof(tr_self *self, struct session *me)
{
    struct stream *stream = stream_of(me);
    TR_ALWAYS(!me->handed && !me->taken);
    if (!stream)
        return TR_CONTINUE;
    TR_ALWAYS(stream->finished);
    TR_ALWAYS(me->got == stream->up);
    if (stream->down == me->got) {
        stream->returned = true;
        (void)tr_tcp_close(self, me->connection);
    } else {
        (void)tr_tcp_abort(self, me->connection); /* something could not be written */
    }
    return TR_CONTINUE;
}

/* The message closes its descriptor when it was handled, so that is the end of the stream, or a reset. */
static int session_detached(struct session *me, const tr_msg *m)
{
    const tr_tcp_detached *detached = tr_body(tr_tcp_detached, m);
    TR_ALWAYS(me->ended);
    TR_ALWAYS(stream_of(me) != NULL);
    TR_SOMETIMES(detached->unread != NULL);
    TR_SOMETIMES(detached->unread == NULL);
    if (detached->unread)
        check_bytes(me, detached->unread);
    return TR_STOP;
}

static int session_timeout(tr_self *self, struct session *me, const tr_msg *m)
{
    if (tr_body(tr_timeout, m)->tag == 1) {
        if (me->taken) {
            give_back(self, me, tr_body(tr_tcp_data, me->taken)->buf);
            tr_release(self, me->taken);
            me->taken = NULL;
        }
    } else {
        me->paused = false;
        (void)tr_tcp_window(self, me->connection, 4096);
    }
    return TR_CONTINUE;
}

static int session_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct session *me = state;
    if (tr_is(tr_tcp_connected, m)) {
        me->connection = m->from;
        (void)tr_tcp_half_open(self, me->connection, true);
        (void)tr_tcp_timeouts(self, me->connection, PATIENCE, 0);
    }
    if (tr_is(tr_tcp_data, m))
        return session_data(self, me, m);
    if (tr_is(tr_tcp_eof, m))
        return session_eof(self, me);
    if (tr_is(tr_tcp_detached, m))
        return session_detached(me, m);
    if (tr_is(tr_timeout, m))
        return session_timeout(self, me, m);
    if (tr_is(tr_failed, m)) {
        TR_ALWAYS(m->call == me->detach.bits);
        me->detach.bits = 0;
        return me->ended || me->handed ? TR_STOP : TR_CONTINUE;
    }
    if (tr_is(tr_tcp_failed, m))
        return TR_STOP;
    if (tr_is(tr_tcp_closed, m)) {
        TR_ALWAYS(!me->ended);
        TR_ALWAYS(!stream_of(me) || !stream_of(me)->closed);
        if (me->known)
            stream_of(me)->closed = true; /* perhaps of one that had been handed over when it had ended already */
        me->ended = true;
        return me->detach.bits ? TR_CONTINUE : TR_STOP;
    }
    return TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .start = session_start, .receive = session_receive,
    .stop = session_stop, .state_size = sizeof(struct session), .arg_size = sizeof(struct session) };

static int door_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    cast.running++;
    return tr_tcp_listen(self, NULL, "0.0.0.0:7", .tcp.window = TR_BUGGIFY() ? 64 : 0);
}

static int door_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_closed, m))
        return tr_body(tr_tcp_closed, m)->reason ? tr_body(tr_tcp_closed, m)->reason : TR_ECLOSED;
    TR_SOMETIMES(tr_is(tr_tcp_accept_paused, m));
    if (!tr_is(tr_tcp_accepted, m))
        return TR_CONTINUE;
    if (chance(self, 40))
        return TR_CONTINUE; /* nobody takes it */
    tr_tcp_serve(self, m, &session_actor, &(struct session){ 0 });
    return TR_CONTINUE;
}

static const tr_actor door_actor = { TR_SPEC, .name = "door", .start = door_start, .receive = door_receive,
    .stop = bank_stop };

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

#define OFTEN .intensity = 1000

static const tr_child app_children[] = {
    { .name = "bank", .actor = &bank_actor, OFTEN },
    { .name = "clerk", .actor = &clerk_actor, OFTEN },
    { .name = "all", .supervisor = &all_supervisor, OFTEN },
    { .name = "rest", .supervisor = &rest_supervisor, OFTEN },
    { .name = "pool", .supervisor = &pool_supervisor, OFTEN },
    { .name = "sink 0", .actor = &sinks[0], OFTEN },
    { .name = "sink 1", .actor = &sinks[1], OFTEN },
    { .name = "sink 2", .actor = &sinks[2], OFTEN },
    { .name = "sink 3", .actor = &sinks[3], OFTEN },
    { .name = "sink 4", .actor = &sinks[4], OFTEN },
    { .name = "door", .actor = &door_actor, OFTEN },
};

static const tr_supervisor app = { TR_SUPERVISOR, .name = "app", .strategy = TR_ONE_FOR_ONE, .children = app_children,
    .count = sizeof app_children / sizeof app_children[0], .backoff_max_ns = TR_MS(500) };

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

enum work { STREAMING, ASKING, TIMING, WATCHING, LINKING, BLOCKING, FLOODING, NAMING, HIRING, WRECKING, WORKS };

static const enum work works[TASKS] = { STREAMING, STREAMING, STREAMING, ASKING, TIMING, WATCHING, LINKING, BLOCKING,
    FLOODING, NAMING, HIRING, WRECKING };

struct duty {
    unsigned host, number;
};

struct client {
    tr_ref connection;
    uint32_t id, total;
    struct session back; /* what comes back is checked in the same way */
    bool open, connected, blocked, finished, complete;
    int falses;
};

struct task {
    struct account account;
    struct duty duty;
    unsigned left;
    tr_ref dead[8];
    unsigned deaths;
    uint64_t tick;
    struct client client;
    uint64_t waves;
};

static int go_home(struct task *me)
{
    TR_ALWAYS(!cast.done[me->duty.host][me->duty.number]);
    cast.done[me->duty.host][me->duty.number] = true;
    cast.left--;
    return TR_STOP;
}

static int next_tick(tr_self *self, struct task *me, int64_t delay)
{
    tr_timer timer = tr_after(self, delay, 99);
    me->tick = timer.bits;
    return timer.bits ? TR_CONTINUE : TR_ENOMEM;
}

static int brief_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    cast.running++;
    if (chance(self, 4))
        return chance(self, 2) ? TR_STOP : TR_EPROTO;
    return tr_after(self, (int64_t)tr_random_below(self, (uint32_t)TR_MS(5)), 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int brief_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (!tr_is(tr_timeout, m))
        return TR_CONTINUE;
    tr_send(self, tr_parent(self), nudge);
    return chance(self, 2) ? TR_STOP : TR_EIO;
}

static const tr_actor brief_actor = { TR_SPEC, .name = "brief", .start = brief_start, .receive = brief_receive,
    .stop = bank_stop, .restart = TR_TEMPORARY };

static int idler_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_CONTINUE;
}

static const tr_actor idler_actor = { TR_SPEC, .name = "idler", .start = bank_start, .receive = idler_receive,
    .stop = bank_stop };

/* ---- streams ----------------------------------------------------------------------------------------------------- */

static const char *somewhere(tr_self *self, unsigned host)
{
    static const char *const addresses[CAST_HOSTS] = { "10.0.0.1:7", "10.0.0.2:7", "10.0.0.3:7" };
    unsigned other = tr_random_below(self, CAST_HOSTS);
    return other == host && chance(self, 2) ? "127.0.0.1:7" : addresses[other];
}

static int open_stream(tr_self *self, struct task *me)
{
    struct client *c = &me->client;
    if (cast.stream_count == STREAMS)
        return go_home(me); /* enough of them */
    *c = (struct client){ .id = cast.stream_count++, .total = 4 + tr_random_below(self, chance(self, 8) ? STREAM_MAX : 1500) };
    cast.streams[c->id] = (struct stream){ .manner = (enum manner)tr_random_below(self, MANNERS) };
    bool small = chance(self, 3), kept = chance(self, 4); /* one draw in a statement: their order is the same everywhere */
    const char *address = somewhere(self, me->duty.host);
    int error = tr_tcp_connect(self, &c->connection, address, .half_open = true, .idle_ns = PATIENCE,
        .connect_ns = TR_SECONDS(3), .window = small ? 256 : 0, .high = small ? 300 : 0, .send_buffer = small ? 2048 : 0,
        .keepalive_ns = kept ? TR_SECONDS(1) : 0);
    c->open = error == 0;
    return error;
}

/* Writes on, until the queue is full, or all has been written. */
static int write_some(tr_self *self, struct task *me)
{
    struct client *c = &me->client;
    struct stream *stream = &cast.streams[c->id];
    for (unsigned i = 0; i < 4 && stream->up < c->total && !c->blocked; i++) {
        uint32_t n = 1 + tr_random_below(self, chance(self, 4) ? 3000 : 200);
        n = n < c->total - stream->up ? n : c->total - stream->up;
        void *bytes;
        tr_buf *buf = tr_buf_new(n, &bytes);
        for (uint32_t at = 0; buf && at < n; at++)
            ((uint8_t *)bytes)[at] = byte_at(c->id, stream->up + at);
        if (tr_tcp_write(self, c->connection, buf))
            return TR_CONTINUE; /* the end comes */
        stream->up += n;
    }
    if (stream->up == c->total && !c->finished) {
        c->finished = stream->finished = true;
        if (chance(self, 2)) {
            tr_call flush = tr_tcp_flush(self, c->connection, PATIENCE);
            (void)hold(&me->account, (struct promise){ .id = flush.bits, .kind = TELL });
        }
        (void)tr_tcp_shutdown(self, c->connection);
    }
    return TR_CONTINUE;
}

static int stream_tick(tr_self *self, struct task *me)
{
    struct client *c = &me->client;
    if (!c->open)
        return open_stream(self, me);
    if (!c->connected)
        return TR_CONTINUE;
    if (chance(self, 20) && promises(&me->account) < HELD)
        (void)hold(&me->account, (struct promise){ .id = tr_tcp_ask(self, c->connection, PATIENCE).bits, .kind = TELL });
    if (chance(self, 10))
        (void)tr_tcp_window(self, c->connection, chance(self, 2) ? 0 : 100 + tr_random_below(self, 5000));
    else
        (void)tr_tcp_window(self, c->connection, 65536);
    if (chance(self, 60)) {
        TR_SOMETIMES(c->back.got > 0);
        switch (tr_random_below(self, 3)) {
        case 0: (void)tr_tcp_abort(self, c->connection); break;
        case 1: tr_exit(self, c->connection, TR_EIO); break;
        default: tr_kill(self, c->connection); break;
        }
    }
    return write_some(self, me);
}

static int stream_closed(tr_self *self, struct task *me, const tr_msg *m)
{
    struct client *c = &me->client;
    (void)self;
    TR_ALWAYS(c->open && c->connected);
    TR_SOMETIMES(tr_body(tr_tcp_closed, m)->reason == TR_ETIMEDOUT);
    TR_SOMETIMES(tr_body(tr_tcp_closed, m)->reason == TR_ECONNRESET);
    c->open = c->connected = false;
    if (c->complete && me->left)
        me->left--;
    return TR_CONTINUE;
}

static int stream_said(tr_self *self, struct task *me, const tr_msg *m)
{
    struct client *c = &me->client;
    if (tr_is(tr_tcp_failed, m)) {
        TR_ALWAYS(c->open && !c->connected && tr_ref_eq(m->from, c->connection));
        c->open = false;
        return TR_CONTINUE;
    }
    TR_ALWAYS(tr_ref_eq(m->from, c->connection));
    if (tr_is(tr_tcp_connected, m)) {
        TR_ALWAYS(c->open && !c->connected);
        c->connected = true;
        return write_some(self, me);
    }
    if (tr_is(tr_tcp_closed, m))
        return stream_closed(self, me, m);
    TR_ALWAYS(c->connected && !c->complete);
    if (tr_is(tr_tcp_writable, m)) {
        TR_ALWAYS(tr_body(tr_tcp_writable, m)->writable == c->blocked);
        c->blocked = !tr_body(tr_tcp_writable, m)->writable;
        TR_SOMETIMES(c->blocked);
        return write_some(self, me);
    }
    if (tr_is(tr_tcp_data, m)) {
        check_bytes(&c->back, tr_body(tr_tcp_data, m)->buf);
        TR_ALWAYS(!c->back.known || c->back.id == c->id);
        TR_ALWAYS(c->back.got < 4 || c->back.got <= cast.streams[c->id].down);
    }
    if (tr_is(tr_tcp_eof, m)) {
        struct stream *stream = &cast.streams[c->id];
        TR_ALWAYS(stream->returned || stream->detached || c->back.got == 0);
        TR_ALWAYS(!stream->returned || (c->back.got == stream->down && c->back.got == c->total));
        c->complete = stream->returned;
        (void)tr_tcp_close(self, c->connection);
    }
    return TR_CONTINUE;
}

/* ---- what else tasks do ------------------------------------------------------------------------------------------ */

static int do_ask(tr_self *self, struct task *me)
{
    int64_t timeout = chance(self, 10) ? -5000 : (int64_t)tr_random_below(self, (uint32_t)TR_MS(chance(self, 3) ? 2 : 100));
    uint64_t n = ++cast.numbers;
    enum how how = (enum how)tr_random_below(self, chance(self, 8) ? WAYS : CRASH);
    tr_call call = tr_ask(self, tr_whereis(self, "bank"), timeout, plea, .how = (int)how, .n = n << 3 | how);
    return hold(&me->account,
        (struct promise){ .id = call.bits, .kind = ASK, .n = n << 3 | how, .due = tr_now(self) + timeout });
}

static int do_timer(tr_self *self, struct task *me)
{
    int64_t delay = (int64_t)tr_random_below(self, (uint32_t)TR_MS(20)) - TR_MS(1), now = tr_now(self);
    if (chance(self, 4) && !find(&me->account, 1)) {
        tr_timer timer = tr_every(self, TR_MS(2), 1);
        return hold(&me->account, (struct promise){ .id = timer.bits, .kind = EVERY, .n = 5, .due = now + TR_MS(2) });
    }
    tr_timer timer = chance(self, 2) ? tr_after(self, delay, 0) : tr_at(self, now + delay, 0);
    return hold(&me->account, (struct promise){ .id = timer.bits, .kind = TIMER, .due = now + delay });
}

static int do_watch(tr_self *self, struct task *me)
{
    static const char *const names[] = { "bank", "all 1", "rest 0", "door", "sink 4" };
    tr_ref who;
    if (chance(self, 3)) {
        who = tr_whereis(self, names[tr_random_below(self, 5)]);
        struct promise promise = { .id = tr_monitor_set(self, who).bits, .kind = MONITOR, .who = who };
        if (!tr_ref_is_nobody(who) && promise.id) { /* it may live for ever */
            tr_demonitor(self, (tr_monitor){ promise.id });
            return TR_CONTINUE;
        }
        return hold(&me->account, promise);
    }
    who = tr_spawn(self, &brief_actor, NULL);
    return hold(&me->account, (struct promise){ .id = tr_monitor_set(self, who).bits, .kind = MONITOR, .who = who });
}

static int do_link(tr_self *self, struct task *me)
{
    int error;
    const tr_actor *spec = chance(self, 3) ? &idler_actor : &brief_actor;
    bool at_once = chance(self, 2);
    tr_ref who = tr_spawn(self, spec, NULL, .link = at_once, .error = &error);
    if (error)
        return error;
    error = tr_link(self, who);
    if (error)
        return error;
    switch (tr_random_below(self, 4)) {
    case 0:
        tr_unlink(self, who);
        tr_kill(self, who);
        return TR_CONTINUE;
    case 1: tr_exit(self, who, 0); break;
    case 2: tr_exit(self, who, TR_EIO); break;
    default: tr_kill(self, who); break;
    }
    return hold(&me->account, (struct promise){ .id = who.bits, .kind = LINK, .who = who });
}

struct job {
    tr_ref by;
    uint64_t n;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    (void)tr_post(job->by, memo, .n = job->n);
    return (int)(job->n & 0xFFFF);
}

static void drop_job(void *arg)
{
    cast.jobs--;
    free(arg);
}

static int do_block(tr_self *self, struct task *me)
{
    struct job *job = malloc(sizeof *job);
    if (!job)
        return TR_ENOMEM;
    *job = (struct job){ tr_me(self), ++cast.numbers };
    uint64_t n = job->n;
    cast.jobs++;
    tr_call call = tr_block(self, run_job, job, .drop = drop_job);
    if (!call.bits)
        drop_job(job);
    return hold(&me->account, (struct promise){ .id = call.bits, .kind = JOB, .n = n });
}

static int do_flood(tr_self *self, struct task *me)
{
    static const char *const names[SINKS] = { "sink 0", "sink 1", "sink 2", "sink 3", "sink 4" };
    tr_ref to = tr_whereis(self, names[tr_random_below(self, SINKS)]);
    void *bytes;
    int refused = 0;
    for (uint32_t i = 0, n = 1 + tr_random_below(self, 5 * BOX); i < n; i++)
        refused += tr_send(self, to, wave, .by = me->duty.number, .n = ++cast.numbers) == TR_EFULL;
    TR_SOMETIMES(refused > 0);
    tr_buf *buf = tr_buf_new(700, &bytes);
    if (!buf)
        return TR_ENOMEM;
    memset(bytes, 1, 700);
    for (unsigned i = 0; i < SINKS; i++) /* one buffer for all */
        tr_send(self, tr_whereis(self, names[i]), parcel, .buf = tr_buf_ref(buf));
    tr_buf_unref(buf);
    return TR_CONTINUE;
}

static int do_name(tr_self *self, struct task *me)
{
    char name[] = { 'n', (char)('0' + tr_random_below(self, 2)), 0 };
    (void)me;
    int error = tr_register(self, name);
    TR_ALWAYS(error || tr_ref_eq(tr_whereis(self, name), tr_me(self)));
    if (chance(self, 2)) {
        tr_unregister(self);
        TR_ALWAYS(!tr_ref_eq(tr_whereis(self, name), tr_me(self)));
        error = tr_register(self, name);
        TR_ALWAYS(!error || error == TR_ENOMEM || error == TR_EEXIST);
    }
    tr_ref named = tr_spawn(self, &brief_actor, NULL, .name = name, .error = &error);
    TR_ALWAYS(tr_ref_is_nobody(named) == (error != 0));
    return TR_CONTINUE;
}

static int do_hire(tr_self *self, struct task *me)
{
    const char *name = chance(self, 4) ? "hand" : NULL;
    tr_child child = { .name = name, .actor = &idler_actor, .restart = TR_TEMPORARY };
    if (chance(self, 2))
        child.actor = &brief_actor;
    tr_call call = tr_child_start(self, tr_whereis(self, "pool"), TR_MS(200), &child);
    return hold(&me->account, (struct promise){ .id = call.bits, .kind = ASK, .due = tr_now(self) + TR_MS(200) });
}

static int do_wreck(tr_self *self, struct task *me)
{
    static const char *const names[] = { "bank", "clerk", "all 0", "all 1", "all 2", "rest 0", "rest 1", "rest 2", "sink 3",
        "door", "hand" };
    tr_ref who = tr_whereis(self, names[tr_random_below(self, sizeof names / sizeof names[0])]);
    (void)me;
    switch (tr_random_below(self, 4)) {
    case 0: tr_kill(self, who); break;
    case 1: tr_exit(self, who, TR_EIO); break;
    case 2: tr_exit(self, who, 0); break;
    default: tr_send_urgent(self, who, plea, .how = chance(self, 2) ? CRASH : STOP); break;
    }
    return TR_CONTINUE;
}

static int act(tr_self *self, struct task *me)
{
    switch (works[me->duty.number]) {
    case ASKING: return do_ask(self, me);
    case TIMING: return do_timer(self, me);
    case WATCHING: return do_watch(self, me);
    case LINKING: return do_link(self, me);
    case BLOCKING: return do_block(self, me);
    case FLOODING: return do_flood(self, me);
    case NAMING: return do_name(self, me);
    case HIRING: return do_hire(self, me);
    case WRECKING: return do_wreck(self, me);
    default: return TR_CONTINUE;
    }
}

static void give_one_up(tr_self *self, struct task *me)
{
    struct promise *p = &me->account.held[tr_random_below(self, HELD)];
    if (p->id == 0)
        return;
    switch (p->kind) {
    case ASK:
    case TELL:
    case JOB: tr_abandon(self, (tr_call){ p->id }); break;
    case TIMER: {
        bool to_come = tr_cancel(self, (tr_timer){ p->id });
        TR_ALWAYS(to_come);
        TR_ALWAYS(!tr_cancel(self, (tr_timer){ p->id }));
        break;
    }
    case EVERY: tr_cancel(self, (tr_timer){ p->id }); break;
    case MONITOR: tr_demonitor(self, (tr_monitor){ p->id }); break;
    default: return;
    }
    p->id = 0;
}

static int on_tick(tr_self *self, struct task *me)
{
    int error = 0;
    bool streams = works[me->duty.number] == STREAMING;
    if (streams && me->left) {
        error = stream_tick(self, me);
        if (error)
            return error;
    } else if (me->left && promises(&me->account) + 2 < HELD) {
        me->left--;
        error = act(self, me);
    }
    if (error)
        return error;
    if (chance(self, 4))
        give_one_up(self, me);
    if (me->left == 0 && promises(&me->account) == 0 && !me->client.open)
        return go_home(me);
    return next_tick(self, me, TR_BUGGIFY() ? 0 : (int64_t)tr_random_below(self, (uint32_t)TICK));
}

static int on_time(tr_self *self, struct task *me, const tr_msg *m)
{
    const tr_timeout *t = tr_body(tr_timeout, m);
    if (t->tag == 99) {
        TR_ALWAYS(m->call == me->tick);
        return on_tick(self, me);
    }
    struct promise p = keep(&me->account, m->call, t->tag ? EVERY : TIMER);
    TR_ALWAYS(tr_now(self) >= p.due);
    if (t->tag == 0)
        return TR_CONTINUE;
    struct promise *every = find(&me->account, m->call);
    TR_SOMETIMES(t->missed > 0);
    if (!every)
        return TR_CONTINUE;
    every->due += TR_MS(2);
    if (--every->n == 0) {
        tr_cancel(self, (tr_timer){ m->call });
        every->id = 0;
    }
    return TR_CONTINUE;
}

static int on_answer(tr_self *self, struct task *me, const tr_msg *m)
{
    struct promise *held = find(&me->account, m->call);
    struct promise p = keep(&me->account, m->call, held ? held->kind : ASK);
    enum how how = (enum how)(p.n & 7);
    if (tr_is(grace, m)) {
        TR_ALWAYS(tr_body(grace, m)->n == p.n);
        TR_ALWAYS(how == REPLY || how == TAKE || how == PASS || how == RELAY);
    }
    if (tr_is(tr_failed, m)) {
        int reason = tr_body(tr_failed, m)->reason;
        TR_ALWAYS(reason < 0);
        TR_ALWAYS(reason != TR_ETIMEDOUT || tr_now(self) >= p.due);
        TR_ALWAYS(reason != TR_EACCES || how == REFUSE);
        TR_SOMETIMES(reason == TR_ETIMEDOUT);
        TR_SOMETIMES(reason == TR_EDOWN);
        TR_SOMETIMES(reason == TR_ECRASHED);
        TR_SOMETIMES(reason == TR_EUNANSWERED);
    }
    if (tr_is(tr_blocked, m)) {
        TR_ALWAYS(tr_body(tr_blocked, m)->result == (int)(p.n & 0xFFFF));
        drop_job(tr_body(tr_blocked, m)->arg);
    }
    if (tr_is(tr_child_started, m)) {
        TR_SOMETIMES(tr_alive(tr_body(tr_child_started, m)->child));
        tr_call call = tr_child_stop(self, tr_whereis(self, "pool"), TR_MS(200), tr_body(tr_child_started, m)->child);
        return hold(&me->account, (struct promise){ .id = call.bits, .kind = ASK, .due = tr_now(self) + TR_MS(200) });
    }
    if (tr_is(tr_child_stopped, m))
        TR_ALWAYS(!tr_alive(tr_body(tr_child_stopped, m)->child));
    return TR_CONTINUE;
}

static int on_death(struct task *me, tr_ref who, uint64_t id, enum kind kind)
{
    struct promise p = keep(&me->account, id, kind);
    TR_ALWAYS(tr_ref_eq(p.who, who));
    TR_ALWAYS(!tr_alive(who));
    me->dead[me->deaths++ % 8] = who;
    return TR_CONTINUE;
}

static int task_start(tr_self *self, void *state, const void *arg)
{
    struct task *me = state;
    cast.running++;
    me->duty = *(const struct duty *)arg;
    me->left = works[me->duty.number] == STREAMING ? 1 + cast.rounds / 8 : cast.rounds;
    return next_tick(self, me, 0);
}

static int task_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct task *me = state;
    if (tr_is(nudge, m))
        for (unsigned i = 0; i < 8; i++)
            TR_ALWAYS(tr_ref_is_nobody(me->dead[i]) || !tr_ref_eq(me->dead[i], m->from));
    if (tr_is(tr_timeout, m))
        return on_time(self, me, m);
    if (tr_is(tr_down, m))
        return on_death(me, tr_body(tr_down, m)->who, m->call, MONITOR);
    if (tr_is(tr_exited, m)) { /* of one that was linked twice, too */
        tr_ref who = tr_body(tr_exited, m)->who;
        return on_death(me, who, who.bits, LINK);
    }
    if (m->call)
        return on_answer(self, me, m);
    if (tr_is(tr_tcp_connected, m) || tr_is(tr_tcp_data, m) || tr_is(tr_tcp_eof, m) || tr_is(tr_tcp_closed, m) ||
        tr_is(tr_tcp_failed, m) || tr_is(tr_tcp_writable, m))
        return stream_said(self, me, m);
    TR_SOMETIMES(tr_is(memo, m));
    return TR_CONTINUE;
}

static const tr_actor task_actor = { TR_SPEC, .name = "task", .start = task_start, .receive = task_receive,
    .stop = bank_stop, .state_size = sizeof(struct task), .arg_size = sizeof(struct duty), .trap_exits = true };

/* ---- captains ---------------------------------------------------------------------------------------------------- */

struct captain {
    tr_ref app, tasks[TASKS];
    uint64_t letters;
};

/* A root is never made to crash, but it may find no memory; it tries again. */
static int captain_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    cast.running++;
    (void)tr_dead_letters(self);
    for (int i = 0; i < 1000; i++)
        if (tr_every(self, TR_MS(20), 0).bits)
            return TR_CONTINUE;
    return TR_ENOMEM;
}

static int captain_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct captain *me = state;
    unsigned host = host_of(self);
    if (tr_is(tr_dead_letter, m)) {
        const tr_dead_letter *letter = tr_body(tr_dead_letter, m);
        me->letters++;
        TR_ALWAYS(letter->reason < 0);
        TR_SOMETIMES(letter->reason == TR_EDOWN);
        TR_SOMETIMES(letter->reason == TR_EFULL);
        TR_SOMETIMES(letter->reason == TR_EREPLACED);
    }
    if (!tr_is(tr_timeout, m))
        return TR_CONTINUE;
    if (cast.left == 0)
        return TR_STOP;
    if (!tr_alive(me->app))
        me->app = tr_supervise(self, &app);
    for (unsigned i = 0; i < TASKS; i++)
        if (!cast.done[host][i] && !tr_alive(me->tasks[i]))
            me->tasks[i] = tr_spawn(self, &task_actor, (&(struct duty){ host, i }));
    return TR_CONTINUE;
}

static const tr_actor captain_actor = { TR_SPEC, .name = "captain", .start = captain_start, .receive = captain_receive,
    .stop = bank_stop, .state_size = sizeof(struct captain) };

const tr_sim_host cast_hosts[] = {
    { .name = "a", .actor = &captain_actor, .workers = 1 },
    { .name = "b", .actor = &captain_actor, .workers = 2 },
    { .name = "c", .actor = &captain_actor, .workers = 3, .descriptors = 12 },
    { 0 },
};

/* ---- runs -------------------------------------------------------------------------------------------------------- */

void cast_begin(unsigned rounds)
{
    memset(&cast, 0, sizeof cast);
    cast.rounds = rounds;
    cast.left = CAST_HOSTS * TASKS;
}

const char *cast_end(bool all)
{
    return cast.running    ? "an actor was started and not stopped"
        : cast.jobs        ? "the argument of a job was not released"
        : all && cast.left ? "not all tasks were done"
                           : NULL;
}

tr_sim_options cast_options(enum cast_mode mode, unsigned percent)
{
    tr_sim_options o = { .roots_may_fail = mode == CAST_SAFETY, .buggify = mode == CAST_CALM ? TR_SIM_NEVER : 0 };
    uint32_t rates[sizeof o.faults / sizeof(uint32_t)];
    if (mode != CAST_CALM) {
        memcpy(rates, &tr_sim_rough, sizeof rates);
        for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
            uint64_t rate = (uint64_t)rates[i] * percent / 100;
            rates[i] = rate < 300000 ? (uint32_t)rate : 300000;
        }
        memcpy(&o.faults, rates, sizeof rates);
    }
    o.run_ns = mode == CAST_SAFETY ? TR_SECONDS(3) : 0;
    o.heal_ns = mode == CAST_HEAL ? TR_SECONDS(1) : 0;
    o.settle_ns = mode == CAST_HEAL ? TR_MINUTES(10) : 0;
    return o;
}

/* Any sequence will do that is the same everywhere. */
static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % n);
}

tr_sim_options cast_swarm(enum cast_mode mode, uint64_t seed)
{
    static const uint32_t often[] = { 0, 0, 0, 30, 300, 3000, 30000, 200000 };
    static const int64_t far[] = { TR_US(10), TR_MS(1), TR_MS(100), TR_MS(900) };
    tr_sim_options o = cast_options(mode, 0);
    uint64_t state = seed;
    uint32_t rates[sizeof o.faults / sizeof(uint32_t)];
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++)
        rates[i] = often[draw(&state, 8)];
    memcpy(&o.faults, rates, sizeof rates);
    o.latency_max_ns = far[draw(&state, 4)];
    o.latency_min_ns = draw(&state, 2) ? 1000 : o.latency_max_ns;
    o.buggify = draw(&state, 2) ? 1000000 : TR_SIM_NEVER;
    return o;
}

int cast_run_with(uint64_t seed, const tr_sim_options *options, unsigned rounds, tr_sim_result *result)
{
    cast_begin(rounds);
    if (tr_sim_run(seed, options, cast_hosts, result))
        return result->error;
    const char *left = cast_end(!options->run_ns);
    if (left) {
        result->error = TR_EFAULT;
        snprintf(result->what, sizeof result->what, "%s; seed %" PRIu64, left, seed);
    }
    return result->error;
}

int cast_run(uint64_t seed, enum cast_mode mode, unsigned percent, unsigned rounds, tr_sim_result *result)
{
    tr_sim_options options = cast_options(mode, percent);
    return cast_run_with(seed, &options, rounds, result);
}
