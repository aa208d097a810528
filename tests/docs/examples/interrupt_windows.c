/*
 * interrupt PROCESS EVENT: on the console of that process (which is not this program's, so it is to be started detached),
 * presses Ctrl-C (0) or Ctrl-Break (1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

/* It is on that console, too, and must not die of the key. */
static BOOL WINAPI ignore(DWORD event)
{
    (void)event;
    return TRUE;
}

static int fail(const char *what)
{
    fprintf(stderr, "interrupt: %s: error %lu\n", what, GetLastError());
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    if (!AttachConsole(strtoul(argv[1], NULL, 10)))
        return fail("AttachConsole");
    if (!SetConsoleCtrlHandler(ignore, TRUE))
        return fail("SetConsoleCtrlHandler");
    if (!GenerateConsoleCtrlEvent(strtoul(argv[2], NULL, 10), 0))
        return fail("GenerateConsoleCtrlEvent");
    return EXIT_SUCCESS;
}
