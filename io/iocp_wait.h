/*
 * iocp_wait.h: what is no socket and has news for a worker all the same, through its IOCP port: waits and jobs.
 *
 *   wait   for one handle (a process, an event, a timer …) to be signalled
 *   job    what a job object says of its processes
 *
 * Both are in memory of the user's, cleared before the first use, and belong to the worker that starts or opens them: it
 * alone calls these functions, and its poll calls `done` and `news`, never one of these functions. From there any of them
 * may be called. A wait in flight and an open job keep the port open and polled. A transport counts each wait in its slot's
 * in_flight until `done` (tri_came_home), so that its state stays where it is.
 *
 *     IDLE → start → WAITING → signalled, or its time is over → done → IDLE
 *                    WAITING → cancel → CANCELING → done → IDLE
 */
#ifndef TRI_IOCP_WAIT_H
#define TRI_IOCP_WAIT_H

#include "io/iocp.h"

enum tri_wait_state { TRI_WAIT_IDLE, TRI_WAIT_WAITING, TRI_WAIT_CANCELING };

struct tri_wait {
    /* Exactly once for each start; the wait is idle then, and may be started again or freed from here. The result: 0: it
     * was signalled; TR_ETIMEDOUT; TR_ECANCELED; or why the system could not wait on. */
    void (*done)(struct tri_wait *wait, int result);

    /* the port's */
    struct tri_iocp *port;
    HANDLE object;
    HANDLE registered;   /* the system's wait for the object */
    HANDLE unregistered; /* while CANCELING: an event: no callback of that one runs any more, or ever will; */
    HANDLE ending;       /* and the system's wait for this event */
    int64_t deadline;
    int result;
    enum tri_wait_state state;
};

/* Waits for the object until the deadline, a moment of the system's clock; INT64_MAX: for ever. 0, or an error, and then
 * `done` is not called. The object stays open until `done`; it is no mutex, which belongs to the thread that waits. */
int tri_wait_start(struct tri_wait *wait, HANDLE object, int64_t deadline);

/* Asks for `done` to come soon; a hint: what has happened before is said even so. Nothing, if it is not WAITING. */
void tri_wait_cancel(struct tri_wait *wait);

struct tri_job_object {
    /* What the job object says, a JOB_OBJECT_MSG_…, and of which process (0: of all of it). Windows does not promise that
     * it says all: that a process has ended is known for sure from a wait. */
    void (*news)(struct tri_job_object *job, DWORD message, DWORD process);

    /* the port's */
    struct tri_iocp *port;
    struct tri_job_object *next;
    HANDLE object;
    uintptr_t key;
};

/* From now on this job object, which has no port yet, says its news to the running worker: 0 or an error. It stays open
 * until tri_job_object_close. */
int tri_job_object_open(struct tri_job_object *job, HANDLE object);

/* No news any more, from this moment on. */
void tri_job_object_close(struct tri_job_object *job);

/* For the port's poll: a packet whose key is TRI_KEY_WAIT, or TRI_KEY_JOB or above. */
void tri_wait_packet(const OVERLAPPED_ENTRY *packet);
void tri_job_object_packet(struct tri_iocp *port, const OVERLAPPED_ENTRY *packet);

#endif
