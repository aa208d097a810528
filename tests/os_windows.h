/* os_windows.h: see os.h. Without <windows.h>, which takes many a name. */
#ifndef TROUPE_TESTS_OS_WINDOWS_H
#define TROUPE_TESTS_OS_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void set_environment(const char *name, const char *value);
void never_dump_core(void);
void capture_stderr(void);
void read_captured(char *text, size_t size);
int death_of(void (*function)(void), char *report, size_t size);
void wait_for_the_end(void);
void sleep_for(int64_t ns);

/* What Wine cannot do is skipped there, and tested on Windows. */
bool is_wine(void);

#endif
