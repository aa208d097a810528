/*
 * One process and one job object per test. The program starts itself with options of its own:
 *
 *     --ct-run=NUMBER --ct-record=HANDLE     runs one test; the record is memory that both share
 *     --ct-death=NTH                         and in it only the NTH call of ct_death
 *
 * The job ends all that a test leaves behind. A process is put into its job before its first instruction, so that it
 * cannot have started another outside.
 */
#include "tests/criterion/runner.h"

#include "tests/criterion/death.h"

#include <signal.h>
#include <windows.h>

enum { USUAL_SECONDS = 300 /* more than patience.h has */, CODE_ABORT = 3 };

static struct {
    HANDLE record;
    int wanted;
    unsigned death, deaths; /* which one this process is for, 0: none; and how many have been */
} own = { .wanted = -1 };

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    ct_leave(1);
}

static void map_record(void)
{
    ct_record = MapViewOfFile(own.record, FILE_MAP_ALL_ACCESS, 0, 0, sizeof *ct_record);
    if (!ct_record)
        give_up("MapViewOfFile");
}

void ct_open(void)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* no dialogues; children inherit it */
    own.record = CreateFileMappingW(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, sizeof *ct_record, NULL);
    if (!own.record)
        give_up("CreateFileMapping");
    map_record();
}

/* What nobody handles ends the process at once, with the exception's code and without a debugger. */
static LONG CALLBACK on_crash(EXCEPTION_POINTERS *exception)
{
    TerminateProcess(GetCurrentProcess(), exception->ExceptionRecord->ExceptionCode);
    return EXCEPTION_CONTINUE_SEARCH;
}

/* A stack overflow must not get as far as that: under Wine it would end the process with code 0, or only the thread. */
static LONG CALLBACK on_exception(EXCEPTION_POINTERS *exception)
{
    return exception->ExceptionRecord->ExceptionCode == (DWORD)EXCEPTION_STACK_OVERFLOW ? on_crash(exception)
                                                                                        : EXCEPTION_CONTINUE_SEARCH;
}

bool ct_own_option(const char *option)
{
    if (strncmp(option, "--ct-run=", 9) == 0) {
        own.wanted = atoi(option + 9);
        AddVectoredExceptionHandler(1, on_exception);
        SetUnhandledExceptionFilter(on_crash);
    } else if (strncmp(option, "--ct-record=", 12) == 0) {
        own.record = (HANDLE)(uintptr_t)strtoull(option + 12, NULL, 10);
        map_record();
    } else if (strncmp(option, "--ct-death=", 11) == 0) {
        own.death = (unsigned)atoi(option + 11);
    } else {
        return false;
    }
    return true;
}

int ct_wanted(void)
{
    return own.wanted;
}

_Noreturn void ct_leave(int code)
{
    fflush(stderr);
    TerminateProcess(GetCurrentProcess(), (UINT)code);
    abort();
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

/* This program once more, suspended. */
static PROCESS_INFORMATION start_again(const char *options, HANDLE error)
{
    wchar_t program[4096], command[256];
    PROCESS_INFORMATION process;
    STARTUPINFOW startup = {
        .cb = sizeof startup,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
        .hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE),
        .hStdError = error,
    };
    DWORD length = GetModuleFileNameW(NULL, program, sizeof program / sizeof program[0]);
    if (length == 0 || length == sizeof program / sizeof program[0])
        give_up("GetModuleFileName");
    swprintf(command, sizeof command / sizeof command[0], L"test %hs", options);
    if (!CreateProcessW(program, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, &process))
        give_up("CreateProcess");
    return process;
}

static HANDLE make_job(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    };
    HANDLE job = CreateJobObjectW(NULL, NULL);
    if (!job || !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits))
        give_up("CreateJobObject");
    return job;
}

static int signal_of(DWORD code)
{
    switch (code) {
    case CODE_ABORT:
    case STATUS_STACK_BUFFER_OVERRUN: /* abort() of newer C libraries */ return SIGABRT;
    case STATUS_ILLEGAL_INSTRUCTION:
    case STATUS_PRIVILEGED_INSTRUCTION: return SIGILL;
    case STATUS_INTEGER_DIVIDE_BY_ZERO:
    case STATUS_INTEGER_OVERFLOW:
    case STATUS_FLOAT_DIVIDE_BY_ZERO: return SIGFPE;
    default: return code >= 0xC0000000 ? SIGSEGV : 0; /* an access violation, a stack overflow, another exception */
    }
}

static struct ct_end wait_for_end(HANDLE process, DWORD ms)
{
    struct ct_end end = { 0 };
    DWORD code = 0;
    end.late = WaitForSingleObject(process, ms) != WAIT_OBJECT_0;
    if (end.late) {
        TerminateProcess(process, 1);
        WaitForSingleObject(process, INFINITE);
    }
    GetExitCodeProcess(process, &code);
    end.signal = signal_of(code);
    end.code = end.signal ? 0 : code;
    snprintf(end.text, sizeof end.text, end.late ? "timed out" : end.signal ? "exit code %#lx" : "exit code %lu", code);
    return end;
}

struct ct_end ct_run_elsewhere(const struct ct_test *test, unsigned number, double seconds)
{
    char options[100];
    (void)test;
    snprintf(options, sizeof options, "--ct-run=%u --ct-record=%llu", number, (unsigned long long)(uintptr_t)own.record);
    HANDLE job = make_job();
    PROCESS_INFORMATION process = start_again(options, GetStdHandle(STD_ERROR_HANDLE));
    if (!AssignProcessToJobObject(job, process.hProcess))
        give_up("AssignProcessToJobObject");
    ResumeThread(process.hThread);
    struct ct_end end = wait_for_end(process.hProcess, (DWORD)((seconds > 0 ? seconds : USUAL_SECONDS) * 1000));
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    CloseHandle(job);
    return end;
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static void read_all(HANDLE from, char *text, size_t size)
{
    size_t used = 0;
    DWORD got;
    while (used < size - 1 && ReadFile(from, text + used, (DWORD)(size - 1 - used), &got, NULL) && got > 0)
        used += got;
    text[used] = 0;
}

int ct_death(void (*function)(void), char *report, size_t size)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    HANDLE ours, theirs;
    char options[100];

    *report = 0;
    own.deaths++;
    if (own.death) {
        if (own.deaths < own.death)
            return -1;
        function();
        ct_leave(0);
    }
    if (!CreatePipe(&ours, &theirs, &inherited, 0) || !SetHandleInformation(ours, HANDLE_FLAG_INHERIT, 0))
        give_up("CreatePipe");
    snprintf(options, sizeof options, "--ct-run=%d --ct-death=%u", own.wanted, own.deaths);
    PROCESS_INFORMATION process = start_again(options, theirs);
    CloseHandle(theirs);
    ResumeThread(process.hThread);
    read_all(ours, report, size);
    struct ct_end end = wait_for_end(process.hProcess, INFINITE); /* the test's own limit ends both */
    CloseHandle(ours);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return end.signal;
}
