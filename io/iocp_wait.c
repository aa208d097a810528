/*
 * Waits: a thread of the system's waits for the object and calls on_object, which posts a packet to the port.
 *
 * Where threads meet. The callback reads the wait, which was written before it was registered, and the port, which is not
 * closed while a wait is in flight. It writes nothing, and the post is its last access to either: so the worker that has
 * the packet knows that the callback is done with the wait, though it may not have returned. The queue of the port is all
 * the two have in common, and all else of the wait is the worker's. That RegisterWaitForSingleObject may write
 * `registered` when the callback has posted already does not matter: it is written by the worker, too.
 *
 * The end. A registration has to be given back, also when it has fired (once: then the system looks at the object no
 * more).
 *
 *   - After the packet of its callback, UnregisterWaitEx(NULL) does that; whether the callback has returned is all the
 *     same.
 *   - At a cancel the callback may be still to come, run, or have posted; and what UnregisterWaitEx(NULL) answers does
 *     not tell these apart, as TRUE may mean that it will never come, or that it is over. Waiting for it, as
 *     INVALID_HANDLE_VALUE does, holds the worker until a thread of the system's gets to run. So the registration is
 *     given back with an event, which the system signals when no callback runs or will run; that event is waited for in
 *     the same way, and its callback posts a packet, too. What the object's callback has posted was posted before, and a
 *     port is first in, first out: this packet is the last that leads to the wait. It alone ends a wait that is CANCELING,
 *     whatever came before it; and it comes always.
 *
 * That event and its registration need memory. Where there is none the worker waits for the callback after all, which
 * takes as long as a post, and then posts the last packet itself.
 *
 * A post that fails is tried again (tri_iocp_post): on a thread of the system's pool, where it keeps nobody from anything.
 *
 * Jobs: the system itself posts their packets, with the number of a process in lpOverlapped, and packets may be in the
 * port when the job has been closed. So the key is a number that leads to an open job or to none: none is used twice.
 */
#include "io/iocp_wait.h"

#include "mailbox/panic.h"

static struct tri_iocp *port_here(void)
{
    return (struct tri_iocp *)tri_io_port(tri_worker_here);
}

static int last_error(void)
{
    return tri_error_from_win32(GetLastError());
}

/* ---- waits ------------------------------------------------------------------------------------------------------- */

/* What a packet of a wait says, in its number of bytes. */
enum { SIGNALLED, TIMED_OUT, UNREGISTERED };

static void CALLBACK on_object(void *wait, BOOLEAN timed_out)
{
    tri_iocp_post(((struct tri_wait *)wait)->port, TRI_KEY_WAIT, timed_out ? TIMED_OUT : SIGNALLED, wait);
}

static void CALLBACK on_unregistered(void *wait, BOOLEAN timed_out)
{
    (void)timed_out;
    tri_iocp_post(((struct tri_wait *)wait)->port, TRI_KEY_WAIT, UNREGISTERED, wait);
}

static int64_t time_left(const struct tri_wait *wait)
{
    int64_t now = tri_clock_now(wait->port->io.worker->sched->config.clock);
    return wait->deadline < now ? 0 : wait->deadline - now;
}

static int begin(struct tri_wait *wait)
{
    DWORD ms = wait->deadline == INT64_MAX ? INFINITE : tri_milliseconds(time_left(wait));
    bool begun = RegisterWaitForSingleObject(&wait->registered, wait->object, on_object, wait, ms, WT_EXECUTEONLYONCE);
    return begun ? 0 : last_error();
}

static void unregister(HANDLE registered, HANDLE event)
{
    bool done = UnregisterWaitEx(registered, event) || GetLastError() == ERROR_IO_PENDING;
    tri_assert(done);
}

/* The wait may be gone after this. */
static void finish(struct tri_wait *wait, int result)
{
    wait->state = TRI_WAIT_IDLE;
    wait->port->io.in_flight--;
    wait->done(wait, result);
}

int tri_wait_start(struct tri_wait *wait, HANDLE object, int64_t deadline)
{
    tri_assert(wait->state == TRI_WAIT_IDLE);
    wait->port = port_here();
    wait->object = object;
    wait->deadline = deadline;
    int error = begin(wait);
    if (error)
        return error;
    wait->state = TRI_WAIT_WAITING;
    wait->port->io.in_flight++;
    return 0;
}

/* Prepares that the end of the callbacks is waited for. */
static bool expect_end(struct tri_wait *wait)
{
    wait->unregistered = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!wait->unregistered)
        return false;
    if (RegisterWaitForSingleObject(&wait->ending, wait->unregistered, on_unregistered, wait, INFINITE, WT_EXECUTEONLYONCE))
        return true;
    CloseHandle(wait->unregistered);
    wait->unregistered = NULL;
    return false;
}

void tri_wait_cancel(struct tri_wait *wait)
{
    if (wait->state != TRI_WAIT_WAITING)
        return;
    tri_assert(wait->port == port_here());
    wait->state = TRI_WAIT_CANCELING;
    wait->result = TR_ECANCELED;
    if (expect_end(wait)) {
        unregister(wait->registered, wait->unregistered);
    } else {
        unregister(wait->registered, INVALID_HANDLE_VALUE);
        on_unregistered(wait, FALSE);
    }
}

static void on_last_packet(struct tri_wait *wait)
{
    if (wait->unregistered) {
        unregister(wait->ending, NULL);
        CloseHandle(wait->unregistered);
        wait->unregistered = NULL;
    }
    finish(wait, wait->result);
}

void tri_wait_packet(const OVERLAPPED_ENTRY *packet)
{
    struct tri_wait *wait = (struct tri_wait *)(void *)packet->lpOverlapped;
    DWORD says = packet->dwNumberOfBytesTransferred;
    bool early = says == TIMED_OUT && time_left(wait) > 0; /* by the system's tick */
    int result = says == TIMED_OUT ? TR_ETIMEDOUT : 0;
    if (says == UNREGISTERED) {
        on_last_packet(wait);
    } else if (wait->state == TRI_WAIT_CANCELING) {
        wait->result = early ? TR_ECANCELED : result;
    } else {
        unregister(wait->registered, NULL);
        if (early)
            result = begin(wait);
        if (!early || result)
            finish(wait, result);
    }
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

static bool associate(HANDLE job, uintptr_t key, HANDLE port)
{
    JOBOBJECT_ASSOCIATE_COMPLETION_PORT association = { .CompletionKey = (void *)key, .CompletionPort = port };
    return SetInformationJobObject(job, JobObjectAssociateCompletionPortInformation, &association, sizeof association);
}

int tri_job_object_open(struct tri_job_object *job, HANDLE object)
{
    struct tri_iocp *port = port_here();
    if (!associate(object, port->next_key, port->handle))
        return last_error();
    job->port = port;
    job->object = object;
    job->key = port->next_key++;
    job->next = port->jobs;
    port->jobs = job;
    port->io.in_flight++;
    return 0;
}

void tri_job_object_close(struct tri_job_object *job)
{
    struct tri_job_object **at = &job->port->jobs;
    tri_assert(job->port == port_here());
    associate(job->object, 0, NULL); /* spares the worker packets for nobody, where the system can do it: Wine cannot */
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    job->port->io.in_flight--;
}

void tri_job_object_packet(struct tri_iocp *port, const OVERLAPPED_ENTRY *packet)
{
    uintptr_t key = packet->lpCompletionKey;
    struct tri_job_object *job = port->jobs;
    if (key >= port->next_key)
        tri_panic("port iocp of worker %u: a packet of nobody's", port->io.worker->index);
    while (job && job->key != key)
        job = job->next;
    if (job) /* else it has been closed */
        job->news(job, packet->dwNumberOfBytesTransferred, (DWORD)(uintptr_t)packet->lpOverlapped);
}
