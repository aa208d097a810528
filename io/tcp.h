/* tcp.h: what connections, listeners and the functions of <troupe/tcp.h> share. */
#ifndef TRI_TCP_H
#define TRI_TCP_H

#include "actors/self.h"
#include "io/owner.h"
#include "io/port.h"

#include <troupe/tcp.h>
#include <troupe/timer.h>

/* ---- what is sent to a connection or a listener ------------------------------------------------------------------ */

TR_MESSAGE(tri_tcp_write, tr_buf *buf;);

enum tri_tcp_verb {
    TRI_TCP_OWN,
    TRI_TCP_SHUTDOWN,
    TRI_TCP_CLOSE,
    TRI_TCP_ABORT,
    TRI_TCP_WINDOW,
    TRI_TCP_MARKS,
    TRI_TCP_HALF_OPEN,
    TRI_TCP_TIMEOUTS,
    TRI_TCP_NODELAY,
    TRI_TCP_KEEPALIVE,
    TRI_TCP_FLUSH,  /* as an ask */
    TRI_TCP_INFO,   /* as an ask */
    TRI_TCP_DETACH, /* as an ask */
};

TR_MESSAGE(tri_tcp_command, enum tri_tcp_verb verb; union {
    tr_ref owner;
    bool on;
    uint32_t window;
    struct {
        uint32_t high, low;
    };
    struct {
        int64_t idle_ns, write_ns;
    };
    int64_t after_ns;
};);

/* ---- settings ---------------------------------------------------------------------------------------------------- */

/* Shared by all connections of a listener; a connection that changes anything, or keeps anything of the kind, gets a copy
 * of its own. */
struct tri_tcp_settings {
    uint32_t refs; /* the only part that changes while it is shared */
    tri_tag tag;
    bool own; /* of one connection; from here on a copy takes it all */
    bool half_open;
    bool delay;
    uint32_t window, high, low, write_max;
    int64_t connect_ns, idle_ns, write_ns, keepalive_ns, linger_ns;
    uint64_t linger_bytes;
    int send_buffer, receive_buffer;
    tr_address local; /* of a listener's connections, where it is one for all of them; zeroed: each is asked */

    /* of one connection, if `own` */
    tr_address remote; /* which it is to connect to */
    int64_t last_activity, last_progress;
    int64_t stalled;    /* since when its window has been used up; 0: that was said, or it is not */
    int64_t lingers;    /* until when */
    uint64_t discarded; /* bytes received since the close */
    int64_t looked;     /* since when it has been idle for too long; 0: it is not */
    int64_t left;       /* see tri_socket_left; when that was asked last */
    tr_timer timer;     /* of all that can take too long; or of the attempt to connect */
    int64_t timer_due;
    tr_msg *writable; /* the tr_tcp_writable(true) to come, set aside when false was said */
    tr_msg *detach;   /* the request; it is waited for until then: */
    int64_t detach_until;
    uint32_t dropped;
};

/* From options: 0; TR_EINVAL; TR_ENOMEM. The caller holds the one reference. */
int tri_tcp_settings_make(const tr_tcp_options *options, struct tri_tcp_settings **settings);
struct tri_tcp_settings *tri_tcp_settings_ref(struct tri_tcp_settings *settings);
void tri_tcp_settings_unref(struct tri_tcp_settings *settings);

/* Logs why there is no connection or listener, and answers the error; TR_EINVAL is about the address. */
int tri_tcp_complain(const char *verb, const char *address, int error);

/* low and high with the defaults filled in: 0 or TR_EINVAL. */
int tri_tcp_marks(uint32_t *high, uint32_t *low);

/* ---- a connection ------------------------------------------------------------------------------------------------ */

enum { TRI_TCP_WRITE_LIMIT = 1 << 30 }; /* bytes in one write; and of write_max */

extern const struct tri_actor tri_tcp_actor;

/* TRI_TCP_OWN as it is sent: if there is no connection any more, the new owner is told so. */
extern const struct tri_runtime_type tri_tcp_own_type;

/* A connection's slot, prepared to be spawned on worker `home`. It owns the descriptor and a reference to the settings
 * from then on; on failure (NULL, *error) they stay the caller's. */
struct tri_slot *tri_tcp_prepare(tr_self *self, tri_fd fd, struct tri_tcp_settings *settings, uint16_t home, int *error);

/* Sets the options that the settings ask for. */
void tri_tcp_set_options(tri_fd fd, const struct tri_tcp_settings *settings);

/* Before the first port is opened. */
void tri_tcp_init(void);

#endif
