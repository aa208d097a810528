#include "tests/bench/resources.h"

#include <windows.h>

#include <psapi.h>

/* In units of 100 ns. */
static double seconds(FILETIME t)
{
    return (double)((uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime) * 1e-7;
}

double resources_cpu_seconds(void)
{
    FILETIME created, ended, kernel, user;
    if (!GetProcessTimes(GetCurrentProcess(), &created, &ended, &kernel, &user))
        return -1;
    return seconds(kernel) + seconds(user);
}

int64_t resources_rss_kib(void)
{
    PROCESS_MEMORY_COUNTERS memory = { .cb = sizeof memory };
    return K32GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory) ? (int64_t)memory.WorkingSetSize / 1024 : -1;
}

int64_t resources_peak_rss_kib(void)
{
    PROCESS_MEMORY_COUNTERS memory = { .cb = sizeof memory };
    return K32GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory) ? (int64_t)memory.PeakWorkingSetSize / 1024
                                                                                : -1;
}
