#include "mailbox/fork.h"

#include "mailbox/compiler.h"
#include "mailbox/panic.h"

#include <pthread.h>

unsigned tri_forks;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the hooks, and held while others of the process are */
static void (*hooks[TRI_FORK_HOOKS])(enum tri_fork when);
static unsigned count;
static pthread_once_t once = PTHREAD_ONCE_INIT; /* in the child of a fork in its midst it begins anew, */
static TRI_THREAD_LOCAL unsigned nested;        /* and this is done twice at the next fork */

static void before(void)
{
    if (nested++)
        return;
    pthread_mutex_lock(&lock);
    for (unsigned i = count; i-- > 0;)
        hooks[i](TRI_FORK_BEFORE);
}

static void after(enum tri_fork when)
{
    if (--nested)
        return;
    for (unsigned i = 0; i < count; i++)
        hooks[i](when);
    pthread_mutex_unlock(&lock);
}

static void in_parent(void)
{
    after(TRI_FORK_PARENT);
}

static void in_child(void)
{
    tri_forks++;
    after(TRI_FORK_CHILD);
}

static void install(void)
{
    pthread_atfork(before, in_parent, in_child);
}

void tri_at_fork(void (*hook)(enum tri_fork when))
{
    pthread_once(&once, install);
    pthread_mutex_lock(&lock);
    unsigned at = 0;
    while (at < count && hooks[at] != hook)
        at++;
    tri_assert(at < TRI_FORK_HOOKS);
    hooks[at] = hook;
    count += at == count;
    pthread_mutex_unlock(&lock);
}
