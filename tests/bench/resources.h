/* resources.h: what this process has used so far: resources_posix.c, resources_windows.c. */
#ifndef TROUPE_TESTS_RESOURCES_H
#define TROUPE_TESTS_RESOURCES_H

#include <stdint.h>

double resources_cpu_seconds(void);   /* of all threads, in the program and in the system */
int64_t resources_rss_kib(void);      /* memory that is resident now … */
int64_t resources_peak_rss_kib(void); /* … and at most */

#endif
