/* os.h: what threads and cores are like on this system; one file a system. */
#ifndef TRI_OS_H
#define TRI_OS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* How many cores this process may use: its affinity, cut by the quota of its control group (rounded up). At least 1. */
unsigned tri_os_cores(void);

/* Called by a worker's thread first: names the thread, and pins it to the index-th core it may use if asked to. */
void tri_os_worker_thread(unsigned index, bool pin);

/* Gives the calling thread a name of at most 15 characters, for debuggers. */
void tri_os_name_thread(const char *name);

/* Blocks every signal that another thread could take for the calling thread and those it creates, and the reverse. */
void tri_os_block_signals(sigset_t *old);
void tri_os_restore_signals(const sigset_t *old);

#endif
