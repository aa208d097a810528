/*
 * The models of Troupe's lock-free parts under the memory orders of C11, searched exhaustively; and whether each order that
 * the code asks for is needed: a test weakens one after the other, and some model must notice.
 *
 * What is covered: every fence in sites.h, with the code around it as it stands in the models. What is not: other numbers
 * of threads and messages than theirs; bodies of lock-free code without an order of their own (tests/model/ has mailbox, run
 * ring and scheduler in Promela, with more threads, where what is atomic is wrong rather than what is ordered); data that is
 * found by following a pointer that was read without a fence (chunks of tables, entries of ck_stack): every machine that
 * Troupe runs on orders those.
 */
#include "tests/model/orders/orders.h"

#include "tests/model/orders/litmus.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table --------------------------------------------------------------------------------------------------- */

enum fence orders[SITES];

static const struct {
    const char *name, *file, *stands;
    int enough; /* -1: all that the code has */
} sites[SITES] = {
#define SITE(name, file, stands)          { #name, file, stands, -1 },
#define SPARE(name, file, stands, enough) { #name, file, stands, enough },
#include "tests/model/orders/sites.h"
#undef SITE
};

/* What the fences of Concurrency Kit promise, whatever the processor. On x86 those that come behind an atomic operation are
 * nothing, for the operation is a full fence there; a store fence on ARM does not order loads. */
static const struct {
    const char *call;
    enum fence fence;
} fences[] = {
    { "ck_pr_fence_load()", ACQUIRE },
    { "ck_pr_fence_acquire()", ACQUIRE },
    { "ck_pr_fence_store()", STORE_FENCE },
    { "ck_pr_fence_atomic()", STORE_FENCE },
    { "ck_pr_fence_store_atomic()", STORE_FENCE },
    { "ck_pr_fence_release()", RELEASE },
    { "ck_pr_fence_load_atomic()", ACQUIRE },
    { "ck_pr_fence_atomic_load()", SEQ_CST },
    { "ck_pr_fence_memory()", SEQ_CST },
};

/* How it is laid out does not matter: white space becomes one space. */
static char *plain(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (*from != ' ' && *from != '\n')
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    *to = 0;
    return text;
}

static char *read_source(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", TROUPE_SOURCE, name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "there is no %s", path);
    char *text = calloc(1, 1 << 20);
    cr_assert_not_null(text);
    text[fread(text, 1, (1 << 20) - 1, file)] = 0;
    fclose(file);
    return plain(text);
}

static enum fence fence_of(const char *name, const char *stands)
{
    const char *call = strstr(stands, "ck_pr_fence_");
    for (unsigned i = 0; call && i < sizeof fences / sizeof fences[0]; i++)
        if (strncmp(call, fences[i].call, strlen(fences[i].call)) == 0)
            return fences[i].fence;
    cr_assert_fail("%s: what order has \"%s\"?", name, stands);
    return NONE;
}

/* As the code has them. */
static void orders_of_code(void)
{
    for (unsigned i = 0; i < SITES; i++)
        orders[i] = fence_of(sites[i].name, sites[i].stands);
}

Test(model_orders, the_code_has_the_orders_of_the_table)
{
    for (unsigned i = 0; i < SITES; i++) {
        char stands[200], *text = read_source(sites[i].file);
        snprintf(stands, sizeof stands, "%s", sites[i].stands);
        const char *at = strstr(text, plain(stands));
        cr_assert(at, "%s: in %s there is no\n%s", sites[i].name, sites[i].file, stands);
        cr_assert(!strstr(at + 1, stands), "%s: more than once in %s:\n%s", sites[i].name, sites[i].file, stands);
        free(text);
    }
    orders_of_code();
}

/* ---- the machine ------------------------------------------------------------------------------------------------- */

Test(model_orders, the_machine_has_the_outcomes_that_are_known)
{
    for (const struct litmus *test = litmus_tests; test->name; test++) {
        const char *error = litmus(test);
        cr_expect(!error, "%s: %s", test->name, error);
    }
}

/* ---- the models -------------------------------------------------------------------------------------------------- */

static const struct scenario *const scenarios[] = { mailbox_scenarios, run_ring_scenarios, promise_scenarios,
    owner_scenarios, lent_scenarios, name_scenarios, park_scenarios };

/* What is wrong with the first model that notices; NULL. */
static const char *search_all(bool night, const char **which)
{
    for (unsigned i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        for (const struct scenario *s = scenarios[i]; s->model; s++) {
            uint64_t states;
            if (s->by_night && !night)
                continue;
            const char *error = search_model(s->model, &states);
            if (getenv("TROUPE_MODEL_STATES"))
                fprintf(stderr, "%s: %llu states\n", s->model->name, (unsigned long long)states);
            *which = s->model->name;
            if (error)
                return error;
        }
    return NULL;
}

Test(model_orders, the_models_hold_with_the_orders_of_the_code)
{
    const char *which;
    orders_of_code();
    const char *error = search_all(getenv("TROUPE_NIGHT") != NULL, &which);
    cr_assert(!error, "%s: %s", which, error);
}

/* ---- each order is needed ---------------------------------------------------------------------------------------- */

static const char *const names[] = { "none", "store", "acquire", "release", "acquire and release", "sequentially consistent" };

/* The next weaker ones than a fence: ends with -1. */
static const int weaker[][3] = {
    [NONE] = { -1 },
    [STORE_FENCE] = { NONE, -1 },
    [ACQUIRE] = { NONE, -1 },
    [RELEASE] = { STORE_FENCE, -1 },
    [ACQ_REL] = { ACQUIRE, RELEASE, -1 },
    [SEQ_CST] = { ACQ_REL, -1 },
};

/* Every order that is next weaker than this one must be noticed. */
static void expect_needed(unsigned site, enum fence fence)
{
    const char *which;
    for (const int *w = weaker[fence]; *w >= 0; w++) {
        orders[site] = (enum fence) * w;
        cr_expect(search_all(false, &which), "%s: nobody notices that its order is \"%s\" only, not \"%s\"",
            sites[site].name, names[*w], names[fence]);
    }
}

Test(model_orders, a_weaker_order_is_noticed)
{
    orders_of_code();
    for (unsigned i = 0; i < SITES; i++) {
        enum fence has = orders[i], enough = sites[i].enough < 0 ? has : (enum fence)sites[i].enough;
        const char *which;
        if (enough != has) {
            orders[i] = enough;
            const char *error = search_all(false, &which);
            cr_expect(!error, "%s: \"%s\" is not enough any more: %s: %s", sites[i].name, names[enough], which, error);
        }
        expect_needed(i, enough);
        orders[i] = has;
    }
}
