/*
 * <troupe/check.h>: what a program says about itself, for simulations (see <troupe/sim.h>).
 *
 *     TR_ALWAYS(account->balance >= 0);          is never to be untrue: the run ends there, with file, line and seed
 *     TR_SOMETIMES(retries > 2);                 is to be true in some run: a runner says which never were
 *     if (TR_BUGGIFY())                          does what is allowed but rare, in some runs
 *         batch = 1;
 *
 * Outside of a simulation they cost a look at one variable, and nothing is evaluated. In handlers, and in what they call;
 * in functions, where a statement may stand (TR_BUGGIFY: an expression).
 */
#ifndef TROUPE_CHECK_H
#define TROUPE_CHECK_H

#include <troupe/language.h>

#include <stdbool.h>
#include <stdint.h>

TR_BEGIN_C_

/* A place in the source. */
typedef struct tr_check {
    const char *text, *file;
    int line;
    uint64_t reached; /* TR_SOMETIMES: how often it was true, since the process began */
} tr_check;

#define TR_ALWAYS(condition) \
    do { \
        if (tr_checks_on_ && !(condition)) { \
            static const tr_check check_ = { .text = #condition, .file = __FILE__, .line = __LINE__ }; \
            tr_check_failed_(&check_); \
        } \
    } while (0)

#define TR_SOMETIMES(condition) \
    do { \
        static tr_check check_ = { .text = #condition, .file = __FILE__, .line = __LINE__ }; \
        static tr_check *const entry_ TR_CHECK_SECTION_ = &check_; /* known although it is never reached */ \
        if (tr_checks_on_ && (condition)) \
            check_.reached++; \
        (void)entry_; \
    } while (0)

#define TR_BUGGIFY() (tr_checks_on_ && tr_buggify_(__FILE__, __func__))

/* ---- all places of TR_SOMETIMES ------------------------------------------------------------------------------------ */

/* Calls `visit` for each place of TR_SOMETIMES in the program. Any thread; what is visited must not run meanwhile. */
void tr_checks(void (*visit)(const tr_check *check, void *arg), void *arg);

/* ---- behind the macros ------------------------------------------------------------------------------------------- */

extern bool tr_checks_on_; /* a simulation runs; its thread alone has anything to check */
void tr_check_failed_(const tr_check *check);
bool tr_buggify_(const char *file, const char *function);

/* The places are in a section of their own; every program or library that has any says where. */
#ifdef _WIN32
#define TR_CHECK_SECTION_ __attribute__((section(".trchk$m"), used))
#else
#define TR_CHECK_SECTION_ __attribute__((section("troupe_checks"), used))
extern tr_check *const __start_troupe_checks[] __attribute__((weak, visibility("hidden")));
extern tr_check *const __stop_troupe_checks[] __attribute__((weak, visibility("hidden")));
void tr_checks_here_(tr_check *const *first, tr_check *const *end);

__attribute__((constructor, unused)) static void tr_checks_say_(void)
{
    tr_checks_here_(__start_troupe_checks, __stop_troupe_checks);
}
#endif

TR_END_C_

#endif
