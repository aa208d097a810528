/*
 * <troupe/language.h>: lets C++ include the other headers.
 *
 * A program in C++ can open and close systems, post to them and use buffers, addresses and the log; actors are written in C.
 * The macros that take fields (tr_send, tr_post, TR_DEFINE and others) are for C alone; from C++ call what is behind them:
 * tr_post_(to, &work_type, &body, sizeof body).
 */
#ifndef TROUPE_LANGUAGE_H
#define TROUPE_LANGUAGE_H

#if defined(__cplusplus)
#define TR_BEGIN_C_                        extern "C" {
#define TR_END_C_                          }
#define TR_STATIC_ASSERT_(condition, text) static_assert(condition, text)
#else
#define TR_BEGIN_C_
#define TR_END_C_
#define TR_STATIC_ASSERT_(condition, text) _Static_assert(condition, text)
#endif

#endif
