/*
 * <troupe/probe.h>: an actor driven by a thread, for tests.
 *
 * A probe has a reference like any actor. What is sent to it waits until the thread receives it, with a time limit; and
 * the thread can have functions run as the probe, to do whatever an actor can do.
 *
 *     tr_probe *probe = tr_probe_open(&system);
 *     tr_probe_send(probe, echo, ping, .n = 1);
 *     const tr_msg *m = tr_probe_receive(probe, TR_SECONDS(5));
 *     assert(m && tr_is(pong, m));
 *     tr_probe_close(probe);
 *
 * One thread at a time, which must not be a worker.
 */
#ifndef TROUPE_PROBE_H
#define TROUPE_PROBE_H

#include <troupe/system.h>
#include <troupe/time.h>

TR_BEGIN_C_

typedef struct tr_probe tr_probe;

/* Makes a probe in a running system; it traps exits. NULL when there is no memory, or the system does not run, or is just
 * closing. */
tr_probe *tr_probe_open(tr_system *system);

/* Ends it. Before its system is closed: that kills it, if it is still there after all others. */
void tr_probe_close(tr_probe *probe);

tr_ref tr_probe_ref(const tr_probe *probe);

/* The next message, which stays valid until the next call for this probe; NULL when none came within timeout_ns. A request
 * that is not answered with tr_probe_reply by then is answered TR_EUNANSWERED. */
const tr_msg *tr_probe_receive(tr_probe *probe, int64_t timeout_ns);

/* Runs function(self, arg) as a turn of the probe, and answers what it answered; TR_EDOWN when the probe is down. */
int tr_probe_do(tr_probe *probe, int (*function)(tr_self *self, void *arg), void *arg);

/* As tr_send and tr_reply do. */
#define tr_probe_send(probe, to, ...) tr_probe_send_((probe), (to), TR_TYPED_(__VA_ARGS__))
#define tr_probe_reply(probe, ...)    tr_probe_reply_((probe), TR_TYPED_(__VA_ARGS__))

int tr_probe_send_(tr_probe *probe, tr_ref to, const tr_type *type, const void *body, size_t size);
int tr_probe_reply_(tr_probe *probe, const tr_type *type, const void *body, size_t size);

TR_END_C_

#endif
