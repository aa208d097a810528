#include "tests/os_windows.h"

#include "tests/criterion/death.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#include <windows.h>

void set_environment(const char *name, const char *value)
{
    cr_assert_eq(_putenv_s(name, value ? value : ""), 0);
}

void never_dump_core(void)
{
}

static int captured;

/* Not tmpfile(), which wants to write to the root of the disk. */
void capture_stderr(void)
{
    char folder[MAX_PATH], path[MAX_PATH];
    cr_assert_gt(GetTempPathA(sizeof folder, folder), 0);
    cr_assert_neq(GetTempFileNameA(folder, "trp", 0, path), 0);
    captured = _open(path, _O_RDWR | _O_CREAT | _O_TRUNC | _O_BINARY | _O_TEMPORARY, _S_IREAD | _S_IWRITE);
    cr_assert_geq(captured, 0);
    cr_assert_eq(_dup2(captured, 2), 0);
}

void read_captured(char *text, size_t size)
{
    fflush(stderr);
    _lseek(captured, 0, SEEK_SET);
    int got = _read(captured, text, (unsigned)size - 1);
    text[got > 0 ? got : 0] = 0;
    _lseek(captured, 0, SEEK_END);
}

int death_of(void (*function)(void), char *report, size_t size)
{
    return ct_death(function, report, size);
}

void wait_for_the_end(void)
{
    Sleep(INFINITE);
}

/* nanosleep of winpthreads does not sleep at all for less than a millisecond. */
void sleep_for(int64_t ns)
{
    Sleep((DWORD)((ns + 999999) / 1000000));
}

bool is_wine(void)
{
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}
