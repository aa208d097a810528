/*
 * Links (actors/link.c) between two actors, for Spin: each links, unlinks, ends and is started again, or ends for good, OPS
 * times in all, in every order, while the messages about it are on their way. A handler is one step; messages between two
 * keep their order.
 *
 * Checked whenever nothing is on its way: both sides hold the same links, each with the other's id; a link that was made,
 * and that nobody severed or ended since, is held; of an end that a linked one lived to see it was told. And always: it is
 * told once. CMakeLists.txt has the scenarios and the mistakes (the #ifdefs in capital letters) that must be found in them.
 */

#ifndef OPS
#define OPS 5
#endif
#define ROOM 4 /* links that one side can hold; two are enough but for mistakes */

mtype = { LINK, UNLINK, EXITED };

chan to[2] = [16] of { mtype, byte, byte, byte }; /* to whom: what, the receiver's id, the sender's, number of the end */

byte id[8], peer[8]; /* of the elements that actor i holds, from ROOM * i on; id 0: free */
bit made[8];
bit dead[2];
byte last_id, ends, left = OPS;

/* What the program knows: it has made a link and not severed it; the last that was done to the pair was to make one. */
bit mine[2], linked;
byte told[2], due[2]; /* numbers of ends: that it heard of last; that it has to hear of; 0: none */

#define first(i) ((i) * ROOM)
#define holds(i) (id[first(i)] || id[first(i) + 1] || id[first(i) + 2] || id[first(i) + 3])
#define makes(i) ((id[first(i)] && made[first(i)]) || (id[first(i) + 1] && made[first(i) + 1]) || \
    (id[first(i) + 2] && made[first(i) + 2]) || (id[first(i) + 3] && made[first(i) + 3]))

/* Held at both ends; whether all that actor i holds is; whether one is. */
#ifdef BY_IDENTITY
#define both(a, i) (id[a] && holds(1 - i))
#else
#define pairs(a, b) (id[a] && id[a] == peer[b] && id[b] == peer[a] && made[a] != made[b])
#define both(a, i) (pairs(a, first(1 - i)) || pairs(a, first(1 - i) + 1) || pairs(a, first(1 - i) + 2) || \
    pairs(a, first(1 - i) + 3))
#endif
#define free_or_both(a, i) (!id[a] || both(a, i))
#define all_both(i) (free_or_both(first(i), i) && free_or_both(first(i) + 1, i) && free_or_both(first(i) + 2, i) && \
    free_or_both(first(i) + 3, i))
#define one_both(i) (both(first(i), i) || both(first(i) + 1, i) || both(first(i) + 2, i) || both(first(i) + 3, i))

/* Compact: what is held stands in the order in which it came, so that equal states are equal. */
inline hold(i, an_id, a_peer, by_me)
{
    k = first(i);
    do :: id[k] -> k++ :: else -> break od;
    assert(k < first(i) + ROOM);
    id[k] = an_id; peer[k] = a_peer; made[k] = by_me
}

inline unhold(i, at)
{
    k = at;
    do
    :: k + 1 < first(i) + ROOM -> id[k] = id[k + 1]; peer[k] = peer[k + 1]; made[k] = made[k + 1]; k++
    :: else -> break
    od;
    id[k] = 0; peer[k] = 0; made[k] = 0
}

/* n: where the link stands that a message with this id is about; ROOM * (i + 1): it is not held. */
inline find(i, an_id)
{
    n = first(i);
#ifndef BY_IDENTITY
    do :: n < first(i) + ROOM && id[n] != an_id -> n++ :: else -> break od
#else
    if :: !id[n] -> n = first(i) + ROOM :: else -> skip fi
#endif
}

inline sever_all(i)
{
    do
    :: id[first(i)] ->
        to[1 - i]!UNLINK(peer[first(i)], 0, 0);
        unhold(i, first(i))
    :: else -> break
    od
}

inline link(i)
{
    if
#ifdef BY_IDENTITY
    :: holds(i)
#else
#ifdef SATISFIED_BY_THE_PEERS
    :: holds(i)
#else
    :: makes(i)
#endif
#endif
    :: else ->
        hold(i, last_id + 1, last_id + 2, 1);
        to[1 - i]!LINK(last_id + 2, last_id + 1, 0);
        last_id = last_id + 2
    fi;
    if :: !mine[i] -> linked = 1 :: else -> skip fi;
    mine[i] = 1
}

inline unlink(i)
{
    sever_all(i);
    linked = 0; mine[i] = 0; due[i] = 0
}

inline end(i, for_good)
{
    ends++;
    if :: linked && one_both(i) -> due[1 - i] = ends :: else -> skip fi;
    do
    :: id[first(i)] ->
        to[1 - i]!EXITED(peer[first(i)], 0, ends);
        unhold(i, first(i))
    :: else -> break
    od;
    linked = 0; mine[i] = 0; due[i] = 0;
    dead[i] = for_good
}

inline handle(i)
{
    to[i]?what, its, from, e;
    find(i, its);
    if
    :: dead[i] ->
        if :: what == LINK -> to[1 - i]!EXITED(from, 0, 0) :: else -> skip fi
    :: !dead[i] && what == LINK ->
#ifdef BY_IDENTITY
        if :: !holds(i) -> hold(i, its, from, 0) :: else -> skip fi
#else
#ifdef MERGES
        if :: !holds(i) -> hold(i, its, from, 0) :: else -> skip fi
#else
        hold(i, its, from, 0)
#endif
#endif
    :: !dead[i] && what == UNLINK ->
        if :: n < first(i) + ROOM -> unhold(i, n) :: else -> skip fi
    :: !dead[i] && what == EXITED ->
        if
        :: n < first(i) + ROOM ->
            unhold(i, n);
#ifndef EACH_EXIT_ALONE
            sever_all(i);
#endif
            assert(!e || told[i] != e);
            told[i] = e;
            linked = 0; mine[i] = 0; due[i] = 0 /* a later end, too, was one of a link that this one has ended */
        :: else -> skip
        fi
    fi;
    what = 0; its = 0; from = 0; e = 0; n = 0; k = 0
}

inline check()
{
    if
    :: len(to[0]) + len(to[1]) == 0 ->
        assert(all_both(0) && all_both(1));
        assert(!linked || (holds(0) && holds(1)));
        assert(!due[0] && !due[1])
    :: else -> skip
    fi
}

init {
    byte its, from, e, n, k;
    mtype what;
    do
    :: d_step { left && !dead[0] -> left--; link(0); check() }
    :: d_step { left && !dead[1] -> left--; link(1); check() }
    :: d_step { left && !dead[0] -> left--; unlink(0); check() }
    :: d_step { left && !dead[1] -> left--; unlink(1); check() }
    :: d_step { left && !dead[0] -> left--; end(0, 0); check() }
    :: d_step { left && !dead[1] -> left--; end(1, 0); check() }
    :: d_step { left && !dead[0] -> left--; end(0, 1); check() }
    :: d_step { left && !dead[1] -> left--; end(1, 1); check() }
    :: d_step { len(to[0]) -> handle(0); check() }
    :: d_step { len(to[1]) -> handle(1); check() }
    :: len(to[0]) + len(to[1]) == 0 && (!left || (dead[0] && dead[1])) -> break
    od;
    assert(all_both(0) && all_both(1) && (!linked || (holds(0) && holds(1))) && !due[0] && !due[1])
}
