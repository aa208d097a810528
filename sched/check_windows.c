/* The places of TR_SOMETIMES: the linker sorts the parts of a section by what follows the $. */
#include <troupe/check.h>

#include <stddef.h>

static tr_check *const first __attribute__((section(".trchk$a"), used)) = NULL;
static tr_check *const end __attribute__((section(".trchk$z"), used)) = NULL;

void tr_checks(void (*visit)(const tr_check *check, void *arg), void *arg)
{
    for (tr_check *const *at = &first + 1; at < &end; at++)
        if (*at)
            visit(*at, arg);
}
