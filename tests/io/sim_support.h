/*
 * sim_support.h: what tests share that run in a simulation, with scripts in the place of peers.
 *
 * The root of the one host is an owner, which notes all that it hears: its story, in one line.
 *
 *     connected | data hello | eof@5 | closed@12 TR_ECONNRESET
 *
 * "@12": so many whole milliseconds of virtual time after it began; none within the first. A story is told under many
 * seeds, and has to be the same under each: whoever has the next turn, and whether a send is tried at once or by the
 * next poll, as on the real ports.
 */
#ifndef TROUPE_TESTS_SIM_SUPPORT_H
#define TROUPE_TESTS_SIM_SUPPORT_H

#include "tests/support.h"

#include <inttypes.h>
#include <stdarg.h>

enum { SEEDS = 12, SEEDS_OF_TWO = 40, TALE = 8000 };

struct play {
    const tr_sim_step *steps; /* of the descriptor that the owner adopts, with these options … */
    tr_tcp_options tcp;
    int (*start)(tr_self *self); /* … or what it does instead; NULL: then `start` of the test's own does nothing */
    int (*heard)(tr_self *self, const tr_msg *m); /* what it does when it has noted a message; NULL: nothing */
    bool stays;                                   /* it does not end with its connection */
    tr_sim_options sim;
    unsigned descriptors, workers;
};

/* Of the run that goes on, or was the last. */
static struct {
    const struct play *play;
    tr_ref connection; /* the one that is adopted */
    int64_t begin;
    unsigned heard; /* messages of the owner's */
    size_t used;
    char tale[TALE]; /* the story */
    tr_sim_result result;
    int ended; /* the owner's last reason, or 1: it was not called */
} run;

/* ---- noting ------------------------------------------------------------------------------------------------------ */

static inline void tell(const char *format, ...) TR_FORMAT_(1, 2);
static inline void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(run.tale + run.used, sizeof run.tale - run.used, format, arguments);
    va_end(arguments);
    run.used += length > 0 ? (size_t)length : 0;
    cr_assert_lt(run.used, sizeof run.tale, "the story is too long: %s", run.tale);
}

/* A word, and when it was said. */
static inline void note(tr_self *self, const char *word)
{
    int64_t ms = (tr_now(self) - run.begin) / TR_MS(1);
    tell(run.used ? " | %s" : "%s", word);
    if (ms)
        tell("@%" PRId64, ms);
}

/* The story without its times. */
static inline void forget_times(void)
{
    char *to = run.tale;
    for (const char *from = run.tale; *from; from++)
        if (*from == '@')
            from += strspn(from + 1, "0123456789");
        else
            *to++ = *from;
    *to = 0;
}

static inline void tell_error(int reason)
{
    if (reason)
        tell(" %s", tr_error_name(reason));
}

static inline void tell_data(const tr_buf *buf)
{
    char bytes[41];
    size_t size = tr_buf_size(buf);
    if (size >= sizeof bytes) {
        tell(" of %zu bytes", size);
        return;
    }
    tr_buf_read(buf, 0, bytes, size);
    tell(" %.*s", (int)size, bytes);
}

/* Without the "tr_" and "tcp_" of its type; timers and answers as they are. */
static inline void note_message(tr_self *self, const tr_msg *m)
{
    const char *name = m->type->name;
    name += strncmp(name, "tr_", 3) == 0 ? 3 : 0;
    name += strncmp(name, "tcp_", 4) == 0 ? 4 : 0;
    note(self, name);
    if (tr_is(tr_tcp_data, m))
        tell_data(tr_body(tr_tcp_data, m)->buf);
    else if (tr_is(tr_tcp_writable, m))
        tell(" %s, %" PRIu64, tr_body(tr_tcp_writable, m)->writable ? "again" : "no", tr_body(tr_tcp_writable, m)->queued);
    else if (tr_is(tr_tcp_closed, m))
        tell_error(tr_body(tr_tcp_closed, m)->reason);
    else if (tr_is(tr_tcp_failed, m))
        tell_error(tr_body(tr_tcp_failed, m)->reason);
    else if (tr_is(tr_tcp_accept_paused, m))
        tell_error(tr_body(tr_tcp_accept_paused, m)->reason);
    else if (tr_is(tr_failed, m))
        tell_error(tr_body(tr_failed, m)->reason);
    else if (tr_is(tr_timeout, m))
        tell(" %" PRIu64, tr_body(tr_timeout, m)->tag);
    else if (tr_is(tr_tcp_info, m))
        tell(" %" PRIu64 " queued", tr_body(tr_tcp_info, m)->queued);
    if (tr_is(tr_tcp_closed, m) && tr_body(tr_tcp_closed, m)->dropped)
        tell(" %u dropped", tr_body(tr_tcp_closed, m)->dropped);
}

/* ---- the owner --------------------------------------------------------------------------------------------------- */

static int owner_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    run.begin = tr_now(self);
    if (run.play->steps)
        return tr_tcp_adopt_(self, &run.connection, tr_sim_descriptor(self, run.play->steps), &run.play->tcp);
    return run.play->start(self);
}

static int owner_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    run.heard++;
    note_message(self, m);
    int answer = run.play->heard ? run.play->heard(self, m) : TR_CONTINUE;
    bool over = (tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m)) && !run.play->stays;
    return answer == TR_CONTINUE && over ? TR_STOP : answer;
}

static void owner_stop(tr_self *self, void *state, int reason)
{
    (void)self;
    (void)state;
    run.ended = reason;
}

static const tr_actor owner_actor = { TR_SPEC, .name = "owner", .start = owner_start, .receive = owner_receive,
    .stop = owner_stop };

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* Once: the run's error. */
static inline int perform(uint64_t seed, const struct play *play)
{
    const tr_sim_host hosts[] = {
        { .name = "host", .actor = &owner_actor, .descriptors = play->descriptors, .workers = play->workers }, { 0 }
    };
    memset(&run, 0, sizeof run);
    run.play = play;
    run.ended = 1;
    tr_sim_options options = play->sim;
    options.buggify = TR_SIM_NEVER; /* a script says what is sent in one go */
    int error = tr_sim_run(seed, &options, hosts, &run.result);
    cr_assert_eq(error, run.result.error);
    return error;
}

/* Under each of many seeds nothing goes wrong, and this is the story:
 *     expect_story("connected | closed", .steps = steps) */
#define expect_story(story, ...) expect_story_((story), NULL, &(const struct play){ __VA_ARGS__ }, __LINE__)

/* It is the one or the other, and both happen. */
#define expect_either(story, other, ...) expect_story_((story), (other), &(const struct play){ __VA_ARGS__ }, __LINE__)

static inline void expect_story_(const char *story, const char *other, const struct play *play, int line)
{
    unsigned others = 0, seeds = other ? SEEDS_OF_TWO : SEEDS;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        int error = perform(seed, play);
        cr_assert_eq(error, 0, "line %d: %s: %s; the story: %s", line, tr_error_name(error), run.result.what, run.tale);
        if (other && strcmp(run.tale, other) == 0)
            others++;
        else
            cr_assert_str_eq(run.tale, story, "line %d, seed %" PRIu64 ":\n%s\nnot\n%s", line, seed, run.tale, story);
    }
    cr_assert(!other || (others && others < seeds), "line %d: %u of %u stories were the second", line, others, seeds);
}

/* The run ends with TR_EPROTO, and the result has all of these texts. */
#define expect_objection(play, ...) expect_objection_((play), (const char *const[]){ __VA_ARGS__, NULL }, __LINE__)

static inline void expect_objection_(const struct play *play, const char *const *texts, int line)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        int error = perform(seed, play);
        cr_assert_eq(error, TR_EPROTO, "line %d: %s: %s", line, tr_error_name(error), run.result.what);
        for (const char *const *text = texts; *text; text++)
            cr_assert_not_null(strstr(run.result.what, *text), "line %d: no \"%s\" in: %s", line, *text, run.result.what);
    }
}

#endif
