/* Messages: their types, their bodies, and what becomes of their memory. */
#include "mailbox/message.h"

#include <criterion/criterion.h>
#include <signal.h>

TR_MESSAGE(work, uint32_t n; const char *name;);
TR_MESSAGE(heavy, char *memory; size_t size;);
TR_MESSAGE(wide, uint8_t bytes[64];);
TR_MESSAGE(largest, char bytes[TR_BODY_MAX];);
TR_SIGNAL(pause_now);

static unsigned dropped;

static void heavy_drop(void *body)
{
    heavy *h = body;
    tri_memory_put(h->memory);
    dropped++;
}

static size_t heavy_bulk(const void *body)
{
    return ((const heavy *)body)->size;
}

TR_DEFINE(work);
TR_DEFINE(heavy, .drop = heavy_drop, .bulk = heavy_bulk);
TR_DEFINE(wide);
TR_DEFINE(largest);
TR_DEFINE(pause_now);

/* As a library that is linked twice would define it: in another place, under the same name. */
static const tr_type shared_here = { .name = "shared", .size = 8, .flags = TR_TYPE_SHARED };
static const tr_type shared_there = { .name = "shared", .size = 8, .flags = TR_TYPE_SHARED };
static const tr_type shared_but_larger = { .name = "shared", .size = 16, .flags = TR_TYPE_SHARED };
static const tr_type alone_here = { .name = "alone", .size = 8 };
static const tr_type alone_there = { .name = "alone", .size = 8 };

static tr_msg *message(const tr_type *type)
{
    tr_msg *m = tri_msg_new(type, type->size);
    cr_assert_not_null(m);
    memset(tri_msg_body(m), 0, type->size);
    return m;
}

Test(message, a_type_knows_what_it_was_defined_with)
{
    cr_assert_str_eq(work_type.name, "work");
    cr_assert_eq(work_type.size, sizeof(work));
    cr_assert_null(work_type.drop);
    cr_assert_str_eq(heavy_type.name, "heavy");
    cr_assert_eq(heavy_type.drop, heavy_drop);
    cr_assert_eq(heavy_type.bulk, heavy_bulk);
    cr_assert_str_eq(pause_now_type.name, "pause_now");
    cr_assert_eq(pause_now_type.size, 1);
    cr_assert_eq(largest_type.size, TR_BODY_MAX);
}

Test(message, the_envelope_and_a_small_body_fit_a_cache_line)
{
    cr_assert_leq(sizeof(tr_msg), 48);
    cr_assert_leq(sizeof(tr_msg) + sizeof(work), TRI_LINE);
}

Test(message, a_new_one_is_empty_aligned_and_of_its_type)
{
    tr_msg *m = tri_msg_new(&work_type, sizeof(work));
    cr_assert_eq((uintptr_t)m % TRI_LINE, 0);
    cr_assert_eq(m->type, &work_type);
    cr_assert_eq(m->call, 0);
    cr_assert_eq(m->deadline_, 0);
    cr_assert_eq(m->cause_, 0);
    cr_assert_eq(m->flags_, 0);
    cr_assert_eq(tri_msg_memory(m), TRI_MEMORY_BLOCK);
    cr_assert_eq(tri_msg_body(m), (void *)(m + 1));
    tri_msg_free(m);
    cr_assert_eq(tri_pool_balance(), 0);
}

Test(message, is_of_its_own_type_only)
{
    tr_msg *m = message(&work_type), *signal = message(&pause_now_type);
    cr_assert(tr_is(work, m));
    cr_assert_not(tr_is(pause_now, m));
    cr_assert_not(tr_is(heavy, m));
    cr_assert(tr_is(pause_now, signal));
    tri_msg_free(m);
    tri_msg_free(signal);
}

Test(message, the_body_is_what_was_put_into_it)
{
    tr_msg *m = message(&work_type);
    *(work *)tri_msg_body(m) = (work){ .n = 42, .name = "forty-two" };
    cr_assert_eq(tr_body(work, m)->n, 42);
    cr_assert_str_eq(tr_body(work, m)->name, "forty-two");
    tri_msg_free(m);
}

Test(message, a_shared_type_is_recognised_by_name_and_size)
{
    tr_msg *m = message(&shared_here);
    cr_assert(tr_is_(m, &shared_here));
    cr_assert(tr_is_(m, &shared_there));
    cr_assert_eq(tr_body_(m, &shared_there), m + 1);
    cr_assert_not(tr_is_(m, &shared_but_larger));
    cr_assert_not(tr_is_(m, &alone_here));
    tri_msg_free(m);
}

Test(message, a_type_that_is_not_shared_is_recognised_by_address)
{
    tr_msg *m = message(&alone_here);
    cr_assert(tr_is_(m, &alone_here));
    cr_assert_not(tr_is_(m, &alone_there));
    tri_msg_free(m);
}

Test(message, the_body_of_another_type_is_a_programmer_error, .signal = SIGABRT)
{
    const work *body = tr_body(work, message(&pause_now_type));
    cr_assert_null(body); /* not reached */
}

Test(message, a_shared_type_of_another_size_is_a_programmer_error, .signal = SIGABRT)
{
    cr_assert_null(tr_body_(message(&shared_here), &shared_but_larger)); /* not reached */
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

Test(message, the_hash_of_a_type_is_fnv_1a_of_its_name)
{
    cr_assert_eq(tri_hash(""), 0xcbf29ce484222325);
    cr_assert_eq(tri_hash("a"), 0xaf63dc4c8601ec8c);
    cr_assert_eq(tri_hash("foobar"), 0x85944171f73967e8);
    cr_assert_eq(tri_hash("\xff"), 0xaf64724c8602eb6e);
    cr_assert_eq(tr_type_hash(&work_type), tri_hash("work"));
    cr_assert_eq(tr_type_hash(&shared_here), tr_type_hash(&shared_there));
}

/* ---- what the sending macros make of their arguments --------------------------------------------------------------- */

static const tr_type *sent_type;
static size_t sent_size;
static bool sent_empty;
static union {
    work work;
    wide wide;
} sent;

static void take(const tr_type *type, const void *body, size_t size)
{
    sent_type = type;
    sent_size = size;
    sent_empty = !body;
    if (body)
        memcpy(&sent, body, size);
}

Test(message, fields_are_given_by_name_and_the_others_are_zero)
{
    take(TR_TYPED_(work, .n = 7));
    cr_assert_eq(sent_type, &work_type);
    cr_assert_eq(sent_size, sizeof(work));
    cr_assert_eq(sent.work.n, 7);
    cr_assert_null(sent.work.name);
    take(TR_TYPED_(work, 8, "eight"));
    cr_assert_eq(sent.work.n, 8);
    cr_assert_str_eq(sent.work.name, "eight");
}

Test(message, without_fields_there_is_no_body_to_copy)
{
    take(TR_TYPED_(pause_now));
    cr_assert_eq(sent_type, &pause_now_type);
    cr_assert_eq(sent_size, sizeof(pause_now));
    cr_assert(sent_empty);
    take(TR_TYPED_(work));
    cr_assert(sent_empty);
    cr_assert_eq(sent_size, sizeof(work));
}

Test(message, sixty_three_values_are_not_too_many)
{
    take(TR_TYPED_(wide,
        { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
            32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59,
            60, 61, 62, 63 }));
    cr_assert_eq(sent_type, &wide_type);
    for (unsigned i = 0; i < 63; i++)
        cr_assert_eq(sent.wide.bytes[i], i + 1);
    cr_assert_eq(sent.wide.bytes[63], 0);
}

/* ---- the end of a message ------------------------------------------------------------------------------------------ */

Test(message, what_a_body_owns_is_dropped_once)
{
    int64_t before = tri_memory_live();
    tr_msg *m = message(&heavy_type);
    ((heavy *)tri_msg_body(m))->memory = tri_memory_get(1000);
    tri_msg_free(m);
    cr_assert_eq(dropped, 1);
    cr_assert_eq(tri_pool_balance(), 0);
    cr_assert_eq(tri_memory_live(), before);
}

Test(message, the_largest_body_fits)
{
    tr_msg *m = message(&largest_type);
    memset(tri_msg_body(m), 'x', TR_BODY_MAX);
    tri_msg_free(m);
    cr_assert_eq(tri_pool_balance(), 0);
}

static tr_msg *given_back;
static enum tri_memory_kind given_back_as;

static void give_promise_back(tr_msg *m)
{
    given_back = m;
    given_back_as = TRI_MEMORY_PROMISE;
}

static void give_operation_back(tr_msg *m)
{
    given_back = m;
    given_back_as = TRI_MEMORY_OPERATION;
}

static void returned(tr_msg *m)
{
    given_back = m;
}

/* A message in somebody else's memory. */
static struct {
    tr_msg m;
    heavy body;
} own = { .m.type = &heavy_type };

Test(message, a_promised_one_goes_back_to_what_promised_it)
{
    static const struct {
        enum tri_memory_kind kind;
        void (*release)(tr_msg *m);
    } kinds[] = {
        { TRI_MEMORY_PROMISE, give_promise_back },
        { TRI_MEMORY_OPERATION, give_operation_back },
    };
    for (unsigned i = 0; i < 2; i++) {
        tri_msg_release[kinds[i].kind] = kinds[i].release;
        own.m.flags_ = (uint16_t)(kinds[i].kind << TRI_MSG_MEMORY_SHIFT);
        given_back = NULL;
        tri_msg_free(&own.m);
        cr_assert_eq(dropped, i + 1, "the body is dropped first");
        cr_assert_eq(given_back, &own.m);
        cr_assert_eq(given_back_as, kinds[i].kind);
    }
}

Test(message, one_in_the_prefix_of_a_buffer_ends_with_its_body)
{
    own.m.flags_ = TRI_MEMORY_BUFFER << TRI_MSG_MEMORY_SHIFT;
    tri_msg_free(&own.m);
    cr_assert_eq(dropped, 1);
    cr_assert_eq(tri_pool_balance(), 0, "its memory is the buffer's");
}

Test(message, one_that_returns_is_handed_over_whole)
{
    tri_msg_returned = returned;
    own.m.flags_ = TRI_MSG_RETURNS;
    tri_msg_free(&own.m);
    cr_assert_eq(given_back, &own.m);
    cr_assert_eq(dropped, 0);
}

Test(message, without_memory_there_is_none)
{
    tri_pool_off();
    tri_memory_fail(1, false);
    cr_assert_null(tri_msg_new(&work_type, sizeof(work)));
    cr_assert_eq(tri_memory_fail(0, false), 1);
    cr_assert_eq(tri_pool_balance(), 0);
}
