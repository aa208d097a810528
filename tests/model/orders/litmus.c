#include "tests/model/orders/litmus.h"

#include <stddef.h>
#include <string.h>

enum { X, Y, F };
enum { A, B, C, D };

/* Set before a search: the fences of a test, and what is looked for. */
static struct litmus now;
static bool found;

/* W: stores 1 to a location, R: loads it to the next register, r: loads it late, w: stores what the last register has; -: the
 * fence of this thread. In lower case after the letter: the location. */
static void thread_of(struct machine *m, struct thread *t, unsigned i)
{
    const char *code = now.thread[i];
    BEGIN;
    for (t->r[8] = 0; code[t->r[8]]; t->r[8]++) {
        if (code[t->r[8]] == '-') {
            FENCE(now.fence[i]);
            continue;
        }
        if (code[t->r[8]] == 'W') {
            STORE((unsigned)(code[t->r[8] + 1] - 'x'), 1);
        } else if (code[t->r[8]] == '2') {
            STORE((unsigned)(code[t->r[8] + 1] - 'x'), 2);
        } else if (code[t->r[8]] == 'R') {
            LOAD(t->r[9]++, (unsigned)(code[t->r[8] + 1] - 'x'));
        } else if (code[t->r[8]] == 'r') {
            LOAD_LATE(t->r[9]++, (unsigned)(code[t->r[8] + 1] - 'x'));
        } else if (code[t->r[8]] == 'w') {
            NEED(t->r[9] - 1);
            STORE((unsigned)(code[t->r[8] + 1] - 'x'), t->r[t->r[9] - 1]);
        } else if (code[t->r[8]] == '+') {
            ADD(t->r[9]++, (unsigned)(code[t->r[8] + 1] - 'x'), 1);
        }
        t->r[8]++;
    }
    NEED(0);
    NEED(1);
    END;
}

#define THREAD(i) \
    static void thread_##i(struct machine *m, struct thread *t) \
    { \
        thread_of(m, t, i); \
    }
THREAD(0)
THREAD(1)
THREAD(2)
THREAD(3)

/* What was read, in the order of threads; then, if more is asked for, how x and y end. */
static void look(struct machine *m)
{
    char seen[16];
    size_t used = 0;
    for (unsigned i = 0; i < THREADS; i++)
        for (const char *code = now.thread[i]; code && *code; code++)
            if (strchr("Rr+", *code)) {
                unsigned before = 0;
                for (const char *c = now.thread[i]; c < code; c++)
                    before += strchr("Rr+", *c) != NULL;
                seen[used++] = (char)('0' + m->s.thread[i].r[before]);
            }
    if (strlen(now.outcome) > used) {
        seen[used++] = (char)('0' + newest(&m->s, X));
        seen[used++] = (char)('0' + newest(&m->s, Y));
    }
    seen[used] = 0;
    found |= strcmp(seen, now.outcome) == 0;
}

const char *litmus(const struct litmus *test)
{
    struct model model = {
        .name = test->name,
        .run = { thread_0, thread_1, thread_2, thread_3 },
        .end = look,
        .looks_at_registers = true,
    };
    now = *test;
    found = false;
    while (model.threads < THREADS && test->thread[model.threads])
        model.threads++;
    const char *error = search_model(&model, NULL);
    if (error)
        return error;
    if (found != test->allowed)
        return found ? "it happens, and must not" : "it does not happen, and could";
    return NULL;
}

const struct litmus litmus_tests[] = {
    { "message passing", { "Wx-Wy", "Ry-Rx" }, { NONE, NONE }, "10", true },
    { "message passing, released only", { "Wx-Wy", "Ry-Rx" }, { RELEASE, NONE }, "10", true },
    { "message passing, acquired only", { "Wx-Wy", "Ry-Rx" }, { NONE, ACQUIRE }, "10", true },
    { "message passing, released and acquired", { "Wx-Wy", "Ry-Rx" }, { RELEASE, ACQUIRE }, "10", false },
    { "message passing, with a store fence", { "Wx-Wy", "Ry-Rx" }, { STORE_FENCE, ACQUIRE }, "10", false },
    { "message passing, the other outcomes", { "Wx-Wy", "Ry-Rx" }, { RELEASE, ACQUIRE }, "11", true },
    { "a release goes on through an addition", { "Wx-Wy", "+y", "Ry-Rx" }, { RELEASE, NONE, ACQUIRE }, "120", false },
    { "a release does not go on through a store", { "Wx-Wy", "Ry-2y", "Ry-Rx" }, { RELEASE, NONE, ACQUIRE }, "120", true },
    { "a release is handed on", { "Wx-Wy", "Ry-Wz", "Rz-Rx" }, { RELEASE, ACQ_REL, ACQUIRE }, "110", false },
    { "a store fence hands on nothing", { "Wx-Wy", "Ry-Wz", "Rz-Rx" }, { RELEASE, STORE_FENCE, ACQUIRE }, "110", true },
    { "a release hands on what was read", { "Wy", "Ry-Wz", "Rz-Ry" }, { NONE, RELEASE, ACQUIRE }, "110", false },
    { "a store fence does not", { "Wy", "Ry-Wz", "Rz-Ry" }, { NONE, STORE_FENCE, ACQUIRE }, "110", true },
    { "store buffering", { "Wx-Ry", "Wy-Rx" }, { NONE, NONE }, "00", true },
    { "store buffering, acquire and release", { "Wx-Ry", "Wy-Rx" }, { ACQ_REL, ACQ_REL }, "00", true },
    { "store buffering, one full fence", { "Wx-Ry", "Wy-Rx" }, { SEQ_CST, ACQ_REL }, "00", true },
    { "store buffering, full fences", { "Wx-Ry", "Wy-Rx" }, { SEQ_CST, SEQ_CST }, "00", false },
    { "load buffering, in time", { "Rx-Wy", "Ry-Wx" }, { NONE, NONE }, "11", false },
    { "load buffering, late", { "rx-Wy", "ry-Wx" }, { NONE, NONE }, "11", true },
    { "load buffering, late in one thread", { "rx-Wy", "Ry-Wx" }, { NONE, NONE }, "11", true },
    { "load buffering, late, store fences", { "rx-Wy", "ry-Wx" }, { STORE_FENCE, STORE_FENCE }, "11", true },
    { "load buffering, late, released", { "rx-Wy", "ry-Wx" }, { RELEASE, RELEASE }, "11", false },
    { "load buffering, late, acquired", { "rx-Wy", "ry-Wx" }, { ACQUIRE, ACQUIRE }, "11", false },
    { "load buffering, late, what is stored was read", { "rx-wy", "ry-wx" }, { NONE, NONE }, "11", false },
    { "independent reads of independent writes", { "Wx", "Wy", "Rx-Ry", "Ry-Rx" }, { NONE, NONE, ACQUIRE, ACQUIRE }, "1010",
        true },
    { "the same with full fences", { "Wx", "Wy", "Rx-Ry", "Ry-Rx" }, { NONE, NONE, SEQ_CST, SEQ_CST }, "1010", false },
    { "two writes each", { "Wx-2y", "Wy-2x" }, { NONE, NONE }, "11", true },
    { "two writes each, acquire and release", { "Wx-2y", "Wy-2x" }, { ACQ_REL, ACQ_REL }, "11", true },
    { "two writes each, full fences", { "Wx-2y", "Wy-2x" }, { SEQ_CST, SEQ_CST }, "11", false },
    { "coherence of reads", { "Wx-2x", "Rx-Rx" }, { NONE, NONE }, "21", false },
    { "coherence of late reads", { "Wx-2x", "rx-rx" }, { NONE, NONE }, "21", false },
    { "coherence of two writers", { "Wx", "2x", "Rx-Rx" }, { NONE, NONE, NONE }, "1210", false },
    { "coherence of two writers, the other way", { "Wx", "2x", "Rx-Rx" }, { NONE, NONE, NONE }, "1220", true },
    { "coherence of a write and a read", { "Wx-Rx", "2x" }, { NONE, NONE }, "0", false },
    { "two additions", { "+x", "+x" }, { NONE, NONE }, "00", false },
    { .name = NULL },
};
