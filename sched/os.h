/*
 * os.h: what the scheduler asks of the operating system: cores, threads, time, randomness; one file a system.
 *
 * Mutexes and threads are POSIX threads everywhere (winpthreads on Windows). Conditions are not: those of winpthreads know
 * the wall clock only, and a wake-up costs a chain of calls into the kernel.
 */
#ifndef TRI_OS_H
#define TRI_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many cores this process may use: its affinity, cut by the quota of its control group or job (rounded up). At least
 * 1. */
unsigned tri_os_cores(void);

/* Begins a thread that takes no signal that another thread could take: 0, or TR_EAGAIN when there can be no more. */
int tri_os_start_thread(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Called by a worker's thread first: names the thread, and pins it to the index-th core it may use if asked to. */
void tri_os_worker_thread(unsigned index, bool pin);

/* Gives the calling thread a name of at most 15 characters, for debuggers. */
void tri_os_name_thread(const char *name);

/* Gets ready for tri_os_barrier: false when this system has nothing of the kind. Best while there is one thread. */
bool tri_os_barrier_open(void);

/* Every other thread of the process passes a full fence between this call's beginning and its end. */
void tri_os_barrier(void);

/* The processor time that a thread has used, in nanoseconds; 0 when the system does not say. The thread has not been joined. */
int64_t tri_os_thread_time(pthread_t thread);

/* Nanoseconds of a clock that never goes back, and since 1970. For clock.c alone: all else asks that. */
int64_t tri_os_now(void);
int64_t tri_os_wall(void);

/* Conditions as of POSIX threads, with time limits that are moments of tri_os_now's clock. */
struct tri_condition {
#if defined(_WIN32)
    uint32_t signals; /* how many there have been */
#else
    pthread_cond_t posix;
#endif
};

void tri_condition_init(struct tri_condition *condition);
void tri_condition_destroy(struct tri_condition *condition);
void tri_condition_signal(struct tri_condition *condition);
void tri_condition_broadcast(struct tri_condition *condition);

/* Both may return for no reason. */
void tri_condition_wait(struct tri_condition *condition, pthread_mutex_t *lock);

/* True, or false when the deadline has come. */
bool tri_condition_wait_until(struct tri_condition *condition, pthread_mutex_t *lock, int64_t deadline);

/* A bell wakes one who waits for that something has changed. It needs no lock, so it can be rung in a signal handler. Who waits
 * notes how often it has been rung, looks whether it has changed, and waits for the next time. */
struct tri_bell {
    uint32_t rings;
};

void tri_bell_ring(struct tri_bell *bell);
uint32_t tri_bell_heard(const struct tri_bell *bell);

/* Until it has been rung since then, or the deadline has come: false; or for no reason. */
bool tri_bell_wait(struct tri_bell *bell, uint32_t heard, int64_t deadline);

/* Fills the bytes with what nobody can guess: false when the system has nothing of the kind. */
bool tri_os_random(void *bytes, size_t size);

#endif
