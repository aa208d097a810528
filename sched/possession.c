#include "sched/possession.h"

#include "sched/os.h"

/* What `revoked` is when nobody has taken it away. */
enum { AT_REST = TRI_TSAN };

void tri_possession_init(struct tri_possession *possession)
{
    *possession = (struct tri_possession){ .revoked = AT_REST };
    pthread_mutex_init(&possession->lock, NULL);
}

void tri_possession_destroy(struct tri_possession *possession)
{
    pthread_mutex_destroy(&possession->lock);
}

void tri_possession_enter_slowly(struct tri_possession *possession)
{
    ck_pr_store_uint(&possession->in, 0); /* who has it looks at this only once, and then it is the owner's turn to wait */
    pthread_mutex_lock(&possession->lock);
    possession->locked = true;
    ck_pr_store_uint(&possession->in, 1);
}

void tri_possession_leave_slowly(struct tri_possession *possession)
{
    possession->locked = false;
    pthread_mutex_unlock(&possession->lock);
}

bool tri_possession_possible(void)
{
    return tri_os_barrier_open();
}

bool tri_possession_take(struct tri_possession *possession)
{
    if (pthread_mutex_trylock(&possession->lock))
        return false;
    ck_pr_store_uint(&possession->revoked, 1);
    tri_os_barrier();
    bool inside = ck_pr_load_uint(&possession->in);
    ck_pr_fence_acquire(); /* pairs with tri_possession_leave() */
    if (inside)
        tri_possession_give_back(possession);
    return !inside;
}

void tri_possession_give_back(struct tri_possession *possession)
{
    ck_pr_fence_release(); /* pairs with tri_possession_enter() */
    ck_pr_store_uint(&possession->revoked, AT_REST);
    pthread_mutex_unlock(&possession->lock);
}
