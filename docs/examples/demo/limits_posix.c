#include "../options.h"
#include "limits.h"

#include <sys/resource.h>

void allow_descriptors(const char *program, unsigned connections)
{
    struct rlimit limit;
    rlim_t needed = connections * 2 + connections / 4 + 100;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < needed)
        options_fail(program, "%u connections take %u open files, but this process may have only %u (see ulimit -n)",
            connections, (unsigned)needed, (unsigned)limit.rlim_max);
}
