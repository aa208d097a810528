/*
 * The filter of unhandled exceptions takes all but the overflow of a stack, which reaches it on Windows and not under Wine:
 * so a vectored handler takes that first. Each thread of Troupe has set aside some of its stack for it. abort() is a signal
 * of the C library.
 */
#include "sched/crash.h"

#include "mailbox/compiler.h"
#include "mailbox/panic.h"

#include <ck_pr.h>
#include <signal.h>
#include <stddef.h>
#include <windows.h>

enum { SET_ASIDE = 65536 };

static struct {
    PVOID vectored;
    LPTOP_LEVEL_EXCEPTION_FILTER filter;
    void (*abort)(int number);
    bool placed;
} before;

static unsigned int overflowed; /* the thread that has, and has reported it */

void tri_crash_write(const char *text, unsigned size)
{
    DWORD done;
    WriteFile(GetStdHandle(STD_ERROR_HANDLE), text, size, &done, NULL);
}

uint32_t tri_crash_thread(void)
{
    return GetCurrentThreadId();
}

void tri_crash_wait(void)
{
    Sleep(1);
}

void tri_crash_thread_begin(void)
{
    ULONG size = SET_ASIDE;
    if (tri_crash_watched())
        SetThreadStackGuarantee(&size);
}

void tri_crash_thread_end(void)
{
}

static const char *name_of(DWORD code)
{
    switch (code) {
    case EXCEPTION_ACCESS_VIOLATION: return "access violation";
    case EXCEPTION_IN_PAGE_ERROR: return "error of a page";
    case EXCEPTION_DATATYPE_MISALIGNMENT: return "misaligned access";
    case EXCEPTION_INT_DIVIDE_BY_ZERO: return "division by zero";
    case EXCEPTION_INT_OVERFLOW: return "overflow of an integer";
    case EXCEPTION_ILLEGAL_INSTRUCTION: return "illegal instruction";
    case EXCEPTION_PRIV_INSTRUCTION: return "privileged instruction";
    case EXCEPTION_STACK_OVERFLOW: return "stack overflow";
    default: return "exception";
    }
}

static void report(const EXCEPTION_RECORD *record)
{
    bool at = record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION && record->NumberParameters > 1;
    tri_crash_report(name_of(record->ExceptionCode), at, at ? (uint64_t)record->ExceptionInformation[1] : 0,
        record->ExceptionCode == EXCEPTION_STACK_OVERFLOW);
}

static LONG WINAPI first(EXCEPTION_POINTERS *what)
{
    if (tri_crash_watched() && what->ExceptionRecord->ExceptionCode == EXCEPTION_STACK_OVERFLOW) {
        ck_pr_store_uint(&overflowed, tri_crash_thread());
        report(what->ExceptionRecord);
    }
    return EXCEPTION_CONTINUE_SEARCH;
}

static LONG WINAPI last(EXCEPTION_POINTERS *what)
{
    if (tri_crash_watched() && ck_pr_load_uint(&overflowed) != tri_crash_thread())
        report(what->ExceptionRecord);
    return before.filter ? before.filter(what) : EXCEPTION_CONTINUE_SEARCH;
}

/* The C library has put back the default by now, and ends the process when this returns. */
static void on_abort(int number)
{
    if (tri_crash_watched() && !tri_panicked)
        tri_crash_report("abort", false, 0, false);
    if (before.abort != SIG_DFL && before.abort != SIG_IGN && before.abort != SIG_ERR)
        before.abort(number);
}

/* Once: a filter that has come since may go on to ours. */
void tri_crash_install(void)
{
    if (before.placed)
        return;
    before.placed = true;
    before.vectored = AddVectoredExceptionHandler(1, first);
    before.filter = SetUnhandledExceptionFilter(last);
    before.abort = signal(SIGABRT, on_abort);
}

/* They stay, and pass all on. */
void tri_crash_uninstall(void)
{
}
