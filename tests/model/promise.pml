/*
 * A promise (actors/promise.h) and the three who may have its element in hand, for Spin: the holder, who lets it come, gives
 * it up, or ends; the keeper, who is the monitored actor (MONITOR), the worker whose wheel has the timer (TIMER), or a
 * thread of the blocking pool (JOB); and whoever pushes the message and finds the holder's mailbox closed. Names are those of
 * the code; every statement is one memory step, every atomic { } one atomic operation, or a step of one thread in which
 * nobody else can interfere.
 *
 * Checked: nobody touches the element after it was freed, for it may be another promise by then; it is freed once, and in no
 * list then; what the holder has given up is not seen, and nothing is seen twice. CMakeLists.txt has the scenarios and the
 * mistakes (the #ifdefs in capital letters) that must be found in them. Memory orders are tests/model/orders/promise.c's.
 */

mtype = { ASKED, ARMED, KEPT, DROPPED, REQUEST, RECALL };

#ifdef MONITOR
mtype state = ASKED;
#else
mtype state = ARMED;
#endif

bit alive = 1;      /* the element is this promise's */
bit held = 1;       /* in the holder's list */
bit at_target;      /* in that of the monitored actor */
bit in_wheel;
bit box, closed;    /* the holder's mailbox: the message is there; it is closed */
bit seen, given_up, over;
bit errand;
chan target = [2] of { mtype };
bit target_closed;

#define touch() assert(alive)

inline set_free()
{
    atomic {
        touch();
        assert(!held && !at_target && !in_wheel);
        alive = 0
    }
}

/* keep: kept is whether it may be pushed. */
inline keep(from)
{
    atomic {
        touch();
#ifdef KEEP_IS_A_STORE
        kept = (state == from);
    };
    if :: kept -> state = KEPT :: else -> skip fi
#else
        kept = (state == from);
        if :: kept -> state = KEPT :: else -> skip fi
    }
#endif
}

/* tri_promise_push: whoever finds the mailbox closed frees it. */
inline push()
{
    atomic {
        touch();
        if
        :: closed -> set_free()
        :: else -> box = 1
        fi
    }
}

/* To the monitored actor; if it is closed the sender sees to it: found_nobody, recall_found_nobody. */
inline to_target(what)
{
    atomic {
        if
        :: !target_closed -> target!what
        :: target_closed && what == REQUEST -> lost = 1
        :: target_closed && what == RECALL -> set_free()
        fi
    };
    if
    :: lost ->
        lost = 0;
        keep(ASKED);
        if :: kept -> push() :: else -> set_free() fi
    :: else -> skip
    fi
}

inline drop()
{
    given_up = 1;
    touch();
    was = state;
#ifndef UNHOLDS_TOO_LATE
    touch();
    held = 0;
#endif
#ifndef RETIRES_TOO_LATE
    touch(); /* its id is stale from here on */
#endif
    do
    :: was == KEPT -> touch(); state = DROPPED; break
    :: else ->
#ifdef DROP_IS_A_STORE
        touch();
        state = DROPPED;
        break
#else
        atomic {
            touch();
            if
            :: state == was -> state = DROPPED; break
            :: else -> was = state
            fi
        }
#endif
    od;
#ifdef UNHOLDS_TOO_LATE
    touch();
    held = 0;
#endif
#ifdef RETIRES_TOO_LATE
    touch();
#endif
    /* tell_keeper */
    if
    :: was == KEPT -> skip
    :: else ->
#ifdef MONITOR
        if
#ifdef RECALLS_WHAT_WAS_ASKED
        :: true -> to_target(RECALL)
#else
        :: was == ARMED -> to_target(RECALL)
        :: else -> skip
#endif
        fi
#endif
#ifdef TIMER
#ifdef FREES_AT_ONCE
        in_wheel = 0;
        set_free()
#else
        errand = 1
#endif
#endif
        skip
    fi
}

proctype Holder()
{
    mtype was;
    bit kept, lost, waits;
#ifdef MONITOR
    to_target(REQUEST);
#endif
    do
    :: box ->
        box = 0;
        touch();
        if
        :: state == DROPPED -> set_free()
        :: else ->
            atomic { assert(!given_up && !seen); seen = 1; held = 0 };
            set_free()
        fi
    :: held && !given_up -> drop()
    :: true -> break
    od;
    if :: held && !given_up -> drop() :: else -> skip fi;
    atomic { closed = 1; waits = box; box = 0 };
    if :: waits -> set_free() :: else -> skip fi;
    over = 1
}

#ifdef MONITOR
inline take_monitors()
{
    if
    :: at_target ->
        touch();
        at_target = 0;
        keep(ARMED);
        news = kept
    :: else -> skip
    fi
}

proctype Target()
{
    mtype what;
    bit kept, news;
    do
    :: target?what ->
        if
        :: what == REQUEST ->
            touch();
            at_target = 1;
            atomic {
                touch();
                kept = (state == ASKED);
                if :: kept -> state = ARMED :: else -> skip fi
            };
            if :: !kept -> at_target = 0; set_free() :: else -> skip fi
        :: what == RECALL ->
            touch();
            at_target = 0;
            set_free()
        fi
    :: true -> break
    :: over && empty(target) -> break
    od;
#ifndef CLOSES_BEFORE_IT_TAKES
    take_monitors();
#endif
    target_closed = 1;
#ifdef CLOSES_BEFORE_IT_TAKES
    take_monitors();
#endif
    do
    :: target?what ->
        if
        :: what == REQUEST ->
            keep(ASKED);
            if :: kept -> push() :: else -> set_free() fi
        :: what == RECALL -> set_free()
        fi
    :: empty(target) -> break
    od;
    if :: news -> push() :: else -> skip fi
}
#endif

#ifdef TIMER
proctype Wheel()
{
    bit kept;
    do
    :: in_wheel ->
        touch();
        in_wheel = 0; /* it fires */
        keep(ARMED);
        if :: kept -> push() :: else -> skip /* an errand is on its way */ fi
    :: errand ->
        errand = 0;
        touch();
        in_wheel = 0;
        set_free()
    :: over && !in_wheel && !errand -> break
    od
}
#endif

#ifdef JOB
proctype Pool()
{
    bit kept;
    touch(); /* looks whether it was dropped before it has begun */
    keep(ARMED);
    if :: kept -> push() :: else -> set_free() fi
}
#endif

init {
    atomic {
#ifdef MONITOR
        run Target();
#endif
#ifdef TIMER
        in_wheel = 1;
        run Wheel();
#endif
#ifdef JOB
        run Pool();
#endif
        run Holder()
    };
    timeout ->
    assert(!alive && over && !box && !errand)
}
