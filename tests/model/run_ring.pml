/*
 * The run queue that others steal from (sched/run_ring.h), with four places, for Spin: an owner that pushes and pops as it
 * likes, and thieves that take half of what they see. Names are those of the code; every statement is one memory step,
 * every atomic { } one atomic operation; x86 keeps the order of stores and that of loads, so no fence is needed here.
 *
 * Checked: no place is written while it is occupied, and each of the entries is taken exactly once. CMakeLists.txt has the
 * scenarios and the mistakes (the #ifdefs in capital letters) that must be found in them.
 */

#ifndef ENTRIES
#define ENTRIES 6
#endif
#ifndef THIEVES
#define THIEVES 2
#endif

#define SIZE 4

byte head, tail;
byte slot[SIZE];
bit taken[ENTRIES + 1];
byte all;

inline take(entry)
{
    assert(entry && !taken[entry]);
    taken[entry] = 1;
    all++
}

inline pop()
{
    h = head;
    do
    :: h == tail -> break
    :: else ->
        entry = slot[h % SIZE];
        atomic {
#ifdef OWNER_TAKES_BY_A_STORE
            head = h + 1; take(entry); break
#else
            if
            :: head == h -> head = h + 1; take(entry); break
            :: else -> h = head
            fi
#endif
        }
    od
}

proctype Owner()
{
    byte h, entry, number = 1;
    do
    :: number <= ENTRIES ->
        h = head;
        if
        :: tail - h == SIZE -> skip
        :: else ->
#ifdef PUSH_SHOWS_BEFORE_IT_WRITES
            tail++;
            slot[(tail - 1) % SIZE] = number;
#else
            slot[tail % SIZE] = number;
            tail++;
#endif
            number++
        fi
    :: pop()
    :: number > ENTRIES && head == tail -> break
    od
}

proctype Thief()
{
    byte h, count, i, loot[2];
    do
    :: head < ENTRIES ->
        h = head;
        do
        :: true ->
            count = tail - h; /* modulo 256 */
            if
            :: count > SIZE -> h = head /* it was taken on while the tail was read */
            :: count == 0 -> break
            :: else ->
                count = count - count / 2;
                i = 0;
#ifdef THIEF_READS_AFTER_ITS_CAS
                atomic {
                    if
                    :: head == h -> head = h + count
                    :: else -> h = head; count = 0
                    fi
                };
#endif
                do :: i < count -> loot[i] = slot[(h + i) % SIZE]; i++ :: else -> break od;
                atomic {
#ifdef THIEF_READS_AFTER_ITS_CAS
                    if
                    :: count -> h = head
                    :: else -> skip
                    fi;
                    if
                    :: count ->
#else
                    if
#ifdef THIEF_IGNORES_ITS_CAS
                    :: true -> if :: head == h -> head = h + count :: else -> skip fi;
#else
                    :: head == h -> head = h + count;
#endif
#endif
                        i = 0;
                        do :: i < count -> take(loot[i]); i++ :: else -> break od;
                        break
                    :: else -> h = head
                    fi
                }
            fi
        od;
        skip;
        d_step { h = 0; count = 0; i = 0; loot[0] = 0; loot[1] = 0 } /* fewer states */
    :: else -> break
    od
}

init {
    byte k;
    atomic {
        run Owner();
        do :: k < THIEVES -> run Thief(); k++ :: else -> break od
    };
    timeout ->
    assert(all == ENTRIES && head == tail)
}
