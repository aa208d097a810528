#include "io/sim/ledger.h"

#include "io/sim/net.h"
#include "io/tcp_connection.h"
#include "io/window.h"
#include "mailbox/memory.h"

#include <inttypes.h>
#include <string.h>

#define LONG_NS TR_SECONDS(10) /* a connection that could read and does not, is stalled */

/* What an owner has heard last. It has TAKEN_OVER a connection that somebody else had before; then it may be that he has heard
 * that it is connected, or that he will. */
enum grammar { NOTHING, TAKEN_OVER, LISTENING, CONNECTED, ENDED_READING, OVER };

/* Bytes on their way. */
struct queue {
    char *bytes;
    size_t from, count, room;
    uint64_t taken; /* so far */
};

/* What an owner has heard of it. */
struct owner {
    struct owner *next;
    tr_ref ref;
    enum grammar said;
    bool full;    /* tr_tcp_writable(false) last */
    bool offered; /* a tr_tcp_own has named it since it heard anything */
};

struct tri_ledger {
    struct tri_ledger *next_open; /* until the actor is gone */
    struct tri_ledger *next;
    tr_ref ref;
    bool connection;
    bool connected, ended_reading, closed; /* was said, to any of its owners */
    bool closes, aborts, shuts;            /* was asked to, and could still be */
    bool detaches;                         /* the same; */
    bool detach_failed;                    /* then the asker was told that it has not come about; */
    bool ended_well;                       /* it has said that it has ended, with no error */
    bool in_time; /* and it had done that before the detach's time was over: then the answer was too late */
    uint64_t detach_call;
    struct queue written, received;
    size_t told; /* bytes of the delivery that has not come back; 0: none, */
    struct tri_owner told_to;
    bool told_seen; /* and it was handled */
    int64_t since;  /* when anything happened to it last */
    struct owner *owners;
};

static bool is_connection(const struct tri_slot *slot)
{
    return slot && slot->spec == &tri_tcp_actor.actor;
}

static const char *name_of(const struct tri_ledger *l)
{
    return l->connection ? tri_tcp_actor.actor.name : tri_checks_name(l->ref);
}

/* `byte`: the place in the stream that it is about. */
static void fails(struct tri_sim_world *world, const struct tri_ledger *l, const char *what, uint64_t byte)
{
    tri_world_fails(world, TR_EFAULT, "%s #%" PRIu32 " %s (byte %" PRIu64 ")", name_of(l), tri_checks_number(world, l->ref),
        what, byte);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static void put_bytes(struct tri_sim_world *world, struct queue *q, const void *bytes, size_t size)
{
    if (q->from + q->count + size > q->room) {
        size_t room = q->count + size > q->room / 2 ? 2 * (q->count + size) + 256 : q->room;
        char *all = tri_sim_memory(&world->sim, room);
        if (q->count)
            memcpy(all, q->bytes + q->from, q->count);
        tri_memory_put(q->bytes);
        *q = (struct queue){ .bytes = all, .count = q->count, .room = room, .taken = q->taken };
    }
    if (size)
        memcpy(q->bytes + q->from + q->count, bytes, size);
    q->count += size;
}

static void skip_bytes(struct queue *q, size_t size)
{
    size = size < q->count ? size : q->count;
    q->from = q->count == size ? 0 : q->from + size;
    q->count -= size;
    q->taken += size;
}

/* The same on every machine. */
static uint64_t hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = size;
    for (size_t n; size; size -= n, bytes += n) {
        n = size < 8 ? size : 8;
        uint64_t word = 0;
        memcpy(&word, bytes, n);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
            word = __builtin_bswap64(word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

/* Whether these are the next ones; then they are taken. They go into the run's hash. */
static bool take_bytes(struct tri_sim_world *world, struct queue *q, const void *bytes, size_t size)
{
    tri_checks_hash(world, hash_bytes(bytes, size));
    if (size > q->count || (size && memcmp(q->bytes + q->from, bytes, size) != 0))
        return false;
    skip_bytes(q, size);
    return true;
}

static bool take_buf(struct tri_sim_world *world, struct queue *q, const tr_buf *buf)
{
    for (; buf; buf = tr_buf_next(buf))
        if (!take_bytes(world, q, tr_buf_bytes(buf), tr_buf_length(buf)))
            return false;
    return true;
}

void tri_ledger_received(struct tri_ledger *l, const tri_piece *pieces, size_t bytes)
{
    struct tri_sim_world *world = tri_world();
    for (size_t i = 0; l && bytes; i++) {
        size_t length = tri_piece_length(&pieces[i]) < bytes ? tri_piece_length(&pieces[i]) : bytes;
        put_bytes(world, &l->received, tri_piece_bytes(&pieces[i]), length);
        bytes -= length;
    }
    if (l)
        l->since = world->sim.now;
}

void tri_ledger_sent(struct tri_ledger *l, const tri_piece *pieces, size_t skip, size_t bytes)
{
    struct tri_sim_world *world = tri_world();
    for (size_t i = 0; l && bytes; i++) {
        size_t length = tri_piece_length(&pieces[i]), from = skip < length ? skip : length;
        size_t take = length - from < bytes ? length - from : bytes;
        if (!take_bytes(world, &l->written, tri_piece_bytes(&pieces[i]) + from, take)) {
            fails(world, l, "sends something else than what was written", l->written.taken);
            return;
        }
        skip -= from;
        bytes -= take;
    }
    if (l)
        l->since = world->sim.now;
}

/* ---- ledgers ----------------------------------------------------------------------------------------------------- */

struct tri_ledger *tri_ledger_of(struct tri_sim_world *world, tr_ref connection)
{
    struct tri_ledger **at = tri_checks_ledger(world, connection), *l = *at;
    if (l)
        return l;
    l = *at = tri_sim_memory(&world->sim, sizeof *l);
    l->ref = connection;
    l->since = world->sim.now;
    l->next = world->ledgers;
    l->next_open = world->ledgers_open;
    world->ledgers = world->ledgers_open = l;
    return l;
}

void tri_ledgers_free(struct tri_sim_world *world)
{
    for (struct tri_ledger *l = world->ledgers, *next; l; l = next) {
        next = l->next;
        for (struct owner *o = l->owners, *after; o; o = after) {
            after = o->next;
            tri_memory_put(o);
        }
        tri_memory_put(l->written.bytes);
        tri_memory_put(l->received.bytes);
        tri_memory_put(l);
    }
    world->ledgers = world->ledgers_open = NULL;
}

static struct owner *owner_of(struct tri_sim_world *world, struct tri_ledger *l, tr_ref ref)
{
    for (struct owner *o = l->owners; o; o = o->next)
        if (tr_ref_eq(o->ref, ref))
            return o;
    struct owner *o = tri_sim_memory(&world->sim, sizeof *o);
    *o = (struct owner){ .next = l->owners, .ref = ref };
    return l->owners = o;
}

/* ---- what it was asked ------------------------------------------------------------------------------------------- */

enum { NO_MORE = TRI_TCP_CLOSING | TRI_TCP_ENDING | TRI_TCP_DETACHING };

static void asked_to(struct tri_ledger *l, const struct tri_tcp *me, const tr_msg *m)
{
    switch (tr_body(tri_tcp_command, m)->verb) {
    case TRI_TCP_CLOSE: l->closes = true; return;
    case TRI_TCP_ABORT: l->closes = l->aborts = true; return;
    case TRI_TCP_SHUTDOWN: l->shuts |= !(me->flags & NO_MORE); return;
    case TRI_TCP_DETACH:
        if (!(me->flags & (NO_MORE | TRI_TCP_CONNECTING))) {
            l->detaches = true;
            l->detach_failed = false;
            l->detach_call = m->call;
        }
        return;
    default: return;
    }
}

/* A delivery has come back: it was handled; or it will not be, for its owner has ended, or has closed the connection. */
static void came_back(struct tri_sim_world *world, struct tri_ledger *l, const struct tri_tcp *me)
{
    bool owner_ended = tri_owner_ended(l->told_to.ref, l->told_to.incarnation);
    if (!l->told_seen && !owner_ended && !l->closes && !(me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING)))
        fails(world, l, "has a delivery back that nobody has handled", l->received.taken);
    if (!l->told_seen)
        skip_bytes(&l->received, l->told);
    l->told = 0;
}

void tri_ledger_asked(struct tri_sim_world *world, tr_self *self, const tr_msg *m)
{
    const struct tri_tcp *me = self->slot->state;
    struct tri_ledger *l = tri_ledger_of(world, self->me);
    l->connection = true;
    l->since = world->sim.now;
    if (m->type == &tri_tcp_own_type.type) {
        const tri_tcp_command *command = tri_msg_body((tr_msg *)m); /* its type is for the runtime part */
        struct owner *owner = owner_of(world, l, command->owner);
        owner->offered = true;
        if (owner->said == NOTHING && !tr_ref_is_nobody(me->owner))
            owner->said = TAKEN_OVER;
    } else if (m->flags_ & TRI_MSG_RUNTIME) {
        l->closes |= strcmp(m->type->name, "tr_exit") == 0;
    } else if (tr_is(tri_tcp_write, m)) {
        uint32_t over = tri_tcp_gives_detach_up(self, me, TR_MS(2)) ? NO_MORE & ~TRI_TCP_DETACHING : NO_MORE;
        if (!(me->flags & (over | TRI_TCP_SHUT)))
            for (const tr_buf *b = tr_body(tri_tcp_write, m)->buf; b; b = tr_buf_next(b))
                put_bytes(world, &l->written, tr_buf_bytes(b), tr_buf_length(b));
    } else if (tr_is(tri_tcp_command, m)) {
        asked_to(l, me, m);
    } else if (tr_is(tri_handled, m) && tr_body(tri_handled, m)->buf) {
        came_back(world, l, me);
    }
}

void tri_ledger_says(struct tri_sim_world *world, tr_self *self, const struct tri_slot *to, const tr_msg *m)
{
    struct tri_ledger *l = tri_ledger_of(world, self->me);
    l->connection = true;
    l->since = world->sim.now;
    const struct tri_tcp_settings *s = ((const struct tri_tcp *)self->slot->state)->settings;
    l->in_time = s->own && tr_now(self) <= tri_time_add(s->detach_until, TR_MS(1));
    if (!tr_is(tr_tcp_data, m))
        return;
    l->told = tr_buf_size(tr_body(tr_tcp_data, m)->buf);
    l->told_to = (struct tri_owner){ tri_slot_ref(to), (uint16_t)m->deadline_ };
    l->told_seen = false;
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

/* What may follow, see <troupe/tcp.h>. */
static bool follows(struct tri_ledger *l, struct owner *o, const tr_msg *m)
{
    bool open = o->said == CONNECTED || o->said == TAKEN_OVER, once;
    if (tr_is(tr_tcp_listening, m) || tr_is(tr_tcp_accept_paused, m))
        return o->said == NOTHING ? (o->said = LISTENING, true) : o->said == LISTENING;
    if (tr_is(tr_tcp_connected, m)) {
        once = (o->said == NOTHING || o->said == TAKEN_OVER) && !l->connected;
        o->said = CONNECTED;
        l->connected = true;
        return once;
    }
    if (tr_is(tr_tcp_data, m))
        return open && l->connected && !l->ended_reading;
    if (tr_is(tr_tcp_eof, m)) {
        once = open && l->connected && !l->ended_reading;
        o->said = ENDED_READING;
        l->ended_reading = true;
        return once;
    }
    if (tr_is(tr_tcp_writable, m)) {
        bool writable = tr_body(tr_tcp_writable, m)->writable, right = writable == o->full;
        o->full = !writable;
        return (open || o->said == ENDED_READING) && right;
    }
    if (tr_is(tr_tcp_failed, m)) { /* it was never connected; or it was handed over, and had ended */
        once = o->said == NOTHING || o->said == TAKEN_OVER || o->offered;
        o->offered = false;
    } else { /* tr_tcp_closed */
        once = !l->closed && (l->connection ? open || o->said == ENDED_READING : o->said <= LISTENING);
        l->closed = true;
    }
    o->said = OVER;
    return once;
}

/* Ended without an error: somebody wanted that, and all that was written before has left. */
static void check_end(struct tri_sim_world *world, struct tri_ledger *l)
{
    l->ended_well = true;
    if (!l->closes && !l->ended_reading && !(l->detaches && (!l->detach_failed || l->in_time)))
        fails(world, l, "has ended without a reason, which nobody has asked for", l->received.taken);
    else if (!l->aborts && l->written.count)
        fails(world, l, "has ended without a reason, but has not sent all that was written", l->written.taken);
}

static bool is_news(const tr_msg *m)
{
    return tr_is(tr_tcp_data, m) || tr_is(tr_tcp_connected, m) || tr_is(tr_tcp_writable, m) || tr_is(tr_tcp_eof, m) ||
        tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m) || tr_is(tr_tcp_listening, m) || tr_is(tr_tcp_accept_paused, m);
}

/* The descriptor comes with all that nobody has got (what an owner was given before is his, handled or not), and after all that
 * was written. */
static void check_detached(struct tri_sim_world *world, const tr_msg *m)
{
    struct tri_ledger *l = tri_ledger_of(world, m->from);
    struct queue rest = l->received; /* its bytes are not freed here */
    skip_bytes(&rest, l->told_seen ? 0 : l->told);
    if (!take_buf(world, &rest, tr_body(tr_tcp_detached, m)->unread) || rest.count)
        fails(world, l, "is detached, but not with the bytes that came next", rest.taken);
    if (l->written.count)
        fails(world, l, "is detached, but has not sent all that was written", l->written.taken);
    l->received.count = l->told_seen ? 0 : l->told;
}

/* The answer to a tr_tcp_detach is that it has not come about: then the connection must not end by itself either. (Without
 * memory for the answer it has come about, and the asker knows what became of it.) */
static void check_failed(struct tri_sim_world *world, const tr_msg *m)
{
    if (tr_body(tr_failed, m)->reason == TR_ENOMEM)
        return;
    for (struct tri_ledger *l = world->ledgers; l; l = l->next)
        if (l->detaches && l->detach_call == m->call) {
            l->detach_failed = true;
            if (l->ended_well && !l->in_time && !l->closes && !l->ended_reading)
                fails(world, l, "has ended, although its detach has failed", l->received.taken);
        }
}

void tri_ledger_heard(struct tri_sim_world *world, tr_self *self, const tr_msg *m)
{
    static const char *const words[] = { "nothing", "nothing", "listening", "connected", "eof", "closed" };
    if (tr_is(tr_failed, m)) {
        check_failed(world, m);
    } else if (tr_is(tr_tcp_detached, m)) {
        check_detached(world, m);
    }
    if (!is_news(m) || tr_ref_is_nobody(m->from))
        return;
    struct tri_ledger *l = tri_ledger_of(world, m->from);
    struct owner *owner = owner_of(world, l, self->me);
    enum grammar before = owner->said;
    if (!follows(l, owner, m)) {
        tri_world_fails(world, TR_EFAULT, "%s #%" PRIu32 " says %s after %s", name_of(l), tri_checks_number(world, l->ref),
            m->type->name, words[before]);
        return;
    }
    if (tr_is(tr_tcp_data, m)) {
        l->told_seen = true;
        if (!take_buf(world, &l->received, tr_body(tr_tcp_data, m)->buf))
            fails(world, l, "delivers something else than what came next", l->received.taken);
    } else if (tr_is(tr_tcp_eof, m) && l->received.count) {
        fails(world, l, "says the end, but has not delivered all that came before", l->received.taken);
    } else if (tr_is(tr_tcp_closed, m) && l->connection && tr_body(tr_tcp_closed, m)->reason == 0) {
        check_end(world, l);
    }
}

bool tri_ledger_in_order(const struct tri_ledger *l)
{
    const struct tri_slot *slot = l ? tri_slot_find(l->ref) : NULL;
    if (!is_connection(slot))
        return false;
    const struct tri_tcp *me = slot->state;
    const struct tri_tcp_settings *s = me->settings;
    return l->closes && !l->aborts && !me->reason && !(me->flags & TRI_TCP_RESET) && s->own && s->linger_ns >= 0 &&
        s->discarded < s->linger_bytes && !(s->lingers && tri_world()->sim.now >= s->lingers);
}

/* ---- at rest ----------------------------------------------------------------------------------------------------- */

/* Whether bytes, or the end, wait in the socket. */
static bool may_receive(const struct tri_sim_socket *socket)
{
    return socket && socket->in && (socket->in->arrived || socket->in->fin || socket->error);
}

static bool could_read(const struct tri_slot *slot, const struct tri_tcp *me)
{
    enum { OVER_OR_NOT_YET = NO_MORE | TRI_TCP_EOF | TRI_TCP_LOST };
    uint32_t window = me->settings->window;
    bool room = tri_tcp_held(slot, me) < tri_window_mark(window);
    return me->flags & TRI_TCP_TOLD && !(me->flags & OVER_OR_NOT_YET) && me->end.read.state == TRI_OP_IDLE && room &&
        !(me->flags & TRI_TCP_UNHANDLED);
}

/* What it should do and does not, though nothing is in flight for that; NULL: it does all it should. */
static const char *neglects(const struct tri_sim_world *world, const struct tri_ledger *l, const struct tri_slot *slot,
    bool quiet)
{
    const struct tri_tcp *me = slot->state;
    const struct tri_sim_socket *socket = me->end.fd == TRI_NO_FD ? NULL : tri_sim_socket_of(me->end.fd);
    bool reads = me->end.read.state != TRI_OP_IDLE, writes = me->end.write;
    bool connected = socket && socket->state == TRI_SIM_CONNECTED && !socket->error && !(me->flags & TRI_TCP_CONNECTING);
    size_t arrived = me->end.read.received ? tr_buf_size(me->end.read.received) : 0;
    bool ends = l->closes || me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING);
    if (ends && !reads && !writes)
        return "is to close, and does not";
    if (me->flags & TRI_TCP_DETACHING && !reads && !writes)
        return "is to be detached, and is not";
    if (connected && !ends && me->writes && !writes)
        return "has something to send or to flush, and does not";
    if (connected && !ends && l->shuts && !me->writes && !writes && !socket->shut)
        return "is to be shut down, and is not";
    if (!ends && l->received.count != arrived + (l->told && !l->told_seen ? l->told : 0))
        return "has lost bytes that it has received";
    if (could_read(slot, me) && may_receive(socket) && (quiet || world->sim.now - l->since > LONG_NS))
        return "is stalled: it has room in its window, and does not read";
    return NULL;
}

/* What it waits for, and will never come, for nothing ever happens again: that the program deals with. */
static const char *waits(const struct tri_ledger *l, const struct tri_slot *slot)
{
    const struct tri_tcp *me = slot->state;
    const struct tri_sim_socket *socket = me->end.fd == TRI_NO_FD ? NULL : tri_sim_socket_of(me->end.fd);
    if (!socket || socket->script)
        return NULL;
    if (me->end.write && (l->closes || me->flags & (TRI_TCP_CLOSING | TRI_TCP_ENDING)))
        return "is to close, and its peer does not read what is to be sent before";
    if (me->end.write && l->shuts)
        return "is to be shut down, and its peer does not read what is to be sent before";
    if (me->flags & TRI_TCP_DETACHING)
        return "is to be detached, and its peer does not read what is to be sent before";
    if (me->settings->window && !(me->flags & TRI_TCP_UNHANDLED) && me->end.read.state == TRI_OP_IDLE &&
        me->flags & TRI_TCP_TOLD && !(me->flags & (NO_MORE | TRI_TCP_EOF | TRI_TCP_LOST)) && may_receive(socket))
        return "is stalled: all of its window is held, and bytes wait";
    return NULL;
}

static void at_rest(struct tri_sim_world *world, const struct tri_ledger *l, const struct tri_slot *slot, int error,
    const char *what)
{
    const struct tri_tcp *me = slot->state;
    tri_world_fails(world, error,
        "%s #%" PRIu32 " %s (%" PRIu32 " bytes are queued, %" PRIu32 " held of a window of %" PRIu32 ")", name_of(l),
        tri_checks_number(world, l->ref), what, me->queued, tri_tcp_held(slot, me), me->settings->window);
}

/* Whether a transport waits for memory: it may be any of them. */
static bool hungry(const struct tri_sim_world *world)
{
    for (unsigned i = 0; i < world->count; i++)
        for (unsigned w = 0; !world->nodes[i].ended && w < world->nodes[i].system->sched.count; w++)
            if (tri_io_port(world->nodes[i].system->sched.workers[w])->hungry)
                return true;
    return false;
}

void tri_ledgers_rest(struct tri_sim_world *world, bool quiet)
{
    if (hungry(world))
        return;
    for (struct tri_ledger **at = &world->ledgers_open, *l; (l = *at);) {
        const struct tri_slot *slot = tri_slot_find(l->ref);
        if (!is_connection(slot) || slot->status == TRI_FREE) {
            *at = l->next_open;
            continue;
        }
        at = &l->next_open;
        if (ck_pr_load_64(&slot->box.word) != TRI_WORD_IDLE)
            continue; /* it has something to do yet */
        const char *neglected = neglects(world, l, slot, quiet), *awaited = quiet ? waits(l, slot) : NULL;
        if (neglected || awaited)
            at_rest(world, l, slot, neglected ? TR_EFAULT : TR_EDEADLK, neglected ? neglected : awaited);
    }
}
