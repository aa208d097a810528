/*
 * os.h: what the scheduler asks of the operating system: cores, threads, time, randomness; one file a system.
 *
 * Mutexes, conditions and threads are POSIX threads everywhere (winpthreads on Windows). What differs from system to
 * system is how a thread is begun, and how long one waits.
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

/* Nanoseconds of a clock that never goes back, and since 1970. For clock.c alone: all else asks that. */
int64_t tri_os_now(void);
int64_t tri_os_wall(void);

/* A condition that is waited for with tri_os_wait, or for ever with pthread_cond_wait. */
void tri_os_condition_init(pthread_cond_t *condition);

/* As pthread_cond_wait, until a moment of tri_os_now's clock: false when that has come. May return true for no reason. */
bool tri_os_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline);

/* Fills the bytes with what nobody can guess: false when the system has nothing of the kind. */
bool tri_os_random(void *bytes, size_t size);

#endif
