/*
 * patience.h: the one time limit of the tests.
 *
 * It is only ever reached when something is wrong: it makes a hang a failure that names its line. So it guards against what
 * hangs, and not against a machine that is busy with other things, of which a test may get a tenth: it is generous, for it
 * costs nothing as long as all is well. CTest's limits (tests/CMakeLists.txt) and the runners' are above it, so that a hang
 * has a name. Whoever expects hangs (tests/teeth/) wants less of it: TROUPE_PATIENCE, in seconds.
 */
#ifndef TROUPE_TESTS_PATIENCE_H
#define TROUPE_TESTS_PATIENCE_H

#include <stdlib.h>

static inline int patience_s(void)
{
    const char *wanted = getenv("TROUPE_PATIENCE");
    return wanted ? atoi(wanted) : getenv("TROUPE_NIGHT") ? 500 : 240;
}

#endif
