/*
 * bench.h: what the workloads share.
 *
 * A workload is a root actor that does a piece of work with other actors and then tells how long it took. The work, its
 * size and the check of its result are the same as in programs for other actor systems, so that one table can hold all
 * of them (see docs/performance.md). Everything is written as a program would write it: mailboxes have their bounds,
 * nobody switches a counter off, and a handler that has much to do does it in portions.
 */
#ifndef TROUPE_TESTS_BENCH_H
#define TROUPE_TESTS_BENCH_H

#include <troupe/troupe.h>

#include <stdlib.h>

struct bench_workload {
    const char *name;
    const tr_actor *root;  /* its argument is N, an int64_t */
    int (*run)(int64_t n); /* or without a system: it reports by itself, and answers 0 or an error */
    int64_t n;             /* unless the command line says otherwise */
    int64_t multiple;      /* what N is a multiple of from there on; 0: any */
    bool power_of_ten;     /* what N has to be */
    int64_t max;           /* what N is at most; 0: any */
};

extern const struct bench_workload bench_pingpong, bench_ring, bench_fanin, bench_big, bench_skynet, bench_idle,
    bench_timers, bench_chameneos, bench_sim;
extern const struct bench_workload bench_spawn, bench_monitor, bench_restart, bench_echo, bench_ask, bench_block,
    bench_post, bench_sleeper, bench_broadcast;

/* Nanoseconds of a clock that never goes back; actors of a simulation, whose time is another, use tr_now. Any thread. */
int64_t bench_now(void);

/* Of the Savina suite (Imam and Sarkar, 2014): tests/bench/savina. Its ping-pong, big and chameneos are those above,
 * and its thread ring is the ring above, with 100 actors where that has 503. */
extern const struct bench_workload bench_counting, bench_fjthrput, bench_fjcreate, bench_concdict, bench_concsll,
    bench_bndbuffer, bench_philosophers, bench_barber, bench_cigsmok, bench_logmap, bench_banking, bench_quicksort,
    bench_radixsort, bench_filterbank, bench_sieve, bench_uct, bench_trapezoid, bench_piprecision, bench_recmatmul,
    bench_nqueens, bench_astar, bench_sor, bench_apsp, bench_fib;

/* In the root's start: dead letters come to it from now on, because none is ever meant to be. So whatever gets lost
 * fails the run, and who sends need not look. */
void bench_watch(tr_self *self);

/* In the root's handler: the work was `ops` operations and has taken `ns`. The line is printed when the system has
 * ended in order. Answers TR_STOP. */
int bench_report(int64_t ops, int64_t ns);

/* Before that: more figures for the end of the line, as "key=value …"; the values are numbers. */
void bench_more(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* In a handler, for a message that no workload expects: says what it is, and fails. */
_Noreturn void bench_unexpected(const tr_msg *m);

/* The result must be right: else says what is wrong and ends the process with 1. Any thread. */
#define bench_check(right, what) ((right) ? (void)0 : bench_fail(what))
_Noreturn void bench_fail(const char *what);

/* An actor was to be spawned that nobody would miss in time: there must be one. Answers it. */
static inline tr_ref bench_spawned(tr_ref actor)
{
    bench_check(!tr_ref_is_nobody(actor), "an actor could not be spawned");
    return actor;
}

#endif
