/* What a simulation says: bodies and whom faults hit in traces, who lives and waits for what, and that a program is not the
 * same program twice. */
#include "tests/support.h"

#include <inttypes.h>

static void print_number(const void *body, char *text, size_t size);

TR_MESSAGE(number, int n;);
TR_DEFINE(number, .print = print_number);

static void print_number(const void *body, char *text, size_t size)
{
    snprintf(text, size, "n is\n%d", ((const number *)body)->n);
}

static int counter_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(number, m) && tr_body(number, m)->n < 1000)
        (void)tr_reply(self, number, .n = 1 + tr_body(number, m)->n);
    else if (tr_is(number, m))
        (void)tr_take(self, m); /* and never answers */
    return TR_CONTINUE;
}

static const tr_actor counter_actor = { TR_SPEC, .name = "counter", .receive = counter_receive };

/* Asks with the number of its argument, and has a timer. */
static int asker_start(tr_self *self, void *state, const void *arg)
{
    (void)state;
    tr_ref counter = tr_spawn(self, &counter_actor, NULL);
    (void)tr_every(self, TR_SECONDS(1), 7);
    (void)tr_ask(self, counter, TR_FOREVER, number, .n = *(const int *)arg);
    return TR_CONTINUE;
}

static int asker_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self, (void)state;
    return tr_is(number, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor asker_actor = { TR_SPEC, .name = "asker", .start = asker_start, .receive = asker_receive,
    .arg_size = sizeof(int) };

static const int few = 41, many = 5000;

static int run_asker(const int *n, const tr_sim_options *options, tr_sim_result *result)
{
    const tr_sim_host hosts[] = { { .name = "here", .actor = &asker_actor, .arg = n }, { 0 } };
    return tr_sim_run(1, options, hosts, result);
}

static char text[20000];

static const char *trace_of(const int *n, tr_sim_options options)
{
    tr_sim_result result;
    static const char path[] = "sim_trace.txt";
    options.trace = path;
    (void)run_asker(n, &options, &result);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    remove(path);
    text[length] = 0;
    return text;
}

Test(sim_trace, a_trace_has_the_bodies_that_can_be_printed_on_one_line)
{
    const char *trace = trace_of(&few, (tr_sim_options){ 0 });
    cr_assert_not_null(strstr(trace, "number {n is 41}  from asker #"), "%s", trace);
    cr_assert_not_null(strstr(trace, "number {n is 42}  from counter #"), "%s", trace);
}

Test(sim_trace, a_trace_says_whom_a_fault_hits_and_in_what)
{
    const char *trace = trace_of(&few, (tr_sim_options){ .faults.mailbox_full = 1000000, .run_ns = TR_SECONDS(2) });
    cr_assert_not_null(strstr(trace, "fault: mailbox_full  of asker  to counter  number"), "%s", trace);
    trace = trace_of(&few, (tr_sim_options){ .faults.slow = 1000000 });
    cr_assert_not_null(strstr(trace, "fault: slow  of counter #"), "%s", trace);
    unsigned named = 0;
    for (unsigned nth = 1; nth <= 30; nth++) {
        trace = trace_of(&few, (tr_sim_options){ .fail_memory = nth, .run_ns = TR_SECONDS(2) });
        named += strstr(trace, "fault: out_of_memory  of asker") != NULL;
    }
    cr_assert_gt(named, 0);
}

Test(sim_trace, who_has_not_ended_is_named_with_what_he_waits_for)
{
    tr_sim_result result;
    cr_assert_eq(run_asker(&many, &(tr_sim_options){ .heal_ns = 1, .settle_ns = TR_SECONDS(10) }, &result), TR_ETIMEDOUT);
    cr_assert_not_null(strstr(result.what, "here: asker #"), "%s", result.what);
    cr_assert_not_null(strstr(result.what, "waits for the answer of counter #"), "%s", result.what);
    cr_assert_not_null(strstr(result.what, "and 1 timer"), "%s", result.what);
    cr_assert_not_null(strstr(result.what, "waits for a message"), "%s", result.what);
    cr_assert_eq(run_asker(&many, &(tr_sim_options){ .steps = 100 }, &result), TR_ELIMIT);
    cr_assert_not_null(strstr(result.what, "waits for the answer of counter #"), "%s", result.what);
}

/* ---- twice ------------------------------------------------------------------------------------------------------- */

static int64_t whims; /* of a program that is not the same each time */
static bool whimsical;

static int whim_start(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    whims += whimsical;
    return tr_after(self, TR_MS(1) + whims, 0).bits ? TR_CONTINUE : TR_ENOMEM;
}

static int whim_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self, (void)state, (void)m;
    return TR_STOP;
}

static const tr_actor whim_actor = { TR_SPEC, .name = "whim", .start = whim_start, .receive = whim_receive };

static int run_twice(bool whim)
{
    static const tr_sim_host hosts[] = { { .name = "here", .actor = &whim_actor }, { 0 } };
    char words[4][8] = { "whim", "--seed", "3", "--twice" };
    char *arguments[] = { words[0], words[1], words[2], words[3], NULL };
    whimsical = whim;
    return tr_sim_main(4, arguments, NULL, hosts);
}

Test(sim_trace, a_program_that_is_another_the_second_time_is_found)
{
    cr_assert_eq(run_twice(false), 0);
    cr_assert_eq(run_twice(true), 1);
}
