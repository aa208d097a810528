#include "io/sim/tool/shrink.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

unsigned shrunk_words(const struct shrunk *shrunk, char text[SHRUNK_WORDS][FAULT_WORD])
{
    unsigned count = 0;
    snprintf(text[count++], FAULT_WORD, "--fault");
    snprintf(text[count++], FAULT_WORD, "all=0");
    for (unsigned i = 0; i < KINDS; i++)
        if (shrunk->rates[i]) {
            snprintf(text[count++], FAULT_WORD, "--fault");
            snprintf(text[count++], FAULT_WORD, "%s=%" PRIu64, kind_names[i], shrunk->rates[i]);
        }
    if (shrunk->for_ns) {
        snprintf(text[count++], FAULT_WORD, "--for");
        snprintf(text[count++], FAULT_WORD, "%" PRId64 "us", shrunk->for_ns / 1000);
    }
    return count;
}

/* Just as long as it takes to fail, in whole microseconds. */
static int64_t time_of(const struct outcome *outcome)
{
    return outcome->ending == FAILED ? (outcome->virtual_ns / 1000 + 1) * 1000 : 0;
}

/* Whether some seed near fails like the last one; then this is the last one. */
static bool try(struct shrunk *last, struct shrunk *next, const struct search *search, char **broken)
{
    char text[SHRUNK_WORDS][FAULT_WORD];
    struct search s = *search;
    uint64_t left = UINT64_MAX - last->outcome.seed;
    size_t count = 0;
    if (*broken)
        return false;
    while (search->argv[count])
        count++;
    s.argv = memory(NULL, (count + SHRUNK_WORDS + 1) * sizeof *s.argv);
    memcpy(s.argv, search->argv, count * sizeof *s.argv);
    for (unsigned i = 0, words = shrunk_words(next, text); i < words; i++)
        s.argv[count++] = text[i];
    s.argv[count] = NULL;
    s.first = last->outcome.seed;
    s.count = left < search->count ? left : search->count;
    s.like = &last->outcome;
    s.keep_going = false;
    search_run(&s);
    free(s.argv);
    last->tries++;
    bool found = !s.broken && s.failed_count;
    if (s.broken)
        *broken = copy(s.broken);
    if (found) {
        free(last->outcome.output);
        next->outcome = s.failed[0];
        next->outcome.output = copy(s.failed[0].output);
        next->tries = last->tries;
        *last = *next;
    }
    search_free(&s);
    return found;
}

static void drop_kinds(struct shrunk *shrunk, const struct search *search, char **broken)
{
    struct shrunk next = *shrunk;
    memset(next.rates, 0, sizeof next.rates);
    if (try(shrunk, &next, search, broken))
        return;
    for (unsigned i = 0; i < KINDS; i++) {
        next = *shrunk;
        next.rates[i] = 0;
        if (shrunk->rates[i])
            try(shrunk, &next, search, broken);
    }
}

static void halve_rates(struct shrunk *shrunk, const struct search *search, char **broken)
{
    for (unsigned i = 0; i < KINDS; i++)
        for (bool found = true; found && shrunk->rates[i];) {
            struct shrunk next = *shrunk;
            next.rates[i] /= 2;
            found = try(shrunk, &next, search, broken);
        }
}

static void halve_time(struct shrunk *shrunk, const struct search *search, char **broken)
{
    for (bool found = true; found && shrunk->for_ns > TR_US(1);) {
        struct shrunk next = *shrunk;
        shrunk->for_ns = time_of(&shrunk->outcome);
        next.for_ns = shrunk->for_ns / 2000 * 1000;
        found = try(shrunk, &next, search, broken);
    }
}

char *shrink(struct shrunk *shrunk, const struct search *search)
{
    char *broken = NULL;
    shrunk->for_ns = time_of(&shrunk->outcome); /* what fails later is not smaller */
    drop_kinds(shrunk, search, &broken);
    halve_rates(shrunk, search, &broken);
    halve_time(shrunk, search, &broken);
    return broken;
}
