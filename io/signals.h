/* signals.h: the system's requests to end. */
#ifndef TRI_SIGNALS_H
#define TRI_SIGNALS_H

/* Requests that come so soon after one another are one: a terminal, a shell or timeout(1) may signal a process and its
 * group. */
enum { TRI_SIGNALS_SAME_NS = 200000000 };

/* From now on `on_signal` is called, on a thread of its own, for each request to end (SIGINT, SIGTERM; but not for one that
 * the process ignores), with their number so far; the third has the effect it would have without Troupe. 0, TR_EBUSY when
 * it is watched already, TR_EMFILE, TR_EAGAIN. */
int tri_signals_watch(void (*on_signal)(int count, void *arg), void *arg);

/* Puts back what was before. on_signal is not called any more when this returns. */
void tri_signals_unwatch(void);

#endif
