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

#include <criterion/criterion.h>
#include <troupe/troupe.h>

#define SOON TR_SECONDS(10) /* a time limit that is only ever reached when something is wrong */

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

static inline void open_system(unsigned workers)
{
    cr_assert_eq(tr_open(&test_system, &(tr_options){ .actor = &quiet_root, .workers = workers, .seed = 42 }), 0);
    probe = tr_probe_open(&test_system);
    cr_assert_not_null(probe);
}

/* Elements of a type-stable table that are in use; all caches have been emptied when no system runs. */
static inline int64_t table_in_use(const struct tri_table *table)
{
    int64_t all = (int64_t)table->chunk_count << TRI_TABLE_CHUNK_BITS;
    return all ? all - 1 - (int64_t)table->free.count : 0;
}

/* Closes it, and checks that nothing is left of it. */
static inline void close_system(void)
{
    tr_probe_close(probe);
    cr_assert_eq(tr_close(&test_system), 0);
    cr_assert_eq(table_in_use(&tri_slots), 0, "slots are left: %ld", (long)table_in_use(&tri_slots));
    cr_assert_eq(table_in_use(&tri_promises), 0, "promises are left: %ld", (long)table_in_use(&tri_promises));
    cr_assert_eq(tri_pool_balance(), 0, "blocks are left: %ld", (long)tri_pool_balance());
}

/* The next message, which must come and be of this type. */
#define expect(name)                                                                                              \
    expect_((tr_probe_receive(probe, SOON)), &name##_type, #name, __LINE__)

static inline const tr_msg *expect_(const tr_msg *m, const tr_type *type, const char *name, int line)
{
    cr_assert_not_null(m, "line %d: no %s came", line, name);
    cr_assert_eq(m->type, type, "line %d: a %s came, not a %s", line, m->type->name, name);
    return m;
}

#define expect_nothing(ns)                                                                                        \
    do {                                                                                                          \
        const tr_msg *surprise_ = tr_probe_receive(probe, (ns));                                                  \
        cr_assert_null(surprise_, "a %s came", surprise_->type->name);                                            \
    } while (0)

#endif
