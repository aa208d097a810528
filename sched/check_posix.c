/* The places of TR_SOMETIMES: every program or library that has any says where. */
#include <troupe/check.h>

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
