#include "tests/bench/resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

double resources_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/* A line of /proc/self/status. */
static int64_t status_kib(const char *key)
{
    char line[256];
    int64_t kib = -1;
    size_t length = strlen(key);
    FILE *file = fopen("/proc/self/status", "r");
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            kib = strtoll(line + length + 1, NULL, 10);
    if (file)
        fclose(file);
    return kib;
}

int64_t resources_rss_kib(void)
{
    return status_kib("VmRSS");
}

int64_t resources_peak_rss_kib(void)
{
    return status_kib("VmHWM");
}
