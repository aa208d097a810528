/* tr_buf: counted slices, chains, adopted memory. */
#include "mailbox/buf.h"
#include "mailbox/pool.h"

#include "sched/random.h"
#include "tests/threads.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

static unsigned released;

static void count_release(const void *bytes, void *arg)
{
    (void)bytes;
    released++;
    cr_assert_eq(arg, &released);
}

static tr_buf *copy(const char *text)
{
    tr_buf *buf = tr_buf_copy(text, strlen(text));
    cr_assert_not_null(buf);
    return buf;
}

static bool holds(const tr_buf *buf, const char *text)
{
    return tr_buf_equals(buf, text, strlen(text));
}

static unsigned pieces(const tr_buf *buf)
{
    unsigned count = 0;
    for (; buf; buf = tr_buf_next(buf))
        count++;
    return count;
}

/* A chain of these texts, each a piece of its own; ends with NULL. */
static tr_buf *chain(const char *const *text)
{
    tr_buf *buf = NULL;
    for (; *text; text++)
        buf = tr_buf_join(buf, copy(*text));
    return buf;
}

#define CHAIN(...) chain((const char *const[]){ __VA_ARGS__, NULL })

static void expect_nothing_left(void)
{
    cr_assert_eq(tri_pool_balance(), 0, "%ld blocks are left", (long)tri_pool_balance());
}

/* ---- making ------------------------------------------------------------------------------------------------------- */

Test(buf, a_new_one_is_filled_in_place)
{
    for (size_t size = 0; size < 200000; size = size * 3 + 1) {
        void *bytes;
        tr_buf *buf = tr_buf_new(size, &bytes);
        cr_assert_eq((uintptr_t)bytes % 64, 0);
        memset(bytes, 'x', size);
        cr_assert_eq(tr_buf_size(buf), size);
        cr_assert_eq(tr_buf_length(buf), size);
        cr_assert_eq(tr_buf_bytes(buf), bytes);
        cr_assert_null(tr_buf_next(buf));
        tr_buf_unref(buf);
    }
    expect_nothing_left();
}

Test(buf, one_larger_than_memory_is_refused)
{
    void *bytes;
    cr_assert_null(tr_buf_new(SIZE_MAX, &bytes));
    cr_assert_null(tr_buf_new(SIZE_MAX - sizeof(tr_buf), &bytes));
    expect_nothing_left();
}

Test(buf, a_copy_holds_the_same_bytes)
{
    char text[] = "hello";
    tr_buf *buf = tr_buf_copy(text, 5);
    memset(text, 'x', 5);
    cr_assert(holds(buf, "hello"));
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, a_copy_of_nothing_is_empty)
{
    tr_buf *buf = tr_buf_copy(NULL, 0);
    cr_assert_eq(tr_buf_size(buf), 0);
    cr_assert(tr_buf_equals(buf, "", 0));
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, printf_formats_a_text_of_any_length)
{
    static const size_t lengths[] = { 0, 1, 63, 64, 448, 510, 511, 512, 513, 10000, 200000 };
    static char text[200001];
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(text, 'a' + (int)i, lengths[i]);
        text[lengths[i]] = 0;
        tr_buf *buf = tr_buf_printf("%s", text);
        cr_assert_eq(tr_buf_size(buf), lengths[i], "without the closing zero");
        cr_assert(holds(buf, text));
        tr_buf_unref(buf);
    }
    expect_nothing_left();
}

Test(buf, printf_uses_its_arguments_twice_if_it_has_to)
{
    char text[1200];
    snprintf(text, sizeof text, "%-600s|%d|%-500s|%.2f", "a", -42, "b", 2.5);
    tr_buf *buf = tr_buf_printf("%-600s|%d|%-500s|%.2f", "a", -42, "b", 2.5);
    cr_assert(holds(buf, text));
    tr_buf_unref(buf);
    expect_nothing_left();
}

#if !defined(_WIN32) /* where printf of mingw-w64 formats everything */
Test(buf, what_cannot_be_formatted_makes_no_buffer)
{
    cr_assert_null(tr_buf_printf("%lc", (wint_t)0x7ffffffe));
    expect_nothing_left();
}
#endif

Test(buf, adopted_memory_is_not_copied)
{
    static const char bytes[] = "static";
    tr_buf *buf = tr_buf_adopt(bytes, 6, NULL, NULL);
    cr_assert_eq(tr_buf_bytes(buf), bytes);
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, adopted_memory_is_released_once_by_the_last_holder)
{
    static const char bytes[] = "static";
    tr_buf *buf = tr_buf_adopt(bytes, 6, count_release, &released);
    tr_buf *slice = tr_buf_slice(buf, 1, 3), *again = tr_buf_ref(slice);
    tr_buf_unref(buf);
    cr_assert_eq(released, 0);
    cr_assert(holds(slice, "tat"));
    tr_buf_unref(slice);
    cr_assert_eq(released, 0);
    tr_buf_unref(again);
    cr_assert_eq(released, 1);
    expect_nothing_left();
}

Test(buf, adopting_consumes_even_when_there_is_no_memory)
{
    tri_pool_off();
    tri_memory_fail(1, true);
    cr_assert_null(tr_buf_adopt("bytes", 5, count_release, &released));
    cr_assert_eq(released, 1);
    cr_assert_null(tr_buf_adopt("bytes", 5, NULL, NULL));
    tri_memory_fail(0, false);
    expect_nothing_left();
}

Test(buf, nothing_can_be_given_up)
{
    tr_buf_unref(NULL);
}

/* ---- received ----------------------------------------------------------------------------------------------------- */

static tr_ref returned_account;
static size_t returned_charge;

static void take_charge(tr_ref account, size_t charge)
{
    returned_account = account;
    returned_charge += charge;
}

Test(buf, a_received_piece_tells_its_account_when_the_last_slice_is_gone)
{
    tri_buf_returned = take_charge;
    tr_buf *buf = tri_buf_receive(1000);
    cr_assert_eq(tr_buf_size(buf), 0);
    memset(tri_buf_prefix(buf), 'm', TRI_BUF_PREFIX);
    memset(tri_buf_room(buf), 'x', 1000);
    tri_buf_received(buf, 10);
    cr_assert(holds(buf, "xxxxxxxxxx"));
    buf->account = (tr_ref){ 77 };
    buf->charge = 1000;
    tr_buf *slice = tr_buf_slice(buf, 2, 3);
    tr_buf_unref(buf);
    cr_assert_eq(returned_charge, 0);
    tr_buf_unref(slice);
    cr_assert_eq(returned_charge, 1000);
    cr_assert_eq(returned_account.bits, 77);
    expect_nothing_left();
}

Test(buf, a_received_piece_without_an_account_tells_nobody)
{
    tri_buf_returned = take_charge;
    tr_buf *buf = tri_buf_receive(10);
    tr_buf_unref(buf);
    cr_assert_eq(returned_charge, 0);
    expect_nothing_left();
}

/* ---- joining ------------------------------------------------------------------------------------------------------ */

Test(buf, joined_buffers_are_not_copied)
{
    tr_buf *a = copy("ab"), *b = copy("cd");
    const void *first = tr_buf_bytes(a), *second = tr_buf_bytes(b);
    tr_buf *both = tr_buf_join(a, b);
    cr_assert(holds(both, "abcd"));
    cr_assert_eq(tr_buf_bytes(both), first);
    cr_assert_eq(tr_buf_bytes(tr_buf_next(both)), second);
    cr_assert_eq(pieces(both), 2);
    tr_buf_unref(both);
    expect_nothing_left();
}

Test(buf, joining_with_nothing_answers_the_other)
{
    tr_buf *buf = copy("ab");
    cr_assert_eq(tr_buf_join(buf, NULL), buf);
    cr_assert_eq(tr_buf_join(NULL, buf), buf);
    cr_assert_null(tr_buf_join(NULL, NULL));
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, joining_a_shared_buffer_leaves_the_other_holders_view_alone)
{
    tr_buf *first = copy("ab"), *shared = tr_buf_ref(first);
    tr_buf *both = tr_buf_join(first, copy("cd"));
    cr_assert(holds(both, "abcd"));
    cr_assert(holds(shared, "ab"));
    cr_assert_eq(tr_buf_bytes(both), tr_buf_bytes(shared), "its bytes are shared");
    tr_buf_unref(both);
    tr_buf_unref(shared);
    expect_nothing_left();
}

Test(buf, a_shared_buffer_may_be_joined_to_several)
{
    tr_buf *tail = CHAIN("x", "y");
    tr_buf *a = tr_buf_join(copy("a"), tr_buf_ref(tail)), *b = tr_buf_join(copy("b"), tr_buf_ref(tail));
    cr_assert(holds(a, "axy"));
    cr_assert(holds(b, "bxy"));
    a = tr_buf_join(a, copy("z")); /* may not be seen by the others */
    cr_assert(holds(a, "axyz"));
    cr_assert(holds(b, "bxy"));
    cr_assert(holds(tail, "xy"));
    tr_buf_unref(tail);
    tr_buf_unref(a);
    b = tr_buf_join(b, copy("w")); /* the only holder by now */
    cr_assert(holds(b, "bxyw"));
    cr_assert_eq(pieces(b), 4);
    tr_buf_unref(b);
    expect_nothing_left();
}

Test(buf, a_buffer_may_be_joined_to_itself)
{
    tr_buf *buf = CHAIN("ab", "c");
    tr_buf_ref(buf);
    buf = tr_buf_join(buf, buf);
    cr_assert(holds(buf, "abcabc"));
    tr_buf_ref(buf);
    buf = tr_buf_join(buf, buf);
    cr_assert(holds(buf, "abcabcabcabc"));
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, a_chain_with_a_sliced_piece_is_shared_too)
{
    tr_buf *buf = CHAIN("ab", "cd"), *slice = tr_buf_slice(buf, 3, 1);
    tr_buf *longer = tr_buf_join(buf, copy("ef"));
    cr_assert(holds(longer, "abcdef"));
    cr_assert(holds(slice, "d"));
    tr_buf_unref(longer);
    cr_assert(holds(slice, "d"));
    tr_buf_unref(slice);
    expect_nothing_left();
}

Test(buf, flat_makes_one_piece_of_several)
{
    tr_buf *buf = tr_buf_flat(CHAIN("one ", "", "two ", "three"));
    cr_assert(holds(buf, "one two three"));
    cr_assert_eq(pieces(buf), 1);
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, flat_leaves_a_single_piece_as_it_is)
{
    tr_buf *buf = copy("one");
    cr_assert_eq(tr_buf_flat(buf), buf);
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, flat_leaves_the_other_holders_chain_alone)
{
    tr_buf *buf = CHAIN("ab", "cd"), *flat = tr_buf_flat(tr_buf_ref(buf));
    cr_assert(holds(flat, "abcd"));
    cr_assert_eq(pieces(buf), 2);
    tr_buf_unref(flat);
    cr_assert(holds(buf, "abcd"));
    tr_buf_unref(buf);
    expect_nothing_left();
}

/* ---- every way to cut eight bytes into pieces, against an array --------------------------------------------------------- */

static const char whole[] = "abcadbac";

/* The eight bytes, cut where a bit of mask is set, with an empty piece there where one of `empty` is set. */
static tr_buf *cut(unsigned mask, unsigned empty)
{
    tr_buf *buf = NULL;
    size_t from = 0;
    for (size_t at = 1; at <= 8; at++) {
        if (at == 8 || mask >> (at - 1) & 1) {
            buf = tr_buf_join(buf, tr_buf_copy(whole + from, at - from));
            from = at;
        }
        if (empty >> (at - 1) & 1)
            buf = tr_buf_join(buf, at & 1 ? tr_buf_adopt(NULL, 0, NULL, NULL) : tr_buf_copy("", 0));
    }
    return buf;
}

static void check_reading(const tr_buf *buf, const char *bytes, size_t size)
{
    char read[16];
    cr_assert_eq(tr_buf_size(buf), size);
    cr_assert(tr_buf_equals(buf, bytes, size));
    cr_assert_not(tr_buf_equals(buf, "abcadbacx", size + 1));
    if (size) {
        cr_assert_not(tr_buf_equals(buf, bytes, size - 1));
        memcpy(read, bytes, size);
        read[size - 1] ^= 1;
        cr_assert_not(tr_buf_equals(buf, read, size));
    }
    for (size_t offset = 0; offset <= size + 1; offset++) {
        for (size_t length = 0; length <= size + 1; length++) {
            size_t there = offset >= size ? 0 : length < size - offset ? length : size - offset;
            memset(read, '?', sizeof read);
            cr_assert_eq(tr_buf_read(buf, offset, read, length), there);
            cr_assert_arr_eq(read, bytes + (there ? offset : 0), there);
            cr_assert_eq(read[there], '?', "nothing is written behind");
        }
        for (char byte = 'a'; byte <= 'e'; byte++) {
            const char *found = offset < size ? memchr(bytes + offset, byte, size - offset) : NULL;
            cr_assert_eq(tr_buf_find(buf, offset, byte), found ? found - bytes : -1);
        }
    }
}

Test(buf, however_it_is_cut_it_reads_the_same)
{
    for (unsigned mask = 0; mask < 128; mask++) {
        tr_buf *buf = cut(mask, mask * 37 & 255);
        check_reading(buf, whole, 8);
        tr_buf_unref(buf);
    }
    expect_nothing_left();
}

Test(buf, however_it_is_cut_its_slices_are_the_same)
{
    for (unsigned mask = 0; mask < 128; mask++) {
        tr_buf *buf = cut(mask, mask * 29 & 255);
        for (size_t offset = 0; offset <= 9; offset++)
            for (size_t size = 0; size <= 9; size++) {
                size_t there = offset >= 8 ? 0 : size < 8 - offset ? size : 8 - offset;
                tr_buf *slice = tr_buf_slice(buf, offset, size);
                check_reading(slice, whole + (there ? offset : 0), there);
                tr_buf_unref(slice);
            }
        tr_buf_unref(buf);
    }
    expect_nothing_left();
}

Test(buf, a_slice_of_all_is_the_buffer_itself)
{
    tr_buf *buf = CHAIN("ab", "cd");
    cr_assert_eq(tr_buf_slice(buf, 0, 4), buf);
    cr_assert_eq(tr_buf_slice(buf, 0, SIZE_MAX), buf);
    tr_buf_unref(buf);
    tr_buf_unref(buf);
    cr_assert(holds(buf, "abcd"));
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, a_slice_cut_to_what_there_is_does_not_overflow)
{
    tr_buf *buf = CHAIN("ab", "cd"), *slice = tr_buf_slice(buf, 3, SIZE_MAX);
    cr_assert(holds(slice, "d"));
    tr_buf_unref(slice);
    slice = tr_buf_slice(buf, SIZE_MAX, SIZE_MAX);
    cr_assert_eq(tr_buf_size(slice), 0);
    tr_buf_unref(slice);
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, a_slice_of_a_slice_holds_the_bytes_not_the_slice)
{
    tr_buf *buf = copy("abcdefgh"), *slice = tr_buf_slice(buf, 0, 7);
    tr_buf_unref(buf);
    for (size_t size = 6; size > 0; size--) {
        tr_buf *smaller = tr_buf_slice(slice, 0, size);
        tr_buf_unref(slice);
        slice = smaller;
        cr_assert_eq(tri_pool_balance(), 2, "the bytes and one slice of them");
    }
    cr_assert(holds(slice, "a"));
    tr_buf_unref(slice);
    expect_nothing_left();
}

/* ---- against a model ------------------------------------------------------------------------------------------------ */

enum { HANDLES = 12, MODEL_MAX = 64 };

static struct handle {
    tr_buf *buf;
    char bytes[MODEL_MAX];
    size_t size;
} handles[HANDLES];

static char next_byte;
static unsigned adopted_out;

static void forget_adopted(const void *bytes, void *arg)
{
    (void)arg;
    adopted_out--;
    tri_memory_put((void *)bytes);
}

static void make(struct handle *h, struct tri_random *random)
{
    size_t size = tri_random_below(random, 9);
    for (size_t i = 0; i < size; i++)
        h->bytes[i] = next_byte++;
    h->size = size;
    if (tri_random_below(random, 2)) {
        h->buf = tr_buf_copy(h->bytes, size);
        return;
    }
    char *memory = tri_memory_get(size + 1);
    if (!memory)
        return;
    memcpy(memory, h->bytes, size);
    adopted_out++;
    h->buf = tr_buf_adopt(memory, size, forget_adopted, NULL);
}

static void slice(struct handle *h, struct handle *of, struct tri_random *random)
{
    size_t offset = tri_random_below(random, (uint32_t)of->size + 1);
    size_t size = tri_random_below(random, (uint32_t)(of->size - offset) + 1);
    memcpy(h->bytes, of->bytes + offset, size);
    h->size = size;
    h->buf = tr_buf_slice(of->buf, offset, size);
}

static void join(struct handle *h, struct handle *with)
{
    memcpy(h->bytes + h->size, with->bytes, with->size);
    h->size += with->size;
    h->buf = tr_buf_join(h->buf, with->buf);
    with->buf = NULL;
}

static void act(struct tri_random *random)
{
    struct handle *h = &handles[tri_random_below(random, HANDLES)], *other = &handles[tri_random_below(random, HANDLES)];
    if (!h->buf) {
        if (!other->buf) {
            make(h, random);
        } else if (tri_random_below(random, 2)) {
            slice(h, other, random);
        } else {
            *h = *other;
            tr_buf_ref(h->buf);
        }
        return;
    }
    switch (tri_random_below(random, 4)) {
    case 0:
        if (h != other && other->buf && h->size + other->size <= MODEL_MAX)
            join(h, other);
        break;
    case 1: h->buf = tr_buf_flat(h->buf); break;
    default: tr_buf_unref(h->buf); h->buf = NULL;
    }
}

static void check_handles(uint64_t seed)
{
    for (unsigned i = 0; i < HANDLES; i++)
        if (handles[i].buf)
            cr_assert(tr_buf_equals(handles[i].buf, handles[i].bytes, handles[i].size), "seed %llu",
                (unsigned long long)seed);
}

static void play_model(unsigned seeds, unsigned steps, bool faults)
{
    uint64_t failed = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct tri_random random = { seed };
        for (unsigned step = 0; step < steps; step++) {
            if (faults)
                tri_memory_fail(tri_random_below(&random, 12), false); /* 0: none will */
            act(&random);
            if (faults)
                failed += tri_memory_fail(0, false);
            check_handles(seed);
        }
        for (unsigned i = 0; i < HANDLES; i++) {
            tr_buf_unref(handles[i].buf);
            handles[i].buf = NULL;
        }
        cr_assert_eq(tri_pool_balance(), 0, "seed %llu", (unsigned long long)seed);
        cr_assert_eq(adopted_out, 0, "seed %llu", (unsigned long long)seed);
    }
    cr_assert_eq(failed > 0, faults, "%llu requests failed", (unsigned long long)failed);
}

Test(buf, whatever_is_done_to_buffers_every_holder_sees_its_own_bytes)
{
    play_model(300, 300, false);
}

Test(buf, whatever_fails_every_holder_sees_its_own_bytes_and_nothing_leaks)
{
    tri_pool_off();
    int64_t before = tri_memory_live();
    play_model(300, 300, true);
    cr_assert_eq(tri_memory_live(), before);
}

/* ---- out of memory -------------------------------------------------------------------------------------------------- */

/* Uses every function that needs memory; answers how many of the buffers that it wanted it got. */
static unsigned tell_story(void)
{
    char text[600];
    unsigned got = 0;
    void *bytes;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;

    tr_buf *fresh = tr_buf_new(100, &bytes);
    tr_buf *shared = fresh ? tr_buf_ref(fresh) : NULL;
    tr_buf *adopted = tr_buf_adopt(text, sizeof text, count_release, &released);
    tr_buf *printed = tr_buf_printf("%s", text);
    tr_buf *received = tri_buf_receive(10);
    got += fresh != NULL;
    got += adopted != NULL;
    got += printed != NULL;
    got += received != NULL;
    tr_buf *joined = tr_buf_join(fresh, adopted); /* `fresh` is shared: a slice of it is made */
    got += joined != NULL;
    joined = tr_buf_join(joined, printed);
    got += joined != NULL;
    tr_buf *slice = joined ? tr_buf_slice(joined, 1, 900) : NULL; /* of three pieces */
    got += slice != NULL;
    tr_buf *flat = slice ? tr_buf_flat(tr_buf_ref(slice)) : NULL;
    got += flat != NULL;
    tr_buf_unref(flat);
    tr_buf_unref(slice);
    tr_buf_unref(joined);
    tr_buf_unref(shared);
    tr_buf_unref(received);
    return got;
}

Test(buf, out_of_memory_at_any_request_leaks_nothing)
{
    tri_pool_off();
    int64_t before = tri_memory_live();
    for (unsigned and_after = 0; and_after < 2; and_after++) {
        unsigned n = 1;
        for (;; n++) {
            released = 0;
            tri_memory_fail(n, and_after);
            unsigned got = tell_story();
            uint64_t failed = tri_memory_fail(0, false);
            cr_assert_eq(tri_memory_live(), before, "request %u", n);
            cr_assert_eq(tri_pool_balance(), 0, "request %u", n);
            cr_assert_eq(released, 1, "request %u: what was adopted was released %u times", n, released);
            if (!failed) {
                cr_assert_eq(got, 8);
                break;
            }
            cr_assert_lt(got, 8, "request %u failed and nobody was told", n);
        }
        cr_assert_eq(n, 10, "the story asks for nine blocks, not %u", n - 1);
    }
}

Test(buf, printf_without_memory_makes_no_buffer)
{
    tri_pool_off();
    tri_memory_fail(1, true);
    cr_assert_null(tr_buf_printf("%d", 1));
    cr_assert_null(tr_buf_copy("a", 1));
    tri_memory_fail(0, false);
    expect_nothing_left();
}

/* ---- long chains ------------------------------------------------------------------------------------------------------ */

enum { LONG = 300000, SMALL_STACK = 256 * 1024 };

static void *unref_on_small_stack(void *arg)
{
    tr_buf_unref(arg);
    return NULL;
}

/* Frees it on a thread whose stack would not last for a frame of 16 bytes a piece. */
static void unref_with_small_stack(tr_buf *buf)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SMALL_STACK);
    cr_assert_eq(pthread_create(&thread, &attributes, unref_on_small_stack, buf), 0);
    pthread_attr_destroy(&attributes);
    join_thread(thread);
}

Test(buf, a_long_chain_is_freed_without_deep_recursion)
{
    tr_buf *buf = NULL;
    for (unsigned i = 0; i < LONG; i++)
        buf = tr_buf_join(copy("x"), buf);
    cr_assert_eq(tr_buf_size(buf), LONG);
    unref_with_small_stack(buf);
    expect_nothing_left();
}

/* Of what comes from a peer the peer chooses the pieces. Were each looked at with every new one, this would never end. */
Test(buf, a_long_chain_is_made_piece_by_piece)
{
    enum { EACH = 100 };
    tr_buf *buf = NULL, *shared = CHAIN("s", "h");
    for (unsigned i = 0; i < LONG; i++)
        buf = tr_buf_join(buf, i % EACH ? copy("x") : tr_buf_ref(shared));
    cr_assert_eq(tr_buf_size(buf), LONG + LONG / EACH);
    cr_assert(holds(shared, "sh"));
    const tr_buf *piece = buf;
    for (unsigned i = 0; i < LONG; i++) {
        cr_assert_eq(*(const char *)tr_buf_bytes(piece), i % EACH ? 'x' : 's');
        piece = tr_buf_next(i % EACH ? piece : tr_buf_next(piece));
    }
    cr_assert_null(piece);
    tr_buf_unref(shared);
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, the_same_buffer_is_joined_many_times)
{
    tr_buf *same = copy("x"), *buf = NULL;
    for (unsigned i = 0; i < LONG; i++)
        buf = tr_buf_join(buf, tr_buf_ref(same));
    cr_assert_eq(tr_buf_size(buf), LONG);
    cr_assert_eq(pieces(buf), LONG);
    cr_assert(holds(same, "x"));
    tr_buf_unref(same);
    tr_buf_unref(buf);
    expect_nothing_left();
}

Test(buf, a_long_chain_of_slices_is_freed_without_deep_recursion)
{
    tr_buf *buf = NULL;
    for (unsigned i = 0; i < LONG; i++) {
        tr_buf *piece = tr_buf_adopt("xyz", 3, count_release, &released);
        buf = tr_buf_join(tr_buf_slice(piece, 1, 1), buf);
        tr_buf_unref(piece);
    }
    cr_assert_eq(tr_buf_size(buf), LONG);
    unref_with_small_stack(buf);
    cr_assert_eq(released, LONG);
    expect_nothing_left();
}

Test(buf, a_long_chain_is_read_cut_and_flattened)
{
    tr_buf *buf = NULL;
    for (unsigned i = LONG; i-- > 0;)
        buf = tr_buf_join(tr_buf_copy(&(char){ (char)i }, 1), buf);
    tr_buf *slice = tr_buf_slice(buf, 1000, LONG - 2000), *flat = tr_buf_flat(buf);
    for (unsigned i = 0; i < LONG; i++)
        if (((const char *)tr_buf_bytes(flat))[i] != (char)i)
            cr_assert_fail("byte %u is wrong", i);
    cr_assert(tr_buf_equals(slice, (const char *)tr_buf_bytes(flat) + 1000, LONG - 2000));
    tr_buf_unref(slice);
    tr_buf_unref(flat);
    expect_nothing_left();
}

/* ---- threads ---------------------------------------------------------------------------------------------------------- */

enum { HOLDERS = 3, ROUNDS = 30000 };

static tr_buf *held[HOLDERS];
static uint32_t arrivals;
static unsigned int releases;
static char adopted_bytes[8];

static void release_counted(const void *bytes, void *arg)
{
    (void)arg;
    memset((void *)bytes, 0, sizeof adopted_bytes); /* whoever still reads it races with this, which is looked for */
    ck_pr_inc_uint(&releases);
}

/* All holders go on together: the last to arrive makes the next round's buffer. */
static void meet(uint32_t round)
{
    if (ck_pr_faa_32(&arrivals, 1) + 1 == (round + 1) * HOLDERS * 2 - HOLDERS) {
        cr_assert_eq(ck_pr_load_uint(&releases), round, "freed too early, twice, or not at all");
        memset(adopted_bytes, 'x', sizeof adopted_bytes);
        held[0] = tr_buf_adopt(adopted_bytes, sizeof adopted_bytes, release_counted, NULL);
        for (unsigned i = 1; i < HOLDERS; i++)
            held[i] = tr_buf_ref(held[0]);
        ck_pr_fence_release();
        ck_pr_faa_32(&arrivals, HOLDERS);
    }
    for (unsigned looks = 0; (int32_t)(ck_pr_load_32(&arrivals) - (round + 1) * HOLDERS * 2) < 0; looks++)
        breathe(looks > 900 ? 900 : looks);
    ck_pr_fence_acquire();
}

static void *hold(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg;
    char read[8];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        meet(round);
        tr_buf *mine = held[number], *slice = round % 3 == number ? tr_buf_slice(mine, 1, 2) : tr_buf_ref(mine);
        cr_assert_eq(tr_buf_read(mine, 0, read, 8), 8);
        cr_assert_eq(read[7], 'x');
        tr_buf_unref(mine);
        cr_assert_eq(tr_buf_read(slice, 0, read, 2), 2);
        cr_assert_eq(read[1], 'x');
        tr_buf_unref(slice);
    }
    return NULL;
}

Test(buf, holders_on_several_threads_free_it_exactly_once)
{
    pthread_t thread[HOLDERS];
    for (unsigned i = 0; i < HOLDERS; i++)
        thread[i] = start_thread(hold, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < HOLDERS; i++)
        join_thread(thread[i]);
    cr_assert_eq(releases, ROUNDS);
    expect_nothing_left();
}
