/*
 * crash.h: what is written to standard error when the process ends of a fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT; on
 * Windows an exception that nobody handles, and abort): which thread it was, and what it was doing.
 *
 *     troupe: SIGSEGV at address 0x10 on worker 1
 *     troupe:   in actor shard <0.12.1>, handling put from client <0.9.3>
 *     troupe:   handled there before, the last one first: get, get, tr_timeout, put
 *
 * After that all goes on as it would have without: whoever took the fault before takes it, else the system ends the process,
 * and has a core of it where the fault was.
 *
 * The report is made by the thread that has crashed, where it has crashed, so by nothing but loads, stores and write(): what it
 * looks at is in static memory, in thread-local words or in what is never given back. A fault while it is made, which only
 * memory that was overwritten can cause, ends it; the lines before are out. Threads of Troupe have a second stack for it, as
 * their own may be used up.
 *
 * It counts those who want it. Where a sanitizer is at work it does nothing: that has a report of its own.
 */
#ifndef TRI_CRASH_H
#define TRI_CRASH_H

#include <stdbool.h>
#include <stdint.h>

/* From now on faults are reported, until as many have called the second as the first. Any thread. */
void tri_crash_watch(void);
void tri_crash_unwatch(void);

/* Whether somebody wants it. Any thread, and while a fault is taken. */
bool tri_crash_watched(void);

/* Called by a thread of Troupe first and last: its second stack, if faults are watched. */
void tri_crash_thread_begin(void);
void tri_crash_thread_end(void);

/* ---- for the report's parts ----------------------------------------------------------------------------------------- */

/* Adds the lines on what runs on the calling thread: of the floor above, and of what is on no worker. */
extern void (*tri_crash_what)(void);

/* Add to the line that is being made; and write it. Nothing else may be called while a report is made. */
void tri_crash_text(const char *text); /* NULL: "?" */
void tri_crash_decimal(uint64_t number);
void tri_crash_hex(uint64_t number);
void tri_crash_line(void);

/* ---- between crash.c and the file of the system ---------------------------------------------------------------------- */

/* The report; what: the name of the fault; at: whether there is an address. */
void tri_crash_report(const char *what, bool at, uint64_t address, bool overflow);

/* Installs what takes faults, and puts back what was before. One at a time. */
void tri_crash_install(void);
void tri_crash_uninstall(void);

/* Writes to standard error. */
void tri_crash_write(const char *text, unsigned size);

/* The calling thread's number, not 0. */
uint32_t tri_crash_thread(void);

/* Waits a moment. */
void tri_crash_wait(void);

#endif
