/*
 * The one-word mailbox (mailbox/mailbox.h), small enough to be searched exhaustively by Spin. Names are those of the code.
 *
 * Every statement is one memory step, every atomic { } one atomic operation. A message is a block, taken from three; a
 * block that was handled is free again, so that the same address comes back while a sender is between its load and its
 * CAS. The run queue is one bit, and two runners wait for it.
 *
 *   SENDERS  actors with EACH messages to send, one after the other
 *   MOVES    workers that run each of them by turns, a handler at a time
 *   HOLD     messages that a handler may hold, to push them together (actors/outbox.h); 1: it holds none
 *   POKERS   threads that set a signal and poke
 *   BATCH    messages in a turn
 *   BOUND    of the mailbox, with the policy "drop new"; 0: none
 *   CLOSES   the actor closes its mailbox after its first message
 *
 * Checked: the actor is scheduled once at a time and run by one runner; the messages of a sender are handled in order, and
 * each is handled, refused or dropped, once; no more wait than the bound and one for each sender (or HOLD, where they
 * hold); and when nothing moves any more nothing waits, and every signal has been seen. CMakeLists.txt has the scenarios,
 * and the mistakes (the #ifdefs in capital letters below) that must be found in them.
 */

#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef EACH
#define EACH 1
#endif
#ifndef MOVES
#define MOVES 1
#endif
#ifndef HOLD
#define HOLD 1
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
byte sent[SENDERS];
bit in_turn[SENDERS];
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

/* Pushes `count` messages that are linked from newest to oldest. What was held has been let in already. */
inline push(newest, oldest, count)
{
    old = word;
    do
    :: old == CLOSED -> break
    :: else ->
        if
        :: BOUND > 0 && old != IDLE && !let_in -> too_many = (backlog + COUNT(old) >= BOUND)
        :: else -> too_many = 0
        fi;
        if
        :: too_many -> break
        :: old == IDLE -> block[oldest].next = 0; new = MAKE(newest, count, 0)
        :: else -> block[oldest].next = NEWEST(old); new = MAKE(newest, COUNT(old) + count, KEPT(old))
        fi;
        atomic {
            if
            :: EXCHANGED ->
                word = new;
                waiting = waiting + count;
                assert(BOUND == 0 || waiting < BOUND + SENDERS * HOLD);
                pushed = 1;
                break
            :: else -> old = word
            fi
        }
    od;
    if
    :: pushed && MUST_SCHEDULE(old) -> schedule()
    :: pushed && !MUST_SCHEDULE(old) -> skip
    :: else -> /* refused */
        d_step {
#ifndef WALKS_PAST_ITS_CHAIN
            block[oldest].next = 0; /* it may have been linked to what came before */
#endif
            do
            :: newest -> fates++; m = block[newest].next; block[newest].used = 0; block[newest].next = 0; newest = m
            :: else -> break
            od
        }
    fi;
    d_step { pushed = 0; too_many = 0; newest = 0; oldest = 0; m = 0; old = 0; new = 0 } /* fewer states */
}

inline take_block()
{
    if
    :: !block[1].used -> m = 1
    :: !block[2].used -> m = 2
    :: !block[3].used -> m = 3
    fi;
    block[m].used = 1;
    block[m].sender = me;
    block[m].number = sent[me];
    sent[me]++
}

/* There may be no block left; then there will be one. */
#define CAN_SEND (sent[me] < EACH && !(block[1].used && block[2].used && block[3].used))

#ifdef PUSHES_PAST_WHAT_IS_HELD
#define IN_ORDER true
#else
#define IN_ORDER (held == 0)
#endif

#if HOLD > 1
#define MAY_HOLD (held < HOLD && (held || BOUND == 0 || backlog + COUNT(word) + HOLD <= BOUND))
#else
#define MAY_HOLD false
#endif

inline flush()
{
    if
    :: held -> let_in = 1; push(newest, oldest, held); d_step { held = 0; let_in = 0 }
    :: else -> skip
    fi
}

/* A worker, and on it now and then a sender: each of its handlers sends a message, or some. */
proctype Sender(byte me)
{
    byte m, alone, newest, oldest, held, old, new;
    bit too_many, pushed, let_in;
    do
    :: sent[me] == EACH -> break
    :: atomic { !in_turn[me] && CAN_SEND -> in_turn[me] = 1; take_block(); alone = m; m = 0 };
        push(alone, alone, 1);
        do
        :: atomic {
            CAN_SEND && MAY_HOLD -> take_block();
            block[m].next = newest; newest = m; oldest = (held -> oldest : m); held++; m = 0
        }
        :: atomic { CAN_SEND && HOLD > 1 && IN_ORDER -> take_block(); alone = m; m = 0 }; push(alone, alone, 1)
        :: HOLD > 1 && !IN_ORDER -> flush()
        :: true -> break
        od;
#ifdef PUSHES_AFTER_THE_HANDLER
        in_turn[me] = 0;
        flush()
#else
        flush();
        in_turn[me] = 0
#endif
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
        do :: k < SENDERS * MOVES -> run Sender(k % SENDERS); k++ :: else -> break od;
        k = 0;
        do :: k < POKERS -> run Poker(); k++ :: else -> break od;
        run Runner();
        run Runner()
    };
    timeout -> /* nothing can move any more */
    assert(fates == SENDERS * EACH && !scheduled && !running && (closed || (word == IDLE && seen == POKERS)))
}
