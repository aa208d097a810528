#include "io/sim/script.h"

#include "mailbox/memory.h"
#include "mailbox/panic.h"
#include "sched/log.h"

#include <string.h>

enum {
    FIRST_PORT = 49152, /* of those that the system chooses (RFC 6335) */
    LAST_PORT = 65535,
    SYN_TRIES = 7, /* after 1, 2, 4 … seconds, as Linux does: 127 s */
};

#define RETRY_NS   TR_MS(200)
#define WAIT_NS    TR_SECONDS(60) /* an address stays taken after its connection has ended: TIME_WAIT */
#define GIVE_UP_NS TR_MINUTES(2)  /* a sender that hears nothing */

static struct tri_sim *sim_of(struct tri_sim_socket *socket)
{
    return &socket->world->sim;
}

static uint32_t draw(struct tri_sim_world *world, uint32_t n)
{
    return tri_sim_below(&world->sim, TRI_STREAM_NETWORK, n);
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static bool is_loopback(const tr_address *a)
{
    static const uint8_t one[16] = { [15] = 1 };
    return a->family == TR_IPV4 ? a->bytes[0] == 127 : memcmp(a->bytes, one, 16) == 0;
}

static bool is_any(const tr_address *a)
{
    static const uint8_t zero[16];
    return memcmp(a->bytes, zero, a->family == TR_IPV4 ? 4 : 16) == 0;
}

static bool same_host(const tr_address *a, const tr_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == TR_IPV4 ? 4 : 16) == 0;
}

/* The host that an address leads to from `node`; NULL: none. */
static struct tri_sim_node *route(struct tri_sim_node *node, const tr_address *to)
{
    struct tri_sim_world *world = node->world;
    if (is_loopback(to) || is_any(to))
        return node;
    for (unsigned i = 0; i < world->count; i++)
        if (same_host(&world->nodes[i].address, to))
            return &world->nodes[i];
    return NULL;
}

static bool meets(const tr_address *a, const tr_address *b)
{
    return a->port == b->port && a->family == b->family && (is_any(a) || is_any(b) || same_host(a, b));
}

/* Whoever ends a stream first keeps its address for a while after it is closed, for what may still be on its way. A listener
 * may have it all the same, as it may everywhere. */
struct tri_sim_wait {
    struct tri_sim_wait *next;
    tr_address local;
    int64_t until;
};

static void let_wait(struct tri_sim_socket *socket)
{
    struct tri_sim_wait *wait = tri_sim_memory(sim_of(socket), sizeof *wait);
    *wait =
        (struct tri_sim_wait){ .next = socket->node->waits, .local = socket->local, .until = sim_of(socket)->now + WAIT_NS };
    socket->node->waits = wait;
}

static bool waits(struct tri_sim_node *node, const tr_address *address)
{
    for (struct tri_sim_wait **at = &node->waits, *wait; (wait = *at);) {
        if (wait->until > node->world->sim.now) {
            if (meets(&wait->local, address))
                return true;
            at = &wait->next;
        } else {
            *at = wait->next;
            tri_memory_put(wait);
        }
    }
    return false;
}

void tri_sim_net_forget(struct tri_sim_node *node)
{
    for (struct tri_sim_wait *wait; (wait = node->waits);) {
        node->waits = wait->next;
        tri_memory_put(wait);
    }
}

static bool taken(struct tri_sim_socket *socket, const tr_address *address, bool listens, bool reuse)
{
    struct tri_sim_world *world = socket->world;
    for (uint32_t i = 0; i < world->sockets_room; i++) {
        struct tri_sim_socket *other = world->sockets[i];
        if (other && other != socket && other->node == socket->node && other->bound && meets(&other->local, address) &&
            !(reuse && other->reuse))
            return true;
    }
    return !listens && waits(socket->node, address);
}

static int bind_socket(struct tri_sim_socket *socket, const tr_address *address, bool listens, bool reuse)
{
    struct tri_sim_node *node = socket->node;
    tr_address wish = *address;
    if (!is_any(&wish) && !is_loopback(&wish) && !same_host(&wish, &node->address))
        return TR_EADDRNOTAVAIL;
    for (int i = 0; wish.port == 0 || taken(socket, &wish, listens, reuse); i++) {
        if (address->port || i > LAST_PORT - FIRST_PORT)
            return TR_EADDRINUSE;
        wish.port = node->next_port;
        node->next_port = node->next_port == LAST_PORT ? FIRST_PORT : (uint16_t)(node->next_port + 1);
    }
    socket->local = wish;
    socket->bound = true;
    socket->reuse = reuse;
    return 0;
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

struct tri_sim_socket *tri_sim_socket_of(tri_fd fd)
{
    struct tri_sim_world *world = tri_world();
    uint32_t i = (uint32_t)(fd - TRI_SIM_FD);
    return world && i < world->sockets_room ? world->sockets[i] : NULL;
}

/* Whether the host can have one more descriptor; then it has. */
static bool count_descriptor(struct tri_sim_socket *socket)
{
    struct tri_sim_node *node = socket->node;
    if (node->host->descriptors && node->descriptors == node->host->descriptors)
        return false;
    node->descriptors++;
    socket->counted = true;
    return true;
}

struct tri_sim_socket *tri_sim_socket_new(struct tri_sim_node *node)
{
    struct tri_sim_world *world = node->world;
    uint32_t i = world->sockets_free;
    while (i < world->sockets_room && world->sockets[i])
        i++;
    if (i == world->sockets_room) {
        uint32_t room = i ? 2 * i : 16;
        struct tri_sim_socket **sockets = tri_sim_memory(&world->sim, room * sizeof *sockets);
        if (i)
            memcpy(sockets, world->sockets, i * sizeof *sockets);
        tri_memory_put(world->sockets);
        world->sockets = sockets;
        world->sockets_room = room;
    }
    struct tri_sim_socket *socket = tri_sim_memory(&world->sim, sizeof *socket);
    socket->fd = (tri_fd)(TRI_SIM_FD + i);
    socket->world = world;
    socket->node = node;
    socket->queue_end = &socket->queue;
    world->sockets[i] = socket;
    world->sockets_free = i + 1;
    world->sockets_open++;
    return socket;
}

static void forget_socket(struct tri_sim_socket *socket)
{
    struct tri_sim_world *world = socket->world;
    uint32_t i = (uint32_t)(socket->fd - TRI_SIM_FD);
    tri_sim_cancel(&world->sim, &socket->handshake);
    tri_sim_cancel(&world->sim, &socket->later);
    world->sockets[i] = NULL;
    if (i < world->sockets_free)
        world->sockets_free = i;
    world->sockets_open--;
    socket->node->descriptors -= socket->counted;
    tri_memory_put(socket);
}

/* ---- pipes ------------------------------------------------------------------------------------------------------- */

static void free_segments(struct tri_sim_segment **list, struct tri_sim_segment ***end)
{
    for (struct tri_sim_segment *s = *list, *next; s; s = next) {
        next = s->next;
        tri_memory_put(s);
    }
    *list = NULL;
    *end = list;
}

static void drop_arrived(struct tri_sim_pipe *pipe)
{
    for (struct tri_sim_segment *s = pipe->arrived; s; s = s->next)
        pipe->bytes -= s->length - s->taken;
    free_segments(&pipe->arrived, &pipe->arrived_end);
}

static void drop_flight(struct tri_sim_world *world, struct tri_sim_pipe *pipe)
{
    for (struct tri_sim_segment *s = pipe->flight; s; s = s->next)
        pipe->bytes -= s->length - s->taken;
    tri_sim_cancel(&world->sim, &pipe->arrival);
    free_segments(&pipe->flight, &pipe->flight_end);
}

/* Reading and writing fail from now on. */
static void break_socket(struct tri_sim_socket *socket, int error)
{
    if (!socket || socket->error || socket->state != TRI_SIM_CONNECTED)
        return;
    socket->error = error;
    drop_flight(socket->world, socket->out);
    tri_sim_ready(socket);
}

/* Whether what `a` sends does not reach `b`. */
static bool is_cut(struct tri_sim_world *world, const struct tri_sim_node *a, const struct tri_sim_node *b)
{
    return a && b && (a->down || b->down || (a != b && a->cut_until[b - world->nodes] > world->sim.now));
}

static int64_t latency(struct tri_sim_world *world, const struct tri_sim_connection *c)
{
    return c->latency_ns + (int64_t)draw(world, (uint32_t)(c->latency_ns / 2 + 1));
}

static void schedule_arrival(struct tri_sim_pipe *pipe)
{
    if (pipe->flight)
        tri_sim_at(tri_sim_here, &pipe->arrival, pipe->flight->at);
}

static void put_segment(struct tri_sim_pipe *pipe, struct tri_sim_segment *segment)
{
    struct tri_sim_world *world = tri_world();
    const struct tri_sim_connection *c = pipe->connection;
    int64_t at = world->sim.now + latency(world, c);
    segment->at = at > pipe->last_at ? at : pipe->last_at;
    if (world->options.bandwidth && c->ends[0] != c->ends[1])
        segment->at += (int64_t)(segment->length * UINT64_C(1000000000) / world->options.bandwidth);
    pipe->last_at = segment->at;
    segment->next = NULL;
    bool first = !pipe->flight;
    *pipe->flight_end = segment;
    pipe->flight_end = &segment->next;
    if (first)
        schedule_arrival(pipe);
}

static struct tri_sim_segment *new_segment(int kind, uint32_t length)
{
    struct tri_sim_segment *segment = tri_sim_memory(tri_sim_here, sizeof *segment + length);
    segment->kind = kind;
    segment->length = length;
    return segment;
}

/* The sender of a pipe whose reader is gone hears of it. */
static void answer_reset(struct tri_sim_pipe *pipe)
{
    struct tri_sim_pipe *back = &pipe->connection->pipes[pipe == &pipe->connection->pipes[0]];
    if (pipe->writer && back->reader)
        put_segment(back, new_segment(TRI_SIM_RST, 0));
}

/* The first segment is where it was sent to. */
static void arrive(struct tri_sim_pipe *pipe, struct tri_sim_segment *segment)
{
    struct tri_sim_world *world = tri_world();
    struct tri_sim_socket *reader = pipe->reader;
    if (!reader) {
        bool data = segment->kind == TRI_SIM_DATA || (segment->kind == TRI_SIM_FIN && pipe->connection->crashed);
        pipe->bytes -= segment->length;
        tri_memory_put(segment);
        if (data)
            answer_reset(pipe);
        return;
    }
    switch (segment->kind) {
    case TRI_SIM_DATA:
        segment->next = NULL;
        *pipe->arrived_end = segment;
        pipe->arrived_end = &segment->next;
        break;
    case TRI_SIM_FIN:
        pipe->fin = true;
        tri_memory_put(segment);
        break;
    case TRI_SIM_RST:
        tri_memory_put(segment);
        if (draw(world, 2)) { /* some systems do, some do not */
            if (pipe->in_order && pipe->arrived)
                tri_world_fails(world, TR_EFAULT,
                    "a connection was closed in order, and its peer is reset before it has read "
                    "all that was sent");
            drop_arrived(pipe);
        }
        break_socket(reader, TR_ECONNRESET);
        return;
    }
    tri_sim_ready(reader);
}

static void on_arrival(struct tri_event *event)
{
    struct tri_sim_pipe *pipe = tri_container_of(event, struct tri_sim_pipe, arrival);
    struct tri_sim_connection *c = pipe->connection;
    struct tri_sim_world *world = tri_world();
    struct tri_sim_segment *segment = pipe->flight;
    bool there = pipe == &c->pipes[0]; /* not back */
    if (c->dead || is_cut(world, c->ends[!there], c->ends[there])) {
        int64_t now = world->sim.now;
        pipe->stuck = pipe->stuck ? pipe->stuck : now;
        if (now - pipe->stuck < GIVE_UP_NS) {
            tri_sim_at(&world->sim, event, now + RETRY_NS + (now - pipe->stuck)); /* twice as long each time */
            return;
        }
        if (pipe->writer) {
            break_socket(pipe->writer, TR_ETIMEDOUT);
        } else {
            drop_flight(world, pipe);
        }
        return;
    }
    pipe->stuck = 0;
    pipe->flight = segment->next;
    if (!pipe->flight)
        pipe->flight_end = &pipe->flight;
    schedule_arrival(pipe);
    arrive(pipe, segment);
}

static void open_pipe(struct tri_sim_pipe *pipe, struct tri_sim_connection *c, struct tri_sim_socket *from,
    struct tri_sim_socket *to)
{
    pipe->connection = c;
    pipe->writer = from;
    pipe->reader = to;
    pipe->flight_end = &pipe->flight;
    pipe->arrived_end = &pipe->arrived;
    pipe->arrival.happen = on_arrival;
    pipe->window = TRI_SIM_WINDOW;
    from->out = pipe;
    to->in = pipe;
}

void tri_sim_join(struct tri_sim_socket *a, struct tri_sim_socket *b)
{
    struct tri_sim_world *world = a->world;
    const tr_sim_options *options = &world->options;
    struct tri_sim_connection *c = tri_sim_memory(&world->sim, sizeof *c);
    uint32_t least = a->node == b->node ? 5000 : (uint32_t)options->latency_min_ns;
    uint32_t most = a->node == b->node ? 50000 : (uint32_t)options->latency_max_ns;
    c->ends[0] = a->node;
    c->ends[1] = b->node;
    c->latency_ns = least + draw(world, most - least + 1);
    open_pipe(&c->pipes[0], c, a, b);
    open_pipe(&c->pipes[1], c, b, a);
}

/* Whether what is sent now meets with a fault of the network. */
static void hurt(struct tri_sim_socket *socket)
{
    struct tri_sim_world *world = socket->world;
    struct tri_sim_connection *c = socket->out->connection;
    struct tri_sim_socket *peer = socket->out->reader;
    if (tri_fault(world, TRI_FAULT_reset)) {
        break_socket(peer, TR_ECONNRESET);
        break_socket(socket, TR_ECONNRESET);
    } else if (tri_fault(world, TRI_FAULT_half_open)) {
        c->dead = true;
    } else if (peer && peer->node != socket->node && tri_fault(world, TRI_FAULT_partition)) {
        int64_t until = world->sim.now + TR_MS(10) + (int64_t)tri_sim_below(&world->sim, TRI_STREAM_FAULTS, 10000) * TR_MS(1);
        socket->node->cut_until[peer->node - world->nodes] = until;
        if (tri_sim_below(&world->sim, TRI_STREAM_FAULTS, 4))
            peer->node->cut_until[socket->node - world->nodes] = until;
    }
}

int tri_sim_send(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count, size_t skip)
{
    struct tri_sim_world *world = socket->world;
    struct tri_sim_pipe *pipe = socket->out;
    if (socket->state == TRI_SIM_CONNECTED && !socket->error)
        hurt(socket);
    if (socket->state != TRI_SIM_CONNECTED)
        return TR_ENOTCONN;
    if (socket->shut)
        return TR_EPIPE;
    if (socket->error)
        return socket->error == TR_ECONNRESET && draw(world, 2) ? TR_EPIPE : socket->error;
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += tri_piece_length(&pieces[i]);
    total -= skip;
    uint32_t room = pipe->window - pipe->bytes;
    if (room == 0)
        return TR_EAGAIN;
    uint32_t n = total < room ? (uint32_t)total : room;
    if (tri_fault(world, TRI_FAULT_short_write))
        n = 1 + tri_sim_below(&world->sim, TRI_STREAM_FAULTS, n);
    struct tri_sim_segment *segment = new_segment(TRI_SIM_DATA, n);
    for (uint32_t i = 0, filled = 0; filled < n; i++) {
        size_t length = tri_piece_length(&pieces[i]), from = skip < length ? skip : length;
        size_t take = length - from < n - filled ? length - from : n - filled;
        memcpy(segment->bytes + filled, tri_piece_bytes(&pieces[i]) + from, take);
        filled += (uint32_t)take;
        skip -= from;
    }
    pipe->bytes += n;
    put_segment(pipe, segment);
    return (int)n;
}

int tri_sim_receive(struct tri_sim_socket *socket, const tri_piece *pieces, uint32_t count)
{
    struct tri_sim_world *world = socket->world;
    struct tri_sim_pipe *pipe = socket->in;
    if (socket->state != TRI_SIM_CONNECTED)
        return socket->error ? socket->error : TR_ENOTCONN;
    if (!pipe->arrived)
        return socket->error ? socket->error : pipe->fin ? 0 : TR_EAGAIN;
    size_t room = 0, got = 0;
    for (uint32_t i = 0; i < count; i++)
        room += tri_piece_length(&pieces[i]);
    if (tri_fault(world, TRI_FAULT_short_read))
        room = 1 + tri_sim_below(&world->sim, TRI_STREAM_FAULTS, (uint32_t)room);
    bool was_full = pipe->bytes == pipe->window;
    for (struct tri_sim_segment *s; got < room && (s = pipe->arrived);) {
        size_t place = got, i = 0;
        while (place >= tri_piece_length(&pieces[i]))
            place -= tri_piece_length(&pieces[i++]);
        size_t take = tri_piece_length(&pieces[i]) - place;
        take = take < s->length - s->taken ? take : s->length - s->taken;
        take = take < room - got ? take : room - got;
        memcpy(tri_piece_bytes(&pieces[i]) + place, s->bytes + s->taken, take);
        got += take;
        s->taken += (uint32_t)take;
        if (s->taken < s->length)
            continue;
        pipe->arrived = s->next;
        if (!pipe->arrived)
            pipe->arrived_end = &pipe->arrived;
        tri_memory_put(s);
    }
    pipe->bytes -= (uint32_t)got;
    if (was_full && pipe->writer)
        tri_sim_ready(pipe->writer); /* there is room again */
    return (int)got;
}

/* ---- connecting -------------------------------------------------------------------------------------------------- */

static struct tri_sim_socket *listener_at(struct tri_sim_node *node, const tr_address *address)
{
    struct tri_sim_world *world = node->world;
    struct tri_sim_socket *found[8];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->sockets_room && count < 8; i++) {
        struct tri_sim_socket *s = world->sockets[i];
        if (s && s->node == node && s->state == TRI_SIM_LISTENING && s->local.port == address->port &&
            s->local.family == address->family && (is_any(&s->local) || same_host(&s->local, address)))
            found[count++] = s;
    }
    return count > 1 ? found[draw(world, count)] : count ? found[0] : NULL;
}

static void on_keepalive(struct tri_event *event);
static int set_keepalive(tri_fd fd, int64_t after_ns);

static void told(struct tri_sim_socket *socket, int error)
{
    socket->state = error ? TRI_SIM_FAILED : TRI_SIM_CONNECTED;
    socket->error = error;
    socket->tried = true;
    tri_sim_ready(socket);
}

static void on_answer(struct tri_event *event)
{
    struct tri_sim_socket *socket = tri_container_of(event, struct tri_sim_socket, handshake);
    told(socket, 0);
    set_keepalive(socket->fd, socket->keepalive_ns);
}

static void on_refusal(struct tri_event *event)
{
    told(tri_container_of(event, struct tri_sim_socket, handshake), TR_ECONNREFUSED);
}

static int64_t way_to(struct tri_sim_socket *socket, const struct tri_sim_node *other)
{
    const tr_sim_options *options = &socket->world->options;
    if (other == socket->node)
        return 5000 + (int64_t)draw(socket->world, 45001);
    uint32_t range = (uint32_t)(options->latency_max_ns - options->latency_min_ns);
    return options->latency_min_ns + (int64_t)draw(socket->world, range + 1);
}

/* The request to connect is there. */
static void on_request(struct tri_event *event)
{
    struct tri_sim_socket *socket = tri_container_of(event, struct tri_sim_socket, handshake);
    struct tri_sim_world *world = socket->world;
    struct tri_sim_node *node = route(socket->node, &socket->remote);
    struct tri_sim_socket *listener = listener_at(node, &socket->remote);
    bool lost = is_cut(world, socket->node, node) || is_cut(world, node, socket->node) ||
        (listener && listener->queued >= listener->backlog) || tri_fault(world, TRI_FAULT_handshake);
    if (lost) {
        if (++socket->tries == SYN_TRIES)
            told(socket, TR_ETIMEDOUT);
        else
            tri_sim_at(&world->sim, event, world->sim.now + (TR_SECONDS(1) << (socket->tries - 1)));
        return;
    }
    int64_t back = world->sim.now + way_to(socket, node);
    struct tri_sim_socket *peer = listener ? tri_sim_socket_new(node) : NULL;
    event->happen = peer ? on_answer : on_refusal;
    if (peer) {
        tri_sim_join(socket, peer);
        peer->state = TRI_SIM_CONNECTED;
        peer->local = socket->remote;
        peer->remote = socket->local;
        peer->out->last_at = back;
        *listener->queue_end = peer;
        listener->queue_end = &peer->next;
        listener->queued++;
        tri_sim_ready(listener);
    }
    tri_sim_at(&world->sim, event, back);
}

int tri_sim_connect(struct tri_sim_socket *socket, const tr_address *remote)
{
    struct tri_sim_node *node = route(socket->node, remote);
    if (!node)
        return TR_ENETUNREACH;
    if (socket->local.port == 0) {
        tr_address any = { .family = remote->family };
        int error = bind_socket(socket, &any, false, false);
        if (error)
            return error;
    }
    socket->remote = *remote;
    if (is_any(remote)) { /* as Linux and Windows do */
        memset(socket->remote.bytes, 0, sizeof socket->remote.bytes);
        socket->remote.bytes[remote->family == TR_IPV4 ? 0 : 15] = remote->family == TR_IPV4 ? 127 : 1;
        socket->remote.bytes[3] = remote->family == TR_IPV4;
    }
    if (is_any(&socket->local)) {
        tr_address from = node == socket->node ? socket->remote : socket->node->address;
        from.port = socket->local.port;
        socket->local = from;
    }
    socket->state = TRI_SIM_CONNECTING;
    socket->handshake.happen = on_request;
    tri_sim_at(sim_of(socket), &socket->handshake, sim_of(socket)->now + way_to(socket, node));
    return 0;
}

int tri_sim_accept(struct tri_sim_socket *socket)
{
    struct tri_sim_socket *peer = socket->queue;
    if (!peer)
        return TR_EAGAIN;
    if (!count_descriptor(peer))
        return TR_EMFILE;
    socket->queue = peer->next;
    if (!socket->queue)
        socket->queue_end = &socket->queue;
    socket->queued--;
    peer->next = NULL;
    return peer->fd;
}

void tri_sim_abort_first(struct tri_sim_socket *listener)
{
    struct tri_sim_socket *peer = listener->queue;
    listener->queue = peer->next;
    if (!listener->queue)
        listener->queue_end = &listener->queue;
    listener->queued--;
    peer->resets = true;
    tri_sim_socket_close(peer);
}

/* ---- closing ----------------------------------------------------------------------------------------------------- */

static void free_connection(struct tri_sim_world *world, struct tri_sim_connection *c)
{
    for (int i = 0; i < 2; i++) {
        drop_flight(world, &c->pipes[i]);
        drop_arrived(&c->pipes[i]);
    }
    tri_memory_put(c);
}

static void leave_connection(struct tri_sim_socket *socket)
{
    struct tri_sim_world *world = socket->world;
    struct tri_sim_pipe *in = socket->in, *out = socket->out;
    bool reset = socket->resets || in->arrived; /* who closes what it has not read resets, as all systems do */
    if (socket->node->down) {                   /* without a word */
        in->connection->crashed = true;
        drop_flight(world, out);
    } else if (socket->bound && !reset && !socket->error && (socket->first || !(socket->shut || in->fin))) {
        let_wait(socket);
    }
    if (socket->resets && !socket->error && draw(world, 2))
        drop_flight(world, out);
    out->in_order = socket->in_order;
    in->reader = NULL;
    drop_arrived(in);
    if (!in->writer && !out->reader) {
        free_connection(world, in->connection);
        return;
    }
    if (socket->node->down) {
        out->writer = NULL;
        return;
    }
    if (!socket->error && out->reader && socket->state == TRI_SIM_CONNECTED) {
        if (reset)
            put_segment(out, new_segment(TRI_SIM_RST, 0));
        else if (!socket->shut)
            put_segment(out, new_segment(TRI_SIM_FIN, 0));
    } else if (socket->state == TRI_SIM_CONNECTING) { /* the other end has it already, and will never hear of us */
        put_segment(out, new_segment(TRI_SIM_RST, 0));
    }
    out->writer = NULL;
}

void tri_sim_socket_close(struct tri_sim_socket *socket)
{
    while (socket->queue)
        tri_sim_abort_first(socket);
    if (socket->script)
        tri_script_close(socket);
    if (socket->out)
        leave_connection(socket);
    forget_socket(socket);
}

unsigned tri_sim_net_close(struct tri_sim_world *world)
{
    unsigned left = 0;
    for (unsigned i = 0; i < world->count; i++)
        tri_sim_net_forget(&world->nodes[i]);
    for (uint32_t i = 0; i < world->sockets_room; i++)
        if (world->sockets[i] && world->sockets[i]->counted) {
            left++;
            tri_sim_socket_close(world->sockets[i]);
        }
    tri_assert(world->sockets_open == 0);
    tri_memory_put(world->sockets);
    world->sockets = NULL;
    world->sockets_room = 0;
    return left;
}

/* ---- what transports ask of a socket ------------------------------------------------------------------------------- */

/* The host whose worker asks. */
static struct tri_sim_node *node_here(void)
{
    struct tri_sim_world *world = tri_world();
    return tri_worker_here ? tri_sim_node_of(world, tri_worker_here->sched) : NULL;
}

static struct tri_sim_socket *must(tri_fd fd)
{
    struct tri_sim_socket *socket = tri_sim_socket_of(fd);
    if (!socket)
        tri_panic("descriptor %d is none of this simulation", fd);
    return socket;
}

/* A new socket for the program: or an error. */
static struct tri_sim_socket *open_socket(int *error)
{
    struct tri_sim_node *node = node_here();
    if (tri_fault(node->world, TRI_FAULT_listen_error)) {
        *error = tri_fault_error(node->world, TRI_FAULT_listen_error);
        return NULL;
    }
    struct tri_sim_socket *socket = tri_sim_socket_new(node);
    if (count_descriptor(socket))
        return socket;
    forget_socket(socket);
    *error = TR_EMFILE;
    return NULL;
}

static tri_fd open_tcp(const tr_address *address)
{
    int error = 0;
    struct tri_sim_socket *socket = open_socket(&error);
    (void)address;
    return socket ? socket->fd : error;
}

static int bind_to(tri_fd fd, const tr_address *address)
{
    return bind_socket(must(fd), address, false, false);
}

static tri_fd open_listening(const tr_address *address, int backlog, bool reuse_port)
{
    int error = 0;
    struct tri_sim_socket *socket = open_socket(&error);
    if (!socket)
        return error;
    error = bind_socket(socket, address, true, reuse_port);
    if (error) {
        tri_sim_socket_close(socket);
        return error;
    }
    socket->state = TRI_SIM_LISTENING;
    tri_script_listen(socket);
    socket->backlog = backlog < 1 ? 1 : (unsigned)backlog;
    return socket->fd;
}

static tr_address local_of(tri_fd fd)
{
    return must(fd)->local;
}

static tr_address remote_of(tri_fd fd)
{
    struct tri_sim_socket *socket = must(fd);
    return socket->state == TRI_SIM_CONNECTED ? socket->remote : (tr_address){ 0 };
}

static int set_nodelay(tri_fd fd, bool on)
{
    (void)on;
    must(fd);
    return 0;
}

/* A peer that is dead is noticed after that time and ten probes, a second each. */
static void on_keepalive(struct tri_event *event)
{
    struct tri_sim_socket *socket = tri_container_of(event, struct tri_sim_socket, handshake);
    struct tri_sim_world *world = socket->world;
    if (socket->state != TRI_SIM_CONNECTED || !socket->keepalive_ns || socket->error)
        return;
    struct tri_sim_connection *c = socket->out->connection;
    const struct tri_sim_node *other = c->ends[socket->out == &c->pipes[0]];
    if (c->crashed && !other->down) {
        break_socket(socket, TR_ECONNRESET);
        return;
    }
    if (c->dead || is_cut(world, socket->node, other) || is_cut(world, other, socket->node)) {
        if (++socket->tries > 10)
            break_socket(socket, TR_ETIMEDOUT);
        else
            tri_sim_at(&world->sim, event, world->sim.now + TR_SECONDS(1));
        return;
    }
    socket->tries = 0;
    tri_sim_at(&world->sim, event, world->sim.now + socket->keepalive_ns);
}

static int set_keepalive(tri_fd fd, int64_t after_ns)
{
    struct tri_sim_socket *socket = must(fd);
    socket->keepalive_ns = after_ns;
    if (socket->state != TRI_SIM_CONNECTED || socket->script)
        return 0; /* begins when it is connected */
    socket->tries = 0;
    socket->handshake.happen = on_keepalive;
    tri_sim_cancel(sim_of(socket), &socket->handshake);
    if (after_ns)
        tri_sim_at(sim_of(socket), &socket->handshake, sim_of(socket)->now + after_ns);
    return 0;
}

static int set_buffers(tri_fd fd, int send_bytes, int receive_bytes)
{
    struct tri_sim_socket *socket = must(fd);
    if (socket->out && (send_bytes || receive_bytes)) /* one buffer for both, in a pipe */
        socket->out->window = (uint32_t)(send_bytes > 2048 ? send_bytes : 2048);
    return 0;
}

static int shut_down(tri_fd fd)
{
    struct tri_sim_socket *socket = must(fd);
    if (socket->state != TRI_SIM_CONNECTED)
        return TR_ENOTCONN;
    if (socket->error)
        return TR_ENOTCONN;
    if (socket->script)
        tri_script_shutdown(socket);
    else if (!socket->shut && socket->out->reader)
        put_segment(socket->out, new_segment(TRI_SIM_FIN, 0));
    if (!socket->script && !socket->shut)
        socket->first = !socket->in->fin;
    socket->shut = true;
    return 0;
}

static void reset_on_close(tri_fd fd)
{
    must(fd)->resets = true;
}

/* As on Windows: what a transport does without it is to be seen. */
static int64_t left(tri_fd fd, bool *all)
{
    (void)all;
    must(fd);
    return TR_ENOTSUP;
}

static int adopt(tri_fd fd)
{
    struct tri_sim_socket *socket = tri_sim_socket_of(fd);
    return !socket ? TR_EBADF : socket->state == TRI_SIM_CONNECTED ? 0 : TR_EINVAL;
}

static void close_it(tri_fd fd)
{
    tri_sim_socket_close(must(fd));
}

const struct tri_socket_class tri_sockets_of_simulation = {
    .open_tcp = open_tcp,
    .open_listening = open_listening,
    .bind_to = bind_to,
    .local_of = local_of,
    .remote_of = remote_of,
    .set_nodelay = set_nodelay,
    .set_keepalive = set_keepalive,
    .set_buffers = set_buffers,
    .shut_down = shut_down,
    .reset_on_close = reset_on_close,
    .left = left,
    .adopt = adopt,
    .close_it = close_it,
};

bool tri_sockets_simulated(void)
{
    return ck_pr_load_ptr(&tri_sim_here) != NULL;
}
