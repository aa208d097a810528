/*
 * process.h on Windows. A child inherits the writing end of its pipe; so that no other child does, which would keep the
 * pipe open, children are started one at a time. An argument is quoted as the C runtime of the child takes it apart:
 * backslashes count twice before a quotation mark, and nowhere else.
 */
#include "io/sim/tool/process.h"

#include "mailbox/error_windows.h"

#include <troupe/error.h>

#include <windows.h>

#include <io.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { LINE_ROOM = 32768 }; /* of Windows, for a command line */

/* Adds one character; false when the line is full. */
static bool add(char *line, size_t *length, char c)
{
    if (*length == LINE_ROOM - 1)
        return false;
    line[(*length)++] = c;
    line[*length] = 0;
    return true;
}

static bool add_word(char *line, size_t *length, const char *word)
{
    bool good = (*length == 0 || add(line, length, ' ')) && add(line, length, '"');
    for (const char *at = word; *at && good; at++) {
        size_t backslashes = strspn(at, "\\");
        bool counts = at[backslashes] == '"' || at[backslashes] == 0;
        for (size_t i = 0; i < (counts ? 2 : 1) * backslashes && good; i++)
            good = add(line, length, '\\');
        at += backslashes;
        if (*at == '"')
            good = good && add(line, length, '\\');
        if (!*at)
            break;
        good = good && add(line, length, *at);
    }
    return good && add(line, length, '"');
}

/* On a machine that is busy Wine now and then gives up on a process before it has begun. */
static int create(char *line, STARTUPINFOA *how, PROCESS_INFORMATION *child)
{
    for (int tries = 5;; tries--) {
        if (CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, how, child))
            return 0;
        DWORD error = GetLastError();
        if (error != ERROR_INTERNAL_ERROR || tries == 1)
            return tri_error_from_win32(error);
    }
}

static int start(struct process *process, char *line)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    PROCESS_INFORMATION child;
    HANDLE from, to, nothing = CreateFileA("NUL", GENERIC_READ, 0, &inherited, OPEN_EXISTING, 0, NULL);
    if (!CreatePipe(&from, &to, &inherited, 65536)) {
        CloseHandle(nothing);
        return tri_error_from_win32(GetLastError());
    }
    SetHandleInformation(from, HANDLE_FLAG_INHERIT, 0);
    STARTUPINFOA how = { .cb = sizeof how,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = nothing,
        .hStdOutput = to,
        .hStdError = to };
    int error = create(line, &how, &child);
    CloseHandle(to);
    CloseHandle(nothing);
    if (error) {
        CloseHandle(from);
        return error;
    }
    CloseHandle(child.hThread);
    *process = (struct process){ (intptr_t)child.hProcess, (intptr_t)from };
    return 0;
}

int process_start(struct process *process, const char *const *argv)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    static char line[LINE_ROOM];
    size_t length = 0;
    pthread_mutex_lock(&one);
    int error = 0;
    for (; *argv && !error; argv++)
        error = add_word(line, &length, *argv) ? 0 : TR_ELIMIT;
    error = error ? error : start(process, line);
    pthread_mutex_unlock(&one);
    return error;
}

size_t process_read(struct process *process, char *bytes, size_t size)
{
    DWORD got = 0;
    return ReadFile((HANDLE)process->pipe, bytes, (DWORD)size, &got, NULL) ? got : 0;
}

void process_close(struct process *process)
{
    CloseHandle((HANDLE)process->pipe);
}

void process_kill(struct process *process)
{
    TerminateProcess((HANDLE)process->process, 1);
}

void process_wait(struct process *process)
{
    WaitForSingleObject((HANDLE)process->process, INFINITE);
}

int process_end(struct process *process, char *how, size_t size)
{
    DWORD code = 0;
    GetExitCodeProcess((HANDLE)process->process, &code);
    CloseHandle((HANDLE)process->process);
    if (code != 3 && code < 256)
        return (int)code;
    snprintf(how, size, code == 3 ? "aborted" : "ended by the exception %#lx", (unsigned long)code);
    return -1;
}

bool process_terminal(void)
{
    return _isatty(2);
}
