/*
 * troupe-selftest [TEXT…]: runs every test_*.exe that lies beside it, or those whose names hold one of the texts, one after
 * the other, and writes troupe-selftest.txt: what the system is, what they all said, and the sum in the last line, in the
 * form of each program's own.
 *
 * The programs write to that file themselves, so that it holds all there was, whatever happens; the screen gets one line for
 * each. A program that is late is ended, and so is all that it has left behind. One that ends without its closing line
 * counts as a test that has crashed.
 *
 * Exit codes: 0, all is well; 1, something is not, or nothing was run; 2, the report could not be written.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum { PROGRAMS_MAX = 200, LIMIT_MS = 600000, NAME_SIZE = 100, PATH_SIZE = 2000 };

struct sum {
    unsigned tested, passing, failing, crashing, skipped;
};

static struct {
    wchar_t folder[PATH_SIZE], path[PATH_SIZE];
    HANDLE report;
    char programs[PROGRAMS_MAX][NAME_SIZE];
    unsigned count;
} own;

static void give_up(const char *what)
{
    fprintf(stderr, "troupe-selftest: %s: error %lu\n", what, GetLastError());
    exit(2);
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

static void open_report(void)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    wchar_t temporary[MAX_PATH + 1];
    swprintf(own.path, PATH_SIZE, L"%lstroupe-selftest.txt", own.folder);
    for (int tries = 0; tries < 2; tries++) {
        own.report = CreateFileW(own.path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
            CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
        if (own.report != INVALID_HANDLE_VALUE)
            return;
        if (GetTempPathW(MAX_PATH + 1, temporary) > 0) /* the folder may not be ours to write to */
            swprintf(own.path, PATH_SIZE, L"%lstroupe-selftest.txt", temporary);
    }
    give_up("troupe-selftest.txt cannot be written");
}

static int64_t report_end(void)
{
    LARGE_INTEGER place;
    if (!SetFilePointerEx(own.report, (LARGE_INTEGER){ 0 }, &place, FILE_END))
        give_up("SetFilePointerEx");
    return place.QuadPart;
}

/* A line of our own. */
static void report(const char *format, ...) __attribute__((format(gnu_printf, 1, 2)));
static void report(const char *format, ...)
{
    char text[1000];
    va_list arguments;
    DWORD written;
    va_start(arguments, format);
    vsnprintf(text, sizeof text - 2, format, arguments);
    va_end(arguments);
    strcat(text, "\r\n");
    report_end();
    if (!WriteFile(own.report, text, (DWORD)strlen(text), &written, NULL))
        give_up("WriteFile");
}

/* What was written from this place on; to be freed. */
static char *report_since(int64_t start)
{
    size_t size = (size_t)(report_end() - start), have = 0;
    char *text = malloc(size + 1);
    DWORD got;
    if (!text || !SetFilePointerEx(own.report, (LARGE_INTEGER){ .QuadPart = start }, NULL, FILE_BEGIN))
        give_up("the report cannot be read");
    while (have < size && ReadFile(own.report, text + have, (DWORD)(size - have), &got, NULL) && got > 0)
        have += got;
    text[have] = 0;
    return text;
}

/* ---- the system -------------------------------------------------------------------------------------------------- */

static void report_processor(void)
{
    char name[200];
    DWORD size = sizeof name;
    if (RegGetValueA(HKEY_LOCAL_MACHINE, "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0", "ProcessorNameString",
            RRF_RT_REG_SZ, NULL, name, &size))
        snprintf(name, sizeof name, "unknown");
    report("processor: %s", name);
    report("cores:     %lu in %u groups", GetActiveProcessorCount(ALL_PROCESSOR_GROUPS), GetActiveProcessorGroupCount());
}

/* The version that is told to everybody is not the true one. */
static void report_version(void)
{
    RTL_OSVERSIONINFOW version = { .dwOSVersionInfoSize = sizeof version };
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    LONG(WINAPI * get)(RTL_OSVERSIONINFOW *);
    const char *(*wine)(void);
    FARPROC found = GetProcAddress(ntdll, "RtlGetVersion");
    memcpy(&get, &found, sizeof get);
    if (get)
        get(&version);
    found = GetProcAddress(ntdll, "wine_get_version");
    memcpy(&wine, &found, sizeof wine);
    report("system:    Windows %lu.%lu.%lu%s%s", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber,
        wine ? ", which is Wine " : "", wine ? wine() : "");
}

static void report_system(void)
{
    char commit[100] = "unknown";
    wchar_t path[PATH_SIZE];
    SYSTEMTIME now;
    MEMORYSTATUSEX memory = { .dwLength = sizeof memory };
    swprintf(path, PATH_SIZE, L"%lsversion.txt", own.folder);
    FILE *file = _wfopen(path, L"r");
    if (file && fgets(commit, sizeof commit, file))
        commit[strcspn(commit, "\r\n")] = 0;
    if (file)
        fclose(file);
    GetSystemTime(&now);
    GlobalMemoryStatusEx(&memory);
    report("Troupe " TROUPE_VERSION ", %s, gcc " __VERSION__, commit);
    report("date:      %04u-%02u-%02u %02u:%02u UTC", now.wYear, now.wMonth, now.wDay, now.wHour, now.wMinute);
    report_version();
    report_processor();
    report("memory:    %llu MiB", (unsigned long long)memory.ullTotalPhys >> 20);
}

/* ---- the programs ------------------------------------------------------------------------------------------------ */

static bool wanted(const char *name, char **texts)
{
    for (char **text = texts; *text; text++)
        if (strstr(name, *text))
            return true;
    return !*texts;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void find_programs(char **texts)
{
    WIN32_FIND_DATAW found;
    wchar_t pattern[PATH_SIZE];
    swprintf(pattern, PATH_SIZE, L"%lstest_*.exe", own.folder);
    HANDLE search = FindFirstFileW(pattern, &found);
    for (BOOL more = search != INVALID_HANDLE_VALUE; more; more = FindNextFileW(search, &found)) {
        char name[NAME_SIZE];
        int length = snprintf(name, sizeof name, "%ls", found.cFileName);
        if (length > 0 && length < NAME_SIZE && own.count < PROGRAMS_MAX && wanted(name, texts))
            strcpy(own.programs[own.count++], name);
    }
    FindClose(search);
    qsort(own.programs, own.count, sizeof own.programs[0], compare);
}

/* A job that ends with its handle, and with it all that runs in it. */
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

/* Its exit code; *late when it had to be ended; -1 when it could not be started. */
static int64_t run(const char *name, bool *late)
{
    wchar_t path[PATH_SIZE], command[] = L"test --jobs=1";
    PROCESS_INFORMATION process;
    STARTUPINFOW startup = { .cb = sizeof startup,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
        .hStdOutput = own.report,
        .hStdError = own.report };
    DWORD code = 0;
    swprintf(path, PATH_SIZE, L"%ls%hs", own.folder, name);
    if (!CreateProcessW(path, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup, &process)) {
        report("%s does not start: error %lu", name, GetLastError());
        return -1;
    }
    HANDLE job = make_job();
    if (!AssignProcessToJobObject(job, process.hProcess))
        report("%s runs outside of its job: error %lu", name, GetLastError());
    ResumeThread(process.hThread);
    *late = WaitForSingleObject(process.hProcess, LIMIT_MS) != WAIT_OBJECT_0;
    if (*late) {
        TerminateProcess(process.hProcess, 1);
        WaitForSingleObject(process.hProcess, INFINITE);
    }
    GetExitCodeProcess(process.hProcess, &code);
    CloseHandle(job);
    CloseHandle(process.hThread);
    CloseHandle(process.hProcess);
    return code;
}

/* The counts of a program, from what it wrote; false when it has not come to its closing line. */
static bool read_counts(const char *text, struct sum *sum)
{
    const char *skipped = strstr(text, "[----] Skipped: "), *last = strstr(text, "[====] Synthesis: ");
    if (skipped)
        sscanf(skipped, "[----] Skipped: %u", &sum->skipped);
    return last &&
        sscanf(last, "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u", &sum->tested, &sum->passing,
            &sum->failing, &sum->crashing) == 4;
}

static struct sum run_and_count(const char *name)
{
    struct sum sum = { 0 };
    bool late = false;
    report("\r\n---- %s", name);
    int64_t start = report_end(), code = run(name, &late);
    char *text = report_since(start);
    if (!read_counts(text, &sum) || late || code != (sum.failing > 0)) {
        report("[CRASH] %s has %s exit code %#llx", name,
            late ? "taken too long:" : "ended too early, or not as it says:", (long long)code);
        sum.tested++, sum.failing++, sum.crashing++;
    }
    free(text);
    return sum;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* Started by a double click: the window would be gone before it is read. */
static void keep_the_window(void)
{
    DWORD one;
    if (GetConsoleProcessList(&one, 1) != 1)
        return;
    printf("Press Enter.\n");
    getchar();
}

/* A folder may have any name: printf ends at the first character that the console's code page lacks. */
static void print_path(const wchar_t *path)
{
    DWORD written;
    char utf8[4 * PATH_SIZE];
    if (WriteConsoleW(GetStdHandle(STD_OUTPUT_HANDLE), path, (DWORD)wcslen(path), &written, NULL))
        return;
    if (WideCharToMultiByte(CP_UTF8, 0, path, -1, utf8, sizeof utf8, NULL, NULL) > 0) /* it is no console */
        fputs(utf8, stdout);
}

int main(int argc, char **argv)
{
    struct sum all = { 0 };
    (void)argc;
    setvbuf(stdout, NULL, _IONBF, 0);
    DWORD length = GetModuleFileNameW(NULL, own.folder, PATH_SIZE);
    if (length == 0 || length > PATH_SIZE - NAME_SIZE)
        give_up("GetModuleFileName");
    while (length > 0 && own.folder[length - 1] != L'\\')
        length--;
    own.folder[length] = 0;
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX); /* no dialogues; children inherit it */
    _putenv_s("TROUPE_PORT", "iocp");
    _putenv_s("TROUPE_LOG", "error");
    open_report();
    report_system();
    find_programs(argv + 1);
    for (unsigned i = 0; i < own.count; i++) {
        printf("[%2u of %u] %-32s", i + 1, own.count, own.programs[i]);
        struct sum sum = run_and_count(own.programs[i]);
        printf(" passing: %3u  failing: %u  skipped: %u\n", sum.passing, sum.failing, sum.skipped);
        all.tested += sum.tested, all.passing += sum.passing, all.failing += sum.failing;
        all.crashing += sum.crashing, all.skipped += sum.skipped;
    }
    report("\r\n[----] Skipped: %u", all.skipped);
    report("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u", all.tested, all.passing, all.failing,
        all.crashing);
    printf("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n\nAll of it is in ", all.tested,
        all.passing, all.failing, all.crashing);
    print_path(own.path);
    printf("\n");
    keep_the_window();
    return all.failing > 0 || all.passing == 0;
}
