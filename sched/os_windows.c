#include "sched/os.h"

#include "mailbox/error.h"

#include <ck_pr.h>
#include <pthread.h>
#include <stdio.h>
#include <windows.h>

#include <ntsecapi.h> /* after windows.h: RtlGenRandom */

/* ---- cores ------------------------------------------------------------------------------------------------------- */

/* A core: a processor of a group of up to 64. */
struct core {
    WORD group;
    KAFFINITY mask;
};

enum { GROUPS_MAX = 64 };

static unsigned count(KAFFINITY mask)
{
    return (unsigned)__builtin_popcountll(mask);
}

/* The cores of a group that this process may use; which they are is known only to a process that lives in one group. */
static KAFFINITY cores_of(WORD group, USHORT groups)
{
    DWORD_PTR mine, all;
    if (groups == 1 && GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) && mine)
        return mine;
    DWORD active = GetActiveProcessorCount(group);
    return active >= 64 ? ~(KAFFINITY)0 : ((KAFFINITY)1 << active) - 1;
}

/* Counts the cores; the index-th of them, counted round and round, goes to *core. */
static unsigned look_at_cores(unsigned index, struct core *core)
{
    KAFFINITY masks[GROUPS_MAX];
    USHORT numbers[GROUPS_MAX] = { 0 }, groups = GROUPS_MAX;
    unsigned cores = 0;
    if (!GetProcessGroupAffinity(GetCurrentProcess(), &groups, numbers) || groups == 0)
        groups = 1; /* group 0 */
    for (USHORT i = 0; i < groups; i++)
        cores += count(masks[i] = cores_of(numbers[i], groups));
    if (cores == 0)
        return 0;
    index %= cores;
    for (USHORT i = 0; i < groups; index -= count(masks[i++])) {
        if (index >= count(masks[i]))
            continue;
        while (index-- > 0)
            masks[i] &= masks[i] - 1; /* without its lowest bit */
        *core = (struct core){ numbers[i], masks[i] & -masks[i] };
        break;
    }
    return cores;
}

/* The cores' worth of time that the process's job allows, rounded up; 0 when it sets no limit. Its rate counts hundredths of
 * a percent of all processors. */
static unsigned quota(void)
{
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = { 0 };
    const DWORD hard = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &rate, sizeof rate, NULL) ||
        (rate.ControlFlags & hard) != hard)
        return 0;
    return (unsigned)(((uint64_t)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) * rate.CpuRate + 9999) / 10000);
}

unsigned tri_os_cores(void)
{
    struct core first;
    unsigned cores = look_at_cores(0, &first), most = quota();
    if (most && most < cores)
        cores = most;
    return cores ? cores : 1;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

/* There are no signals that a thread could take: console events come on a thread of their own. */
int tri_os_start_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
    int error = pthread_create(thread, NULL, run, arg);
    return error ? tri_error_from_errno(error) : 0;
}

/* SetThreadDescription came with Windows 10 1607, in one library or another. */
void tri_os_name_thread(const char *name)
{
    union {
        FARPROC found;
        HRESULT(WINAPI *set)(HANDLE thread, PCWSTR text);
    } description = { GetProcAddress(GetModuleHandleA("kernel32.dll"), "SetThreadDescription") };
    HMODULE base = GetModuleHandleA("kernelbase.dll");
    wchar_t text[16];
    if (!description.found && base)
        description.found = GetProcAddress(base, "SetThreadDescription");
    if (!description.found)
        return;
    size_t length = 0;
    for (; length < sizeof text / sizeof text[0] - 1 && name[length]; length++)
        text[length] = (wchar_t)(unsigned char)name[length]; /* names are ASCII */
    text[length] = 0;
    description.set(GetCurrentThread(), text);
}

void tri_os_worker_thread(unsigned index, bool pin)
{
    char name[16];
    struct core core;

    snprintf(name, sizeof name, "troupe-%u", index);
    tri_os_name_thread(name);
    if (!pin || look_at_cores(index, &core) == 0)
        return;
    GROUP_AFFINITY affinity = { .Group = core.group, .Mask = core.mask };
    SetThreadGroupAffinity(GetCurrentThread(), &affinity, NULL);
}

/* Wine 8 has the call, and it does nothing. There a page that has been written to is made read-only: to take it out of the
 * other processors' buffers the system beneath interrupts them, which on x86-64 is a fence. */
static bool barrier_is_empty;
static volatile char *barrier_page;
static pthread_mutex_t barrier_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t barrier_once = PTHREAD_ONCE_INIT;

static void open_barrier(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    barrier_is_empty = ntdll && GetProcAddress(ntdll, "wine_get_version");
    if (barrier_is_empty)
        barrier_page = VirtualAlloc(NULL, 1, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
}

bool tri_os_barrier_open(void)
{
    pthread_once(&barrier_once, open_barrier);
    return !barrier_is_empty || barrier_page;
}

void tri_os_barrier(void)
{
    DWORD old;
    FlushProcessWriteBuffers();
    if (!barrier_is_empty)
        return;
    pthread_mutex_lock(&barrier_lock);
    VirtualProtect((void *)barrier_page, 1, PAGE_READWRITE, &old);
    *barrier_page = 1;
    VirtualProtect((void *)barrier_page, 1, PAGE_READONLY, &old);
    pthread_mutex_unlock(&barrier_lock);
}

/* ---- time and randomness ----------------------------------------------------------------------------------------- */

/* The counter's ticks in nanoseconds, without an overflow for centuries. */
int64_t tri_os_now(void)
{
    LARGE_INTEGER ticks, frequency; /* the second never changes, and reading it costs no system call */
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&ticks);
    int64_t second = frequency.QuadPart;
    return ticks.QuadPart / second * 1000000000 + ticks.QuadPart % second * 1000000000 / second;
}

int64_t tri_os_wall(void)
{
    FILETIME time;
    GetSystemTimePreciseAsFileTime(&time); /* hundreds of nanoseconds since 1601 */
    uint64_t since_1601 = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
    return (int64_t)(since_1601 - 116444736000000000) * 100;
}

int64_t tri_os_thread_time(pthread_t thread)
{
    FILETIME created, ended, kernel, user;
    if (!GetThreadTimes(pthread_gethandle(thread), &created, &ended, &kernel, &user))
        return 0;
    uint64_t in_kernel = (uint64_t)kernel.dwHighDateTime << 32 | kernel.dwLowDateTime;
    uint64_t in_user = (uint64_t)user.dwHighDateTime << 32 | user.dwLowDateTime;
    return (int64_t)(in_kernel + in_user) * 100;
}

bool tri_os_random(void *bytes, size_t size)
{
    return RtlGenRandom(bytes, (ULONG)size);
}

/* ---- conditions -------------------------------------------------------------------------------------------------- */

void tri_condition_init(struct tri_condition *condition)
{
    condition->signals = 0;
}

void tri_condition_destroy(struct tri_condition *condition)
{
    (void)condition;
}

/* Whoever has looked at the number before this does not sleep on it any more. */
void tri_condition_signal(struct tri_condition *condition)
{
    ck_pr_inc_32(&condition->signals);
    WakeByAddressSingle(&condition->signals);
}

void tri_condition_broadcast(struct tri_condition *condition)
{
    ck_pr_inc_32(&condition->signals);
    WakeByAddressAll(&condition->signals);
}

static void wait(struct tri_condition *condition, pthread_mutex_t *lock, DWORD ms)
{
    uint32_t seen = ck_pr_load_32(&condition->signals);
    pthread_mutex_unlock(lock);
    WaitOnAddress(&condition->signals, &seen, sizeof seen, ms);
    pthread_mutex_lock(lock);
}

void tri_condition_wait(struct tri_condition *condition, pthread_mutex_t *lock)
{
    wait(condition, lock, INFINITE);
}

/* The time that is left in whole milliseconds, rounded up, and at most a minute; whether it is over only the clock says. */
static DWORD wait_ms(int64_t deadline)
{
    const int64_t ms = 1000000, minute = 60000 * ms;
    int64_t now = tri_os_now();
    if (deadline <= now)
        return 0;
    return (DWORD)(deadline < now + minute ? (deadline - now + ms - 1) / ms : minute / ms);
}

bool tri_condition_wait_until(struct tri_condition *condition, pthread_mutex_t *lock, int64_t deadline)
{
    DWORD ms = wait_ms(deadline);
    if (!ms)
        return false;
    wait(condition, lock, ms);
    return tri_os_now() < deadline;
}

/* ---- bells ------------------------------------------------------------------------------------------------------- */

void tri_bell_ring(struct tri_bell *bell)
{
    ck_pr_fence_release(); /* what has changed before it; pairs with tri_bell_heard() */
    ck_pr_inc_32(&bell->rings);
    WakeByAddressAll(&bell->rings);
}

uint32_t tri_bell_heard(const struct tri_bell *bell)
{
    uint32_t heard = ck_pr_load_32(&bell->rings);
    ck_pr_fence_acquire();
    return heard;
}

bool tri_bell_wait(struct tri_bell *bell, uint32_t heard, int64_t deadline)
{
    DWORD ms = wait_ms(deadline);
    if (!ms)
        return false;
    WaitOnAddress(&bell->rings, &heard, sizeof heard, ms);
    return tri_os_now() < deadline;
}
