/* Cores and names of threads on Windows. */
#include "sched/os.h"

#include "tests/os.h"
#include "tests/sched/cast.h"

#include <windows.h>

/* ---- cores ------------------------------------------------------------------------------------------------------- */

static DWORD_PTR allowed(void)
{
    DWORD_PTR mine, all;
    cr_assert(GetProcessAffinityMask(GetCurrentProcess(), &mine, &all));
    return mine;
}

static unsigned count(DWORD_PTR mask)
{
    return (unsigned)__builtin_popcountll(mask);
}

static void one_group_only(void)
{
    USHORT groups[64], number = 64;
    bool known = GetProcessGroupAffinity(GetCurrentProcess(), &number, groups);
    cr_assert(known || is_wine(), "error %lu", GetLastError()); /* Wine knows one group only */
    if (known && number != 1)
        cr_skip_test("this process lives in %u groups of processors", number);
}

Test(os, there_is_at_least_one_core_and_no_more_than_the_affinity_allows)
{
    one_group_only();
    cr_assert_geq(tri_os_cores(), 1);
    cr_assert_leq(tri_os_cores(), count(allowed()));
}

Test(os, the_cores_are_cut_by_the_affinity)
{
    one_group_only();
    for (DWORD_PTR mask = allowed(); mask; mask &= mask - 1) {
        cr_assert(SetProcessAffinityMask(GetCurrentProcess(), mask));
        cr_assert_leq(tri_os_cores(), count(mask));
    }
    cr_assert_eq(tri_os_cores(), 1);
}

/* A share of all processors, in hundredths of a percent. */
static void limit_to(DWORD share)
{
    static HANDLE job;
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = { .CpuRate = share }, set = { 0 };
    rate.ControlFlags = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    if (!job)
        job = CreateJobObjectW(NULL, NULL);
    bool done = SetInformationJobObject(job, JobObjectCpuRateControlInformation, &rate, sizeof rate) &&
        QueryInformationJobObject(job, JobObjectCpuRateControlInformation, &set, sizeof set, NULL) &&
        set.CpuRate == share && AssignProcessToJobObject(job, GetCurrentProcess());
    if (!done && is_wine())
        cr_skip_test("Wine knows no limit of a job's share of the processors");
    cr_assert(done, "error %lu", GetLastError());
}

Test(os, the_cores_are_cut_by_the_share_of_the_processes_job)
{
    unsigned cores = tri_os_cores();
    limit_to(10000);
    cr_assert_eq(tri_os_cores(), cores);
    limit_to(1);
    cr_assert_eq(tri_os_cores(), 1);
}

static GROUP_AFFINITY cores_of[8];

static void note_cores(struct tri_worker *worker, struct player *player)
{
    (void)player;
    cr_assert(GetThreadGroupAffinity(GetCurrentThread(), &cores_of[worker->index]));
}

static void play_on_each(unsigned workers, bool pin)
{
    static struct player player;
    struct tri_sched_config config = cast_config(workers);
    config.pin = pin;
    cr_assert_eq(tri_sched_start(&sched, &config), 0);
    for (unsigned i = 0; i < workers; i++) {
        cast_player(&player, i, note_cores);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
    }
    close_sched();
}

Test(os, pinned_workers_have_a_core_each_in_turn)
{
    one_group_only();
    play_on_each(5, true);
    for (unsigned i = 0; i < 5; i++) {
        DWORD_PTR rest = allowed();
        for (unsigned wanted = i % count(rest); wanted > 0; wanted--)
            rest &= rest - 1;
        cr_assert_eq(cores_of[i].Mask, rest & -rest, "worker %u is on %llx", i, (unsigned long long)cores_of[i].Mask);
    }
}

Test(os, workers_that_are_not_pinned_may_use_all_cores)
{
    one_group_only();
    play_on_each(3, false);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(cores_of[i].Mask, allowed());
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static wchar_t name_in_turn[32];

static void note_name(struct tri_worker *worker, struct player *player)
{
    typedef HRESULT(WINAPI * getter)(HANDLE thread, PWSTR * text);
    getter get = (getter)(void (*)(void))GetProcAddress(GetModuleHandleA("kernelbase.dll"), "GetThreadDescription");
    PWSTR text = NULL;
    (void)worker;
    (void)player;
    name_in_turn[0] = 0;
    if (get && get(GetCurrentThread(), &text) >= 0 && text) {
        wcsncpy(name_in_turn, text, 31);
        LocalFree(text);
    }
}

Test(os, workers_have_names)
{
    static struct player player;
    open_sched(3);
    for (unsigned i = 0; i < 3; i++) {
        wchar_t expected[16];
        cast_player(&player, i, note_name);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
        swprintf(expected, 16, L"troupe-%u", i);
        if (!name_in_turn[0] && is_wine())
            cr_skip_test("Wine does not give back the names of threads");
        cr_assert_eq(wcscmp(name_in_turn, expected), 0, "%ls", name_in_turn);
    }
    close_sched();
}
