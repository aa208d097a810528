#include "mailbox/mailbox.h"

#include "mailbox/panic.h"

void tri_mailbox_open(struct tri_mailbox *box, uint32_t generation, uint32_t bound, uint32_t bulk_bound_kib,
    enum tri_policy policy)
{
    tri_assert(bound >= 1 && bound <= TRI_MAILBOX_MAX && bulk_bound_kib <= TRI_BULK_MAX_KIB);
    ck_pr_store_32(&box->backlog, 0);
    ck_pr_store_32(&box->bound, bound);
    ck_pr_store_64(&box->bulk, (uint64_t)generation << TRI_BULK_BITS);
    ck_pr_store_32(&box->limits, bulk_bound_kib << TRI_POLICY_BITS | (uint32_t)policy);
    ck_pr_fence_release(); /* pairs with the acquire fence of a sender that reads the new generation */
    ck_pr_store_64(&box->word, TRI_WORD_EMPTY);
    ck_pr_fence_store(); /* and who reads the new generation finds the mailbox open */
    ck_pr_store_32(&box->generation, generation);
}

/* Whether a push that read `word` finds the mailbox full. Marks the message where the policy says so. */
static bool full(const struct tri_mailbox *box, uint64_t word, tr_msg *m)
{
    ck_pr_fence_load(); /* a backlog not older than the word; pairs with the store fence in tri_mailbox_drain */
    uint32_t waiting = ck_pr_load_32(&box->backlog) + tri_word_count(word);
    if (waiting < ck_pr_load_32(&box->bound) || m->flags_ & TRI_MSG_EXEMPT)
        return false;
    switch (tri_mailbox_policy(box)) {
    case TRI_REJECT:
    case TRI_DROP_NEW: return true;
    case TRI_STOP: m->flags_ |= TRI_MSG_OVERFLOW | TRI_MSG_SYSTEM; /* fall through */
    case TRI_DROP_OLD:
    case TRI_KEEP_LATEST: break;
    }
    return waiting >= 2 * ck_pr_load_32(&box->bound); /* the owner has not come round to drop any */
}

/* Delivers `more` messages, newest … oldest; `bounded`: but not into a full mailbox. */
TRI_INLINE enum tri_push push(struct tri_mailbox *box, tr_msg *newest, tr_msg *oldest, uint32_t more, bool bounded)
{
    uint64_t word = ck_pr_load_64(&box->word), next;
    do {
        if (word == TRI_WORD_CLOSED) {
            ck_pr_fence_acquire(); /* what was done before the end; pairs with tri_mailbox_close */
            return TRI_PUSH_CLOSED;
        }
        if (bounded && full(box, word, newest))
            return TRI_PUSH_FULL;
        uint32_t count = tri_word_count(word) + more;
        oldest->next_ = tri_word_message(word);
        next = tri_word_make(newest, count < TRI_WORD_COUNT_MAX ? count : TRI_WORD_COUNT_MAX, word & TRI_WORD_POKE);
        ck_pr_fence_release(); /* the messages before the word; pairs with the CAS in tri_mailbox_drain */
    } while (!ck_pr_cas_64_value(&box->word, word, next, &word));
    if (word != TRI_WORD_IDLE)
        return TRI_PUSHED;
    ck_pr_fence_acquire(); /* the state the last runner left; pairs with the CAS in tri_mailbox_idle */
    return TRI_PUSHED_IDLE;
}

enum tri_push tri_mailbox_push(struct tri_mailbox *box, tr_msg *m)
{
    return push(box, m, m, 1, true);
}

enum tri_push tri_mailbox_push_chain(struct tri_mailbox *box, tr_msg *newest, tr_msg *oldest, uint32_t count)
{
    return push(box, newest, oldest, count, false);
}

/* Appends the list first … last to a lane. */
static void lane_append(tr_msg **lane, tr_msg *first, tr_msg *last)
{
    if (*lane) {
        last->next_ = (*lane)->next_;
        (*lane)->next_ = first;
    } else {
        last->next_ = first;
    }
    *lane = last;
}

static tr_msg **lane_of(struct tri_lanes *lanes, const tr_msg *m)
{
    return m->flags_ & TRI_MSG_SYSTEM ? &lanes->system : m->flags_ & TRI_MSG_URGENT ? &lanes->urgent : &lanes->normal;
}

/* Takes a chain, newest first, apart into the lanes. */
static void sort_chain(struct tri_lanes *lanes, tr_msg *newest)
{
    tr_msg *oldest = NULL, *next;
    unsigned flags = 0;
    uint32_t count = 0;

    for (tr_msg *m = newest; m; m = next, count++) {
        next = m->next_;
        m->next_ = oldest;
        oldest = m;
        flags |= m->flags_;
    }
    lanes->count += count;
    if (tri_likely(!(flags & TRI_MSG_LANES))) {
        lane_append(&lanes->normal, oldest, newest);
        return;
    }
    for (tr_msg *m = oldest; m; m = next) {
        next = m->next_;
        lane_append(lane_of(lanes, m), m, m);
    }
}

bool tri_mailbox_drain(struct tri_mailbox *box, struct tri_lanes *lanes)
{
    uint64_t word = ck_pr_load_64(&box->word);
    if (word == TRI_WORD_EMPTY)
        return false;
    do { /* not an exchange, which would take what came since and is not in the backlog */
        ck_pr_store_32(&box->backlog, lanes->count + tri_word_count(word)); /* before the chain leaves the word */
        ck_pr_fence_store_atomic();
    } while (!ck_pr_cas_64_value(&box->word, word, TRI_WORD_EMPTY, &word));
    ck_pr_fence_acquire(); /* pairs with the release fence in tri_mailbox_push */
    if (tri_word_message(word))
        sort_chain(lanes, tri_word_message(word));
    return word & TRI_WORD_POKE;
}

void tri_mailbox_close(struct tri_mailbox *box, struct tri_lanes *lanes)
{
    ck_pr_fence_release(); /* pairs with the acquire fence of a push that is refused */
    uint64_t word = ck_pr_fas_64(&box->word, TRI_WORD_CLOSED);
    ck_pr_fence_acquire(); /* pairs with the release fence in tri_mailbox_push */
    if (tri_word_message(word))
        sort_chain(lanes, tri_word_message(word));
}

/* Bulk orders nothing: the word of the mailbox does. */
bool tri_mailbox_add_bulk(struct tri_mailbox *box, uint32_t generation, uint64_t bytes)
{
    uint64_t bound = (uint64_t)(ck_pr_load_32(&box->limits) >> TRI_POLICY_BITS) << 10;
    uint64_t bulk = ck_pr_load_64(&box->bulk), waiting;
    enum tri_policy policy = tri_mailbox_policy(box);
    bool drops = policy == TRI_DROP_OLD || policy == TRI_KEEP_LATEST;
    do {
        waiting = bulk - ((uint64_t)generation << TRI_BULK_BITS);
        if (tri_unlikely(waiting >> TRI_BULK_BITS))
            return true; /* another's: the push will say so */
        if (tri_unlikely(waiting && waiting + bytes > bound && !(drops && (waiting <= bound || waiting + bytes <= 2 * bound))))
            return false;
    } while (!ck_pr_cas_64_value(&box->bulk, bulk, bulk + bytes, &bulk));
    return true;
}

void tri_mailbox_sub_bulk(struct tri_mailbox *box, uint32_t generation, uint64_t bytes)
{
    uint64_t bulk = ck_pr_load_64(&box->bulk);
    while ((bulk - ((uint64_t)generation << TRI_BULK_BITS)) >> TRI_BULK_BITS == 0 &&
        !ck_pr_cas_64_value(&box->bulk, bulk, bulk - bytes, &bulk))
        ;
}

/* ---- shedding ---------------------------------------------------------------------------------------------------- */

/* How many messages of each type wait. Types beyond the table's size are taken for single ones: they are shed as old
 * messages are, not as replaced ones. */
struct census {
    struct {
        const tr_type *type;
        uint32_t count;
    } entry[32];
    unsigned used;
    uint32_t single;
};

static uint32_t *census_count(struct census *census, const tr_type *type)
{
    for (unsigned i = 0; i < census->used; i++)
        if (census->entry[i].type == type)
            return &census->entry[i].count;
    if (census->used == sizeof census->entry / sizeof census->entry[0]) {
        census->single = 1;
        return &census->single;
    }
    census->entry[census->used].type = type;
    census->entry[census->used].count = 0;
    return &census->entry[census->used++].count;
}

static struct census census_take(const tr_msg *last)
{
    struct census census = { .used = 0 };
    const tr_msg *m = last;
    do {
        m = m->next_;
        if (!(m->flags_ & TRI_MSG_EXEMPT))
            ++*census_count(&census, m->type);
    } while (m != last);
    return census;
}

/* What there is too much of. */
struct excess {
    uint32_t messages;
    uint64_t bulk;
    const tr_msg *last; /* of those that carry some: it stays */
};

static void find_last(const tr_msg *normal, struct excess *excess)
{
    const tr_msg *m = normal;
    do {
        m = m->next_;
        if (m->flags_ & TRI_MSG_BULK)
            excess->last = m;
    } while (m != normal);
}

/* Whether there are too many of its kind, and it is one less then. */
static bool too_much(struct excess *excess, const tr_msg *m)
{
    return excess->messages > 0 || (excess->bulk > 0 && m->flags_ & TRI_MSG_BULK && m != excess->last);
}

static void take_off(struct excess *excess, const tr_msg *m)
{
    uint64_t bulk = m->flags_ & TRI_MSG_BULK ? tri_msg_bulk(m) : 0;
    excess->messages -= excess->messages > 0;
    excess->bulk -= bulk < excess->bulk ? bulk : excess->bulk;
}

/* Removes the excess from the normal lane, oldest first: those that `census` shows to be replaced by a newer one of their
 * type, or without a census any. Appends them to *shed_end. */
static void shed_lane(struct tri_lanes *lanes, struct excess *excess, struct census *census, tr_msg ***shed_end)
{
    tr_msg *kept = NULL;
    while (lanes->normal) {
        tr_msg *m = tri_lane_pop(&lanes->normal);
        bool goes = !(m->flags_ & TRI_MSG_EXEMPT) && too_much(excess, m);
        if (goes && census) {
            uint32_t *count = census_count(census, m->type);
            goes = *count > 1;
            *count -= goes;
        }
        if (!goes) {
            lane_append(&kept, m, m);
            continue;
        }
        take_off(excess, m);
        lanes->count--;
        m->next_ = NULL;
        **shed_end = m;
        *shed_end = &m->next_;
    }
    lanes->normal = kept;
}

tr_msg *tri_mailbox_shed(struct tri_mailbox *box, struct tri_lanes *lanes)
{
    tr_msg *shed = NULL, **end = &shed;
    struct excess excess = { 0 };
    enum tri_policy policy = tri_mailbox_policy(box);
    if ((policy != TRI_DROP_OLD && policy != TRI_KEEP_LATEST) || !lanes->normal)
        return NULL;
    if (lanes->count > box->bound)
        excess.messages = lanes->count - box->bound;
    if (tri_mailbox_is_over_bulk(box)) {
        excess.bulk = tri_mailbox_bulk(box) - ((uint64_t)(box->limits >> TRI_POLICY_BITS) << 10);
        find_last(lanes->normal, &excess);
    }
    if (policy == TRI_KEEP_LATEST && (excess.messages || excess.bulk)) {
        struct census census = census_take(lanes->normal);
        shed_lane(lanes, &excess, &census, &end);
    }
    if (lanes->normal && (excess.messages || excess.bulk))
        shed_lane(lanes, &excess, NULL, &end);
    return shed;
}
