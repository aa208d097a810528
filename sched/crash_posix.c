#include "sched/crash.h"

#include "mailbox/compiler.h"
#include "mailbox/panic.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} faults[] = { { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" }, { SIGILL, "SIGILL" },
    { SIGABRT, "SIGABRT" } };
enum { FAULTS = sizeof faults / sizeof faults[0] };

static struct sigaction before[FAULTS];
static bool placed[FAULTS]; /* ours is there, perhaps behind others that have come since */

void tri_crash_write(const char *text, unsigned size)
{
    ssize_t done = write(STDERR_FILENO, text, size);
    (void)done;
}

uint32_t tri_crash_thread(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

void tri_crash_wait(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* ---- the second stack --------------------------------------------------------------------------------------------- */

static TRI_THREAD_LOCAL struct {
    char *memory;
    size_t size;
    uintptr_t low; /* where the thread's own stack ends */
} stack;

/* The system's frame, which grows with the registers of the processor, and room for handlers that took faults before. */
static size_t stack_size(void)
{
    return (size_t)getauxval(AT_MINSIGSTKSZ) + 65536;
}

static uintptr_t lowest(void)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes))
        return 0;
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    return (uintptr_t)low;
}

void tri_crash_thread_begin(void)
{
    stack_t old;
    if (stack.memory || !tri_crash_watched() || sigaltstack(NULL, &old) || !(old.ss_flags & SS_DISABLE))
        return;
    size_t size = (stack_size() + 4095) & ~(size_t)4095;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return; /* a report the less, if the stack is used up */
    stack.memory = memory;
    stack.size = size;
    stack.low = lowest();
    sigaltstack(&(stack_t){ .ss_sp = memory, .ss_size = size }, NULL);
}

void tri_crash_thread_end(void)
{
    if (!stack.memory)
        return;
    sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
    munmap(stack.memory, stack.size);
    stack.memory = NULL;
}

/* Whether the address is about where the thread's stack ends: one frame may be large. */
static bool at_the_end_of_the_stack(uintptr_t address)
{
    const uintptr_t around = 1 << 20, guard = 65536;
    return stack.memory && stack.low > around && address + around > stack.low && address < stack.low + guard;
}

/* ---- faults ------------------------------------------------------------------------------------------------------- */

static unsigned index_of(int number)
{
    unsigned i = 0;
    while (i < FAULTS - 1 && faults[i].number != number)
        i++;
    return i;
}

/* As it would be without us. What the processor says of an instruction it says again when that is tried again; so a core shows
 * where it was. All else is raised again. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    struct sigaction *old = &before[index_of(number)];
    struct sigaction was = *old;
    if (was.sa_flags & (int)SA_RESETHAND)
        *old = (struct sigaction){ .sa_handler = SIG_DFL };
    if (was.sa_flags & SA_SIGINFO) {
        was.sa_sigaction(number, info, context);
        return;
    }
    if (was.sa_handler != SIG_DFL && was.sa_handler != SIG_IGN) {
        was.sa_handler(number);
        return;
    }
    if (was.sa_handler == SIG_IGN && info->si_code <= 0)
        return;
    signal(number, SIG_DFL);
    if (info->si_code <= 0)
        raise(number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int error = errno;
    bool at = number != SIGABRT && info->si_code > 0;
    uintptr_t address = at ? (uintptr_t)info->si_addr : 0;
    if (tri_crash_watched() && (number != SIGABRT || !tri_panicked)) /* or all has been said */
        tri_crash_report(faults[index_of(number)].name, at, address, at && at_the_end_of_the_stack(address));
    errno = error;
    pass_on(number, info, context);
}

/* Not kept from coming again: a fault while this one is reported goes on, too, and ends the process. */
void tri_crash_install(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < FAULTS; i++)
        if (!placed[i])
            placed[i] = sigaction(faults[i].number, &action, &before[i]) == 0;
}

/* Whoever has come after us may go on to us, who pass it on: then we stay. */
void tri_crash_uninstall(void)
{
    struct sigaction now;
    for (unsigned i = 0; i < FAULTS; i++)
        if (sigaction(faults[i].number, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_fault)
            placed[i] = sigaction(faults[i].number, &before[i], NULL) != 0;
}
