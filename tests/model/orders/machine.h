/*
 * machine.h: the memory of C11 as a machine, and a search through all that it may do.
 *
 * What a thread may read is decided by views. Each location has its writes, in the order of modification; a view says of
 * each location how far its owner has come. A load may read any write that is not older than its thread's view. A write
 * carries a view with it: what its thread had seen at its last release fence. Who reads it may join that view at its next
 * acquire fence. Fences that are sequentially consistent join a view that all of them share. A write may go in between older
 * ones that its thread has not seen, a successful compare-and-swap only directly behind what it read. This is the
 * promise-free part of "A promising semantics for relaxed-memory concurrency" (Kang and others, 2017), which is RC11 for
 * programs like ours, with two things besides, since that is what ARM does:
 *
 *   A store fence (dmb ishst) releases what its thread wrote, and not what it has read.
 *   A load may be late (LOAD_LATE): what it reads is decided when it is needed, or at a fence that orders loads, so after
 *   stores that come behind it. RC11 forbids that; C11 and the hardware do not.
 *
 * What is not atomic in the program is PLAIN here: no value, but each access must come after those before it that it
 * could race with, by what its thread's view says. So a missing fence shows as a data race where the data is read.
 *
 * What this is not: consume, orders of single accesses (Troupe has fences only), mixed sizes, compilers that invent
 * accesses, and speculation of stores. Threads take steps of one access to memory each, so what is found is exact for the
 * numbers of threads and messages that a model has, and says nothing of more.
 *
 * A model's threads are functions that are left and entered again at each step: their variables are registers.
 */
#ifndef TESTS_MODEL_ORDERS_MACHINE_H
#define TESTS_MODEL_ORDERS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

enum { THREADS = 4, LOCATIONS = 8, WRITES = 24, PLAINS = 6, OBJECTS = 3, REGISTERS = 10, GHOSTS = 12, LATE = 2 };
enum { OF_ENDED = OBJECTS - 1 }; /* the object that has what threads knew when they ended */

enum fence { NONE, STORE_FENCE, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST };

struct view {
    uint8_t at[LOCATIONS];
    uint32_t plain; /* which last accesses to plain memory it knows: bits of (plain, writer or reader) */
};

struct write {
    struct view view;
    uint16_t value;
    bool swapped; /* by an operation that read the write before it: nothing goes in between */
    uint8_t spare;
};

struct late {
    bool pending;
    uint8_t location, reg;
};

struct thread {
    struct view now, acquired, released, own;
    uint16_t r[REGISTERS];
    uint16_t pc;
    bool done;
    struct late late[LATE];
    uint8_t spare[3];
};

struct state {
    struct thread thread[THREADS];
    struct view sc, object[OBJECTS]; /* an object: what gives order by itself, a lock, a queue, the kernel */
    uint16_t ghost[GHOSTS];          /* what the model knows, and no thread looks at to decide */
    uint8_t count[LOCATIONS];
    struct write write[LOCATIONS][WRITES];
};

/* They are compared as they lie there. */
_Static_assert(sizeof(struct view) == LOCATIONS + 4, "no holes");
_Static_assert(sizeof(struct write) == sizeof(struct view) + 4, "no holes");
_Static_assert(sizeof(struct thread) == 4 * sizeof(struct view) + 2 * REGISTERS + 6 + 3 * LATE, "no holes");

struct machine;

struct model {
    const char *name;
    unsigned threads;
    void (*run[THREADS])(struct machine *m, struct thread *t);
    void (*begin)(struct state *s); /* NULL: all is 0 */
    void (*end)(struct machine *m); /* nobody can go on; says what is wrong with it */
    bool looks_at_registers;        /* when it has ended */
};

struct machine {
    struct state s;
    const struct model *model;
    const char *wrong; /* the first thing that is */
    bool disabled;     /* the step cannot be taken now */
    uint64_t states;
    unsigned used, given, choice[8], limit[8];
};

/* Searches all that the model may do: NULL, or what is wrong. */
const char *search_model(const struct model *model, uint64_t *states);

/* Says that something is wrong; the first counts. */
void wrong(struct machine *m, const char *what);

uint16_t newest(const struct state *s, unsigned location);
void begin_with(struct state *s, unsigned location, uint16_t value);

/* ---- what threads do --------------------------------------------------------------------------------------------- */

void do_load(struct machine *m, struct thread *t, unsigned reg, unsigned location);
void do_load_late(struct machine *m, struct thread *t, unsigned reg, unsigned location);
void do_store(struct machine *m, struct thread *t, unsigned location, unsigned value);
bool do_cas(struct machine *m, struct thread *t, unsigned location, unsigned reg, unsigned value);
void do_swap(struct machine *m, struct thread *t, unsigned reg, unsigned location, unsigned value, bool adds);
void do_fence(struct machine *m, struct thread *t, enum fence fence);
void do_barrier(struct machine *m);
void do_read(struct machine *m, struct thread *t, unsigned plain);
void do_write(struct machine *m, struct thread *t, unsigned plain);
bool is_late(const struct thread *t, int reg); /* any: -1 */
void give(struct machine *m, struct thread *t, unsigned object);
void take(struct machine *m, struct thread *t, unsigned object);

#define BEGIN \
    switch (t->pc) { \
    case 0:
#define END \
    } \
    give(m, t, OF_ENDED); \
    t->done = true

/* Others may go on here; what follows up to the next step is one of them. */
#define STEP()     STEP_AT(__COUNTER__ + 1)
#define STEP_AT(n) STEP_WHEN(true, n)
#define STEP_WHEN(condition, n) \
    do { \
        if (condition) { \
            t->pc = (n); \
            return; \
        case (n):; \
        } \
    } while (0)
#define OPERATION(what) \
    do { \
        STEP(); \
        what; \
        if (m->disabled) \
            return; \
    } while (0)
#define AWAIT(condition) OPERATION(m->disabled = !(condition))

#define LOAD(reg, location)        OPERATION(do_load(m, t, (reg), (location)))
#define LOAD_LATE(reg, location)   OPERATION(do_load_late(m, t, (reg), (location)))
#define STORE(location, value)     OPERATION(do_store(m, t, (location), (value)))
#define SWAP(reg, location, value) OPERATION(do_swap(m, t, (reg), (location), (value), false))
#define ADD(reg, location, value)  OPERATION(do_swap(m, t, (reg), (location), (value), true))
/* Compares with register `reg`, which then has what was read; register `won` says whether it was the same. */
#define CAS(won, location, reg, value) OPERATION(t->r[won] = do_cas(m, t, (location), (reg), (value)))
/* A late load of this register has to have its value now: what follows depends on it. */
#define NEED(reg) WAIT_FOR_LATE(is_late(t, (reg)), (reg), __COUNTER__ + 1)
#define WAIT_FOR_LATE(condition, reg, n) \
    do { \
        STEP_WHEN(condition, n); \
        m->disabled |= is_late(t, (reg)); \
        if (m->disabled) \
            return; \
    } while (0)
#define FENCE(fence) \
    do { \
        WAIT_FOR_LATE((fence) == SEQ_CST || ((fence) > STORE_FENCE && is_late(t, -1)), \
            (fence) > STORE_FENCE ? -1 : REGISTERS, __COUNTER__ + 1); \
        do_fence(m, t, (fence)); \
    } while (0)

/* Every thread of the process passes a full fence: tri_os_barrier(). */
#define BARRIER() OPERATION(do_barrier(m))

/* Not steps of their own: no order of them among others' matters but by what views know. */
#define READ(plain)  do_read(m, t, (plain))
#define WRITE(plain) do_write(m, t, (plain))
#define GIVE(object) give(m, t, (object))
#define TAKE(object) take(m, t, (object))

#endif
