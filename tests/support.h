/*
 * support.h: what tests of running systems share.
 *
 * A system with a root that does nothing, and a probe in it: tests act through the probe.
 */
#ifndef TROUPE_TESTS_SUPPORT_H
#define TROUPE_TESTS_SUPPORT_H

#include "actors/promise.h"
#include "actors/self.h"
#include "mailbox/pool.h"
#include "tests/os.h"
#include "tests/patience.h"
#include "tests/sanitized.h"

#include <criterion/criterion.h>
#include <troupe/troupe.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A time limit that is only ever reached when something is wrong. */
#define SOON TR_SECONDS(patience_s())

static tr_system test_system;
static tr_probe *probe;

static int quiet_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    (void)state;
    (void)m;
    return TR_CONTINUE;
}

static const tr_actor quiet_root = { TR_SPEC, .name = "root", .receive = quiet_receive };

/* Opens a system with these options; without a root in them it gets the quiet one. */
static inline void open_system_with(tr_options options)
{
    if (getenv("TROUPE_LAST_GENERATIONS") && !tri_slots.chunk_count) /* each slot has two or three, and is retired */
        tri_slot_generation_first = TRI_SLOT_LAST_GENERATION - 3;
    if (!options.actor && !options.supervisor)
        options.actor = &quiet_root;
    if (!options.seed)
        options.seed = 42;
    if (!options.watchdog_ns)
        options.watchdog_ns = TR_FOREVER; /* what it says of a slow machine is not expected */
    cr_assert_eq(tr_open(&test_system, &options), 0);
    probe = tr_probe_open(&test_system);
    cr_assert_not_null(probe);
}

static inline void open_system(unsigned workers)
{
    open_system_with((tr_options){ .workers = workers });
}

/* Elements of a type-stable table that are in use; all caches have been emptied when no system runs. */
static inline int64_t table_in_use(const struct tri_table *table)
{
    int64_t all = (int64_t)table->chunk_count << TRI_TABLE_CHUNK_BITS;
    return all ? all - 1 - (int64_t)table->free.count - (int64_t)table->retired : 0;
}

/* Nothing is left of any system: for after the last one was closed, which has checked that all messages had a fate. */
static inline void expect_nothing_left(void)
{
    cr_assert_eq(table_in_use(&tri_slots), 0, "slots are left: %ld", (long)table_in_use(&tri_slots));
    cr_assert_eq(table_in_use(&tri_promises), 0, "promises are left: %ld", (long)table_in_use(&tri_promises));
    cr_assert_eq(tri_pool_balance(), 0, "blocks are left: %ld", (long)tri_pool_balance());
}

/* Closes it, and checks that nothing is left of it. */
static inline void close_system(void)
{
    tr_probe_close(probe);
    cr_assert_eq(tr_close(&test_system), 0);
    expect_nothing_left();
}

/* The next message, which must come and be of this type. */
#define expect(name) expect_((tr_probe_receive(probe, SOON)), &name##_type, #name, __LINE__)

static inline const tr_msg *expect_(const tr_msg *m, const tr_type *type, const char *name, int line)
{
    cr_assert_not_null(m, "line %d: no %s came", line, name);
    cr_assert_eq(m->type, type, "line %d: a %s came, not a %s", line, m->type->name, name);
    return m;
}

#define expect_nothing(ns) \
    do { \
        const tr_msg *surprise_ = tr_probe_receive(probe, (ns)); \
        cr_assert_null(surprise_, "a %s came", surprise_->type->name); \
    } while (0)

/* Goes round until the condition holds, for what needs two threads to be where they shall be: on a busy machine it may take
 * many rounds. Whether it did hold is to be asserted behind it. */
#define rounds_until(condition) \
    for (int64_t limit_ = tri_clock_now(&tri_clock_real) + SOON; !(condition) && tri_clock_now(&tri_clock_real) < limit_;)

/* ---- how much ---------------------------------------------------------------------------------------------------- */

/* The size of a stress test: bounded in the default suite, whole at night (TROUPE_NIGHT in the environment), but for a fifth
 * with a sanitizer. */
static inline unsigned scaled(unsigned usual, unsigned at_night)
{
    unsigned less = SANITIZED && at_night / 5 > usual ? at_night / 5 : at_night;
    return getenv("TROUPE_NIGHT") ? less : usual;
}

/* ---- a handler that does not return ------------------------------------------------------------------------------ */

/* A count that can be waited for: a semaphore, on the stack if need be, for what all share outlives them. (Semaphores of
 * winpthreads are a hundred times slower.) */
struct tally {
    unsigned count;
};

static struct {
    pthread_once_t once;
    pthread_mutex_t lock;
    struct tri_condition changed;
} tallies = { .once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER };

static inline void tallies_init(void)
{
    tri_condition_init(&tallies.changed);
}

static inline void tally_init(struct tally *tally)
{
    pthread_once(&tallies.once, tallies_init);
    tally->count = 0;
}

static inline void tally_add(struct tally *tally)
{
    pthread_mutex_lock(&tallies.lock);
    tally->count++;
    tri_condition_broadcast(&tallies.changed);
    pthread_mutex_unlock(&tallies.lock);
}

/* Waits until the count is not 0, and takes one off. */
static inline void tally_take(struct tally *tally)
{
    pthread_mutex_lock(&tallies.lock);
    while (tally->count == 0)
        tri_condition_wait(&tallies.changed, &tallies.lock);
    tally->count--;
    pthread_mutex_unlock(&tallies.lock);
}

static inline unsigned tally_count(const struct tally *tally)
{
    pthread_mutex_lock(&tallies.lock);
    unsigned count = tally->count;
    pthread_mutex_unlock(&tallies.lock);
    return count;
}

/* A gate holds whoever passes it, a handler or a blocking job, until it is opened. */
struct gate {
    struct tally reached, open;
};

static inline void gate_init(struct gate *gate)
{
    tally_init(&gate->reached);
    tally_init(&gate->open);
}

static inline void gate_pass(struct gate *gate)
{
    tally_add(&gate->reached);
    tally_take(&gate->open);
}

/* Waits until somebody stands at the gate. */
static inline void gate_await(struct gate *gate)
{
    tally_take(&gate->reached);
}

static inline void gate_open(struct gate *gate)
{
    tally_add(&gate->open);
}

/* ---- what is logged ---------------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t used;
    char text[1 << 16];
} captured = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static inline void capture(void *arg, const tr_log_record *record)
{
    (void)arg;
    pthread_mutex_lock(&captured.lock);
    size_t room = sizeof captured.text - captured.used;
    int length = snprintf(captured.text + captured.used, room, "%s: %s\n", record->actor, record->text);
    if (length > 0 && (size_t)length < room)
        captured.used += (size_t)length;
    pthread_cond_broadcast(&captured.changed);
    pthread_mutex_unlock(&captured.lock);
}

/* From now on lines up to this level, "actor <ref>: text", go where logged() finds them. */
static inline void capture_log(enum tr_log_level level)
{
    tr_log_level(level);
    tr_log_to(capture, NULL);
}

/* How many lines hold this text. */
static inline unsigned logged(const char *text)
{
    unsigned times = 0;
    pthread_mutex_lock(&captured.lock);
    for (const char *at = captured.text; (at = strstr(at, text)); at++)
        times++;
    pthread_mutex_unlock(&captured.lock);
    return times;
}

/* Waits for a line with this text. */
static inline void expect_logged(const char *text)
{
    struct timespec until;
    int error = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SOON / TR_SECONDS(1);
    pthread_mutex_lock(&captured.lock);
    while (!strstr(captured.text, text) && !error)
        error = pthread_cond_timedwait(&captured.changed, &captured.lock, &until);
    pthread_mutex_unlock(&captured.lock);
    cr_assert_eq(error, 0, "\"%s\" was not logged, but:\n%s", text, captured.text);
}

/* ---- programmer errors ------------------------------------------------------------------------------------------- */

/* A process that runs this function must die of a panic whose report holds all of these texts. To be called when no other
 * thread runs: before a system is opened. */
#define expect_panic(function, ...) expect_panic_((function), #function, (const char *const[]){ __VA_ARGS__, NULL })

static inline void expect_panic_(void (*function)(void), const char *name, const char *const *texts)
{
    char report[4096];
    int number = death_of(function, report, sizeof report);
    if (number < 0)
        return;
    cr_assert_eq(number, SIGABRT, "%s: no panic, but signal %d: %s", name, number, report);
    for (; *texts; texts++)
        cr_assert_not_null(strstr(report, *texts), "%s: no \"%s\" in: %s", name, *texts, report);
}

#endif
