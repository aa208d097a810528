/*
 * What is taken from its owner by a fence that the owner does not execute (sched/possession.h), for Spin: an owner that
 * goes in and out, and a rescuer that tries to take what it has. The owner's stores go into a buffer first, as on x86: it
 * sees them at once, the others when they leave it, in order, at any time later. The rescuer's barrier empties the buffer.
 * (The rescuer's own stores are followed by the barrier, so they need no buffer. A lock is a full fence.)
 *
 * Checked: never are both inside; both can be. CMakeLists.txt has the scenarios and the mistakes.
 */

#ifndef TIMES
#define TIMES 2
#endif
#ifndef RESCUERS
#define RESCUERS 1
#endif

/* The owner's buffer holds values for `in`: it is the only thing it stores before it is inside, and when it leaves. */
#define ROOM 4
byte in, waiting, buffer[ROOM];
bit revoked, lock;
bit owner_inside, rescuer_inside;
byte visits, done;

inline flush_one()
{
    in = buffer[0];
    buffer[0] = buffer[1]; buffer[1] = buffer[2]; buffer[2] = buffer[3]; buffer[3] = 0;
    waiting--
}

inline store_in(value)
{
    atomic {
        waiting < ROOM ->
        buffer[waiting] = value;
        waiting++
    }
}

/* Whoever empties the owner's buffer: its processor, or the barrier. */
proctype Processor()
{
    do
    :: atomic { waiting > 0 -> flush_one() }
    :: atomic { waiting == 0 && visits == TIMES && done == RESCUERS -> break }
    od
}

inline full_fence() { waiting == 0 }

proctype Owner()
{
    bit locked;
    do
    :: visits < TIMES ->
        store_in(1);
        if
        :: revoked ->
            store_in(0);
            atomic { !lock && waiting == 0 -> lock = 1 };
            locked = 1;
            store_in(1)
        :: else
        fi;
        owner_inside = 1;
        assert(!rescuer_inside);
        owner_inside = 0;
        store_in(0);
        if
        :: locked -> atomic { waiting == 0 -> lock = 0 }; locked = 0
        :: else
        fi;
        visits++
    :: else -> break
    od
}

proctype Rescuer()
{
    bit inside;
    byte rescues;
    do
    :: rescues < TIMES ->
        if
        :: atomic { !lock -> lock = 1 };
            revoked = 1;
#ifdef LOOKS_BEFORE_THE_BARRIER
            inside = (in > 0);
#endif
#ifndef NO_BARRIER
            full_fence();
#endif
#ifndef LOOKS_BEFORE_THE_BARRIER
            inside = (in > 0);
#endif
            if
            :: !inside ->
                rescuer_inside = 1;
                assert(!owner_inside);
                rescuer_inside = 0
            :: else
            fi;
#ifdef UNLOCKS_BEFORE_IT_GIVES_BACK
            lock = 0;
            revoked = 0;
#else
            revoked = 0;
            lock = 0;
#endif
            inside = 0;
            rescues++
        :: lock -> rescues++ /* another time */
        fi
    :: else -> done++; break
    od
}

init {
    byte k;
    atomic {
        run Processor();
        run Owner();
        do :: k < RESCUERS -> run Rescuer(); k++ :: else -> break od
    };
    timeout ->
    assert(visits == TIMES && done == RESCUERS && !lock && !revoked && in == 0)
}
