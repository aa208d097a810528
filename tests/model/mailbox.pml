/*
 * The one-word mailbox (mailbox/mailbox.h), small enough to be searched exhaustively by Spin. Names are those of the code.
 *
 * Every statement is one memory step, every atomic { } one atomic operation. A message is a block, taken from three; a
 * block that was handled is free again, so that the same address comes back while a sender is between its load and its
 * CAS. The run queue is one bit, and two runners wait for it.
 *
 *   SENDERS  threads with EACH messages to send, one after the other
 *   POKERS   threads that set a signal and poke
 *   BATCH    messages in a turn
 *   BOUND    of the mailbox, with the policy "drop new"; 0: none
 *   CLOSES   the actor closes its mailbox after its first message
 *
 * Checked: the actor is scheduled once at a time and run by one runner; the messages of a sender are handled in order, and
 * each is handled, refused or dropped, once; no more wait than the bound and one for each sender; and when nothing moves
 * any more nothing waits, and every signal has been seen. CMakeLists.txt has the scenarios, and the mistakes (the #ifdefs
 * in capital letters below) that must be found in them.
 */

#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef EACH
#define EACH 1
#endif
#ifndef POKERS
#define POKERS 0
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef BOUND
#define BOUND 0
#endif

#define BLOCKS 3

#define EMPTY  0
#define POKE   1
#define IDLE   2
#define CLOSED 3
#define MAKE(newest, count, state) ((newest) * 16 + (count) * 4 + (state))
#define NEWEST(w)                  ((w) / 16)
#define COUNT(w)                   ((w) / 4 % 4)
#define POKED(w)                   ((w) & POKE)

byte word = EMPTY; /* an actor that was just made: scheduled */
byte backlog;

typedef Block {
    bit used;
    byte sender, number, next;
}
Block block[BLOCKS + 1]; /* none is 0 */

bit scheduled = 1;
bit running;
bit closed;
byte waiting; /* pushed, not handled */
byte fates;
byte expected[SENDERS];
byte signals, seen;
byte tmp; /* in d_step only */

inline schedule()
{
    atomic { assert(!scheduled && !running && !closed); scheduled = 1 }
}

/* ---- any thread ------------------------------------------------------------------------------------------------------ */

#ifdef PUSH_IS_A_STORE
#define EXCHANGED true
#else
#define EXCHANGED (word == old)
#endif

#ifdef SCHEDULES_ON_EMPTY
#define MUST_SCHEDULE(w) (w == IDLE || w == EMPTY)
#else
#define MUST_SCHEDULE(w) (w == IDLE)
#endif

#ifdef PUSH_FORGETS_A_POKE
#define KEPT(w) 0
#else
#define KEPT(w) POKED(w)
#endif

inline push(m)
{
    old = word;
    do
    :: old == CLOSED -> break
    :: else ->
        if
        :: BOUND > 0 && old != IDLE -> too_many = (backlog + COUNT(old) >= BOUND)
        :: else -> too_many = 0
        fi;
        if
        :: too_many -> break
        :: old == IDLE -> block[m].next = 0; new = MAKE(m, 1, 0)
        :: else -> block[m].next = NEWEST(old); new = MAKE(m, COUNT(old) + 1, KEPT(old))
        fi;
        atomic {
            if
            :: EXCHANGED -> word = new; waiting++; assert(BOUND == 0 || waiting < BOUND + SENDERS); pushed = 1; break
            :: else -> old = word
            fi
        }
    od
}

proctype Sender(byte me)
{
    byte number, m, old, new;
    bit too_many, pushed;
    do
    :: number == EACH -> break
    :: else ->
        d_step { /* there are enough, or there will be */
            if
            :: !block[1].used -> m = 1
            :: !block[2].used -> m = 2
            :: !block[3].used -> m = 3
            fi;
            block[m].used = 1;
            block[m].sender = me;
            block[m].number = number;
            number++
        };
        push(m);
        if
        :: pushed && MUST_SCHEDULE(old) -> schedule()
        :: pushed && !MUST_SCHEDULE(old) -> skip
        :: else -> d_step { fates++; block[m].used = 0; block[m].next = 0 } /* refused */
        fi;
        d_step { pushed = 0; too_many = 0; m = 0; old = 0; new = 0 } /* fewer states */
    od
}

proctype Poker()
{
    byte old, new;
    signals++;
    old = word;
    do
    :: old == CLOSED -> break
    :: else ->
        new = (old == IDLE -> POKE : old | POKE);
        atomic {
            if
            :: word == old -> word = new; break
            :: else -> old = word
            fi
        }
    od;
    if
    :: old == IDLE -> schedule()
    :: else -> skip
    fi
}

/* ---- the owner ------------------------------------------------------------------------------------------------------- */

/* The chain becomes part of the lane, oldest first: the lane is turned round, the chain put in front of it, newest first,
 * and all turned round again. */
inline sort_chain()
{
    d_step {
        tmp = 0;
        do :: lane -> m = block[lane].next; block[lane].next = tmp; tmp = lane; lane = m :: else -> break od;
        count = NEWEST(old);
        if
        :: count ->
            m = count;
            do :: block[m].next -> m = block[m].next :: else -> break od;
            block[m].next = tmp;
            tmp = count
        :: else -> skip
        fi;
        do :: tmp -> m = block[tmp].next; block[tmp].next = lane; lane = tmp; tmp = m :: else -> break od;
        count = 0; m = lane;
        do :: m -> count++; m = block[m].next :: else -> break od /* lanes->count */
    }
}

inline pop(what)
{
    d_step {
        m = lane;
        lane = block[m].next;
        assert(!what || block[m].number >= expected[block[m].sender]); /* those before it may have been refused */
        expected[block[m].sender] = block[m].number + 1;
        block[m].used = 0; block[m].next = 0; m = 0;
        count--; waiting--; fates++
    }
}

inline drain()
{
    old = word;
    if
    :: old == EMPTY -> skip
    :: else ->
#ifdef DRAIN_PUBLISHES_TOO_LATE
        atomic { old = word; word = EMPTY };
        backlog = count + COUNT(old);
#else
        do
        :: backlog = count + COUNT(old);
            atomic {
                if
#ifdef DRAIN_IS_A_STORE
                :: true -> word = EMPTY; break
#endif
#ifdef DRAIN_IS_AN_EXCHANGE
                :: true -> old = word; word = EMPTY; break
#endif
                :: word == old -> word = EMPTY; break
                :: else -> old = word
                fi
            }
        od;
#endif
        sort_chain();
        if
        :: POKED(old) -> seen = signals
        :: else -> skip
        fi
    fi
}

inline close()
{
#ifdef CLOSE_IS_A_LOAD_AND_A_STORE
    old = word;
    word = CLOSED;
#else
    atomic { old = word; word = CLOSED };
#endif
    sort_chain();
    do :: lane -> pop(false) :: else -> break od;
    atomic { closed = 1; running = 0; assert(!scheduled) }
}

#ifdef IDLE_IS_A_STORE
#define MAY_IDLE true
#else
#define MAY_IDLE (word == EMPTY)
#endif

#ifdef IDLES_WITH_A_FULL_LANE
#define REQUEUES false
#else
#define REQUEUES (handled == BATCH)
#endif

inline turn()
{
    do
    :: drain();
        do
        :: lane && handled < BATCH -> pop(true); handled++
        :: else -> break
        od;
        if
#ifdef CLOSES
        :: handled > 0 -> close(); break
        :: else ->
#else
        :: true ->
#endif
            backlog = count;
            if
            :: REQUEUES -> /* the lane is the actor's, for the next runner */
                atomic { running = 0; rest = lane; rest_count = count; schedule(); break }
            :: else ->
                atomic {
                    if
                    :: MAY_IDLE -> word = IDLE; running = 0; rest = lane; rest_count = count; break
                    :: else -> skip /* something has come */
                    fi
                }
            fi
        fi
    od
}

byte rest, rest_count; /* what the last runner left in the lane */

proctype Runner()
{
    byte lane, count, handled, m, old;
    do
    :: atomic { scheduled -> scheduled = 0; assert(!running); running = 1; lane = rest; count = rest_count };
        turn();
        skip;
        d_step { lane = 0; count = 0; handled = 0; m = 0; old = 0 }
    od
}

init {
    byte k;
    atomic {
        do :: k < SENDERS -> run Sender(k); k++ :: else -> break od;
        k = 0;
        do :: k < POKERS -> run Poker(); k++ :: else -> break od;
        run Runner();
        run Runner()
    };
    timeout -> /* nothing can move any more */
    assert(fates == SENDERS * EACH && !scheduled && !running && (closed || (word == IDLE && seen == POKERS)))
}
