/*
 * process_windows.h: see program.h. A process is started with pipes for its output, and with a console of its own that
 * nobody sees: only who has a console can be sent Ctrl-C or Ctrl-Break. interrupt.exe goes to that console and presses the
 * key, because a test that did would lose its own.
 *
 * The programs lie beside the test, or where they were built.
 */
#ifndef TROUPE_TESTS_PROCESS_WINDOWS_H
#define TROUPE_TESTS_PROCESS_WINDOWS_H

#include <windows.h>

#include <psapi.h>

struct stream {
    HANDLE pipe, arrived;
};

struct process {
    HANDLE handle;
    DWORD id;
    struct stream out, err;
};

static inline void find_program(const char *name, wchar_t *path, size_t size)
{
    DWORD length = GetModuleFileNameW(NULL, path, (DWORD)size);
    cr_assert(length > 0 && length < size);
    while (length > 0 && path[length - 1] != L'\\')
        length--;
    swprintf(path + length, size - length, L"%hs.exe", name);
    if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
        swprintf(path, size, L"%hs/%hs.exe", EXAMPLES, name);
}

/* Our end can be waited for with a time limit, unlike that of CreatePipe. The answer is the other, which is inherited. */
static inline HANDLE stream_open(struct stream *stream)
{
    static unsigned count;
    wchar_t name[64];
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    swprintf(name, sizeof name / sizeof name[0], L"\\\\.\\pipe\\troupe-%lu-%u", GetCurrentProcessId(), count++);
    stream->pipe = CreateNamedPipeW(name, PIPE_ACCESS_INBOUND | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE, 0, 1,
        65536, 65536, 0, NULL);
    cr_assert_neq(stream->pipe, INVALID_HANDLE_VALUE, "CreateNamedPipe: %lu", GetLastError());
    stream->arrived = CreateEventW(NULL, TRUE, FALSE, NULL);
    HANDLE theirs = CreateFileW(name, GENERIC_WRITE, 0, &inherited, OPEN_EXISTING, 0, NULL);
    cr_assert_neq(theirs, INVALID_HANDLE_VALUE, "CreateFile: %lu", GetLastError());
    return theirs;
}

static inline void stream_close(struct stream *stream)
{
    CloseHandle(stream->pipe);
    CloseHandle(stream->arrived);
}

static inline HANDLE start_program(const char *name, const char *arguments, DWORD flags, HANDLE out, HANDLE err, DWORD *id)
{
    wchar_t path[1024], command[2100];
    PROCESS_INFORMATION process;
    STARTUPINFOW startup = { .cb = sizeof startup,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
        .hStdOutput = out,
        .hStdError = err };
    find_program(name, path, sizeof path / sizeof path[0]);
    swprintf(command, sizeof command / sizeof command[0], L"\"%ls\" %hs", path, arguments);
    /* As in criterion/runner_windows.c: Wine now and then gives up on a process before it has begun. */
    for (int tries = 5;; tries--) {
        if (CreateProcessW(path, command, NULL, NULL, TRUE, flags, NULL, NULL, &startup, &process))
            break;
        DWORD error = GetLastError();
        cr_assert(tries > 0 && is_wine() && error == ERROR_INTERNAL_ERROR, "%ls does not start: error %lu", path, error);
    }
    CloseHandle(process.hThread);
    *id = process.dwProcessId;
    return process.hProcess;
}

static inline void process_start(struct process *p, const char *name, const char *arguments)
{
    HANDLE out = stream_open(&p->out), err = stream_open(&p->err);
    p->handle = start_program(name, arguments, CREATE_NO_WINDOW, out, err, &p->id);
    CloseHandle(out);
    CloseHandle(err);
}

/* Without the carriage returns. */
static inline size_t plain_text(char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        if (text[i] != '\r')
            text[length++] = text[i];
    return length;
}

/* What there is: its size, 0 at the end, -1 when nothing comes in time. */
static inline long stream_read(struct stream *from, char *text, size_t size, int ms)
{
    for (;;) {
        OVERLAPPED reading = { .hEvent = from->arrived };
        DWORD got = 0, error = 0;
        if (!ReadFile(from->pipe, text, (DWORD)size, NULL, &reading))
            error = GetLastError();
        if (error && error != ERROR_IO_PENDING)
            return 0; /* ERROR_BROKEN_PIPE */
        if (error && WaitForSingleObject(from->arrived, (DWORD)ms) != WAIT_OBJECT_0)
            CancelIoEx(from->pipe, &reading);
        if (!GetOverlappedResult(from->pipe, &reading, &got, TRUE))
            return GetLastError() == ERROR_OPERATION_ABORTED ? -1 : 0;
        size_t length = plain_text(text, got);
        if (length > 0)
            return (long)length;
    }
}

/* SIGINT is Ctrl-C, SIGTERM is Ctrl-Break; Wine 8 has only Ctrl-C. */
static inline void process_signal(struct process *p, int number)
{
    char arguments[64];
    DWORD id, code = 1;
    DWORD event = number == SIGTERM && !is_wine() ? CTRL_BREAK_EVENT : CTRL_C_EVENT;
    snprintf(arguments, sizeof arguments, "%lu %lu", p->id, event);
    HANDLE helper = start_program("interrupt", arguments, DETACHED_PROCESS, GetStdHandle(STD_OUTPUT_HANDLE),
        GetStdHandle(STD_ERROR_HANDLE), &id);
    WaitForSingleObject(helper, INFINITE); /* the test's own limit ends both */
    GetExitCodeProcess(helper, &code);
    CloseHandle(helper);
    cr_assert_eq(code, 0u, "interrupt %s: exit code %lu", arguments, code);
}

/* The exit code. */
static inline int process_wait(struct process *p)
{
    DWORD code = 0;
    cr_assert_eq(WaitForSingleObject(p->handle, SOON_MS), (DWORD)WAIT_OBJECT_0, "the program does not end");
    GetExitCodeProcess(p->handle, &code);
    stream_close(&p->out);
    stream_close(&p->err);
    CloseHandle(p->handle);
    cr_assert(code < 256 && code != 3, "it has crashed: exit code %#lx", code);
    return (int)code;
}

static inline long process_peak_kb(const struct process *p)
{
    PROCESS_MEMORY_COUNTERS memory = { .cb = sizeof memory };
    return K32GetProcessMemoryInfo(p->handle, &memory, sizeof memory) ? (long)(memory.PeakWorkingSetSize / 1024) : -1;
}

#endif
