/*
 * fork.h: what a child of fork() has of Troupe: nothing but what nobody was in the midst of.
 *
 * Only the thread that forks goes on in the child, and what others were at is there as it was at that moment. So locks of the
 * process are taken before and let go after, which leaves what they guard whole; all else that belonged to somebody (pools,
 * caches, systems) is left as it is, for ever, or begun anew.
 */
#ifndef TRI_FORK_H
#define TRI_FORK_H

enum tri_fork { TRI_FORK_BEFORE, TRI_FORK_PARENT, TRI_FORK_CHILD };

enum { TRI_FORK_HOOKS = 8 };

extern unsigned tri_forks; /* how many, since tri_at_fork was first called, lie between that process and this one */

/* Lets `hook` be called on the thread that forks: before, with those that were given last first; and after, in the parent
 * and in the child, in the order in which they were given. Once, also if it is given again: a child of a fork in the midst
 * of that begins it anew. Any thread. Does nothing where there is no fork(). */
void tri_at_fork(void (*hook)(enum tri_fork when));

#endif
