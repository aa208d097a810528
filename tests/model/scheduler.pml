/*
 * Handing actors to workers, parking, waking, searching and the monitor, small enough to be searched exhaustively by Spin.
 * It stands for sched/sched.c, sched/worker.c (schedule, deliver, idle, steal, park) and sched/monitor.c; names are theirs.
 *
 * Every statement is one memory step, every atomic { } one atomic operation, or what a lock makes one. Spin knows no store
 * buffers: where a fence stands between a store and a load, the mistake that leaves it out lets the load go first. Two
 * workers, two actors. An actor is where[] it is: nowhere (idle), in a queue, or on a worker; its mailbox is not here, see
 * mailbox.pml. What a scenario is made of:
 *
 *   TIMES0, TIMES1  how often a thread that is none of the system's makes actor 0, or 1, runnable: again when it has run
 *   HOME0, HOME1    the worker it is pinned to; or ANY
 *   SCHEDULES       actor 0, when it runs, makes actor 1 runnable (TIMES0 is 1, and TIMES1 0)
 *   HANGS           actor 0, when it runs, waits until actor 1 has run as often as it will: a stuck handler
 *   NUDGES          a thread calls wake_one for reasons of its own (surplus)
 *   MONITOR         there is a monitor
 *   STOPS           when all has run, the workers are told to stop
 *
 * Checked: an actor is never in two places; and when nothing moves any more, every actor has run as often as it was made
 * runnable, or the workers have left. A lost wake-up is a state in which nothing moves and something waits. Nothing moves by
 * time: the monitor looks where its look changes something. CMakeLists.txt has the scenarios, and the mistakes (the #ifdefs
 * in capital letters below) that must be found in them, or must keep the system from ever coming to rest. By hand:
 *
 *   spin -a -DTIMES0=2 -DNUDGES scheduler.pml && cc -O2 -DSAFETY -DCOLLAPSE -o pan pan.c && ./pan -E -m200000
 *   spin -t -p -g -DTIMES0=2 -D… scheduler.pml                       the steps that led to an error
 *
 * Limits: it is about these steps and the named swaps, on x86; it proves nothing of the C code. Queues have no order, a
 * worker's share of the global list is one actor, its ring and `next` are one place. That something goes round for ever is
 * found only if it always does.
 */

#define ANY 255

#ifndef TIMES0
#define TIMES0 1
#endif
#ifndef TIMES1
#define TIMES1 0
#endif
#ifndef HOME0
#define HOME0 ANY
#endif
#ifndef HOME1
#define HOME1 ANY
#endif
#ifdef SCHEDULES
#define TOTAL1 1
#else
#define TOTAL1 TIMES1
#endif

/* ---- queues --------------------------------------------------------------------------------------------------------- */

#define NOWHERE   0
#define GLOBAL    1
#define INBOX(w)  (2 + w)
#define PINNED(w) (4 + w)
#define RING(w)   (6 + w)
#define ON(w)     (8 + w)

byte where[2];
byte ran[2];

#define holds(place)  (where[0] == place || where[1] == place)
#define global_length holds(GLOBAL)
#define home(a)       (a == 0 -> HOME0 : HOME1)

inline enter(a, place)
{
    atomic { assert(where[a] == NOWHERE); where[a] = place }
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

#define RUNNING         0
#define PARKED          1
#define NOTIFIED        2
#define NOTIFIED_SEARCH 3

byte state[2];
bit woken[2]; /* the port's */
byte sleepers;
bit searchers;
bit running[2]; /* in a turn */
bit stuck[2];
bit stopping;
bit left[2];
bit asleep; /* the monitor */

/* ---- waking: these use hit, seen and i of the process ------------------------------------------------------------------ */

inline wake(to, how)
{
    atomic {
        if
        :: state[to] == PARKED -> state[to] = how; hit = 1
        :: else -> hit = 0
        fi
    };
    if
    :: hit -> woken[to] = 1
    :: else -> skip
    fi
}

inline wake_one()
{
    do
    :: atomic { searchers -> break } /* who searches will find it, or look again before it sleeps */
    :: atomic { !searchers -> searchers = 1 };
        i = 0; hit = 0;
        do
        :: i < 2 && !hit -> wake(i, NOTIFIED_SEARCH); i++
        :: else -> break
        od;
        if
        :: hit -> break /* the permission to search is its own now */
        :: else -> skip
        fi;
#ifndef KEEPS_THE_PERMISSION
        searchers = 0; /* then a fence */
#endif
#ifdef NO_LOOK_AFTER_THE_PERMISSION
        break
#else
        if
        :: !global_length -> break
        :: else -> skip
        fi;
        if
        :: state[0] == PARKED -> skip
        :: else ->
            if
            :: state[1] == PARKED -> skip
            :: else -> break
            fi
        fi
#endif
    od
}

inline inject(a)
{
#ifdef NO_FENCE_IN_INJECT
    seen = sleepers;
    enter(a, GLOBAL);
#else
    enter(a, GLOBAL); /* then a fence */
    seen = sleepers;
#endif
    if
    :: seen -> wake_one()
    :: else -> skip
    fi
}

inline deliver(a, to)
{
#ifdef NO_FENCE_IN_DELIVER
    seen = (state[to] == PARKED);
    enter(a, INBOX(to));
#else
    enter(a, INBOX(to)); /* a CAS: a fence */
    seen = (state[to] == PARKED);
#endif
    if
    :: seen -> wake(to, NOTIFIED)
    :: else -> skip
    fi
}

proctype Thread(byte a; byte times)
{
    byte i, seen;
    bit hit;
    do
    :: times == 0 -> break
    :: else ->
        if
        :: home(a) == ANY -> inject(a)
        :: else -> deliver(a, home(a))
        fi;
        times--;
        (where[a] == NOWHERE)
    od
}

#ifdef NUDGES
proctype Nudger()
{
    byte i;
    bit hit;
    wake_one()
}
#endif

/* ---- a worker: these use got, searching and the above ------------------------------------------------------------------ */

inline turn(a)
{
#ifdef SCHEDULES
    if
    :: a == 0 && home(1) == ANY -> enter(1, RING(w)) /* nobody is told */
    :: a == 0 && home(1) == w -> enter(1, PINNED(w))
    :: a == 0 && home(1) == 1 - w -> deliver(1, 1 - w)
    :: else -> skip
    fi;
#endif
#ifdef HANGS
    if
    :: a == 0 -> (ran[1] == TOTAL1)
    :: else -> skip
    fi;
#endif
    atomic { ran[a]++; where[a] = NOWHERE; running[w] = 0 };
    if
    :: stuck[w] -> stuck[w] = 0
    :: else -> skip
    fi
}

/* Takes an actor out of the worker's own places and runs it. */
inline step()
{
    atomic {
        got = 1;
        if
        :: where[0] == INBOX(w) || where[0] == PINNED(w) || where[0] == RING(w) -> where[0] = ON(w); running[w] = 1; i = 0
        :: where[1] == INBOX(w) || where[1] == PINNED(w) || where[1] == RING(w) -> where[1] = ON(w); running[w] = 1; i = 1
        :: else -> got = 0
        fi
    };
    if
    :: got && i == 0 -> turn(0)
    :: got && i == 1 -> turn(1)
    :: else -> skip
    fi
}

inline take_global()
{
    atomic {
        got = 0;
        if
        :: where[0] == GLOBAL -> where[0] = RING(w); got = 1
        :: where[1] == GLOBAL -> where[1] = RING(w); got = 1
        :: else -> skip
        fi
    }
}

/* Surplus, or anything when the victim is stuck. */
inline steal()
{
    seen = stuck[1 - w];
    atomic {
        if
        :: (seen || where[1] == RING(1 - w)) && where[0] == RING(1 - w) -> where[0] = RING(w); got = 1
        :: (seen || where[0] == RING(1 - w)) && where[1] == RING(1 - w) -> where[1] = RING(w); got = 1
        :: else -> skip
        fi
    }
}

inline stop_searching()
{
    if
    :: searching -> searching = 0; searchers = 0
    :: else -> skip
    fi
}

/* In hit: whether something came. */
inline look_again()
{
#ifdef NO_SECOND_LOOK
    hit = 0;
#else
    hit = holds(INBOX(w));
#ifndef NO_SECOND_LOOK_AT_THE_GLOBAL_LIST
    hit = hit || global_length;
#endif
#ifndef NO_SECOND_LOOK_AT_STOPPING
    hit = hit || stopping;
#endif
#endif
}

inline park()
{
#ifdef NO_FENCE_IN_PARK
    look_again();
    state[w] = PARKED;
    sleepers++;
#else
    state[w] = PARKED;
    sleepers++; /* a locked operation: a fence */
    look_again();
#endif
    if
    :: !hit -> (woken[w]); woken[w] = 0 /* sleeps in its port */
    :: hit -> woken[w] = 0 /* a look at the port, */
    :: hit -> skip /* or none */
    fi;
    atomic { seen = state[w]; state[w] = RUNNING };
    if
#ifndef FORGETS_WHY_IT_WAS_WOKEN
    :: seen == NOTIFIED_SEARCH -> searching = 1
#endif
    :: else -> skip
    fi;
    sleepers--;
#ifdef MONITOR
    if
    :: asleep -> asleep = 0 /* poke */
    :: else -> skip
    fi
#endif
}

proctype Worker(byte w)
{
    byte i, seen;
    bit hit, got, searching;
    do
    :: stopping -> left[w] = 1; break
    :: else ->
        step();
        if
        :: got -> skip
        :: else -> /* idle */
            take_global();
            if
            :: got || searchers && !searching -> skip
            :: else ->
                if
                :: searching -> skip
                :: else ->
                    atomic {
                        if
                        :: !searchers -> searchers = 1; searching = 1
                        :: else -> skip
                        fi
                    }
                fi;
                if
                :: searching -> steal()
                :: else -> skip
                fi
            fi;
#ifdef SEARCHES_UNTIL_PARKED
            if
            :: got -> stop_searching()
            :: else -> park(); stop_searching()
            fi
#else
            stop_searching();
            if
            :: got -> skip
            :: else ->
                park();
#ifndef SEARCHES_DURING_TURNS
                if
                :: searching -> /* before anything else */
                    take_global();
                    if
                    :: !got && !holds(RING(w)) -> steal()
                    :: else -> skip
                    fi;
                    stop_searching()
                :: else -> skip
                fi
#endif
            fi
#endif
        fi;
        skip;
        d_step { i = 0; seen = 0; got = 0; hit = 0 } /* fewer states */
    od
}

/* ---- the monitor -------------------------------------------------------------------------------------------------------- */

#ifdef MONITOR
#ifdef MONITOR_IGNORES_THE_GLOBAL_LIST
#define holds_work(w) holds(RING(w))
#else
#define holds_work(w) (holds(RING(w)) || global_length)
#endif
/* A look at worker w would come to something, now. */
#define needs_help(w) (running[w] && holds_work(w) && sleepers > 0 && !searchers && state[1 - w] == PARKED)

inline rescue(w)
{
#ifndef MONITOR_DOES_NOT_SAY_WHO_IS_STUCK
    stuck[w] = 1; /* then a fence */
#endif
    wake_one()
}

proctype Monitor()
{
    byte i;
    bit hit;
    do
    :: needs_help(0) -> rescue(0)
    :: needs_help(1) -> rescue(1)
    :: state[0] == PARKED && state[1] == PARKED -> /* as it was when last looked at */
#ifdef MONITOR_HAS_NO_FENCE
        hit = (state[0] == PARKED);
        hit = hit && state[1] == PARKED;
        asleep = 1;
#else
        asleep = 1; /* then a fence */
        hit = (state[0] == PARKED);
        hit = hit && state[1] == PARKED;
#endif
#ifndef MONITOR_DOES_NOT_LOOK_AGAIN
        if
        :: !hit -> asleep = 0
        :: else -> skip
        fi;
#endif
        (!asleep)
    od
}
#endif

/* ---- all ---------------------------------------------------------------------------------------------------------------- */

#define all_ran (ran[0] == TIMES0 && ran[1] == TOTAL1 && where[0] == NOWHERE && where[1] == NOWHERE)

init {
    byte i;
    bit hit;
    atomic {
        run Worker(0);
        run Worker(1);
        run Thread(0, TIMES0);
#if TIMES1 > 0
        run Thread(1, TIMES1);
#endif
#ifdef NUDGES
        run Nudger();
#endif
#ifdef MONITOR
        run Monitor();
#endif
    };
#ifdef STOPS
    (all_ran); /* nothing runs any more, but nobody need be parked */
#ifdef NO_FENCE_IN_STOP
    hit = (state[0] == PARKED);
    stopping = 1;
    if
    :: hit -> wake(0, NOTIFIED)
    :: else -> skip
    fi;
#else
    stopping = 1; /* then a fence */
    wake(0, NOTIFIED);
#endif
    wake(1, NOTIFIED);
#endif
    timeout -> /* nothing can move any more */
    assert(all_ran && left[0] == stopping && left[1] == stopping)
}
