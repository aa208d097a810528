#include <troupe/check.h>

#include "mailbox/message.h"
#include "sched/check.h"
#include "sched/sim.h"

#include <string.h>

bool tr_checks_on_;
void (*tri_check_failed)(const tr_check *check);
uint32_t tri_buggify_rate;

void tr_check_failed_(const tr_check *check)
{
    if (tri_sim_mine())
        tri_check_failed(check);
}

/* Whether a place (its file and function, not its line: a comment above it changes nothing) fires in this run at all follows
 * from the place and the seed, so that it is the same wherever the program was built; whether it does this time is drawn. */
bool tr_buggify_(const char *file, const char *function)
{
    enum { FIRES = 250000 };
    if (!tri_sim_mine())
        return false;
    const char *slash = strrchr(file, '/');
    struct tri_random place = { tri_hash(slash ? slash + 1 : file) + tri_hash(function) + tri_sim_here->seed };
    return tri_random_below(&place, 1000000) < tri_buggify_rate && tri_sim_chance(tri_sim_here, TRI_STREAM_USER, FIRES);
}

/* ---- the places of TR_SOMETIMES ---------------------------------------------------------------------------------- */

#ifdef _WIN32

/* The linker sorts the parts of a section by what follows the $. */
static tr_check *const first __attribute__((section(".trchk$a"), used)) = NULL;
static tr_check *const end __attribute__((section(".trchk$z"), used)) = NULL;

void tr_checks(void (*visit)(const tr_check *check, void *arg), void *arg)
{
    for (tr_check *const *at = &first + 1; at < &end; at++)
        if (*at)
            visit(*at, arg);
}

#else

enum { MODULES_MAX = 64 };

static struct {
    tr_check *const *first, *const *end;
} modules[MODULES_MAX]; /* programs and libraries; those that are loaded by and by come one at a time */

static unsigned module_count;

void tr_checks_here_(tr_check *const *first, tr_check *const *end)
{
    if (first == end || (module_count && modules[module_count - 1].first == first) || module_count == MODULES_MAX)
        return;
    modules[module_count].first = first;
    modules[module_count++].end = end;
}

void tr_checks(void (*visit)(const tr_check *check, void *arg), void *arg)
{
    for (unsigned i = 0; i < module_count; i++)
        for (tr_check *const *at = modules[i].first; at < modules[i].end; at++)
            visit(*at, arg);
}

#endif
