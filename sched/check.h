/* check.h: what a simulation sets for <troupe/check.h>. */
#ifndef TRI_CHECK_H
#define TRI_CHECK_H

#include <troupe/check.h>

/* What is done when TR_ALWAYS finds something untrue. */
extern void (*tri_check_failed)(const tr_check *check);

/* In so many of a million runs a place of TR_BUGGIFY may fire at all. */
extern uint32_t tri_buggify_rate;

#endif
