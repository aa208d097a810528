/* The functions of <troupe/tcp.h>: what they ask of a connection goes to it as a message. */
#include "io/tcp_connection.h"

#include "io/window.h"
#include "sched/log.h"

enum {
    WINDOW = 65536,
    HIGH = 65536,
    WRITE_MAX = 16 << 20,
    CONNECT_SECONDS = 60,
    LINGER_BYTES = 64 << 20, /* more than the buffers of both systems hold; to throw away costs no memory */
};

#define LINGER_NS TR_SECONDS(2)

/* ---- settings ---------------------------------------------------------------------------------------------------- */

int tri_tcp_marks(uint32_t *high, uint32_t *low)
{
    if (*high == 0 && *low == 0)
        *high = HIGH;
    if (*high == TR_TCP_ZERO)
        *high = *low = 0;
    else if (*low == TR_TCP_ZERO)
        *low = 0;
    else if (*low == 0)
        *low = *high / 4;
    else if (*high == 0)
        *high = *low > UINT32_MAX / 4 ? UINT32_MAX : *low * 4;
    return *low <= *high ? 0 : TR_EINVAL;
}

int tri_tcp_settings_make(const tr_tcp_options *options, struct tri_tcp_settings **result)
{
    tri_tag tag;
    uint32_t high = options->high, low = options->low;
    if (tri_tcp_marks(&high, &low)) {
        tri_log(TR_LOG_WARNING, "the low mark, %u bytes, is over the high mark, %u bytes", low, high);
        return TR_EINVAL;
    }
    struct tri_tcp_settings *settings = tri_block_get(sizeof *settings, &tag);
    if (!settings)
        return TR_ENOMEM;
    uint32_t window = options->window ? options->window : WINDOW;
    *settings = (struct tri_tcp_settings){
        .refs = 1,
        .tag = tag,
        .half_open = options->half_open,
        .window = window < TRI_WINDOW_MAX ? window : TRI_WINDOW_MAX,
        .high = high,
        .low = low,
        .write_max = !options->write_max               ? WRITE_MAX
            : options->write_max < TRI_TCP_WRITE_LIMIT ? options->write_max
                                                       : TRI_TCP_WRITE_LIMIT,
        .idle_ns = options->idle_ns,
        .write_ns = options->write_ns,
        .keepalive_ns = options->keepalive_ns,
        .send_buffer = options->send_buffer,
        .receive_buffer = options->receive_buffer,
        .delay = options->delay,
        .linger_ns = options->linger_ns ? options->linger_ns : LINGER_NS,
        .linger_bytes = options->linger_bytes ? options->linger_bytes : LINGER_BYTES,
        .connect_ns = options->connect_ns ? options->connect_ns : TR_SECONDS(CONNECT_SECONDS),
    };
    *result = settings;
    return 0;
}

struct tri_tcp_settings *tri_tcp_settings_ref(struct tri_tcp_settings *settings)
{
    ck_pr_inc_32(&settings->refs);
    return settings;
}

void tri_tcp_settings_unref(struct tri_tcp_settings *settings)
{
    ck_pr_fence_release();
    if (ck_pr_faa_32(&settings->refs, (uint32_t)-1) != 1)
        return;
    ck_pr_fence_acquire(); /* pairs with the release fence of the other holders */
    if (settings->writable)
        tri_msg_free(settings->writable);
    tri_block_put(settings, settings->tag);
}

/* The settings, this connection's own; NULL when there is no memory for a copy. */
struct tri_tcp_settings *tri_tcp_own_settings(struct tri_tcp *me)
{
    tri_tag tag;
    struct tri_tcp_settings *shared = me->settings;
    if (shared->own)
        return shared;
    struct tri_tcp_settings *own = tri_block_get(sizeof *own, &tag);
    if (!own)
        return NULL;
    memcpy(&own->own, &shared->own, sizeof *own - offsetof(struct tri_tcp_settings, own)); /* not the count */
    own->refs = 1;
    own->tag = tag;
    own->own = true;
    tri_tcp_settings_unref(shared);
    me->settings = own;
    return own;
}

/* An option that the system refuses is not worth a connection. */
void tri_tcp_set_options(tri_fd fd, const struct tri_tcp_settings *settings)
{
    if (!settings->delay)
        tri_socket_nodelay(fd, true);
    if (settings->keepalive_ns)
        tri_socket_keepalive(fd, settings->keepalive_ns);
    if (settings->send_buffer || settings->receive_buffer)
        tri_socket_buffers(fd, settings->send_buffer, settings->receive_buffer);
}

/* ---- what comes back --------------------------------------------------------------------------------------------- */

/* A received buffer was freed, on any thread. */
static void buffer_returned(tr_ref account, size_t charge)
{
    struct tri_slot *slot = tri_slot_at(tri_ref_slot(account));
    if (!tri_window_return(slot, account, charge))
        return;
    struct tri_worker *worker = tri_worker_here;
    tri_signal(worker ? worker->context : NULL, account, TRI_SIGNAL_WINDOW);
}

void tri_tcp_init(void)
{
    tri_buf_returned = buffer_returned;
}

/* ---- connecting -------------------------------------------------------------------------------------------------- */

static const char *reason_of(const char *address, int error)
{
    tr_address parsed;
    if (error != TR_EINVAL)
        return tr_strerror(error);
    if (!address || tr_address_parse(address, &parsed))
        return "not an address with a port, such as 127.0.0.1:7000 or [::1]:7000";
    if (tri_address_lacks_scope(&parsed))
        return "a link-local address needs the name of its interface, as in [fe80::1%eth0]:7000";
    return tr_strerror(error);
}

int tri_tcp_complain(const char *verb, const char *address, int error)
{
    tri_log(TR_LOG_WARNING, "%s \"%s\": %s", verb, address ? address : "", reason_of(address, error));
    return error;
}

/* The address to come from: 0, or an error, which is logged. */
static int bind_local(tri_fd fd, const tr_tcp_options *options, uint8_t family)
{
    tr_address from;
    int error = tr_address_parse(options->local, &from);
    if (!error && from.family != family) {
        tri_log(TR_LOG_WARNING, "connect from \"%s\": an address of another family than \"%s\"", options->local,
            options->address);
        return TR_EINVAL;
    }
    if (!error)
        error = tri_socket_bind(fd, &from);
    return error ? tri_tcp_complain("connect from", options->local, error) : 0;
}

/* A socket for a connection to `remote`, from options->local if that is given: the descriptor or an error, which is
 * logged. */
static tri_fd open_socket(tr_self *self, const tr_tcp_options *options, const tr_address *remote)
{
    tri_fd fd = tri_socket_tcp(remote);
    if ((fd == TR_EMFILE || fd == TR_ENFILE) && !tri_sockets_simulated())
        tri_shortage_refused(tr_now(self));
    if (fd < 0)
        return tri_tcp_complain("connect to", options->address, fd);
    int error = options->local ? bind_local(fd, options, remote->family) : 0;
    if (!error)
        return fd;
    tri_socket_close(fd);
    return error;
}

static struct tri_connect *make_connect(const tr_address *remote)
{
    tri_tag tag;
    struct tri_connect *op = tri_block_get(sizeof *op, &tag);
    if (!op)
        return NULL;
    memset(op, 0, sizeof *op);
    op->tag = tag;
    op->length = tri_address_to_system(remote, &op->address);
    return op;
}

/* The slot of a connection on this worker whose owner is the running actor. */
static struct tri_slot *make_own(tr_self *self, tri_fd fd, struct tri_tcp_settings *settings, int *error)
{
    struct tri_slot *slot = tri_tcp_prepare(self, fd, settings, self->worker->index, error);
    if (!slot)
        return NULL;
    struct tri_tcp *tcp = slot->state;
    if (!tri_ward_add(self->slot, tri_slot_ref(slot))) {
        tri_spawn_cancel(self, slot);
        *error = TR_ENOMEM;
        return NULL;
    }
    tcp->owner = self->me;
    tcp->end.spare = self->slot->incarnation;
    tcp->flags |= TRI_TCP_WARD;
    return slot;
}

int tr_tcp_connect_(tr_self *self, tr_ref *connection, const tr_tcp_options *options)
{
    tr_address remote;
    struct tri_tcp_settings *settings;

    tri_check_self(self, "tr_tcp_connect");
    if (connection)
        *connection = TR_NOBODY;
    int error = options->address ? tr_address_parse(options->address, &remote) : TR_EINVAL;
    if (!error && tri_address_lacks_scope(&remote))
        error = TR_EINVAL;
    if (error)
        return tri_tcp_complain("connect to", options->address, error);
    if ((error = tri_tcp_settings_make(options, &settings)))
        return error;
    settings->own = true;
    settings->remote = remote;
    tri_fd fd = open_socket(self, options, &remote);
    if (fd < 0) {
        tri_tcp_settings_unref(settings);
        return fd;
    }
    struct tri_connect *op = make_connect(&remote);
    struct tri_slot *slot = NULL;
    error = TR_ENOMEM;
    if (op)
        slot = make_own(self, fd, settings, &error);
    if (!slot) {
        if (op)
            tri_block_put(op, op->tag);
        tri_socket_close(fd);
        tri_tcp_settings_unref(settings);
        return tri_tcp_complain("connect to", options->address, error);
    }
    struct tri_tcp *tcp = slot->state;
    tri_tcp_set_options(fd, settings);
    tcp->flags |= TRI_TCP_CONNECTING;
    tcp->end.write = &op->op;
    tr_ref ref = tri_spawn_finish(self, slot);
    if (connection)
        *connection = ref;
    return 0;
}

int tr_tcp_adopt_(tr_self *self, tr_ref *connection, int fd, const tr_tcp_options *options)
{
    struct tri_tcp_settings *settings;
    struct tri_slot *slot = NULL;

    tri_check_self(self, "tr_tcp_adopt");
    if (connection)
        *connection = TR_NOBODY;
    int error = tri_socket_adopt(fd);
    if (!error && !(error = tri_tcp_settings_make(options, &settings))) {
        settings->own = true;
        slot = make_own(self, fd, settings, &error);
        if (!slot)
            tri_tcp_settings_unref(settings);
    }
    if (!slot) {
        if (error != TR_EBADF)
            tri_socket_close(fd);
        tri_log(TR_LOG_WARNING, "adopting descriptor %d: %s", fd,
            error == TR_ENOTSUP ? "a simulation has no descriptors of the system" : tr_strerror(error));
        return error;
    }
    tri_tcp_set_options(fd, settings);
    ((struct tri_tcp *)slot->state)->end.foreign = true;
    tr_ref ref = tri_spawn_finish(self, slot);
    if (connection)
        *connection = ref;
    return 0;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

/* Sends a command; it is not bounded, and without memory the connection ends rather than miss it. */
static int command(tr_self *self, tr_ref connection, const tri_tcp_command *body)
{
    tr_msg *m = tri_msg_new(&tri_tcp_command_type, sizeof *body);
    if (!m) {
        tri_signal(self, connection, TRI_SIGNAL_BROKEN);
        return TR_ENOMEM;
    }
    m->from = self->me;
    m->flags_ = TRI_MSG_EXEMPT;
    *(tri_tcp_command *)tri_msg_body(m) = *body;
    if (body->verb == TRI_TCP_OWN) {
        m->type = &tri_tcp_own_type.type;
        m->flags_ |= TRI_MSG_RUNTIME;
    }
    return tri_deliver(self, connection, m);
}

#define COMMAND(self, connection, function, ...) \
    (tri_check_self((self), function), command((self), (connection), &(const tri_tcp_command){ __VA_ARGS__ }))

int tr_tcp_own(tr_self *self, tr_ref connection, tr_ref owner)
{
    return COMMAND(self, connection, "tr_tcp_own", .verb = TRI_TCP_OWN, .owner = owner);
}

tr_ref tr_tcp_serve(tr_self *self, const tr_msg *m, const tr_actor *spec, const void *arg)
{
    const tr_tcp_accepted *accepted = tr_body(tr_tcp_accepted, m);
    tr_ref owner = tr_spawn(self, spec, arg);
    if (!tr_ref_is_nobody(owner))
        tr_tcp_own(self, accepted->connection, owner);
    return owner; /* without one the connection finds that nobody took it */
}

int tr_tcp_write(tr_self *self, tr_ref connection, tr_buf *buf)
{
    tri_check_self(self, "tr_tcp_write");
    tr_msg *m = buf ? tri_msg_new(&tri_tcp_write_type, sizeof(tri_tcp_write)) : NULL;
    if (!m) {
        tr_buf_unref(buf);
        tri_signal(self, connection, TRI_SIGNAL_BROKEN);
        return TR_ENOMEM;
    }
    m->from = self->me;
    ((tri_tcp_write *)tri_msg_body(m))->buf = buf;
    int error = tri_deliver(self, connection, m);
    if (error == TR_EFULL)
        tri_signal(self, connection, TRI_SIGNAL_BROKEN);
    return error;
}

int tr_tcp_write_copy(tr_self *self, tr_ref connection, const void *bytes, size_t size)
{
    return tr_tcp_write(self, connection, tr_buf_copy(bytes, size));
}

int tr_tcp_shutdown(tr_self *self, tr_ref connection)
{
    return COMMAND(self, connection, "tr_tcp_shutdown", .verb = TRI_TCP_SHUTDOWN);
}

int tr_tcp_close(tr_self *self, tr_ref connection)
{
    tri_owner_hush(self, connection);
    return COMMAND(self, connection, "tr_tcp_close", .verb = TRI_TCP_CLOSE);
}

int tr_tcp_abort(tr_self *self, tr_ref connection)
{
    tri_owner_hush(self, connection);
    return COMMAND(self, connection, "tr_tcp_abort", .verb = TRI_TCP_ABORT);
}

int tr_tcp_window(tr_self *self, tr_ref connection, uint32_t bytes)
{
    return COMMAND(self, connection, "tr_tcp_window", .verb = TRI_TCP_WINDOW, .window = bytes);
}

int tr_tcp_marks(tr_self *self, tr_ref connection, uint32_t high, uint32_t low)
{
    int error = tri_tcp_marks(&high, &low);
    return error ? error : COMMAND(self, connection, "tr_tcp_marks", .verb = TRI_TCP_MARKS, .high = high, .low = low);
}

int tr_tcp_half_open(tr_self *self, tr_ref connection, bool on)
{
    return COMMAND(self, connection, "tr_tcp_half_open", .verb = TRI_TCP_HALF_OPEN, .on = on);
}

int tr_tcp_timeouts(tr_self *self, tr_ref connection, int64_t idle_ns, int64_t write_ns)
{
    return COMMAND(self, connection, "tr_tcp_timeouts", .verb = TRI_TCP_TIMEOUTS, .idle_ns = idle_ns, .write_ns = write_ns);
}

int tr_tcp_nodelay(tr_self *self, tr_ref connection, bool on)
{
    return COMMAND(self, connection, "tr_tcp_nodelay", .verb = TRI_TCP_NODELAY, .on = on);
}

int tr_tcp_keepalive(tr_self *self, tr_ref connection, int64_t after_ns)
{
    return COMMAND(self, connection, "tr_tcp_keepalive", .verb = TRI_TCP_KEEPALIVE, .after_ns = after_ns);
}

/* ---- asks -------------------------------------------------------------------------------------------------------- */

tr_call tr_tcp_flush(tr_self *self, tr_ref connection, int64_t timeout_ns)
{
    return tr_ask(self, connection, timeout_ns, tri_tcp_command, .verb = TRI_TCP_FLUSH);
}

tr_call tr_tcp_ask(tr_self *self, tr_ref connection, int64_t timeout_ns)
{
    return tr_ask(self, connection, timeout_ns, tri_tcp_command, .verb = TRI_TCP_INFO);
}

tr_call tr_tcp_detach(tr_self *self, tr_ref connection, int64_t timeout_ns)
{
    return tr_ask(self, connection, timeout_ns, tri_tcp_command, .verb = TRI_TCP_DETACH);
}
