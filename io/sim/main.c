/*
 * The main of simulation programs. What --report writes is for troupe-sim (io/sim/tool): lines that begin with "@sim",
 * each whole in one write, so that what the program itself writes does not come between.
 *
 *     @sim rates NAME=RATE,…                                     the faults with which all seeds are run; "-": none
 *     @sim begin SEED
 *     @sim end SEED ERROR HASH NS TURNS MESSAGES NAME=COUNT,… WHAT   the faults that fired; what is wrong
 *     @sim sometimes COUNT LINE FILE<tab>TEXT                    for each TR_SOMETIMES at first, and again when one of them
 *     @sim over                                                  has been reached for the first time
 */
#include "io/sim/command.h"
#include "io/sim/twin.h"
#include "io/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct command {
    char program[64];
    tr_sim_options options;
    uint64_t first, count;
    bool seeds, report, keep_going, twice;
};

enum { GO_ON = -1, BAD = 2 };

static const char usage[] =
    "usage: %s [OPTION…]\n"
    "\n"
    "Runs a simulation and prints one line about it. The same seed leads to the same run.\n"
    "\n"
    "  --seed N           the seed; without it TROUPE_SEED from the environment, or one that is drawn\n"
    "  --seeds N          so many seeds, from --seed or 1 on, until one fails\n"
    "  --keep-going       all of them\n"
    "  --rough            a fair share of all faults\n"
    "  --fault NAME=RATE  in so many of a million occasions this fault; \"all\" is every kind. Repeatable\n"
    "  --for TIME         stops the hosts after so much virtual time: 250us, 40ms, 5s\n"
    "  --trace FILE       writes a line for each message handled; - is standard output. With one seed\n"
    "  --twice            each seed two times: they must be one run, or the program asks for what is not simulated\n"
    "  --report           what troupe-sim reads\n"
    "  --help             this text\n"
    "\n"
    "Ends with 0, with 1 when a seed has failed, and with 2 when the command line is wrong.\n"
    "\n"
    "Faults:\n"
#define X(name, where) "  " #name ": " where "\n"
    TR_SIM_FAULTS(X)
#undef X
        ;

static int wrong(struct command *c, const char *format, ...) TR_FORMAT_(2, 3);

static int wrong(struct command *c, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s: ", c->program);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry '%s --help'.\n", c->program);
    return BAD;
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static int read_fault(struct command *c, const char *text)
{
    char name[40], what[400] = "";
    const char *equals = text ? strchr(text, '=') : NULL;
    uint64_t rate;
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof name)
        return wrong(c, "--fault %s: write it as NAME=RATE, as in reset=500", text ? text : "");
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    if (!tri_command_number(equals + 1, 0, UINT64_MAX, &rate))
        return wrong(c, "--fault %s: '%s' is not a rate: it is a number from 0 to 1000000", text, equals + 1);
    if (tri_fault_set(&c->options.faults, name, rate, what, sizeof what))
        return wrong(c, "--fault %s: %s", text, what);
    return GO_ON;
}

static int read_flag(struct command *c, const char *word)
{
    bool rough = strcmp(word, "--rough") == 0;
    if (strcmp(word, "--help") == 0) {
        printf(usage, c->program);
        return 0;
    }
    if (rough)
        c->options.faults = tr_sim_rough;
    else if (strcmp(word, "--keep-going") == 0)
        c->keep_going = true;
    else if (strcmp(word, "--twice") == 0)
        c->twice = true;
    else if (strcmp(word, "--report") == 0)
        c->report = true;
    else
        return wrong(c, word[0] == '-' ? "unrecognized option '%s'" : "'%s' is one argument too many", word);
    return GO_ON;
}

static int read_option(struct command *c, char **argv, int *at, bool *seed)
{
    const char *value;
    if (tri_command_is(argv, at, "--seed", &value)) {
        *seed = true;
        return tri_command_number(value, 0, UINT64_MAX, &c->first)
            ? GO_ON
            : wrong(c, "--seed %s: a seed is a number from 0 to 18446744073709551615", value ? value : "");
    }
    if (tri_command_is(argv, at, "--seeds", &value)) {
        c->seeds = true;
        return tri_command_number(value, 1, UINT64_MAX, &c->count)
            ? GO_ON
            : wrong(c, "--seeds %s: give a number from 1 on", value ? value : "");
    }
    if (tri_command_is(argv, at, "--fault", &value))
        return read_fault(c, value);
    if (tri_command_is(argv, at, "--for", &value))
        return tri_command_time(value, &c->options.run_ns)
            ? GO_ON
            : wrong(c, "--for %s: write a time as 250us, 40ms or 5s", value ? value : "");
    if (tri_command_is(argv, at, "--trace", &value)) {
        c->options.trace = value;
        return value && *value ? GO_ON : wrong(c, "--trace: a file is missing");
    }
    return read_flag(c, argv[*at]);
}

/* GO_ON, or with what to end. */
static int read_command(struct command *c, int argc, char **argv)
{
    bool seed = false;
    const char *wish = getenv("TROUPE_SEED");
    tri_command_name(argc > 0 ? argv[0] : NULL, c->program, sizeof c->program);
    for (int at = 1; at < argc; at++) {
        int end = read_option(c, argv, &at, &seed);
        if (end != GO_ON)
            return end;
    }
    if (c->seeds && c->options.trace && c->count > 1)
        return wrong(c, "--trace is for one seed, not for %" PRIu64, c->count);
    if (!seed && !c->seeds && wish && *wish && !tri_command_number(wish, 0, UINT64_MAX, &c->first))
        return wrong(c, "TROUPE_SEED=%s: a seed is a number from 0 to 18446744073709551615", wish);
    if (!seed)
        c->first = c->seeds ? 1 : tr_sim_seed();
    if (c->count > UINT64_MAX - c->first)
        return wrong(c, "--seeds %" PRIu64 ": there are not so many from %" PRIu64 " on", c->count, c->first);
    if (c->count > 1)
        c->options.trace = ""; /* nor as TROUPE_SIM_TRACE says: each would write over the last */
    return GO_ON;
}

/* ---- reporting --------------------------------------------------------------------------------------------------- */

static void print_faults(const tr_sim_faults *faults)
{
    const char *comma = "";
#define X(name, where) \
    if (faults->name) { \
        printf("%s" #name "=%" PRIu32, comma, faults->name); \
        comma = ","; \
    }
    TR_SIM_FAULTS(X)
#undef X
    if (!*comma)
        printf("-");
}

static void print_place(const tr_check *check, void *arg)
{
    (void)arg;
    printf("@sim sometimes %" PRIu64 " %d %s\t%.400s\n", check->reached, check->line, check->file, check->text);
}

static void count_reached(const tr_check *check, void *arg)
{
    *(unsigned *)arg += check->reached > 0;
}

/* By each seed, so that it is known although the program dies later. */
static void report_places(unsigned *reached_before)
{
    unsigned reached = 0;
    tr_checks(count_reached, &reached);
    if (reached != *reached_before)
        tr_checks(print_place, NULL);
    *reached_before = reached;
}

/* The text without the seed, which stands before it here. */
static int length_of(const tr_sim_result *result)
{
    char seed[40];
    int length = (int)strlen(result->what), tail = snprintf(seed, sizeof seed, "; seed %" PRIu64, result->seed);
    return length >= tail && strcmp(result->what + length - tail, seed) == 0 ? length - tail : length;
}

static void report(const tr_sim_result *r)
{
    printf("@sim end %" PRIu64 " %d %016" PRIx64 " %" PRId64 " %" PRIu64 " %" PRIu64 " ", r->seed, r->error, r->hash,
        r->virtual_ns, r->turns, r->messages);
    print_faults(&r->fired);
    printf(" %.*s\n", length_of(r), r->what);
}

static void print_result(const tr_sim_result *r)
{
    printf("seed %" PRIu64 ": %s%.*s; %.6f s, %" PRIu64 " turns, %" PRIu64 " messages, hash %016" PRIx64 "\n", r->seed,
        r->error ? "FAILED: " : "ok", length_of(r), r->what, (double)r->virtual_ns / 1e9, r->turns, r->messages, r->hash);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static uint64_t run_seeds(struct command *c, const tr_sim_host *hosts)
{
    uint64_t failed = 0;
    unsigned reached = 0;
    for (uint64_t seed = c->first; seed - c->first < c->count && (!failed || c->keep_going); seed++) {
        tr_sim_result result;
        if (c->report)
            printf("@sim begin %" PRIu64 "\n", seed);
        if (fflush(stdout))
            return failed; /* nobody reads it any more */
        failed += (c->twice ? tri_twin_run : tr_sim_run)(seed, &c->options, hosts, &result) != 0;
        if (c->report) {
            report_places(&reached);
            report(&result);
        } else if (result.error || c->count == 1) {
            print_result(&result);
        }
    }
    return failed;
}

int tr_sim_main(int argc, char **argv, const tr_sim_options *options, const tr_sim_host *hosts)
{
    struct command c = { .count = 1 };
    if (options)
        c.options = *options;
    int end = read_command(&c, argc, argv);
    if (end != GO_ON)
        return end;
    if (c.report) {
        printf("@sim rates ");
        print_faults(&c.options.faults);
        printf("\n");
        tr_checks(print_place, NULL);
    }
    uint64_t failed = run_seeds(&c, hosts);
    if (c.report)
        printf("@sim over\n");
    else if (c.count > 1 && !failed)
        printf("%" PRIu64 " seeds: ok\n", c.count);
    else if (c.count > 1 && c.keep_going)
        printf("%" PRIu64 " seeds: %" PRIu64 " failed\n", c.count, failed);
    fflush(stdout);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
