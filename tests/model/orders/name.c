/*
 * Names (actors/name.h): who looks for one takes no lock, and what he has read counts if the version was the same before and
 * after.
 */
#include "tests/model/orders/orders.h"

#include <stddef.h>

enum { VERSION, CELL, TEXT, TABLE, WHO }; /* locations */
enum { CONTENTS, MAILBOX };               /* plain */
enum { LOCK };                            /* object */
enum { CHANGED };                         /* ghost */
enum { V, X, Y, AGAIN };                  /* registers */

/* The first change writes 1 to both, the second, on another thread, 2 to one of them. */
static void changes_first(struct machine *m, struct thread *t)
{
    BEGIN;
    STORE(VERSION, 1);
    FENCE(order(NAME_BEGIN));
    STORE(CELL, 1);
    STORE(TEXT, 1);
    FENCE(order(NAME_END));
    STORE(VERSION, 2);
    STEP();
    GIVE(LOCK);
    m->s.ghost[CHANGED] = 1;
    END;
}

static void changes_then(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[CHANGED]);
    TAKE(LOCK);
    STORE(VERSION, 3);
    FENCE(order(NAME_BEGIN));
    STORE(TEXT, 2);
    FENCE(order(NAME_END));
    STORE(VERSION, 4);
    END;
}

static void looks(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(V, VERSION);
    FENCE(order(NAME_FIND));
    LOAD(X, CELL);
    LOAD(Y, TEXT);
    FENCE(order(NAME_AGAIN));
    LOAD(AGAIN, VERSION);
    if (t->r[V] % 2 == 0 && t->r[AGAIN] == t->r[V] && (t->r[X] != (t->r[V] > 0) || t->r[Y] != t->r[V] / 2))
        wrong(m, "what was read is of no version");
    END;
}

static const struct model a_version = {
    .name = "names are changed on two threads, a third looks",
    .threads = 3,
    .run = { changes_first, changes_then, looks },
};

/* ---- a larger table ---------------------------------------------------------------------------------------------- */

static void grows(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(CONTENTS);
    FENCE(order(NAME_GROW));
    STORE(TABLE, 1);
    END;
}

static void searches(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(X, TABLE);
    FENCE(order(NAME_TABLE));
    if (t->r[X])
        READ(CONTENTS);
    END;
}

static const struct model a_table = {
    .name = "the table of names grows, somebody looks into it",
    .threads = 2,
    .run = { grows, searches },
};

/* ---- a name becomes visible -------------------------------------------------------------------------------------- */

static void opens(struct machine *m, struct thread *t)
{
    BEGIN;
    WRITE(MAILBOX);
    GIVE(LOCK);
    m->s.ghost[CHANGED] = 1;
    END;
}

static void shows(struct machine *m, struct thread *t)
{
    BEGIN;
    AWAIT(m->s.ghost[CHANGED]);
    TAKE(LOCK);
    FENCE(order(NAME_SHOW));
    STORE(WHO, 1);
    END;
}

static void sends(struct machine *m, struct thread *t)
{
    BEGIN;
    LOAD(X, WHO);
    FENCE(order(NAME_WHO));
    if (t->r[X])
        READ(MAILBOX);
    END;
}

static const struct model a_name = {
    .name = "a name is shown, somebody sends to it",
    .threads = 3,
    .run = { opens, shows, sends },
};

const struct scenario name_scenarios[] = {
    { &a_version, false },
    { &a_table, false },
    { &a_name, false },
    { NULL, false },
};
