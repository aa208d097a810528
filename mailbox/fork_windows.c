#include "mailbox/fork.h"

unsigned tri_forks;

void tri_at_fork(void (*hook)(enum tri_fork when))
{
    (void)hook;
}
