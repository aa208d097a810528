/* compiler.h: the few things that compilers and sanitizers spell differently. */
#ifndef TRI_COMPILER_H
#define TRI_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define tri_likely(x)   __builtin_expect(!!(x), 1)
#define tri_unlikely(x) __builtin_expect(!!(x), 0)

#define TRI_COLD     __attribute__((cold, noinline))
#define TRI_NOINLINE __attribute__((noinline))
#define TRI_INLINE   static inline __attribute__((always_inline)) /* a part of the way of every message */
#define TRI_LINE     64 /* bytes in a cache line; also what messages are aligned to */
#define TRI_ALIGNED  __attribute__((aligned(TRI_LINE)))

#define tri_container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* A variable of each thread. "initial-exec" makes it one instruction in the shared library, too. */
#if defined(__ELF__)
#define TRI_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define TRI_THREAD_LOCAL _Thread_local
#endif

#if defined(__SANITIZE_ADDRESS__)
#define TRI_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define TRI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRI_ASAN 1
#elif __has_feature(thread_sanitizer)
#define TRI_TSAN 1
#endif
#endif
#ifndef TRI_ASAN
#define TRI_ASAN 0
#endif
#ifndef TRI_TSAN
#define TRI_TSAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define TRI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TRI_TSAN 1
#endif
#endif
#ifndef TRI_TSAN
#define TRI_TSAN 0
#endif
#define TRI_SANITIZED (TRI_ASAN || TRI_TSAN)

/* Under AddressSanitizer: nobody may touch the bytes until they are unpoisoned. Elsewhere nothing. */
#if TRI_ASAN
#include <sanitizer/asan_interface.h>
#define tri_poison(memory, size)   ASAN_POISON_MEMORY_REGION((memory), (size))
#define tri_unpoison(memory, size) ASAN_UNPOISON_MEMORY_REGION((memory), (size))
#else
#define tri_poison(memory, size)   ((void)(memory), (void)(size))
#define tri_unpoison(memory, size) ((void)(memory), (void)(size))
#endif

#endif
