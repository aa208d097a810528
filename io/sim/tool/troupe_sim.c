/* troupe-sim: runs a simulation program with many seeds, and says which one fails and how to see it again. */
#include "io/sim/command.h"
#include "io/sim/tool/process.h"
#include "io/sim/tool/shrink.h"
#include "sched/os.h"

#include <troupe/log.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

static const char usage[] =
    "usage: troupe-sim PROGRAM [ARGUMENT…] [OPTION…]\n"
    "\n"
    "Runs a program whose main calls tr_sim_main with many seeds, and looks for one that fails.\n"
    "\n"
    "  --seeds N          how many; 1000 unless told\n"
    "  --first N          the first of them; 1 unless told\n"
    "  --jobs N           processes at a time; as many as there are cores unless told\n"
    "  --keep-going       goes on after the first seed that fails\n"
    "  --limit SECONDS    of real time for one seed; 60 unless told. Then it is killed, and has failed\n"
    "  --shrink           looks for a smaller run that fails in the same way\n"
    "  --near N           seeds that --shrink tries each time; 1000 unless told\n"
    "  --trace FILE       writes what happens under the seed that fails, one line for each message;\n"
    "                     - is standard output. With --seeds 1 in any case\n"
    "  --help             this text\n"
    "\n"
    "These are the program's, see there:\n"
    "\n"
    "  --rough            a fair share of all faults\n"
    "  --fault NAME=RATE  in so many of a million occasions this fault; repeatable\n"
    "  --for TIME         stops the hosts after so much virtual time: 250us, 40ms, 5s\n"
    "\n"
    "All other arguments are the program's own, and so is everything after --.\n"
    "\n"
    "Ends with 0, with 1 when a seed has failed, and with 2 when nothing could be run.\n";

enum { FINE_STATUS, FAILED_STATUS, BAD_STATUS, SEEDS = 1000, SEEDS_NEAR = 1000, LIMIT_S = 60, LIMIT_MAX_S = 1000000 };

struct command {
    const char **own, **all; /* the program and its arguments; with those of the simulation. NULL ends them */
    size_t own_count, all_count;
    struct search search;
    const char *trace;
    uint64_t seeds_near;
    bool shrink;
};

static _Noreturn void wrong(const char *format, ...) TR_FORMAT_(1, 2);

static _Noreturn void wrong(const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "troupe-sim: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nTry 'troupe-sim --help'.\n");
    exit(BAD_STATUS);
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static void log_fault(void *fault, const tr_log_record *record)
{
    fprintf(stderr, "troupe-sim: --fault %s: %s\n", (const char *)fault, record->text);
}

/* A wrong one is refused here and not by each process. */
static void check_fault(const char *text)
{
    tr_sim_faults faults = { 0 };
    uint64_t rate;
    char name[40];
    const char *equals = text ? strchr(text, '=') : NULL;
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof name)
        wrong("--fault %s: write it as NAME=RATE, as in reset=500", text ? text : "");
    if (!tri_command_number(equals + 1, 0, UINT64_MAX, &rate))
        wrong("--fault %s: '%s' is not a rate: it is a number from 0 to 1000000", text, equals + 1);
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    tr_log_to(log_fault, (void *)(uintptr_t)text);
    if (tr_sim_fault(&faults, name, rate))
        exit(BAD_STATUS);
    tr_log_to(NULL, NULL);
}

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
    uint64_t value = 0;
    if (!tri_command_number(text, min, max, &value))
        wrong("%s %s: give a number from %" PRIu64 " to %" PRIu64, option, text ? text : "", min, max);
    return value;
}

/* One of the tool's own options. */
static bool read_option(struct command *c, char **argv, int *at)
{
    const char *value;
    if (strcmp(argv[*at], "--keep-going") == 0)
        c->search.keep_going = true;
    else if (strcmp(argv[*at], "--shrink") == 0)
        c->shrink = true;
    else if (tri_command_is(argv, at, "--seeds", &value))
        c->search.count = number("--seeds", value, 1, UINT64_MAX / 2);
    else if (tri_command_is(argv, at, "--first", &value))
        c->search.first = number("--first", value, 0, UINT64_MAX / 2);
    else if (tri_command_is(argv, at, "--jobs", &value))
        c->search.jobs = (unsigned)number("--jobs", value, 1, JOBS_MAX);
    else if (tri_command_is(argv, at, "--near", &value))
        c->seeds_near = number("--near", value, 1, UINT64_MAX / 2);
    else if (tri_command_is(argv, at, "--limit", &value))
        c->search.limit_ns = TR_SECONDS(number("--limit", value, 1, LIMIT_MAX_S));
    else if (tri_command_is(argv, at, "--trace", &value))
        c->trace = value ? value : "";
    else
        return false;
    if (c->trace && !*c->trace)
        wrong("--trace: a file is missing");
    return true;
}

/* One of the program's that every one has: they come after its own. */
static bool read_shared(struct command *c, char **argv, int *at)
{
    int from = *at;
    const char *value;
    int64_t ns;
    bool time = tri_command_is(argv, at, "--for", &value);
    if (time && !tri_command_time(value, &ns))
        wrong("--for %s: write a time as 250us, 40ms or 5s", value ? value : "");
    if (!time && tri_command_is(argv, at, "--fault", &value))
        check_fault(value);
    else if (!time && strcmp(argv[*at], "--rough") != 0)
        return false;
    while (from <= *at)
        c->all[c->all_count++] = argv[from++];
    return true;
}

static void read_command(struct command *c, int argc, char **argv)
{
    bool rest = false;
    const char *value;
    c->own = memory(NULL, ((size_t)argc + 1) * sizeof *c->own);
    c->all = memory(NULL, ((size_t)argc + 1) * sizeof *c->all);
    for (int at = 1; at < argc; at++) {
        if (!rest && strcmp(argv[at], "--help") == 0) {
            fputs(usage, stdout);
            exit(FINE_STATUS);
        }
        if (!rest && strcmp(argv[at], "--") == 0)
            rest = true;
        else if (!rest && tri_command_is(argv, &at, "--seed", &value))
            wrong("--seed: for one seed write --first %s --seeds 1, or run the program itself", value ? value : "N");
        else if (rest || (!read_option(c, argv, &at) && !read_shared(c, argv, &at)))
            c->own[c->own_count++] = argv[at];
    }
    if (!c->own_count)
        wrong("a program is missing");
    if (c->own[0][0] == '-')
        wrong("unrecognized option '%s'", c->own[0]);
    memmove(c->all + c->own_count, c->all, c->all_count * sizeof *c->all);
    memcpy(c->all, c->own, c->own_count * sizeof *c->own);
    c->all_count += c->own_count;
    c->own[c->own_count] = c->all[c->all_count] = NULL;
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

static void print_word(const char *word)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%\\";
    bool plain = *word && word[strspn(word, good)] == 0;
    printf(plain ? "%s" : "\"%s\"", word);
}

static void print_command(const char **words, uint64_t seed)
{
    for (; *words; words++) {
        print_word(*words);
        putchar(' ');
    }
    printf("--seed %" PRIu64 "\n", seed);
}

static void print_failure(const struct outcome *o)
{
    printf("seed %" PRIu64 " FAILED: %s\n", o->seed, o->what);
    for (const char *line = o->output; *line;) {
        int length = (int)strcspn(line, "\n");
        printf("    %.*s\n", length, line);
        line += length + (line[length] == '\n');
    }
}

static const char *base_of(const char *path)
{
    const char *base = path;
    for (; *path; path++)
        if (*path == '/' || *path == '\\')
            base = path + 1;
    return base;
}

static void print_never(const struct search *s)
{
    for (unsigned i = 0; i < KINDS; i++)
        if (s->rates[i] && s->fired[i] == NEVER)
            printf("never: the fault %s, in %" PRIu64 " of a million occasions\n", kind_names[i], s->rates[i]);
    for (unsigned i = 0; i < s->place_count; i++)
        if (s->places[i].reached == NEVER)
            printf("never: %s (%s:%d)\n", s->places[i].text, base_of(s->places[i].file), s->places[i].line);
}

static void print_summary(const struct search *s)
{
    double seconds = (double)s->taken_ns / 1e9;
    printf("%" PRIu64 " seeds", s->run);
    if (s->failures && s->keep_going)
        printf(", %" PRIu64 " failed", s->failures);
    else
        printf(s->failures ? "" : ", none failed");
    printf("; %.1f s, %.0f seeds a second\n", seconds, seconds > 0 ? (double)s->run / seconds : 0);
}

static int say_broken(const char *why)
{
    fprintf(stderr, "troupe-sim: %s%s", why, *why && why[strlen(why) - 1] == '\n' ? "" : "\n");
    return BAD_STATUS;
}

/* ---- one seed again ---------------------------------------------------------------------------------------------- */

/* The trace is the program's to write. What it says is passed on when it is the trace, or when something is wrong. */
static int write_trace(struct command *c, const char **words, uint64_t seed)
{
    char text[24], bytes[8192], how[120] = "";
    size_t count = 0;
    struct process process;
    while (words[count])
        count++;
    const char **argv = memory(NULL, (count + 5) * sizeof *argv);
    memcpy(argv, words, count * sizeof *argv);
    snprintf(text, sizeof text, "%" PRIu64, seed);
    memcpy(argv + count, (const char *[]){ "--seed", text, "--trace", c->trace, NULL }, 5 * sizeof *argv);
    fflush(stdout);
    int error = process_start(&process, argv);
    free(argv);
    if (error)
        return say_broken(tr_strerror(error));
    for (size_t got; (got = process_read(&process, bytes, sizeof bytes)) > 0;)
        if (strcmp(c->trace, "-") == 0)
            fwrite(bytes, 1, got, stdout);
    process_close(&process);
    process_wait(&process);
    process_end(&process, how, sizeof how);
    if (strcmp(c->trace, "-") != 0)
        printf("trace: %s\n", c->trace);
    return FINE_STATUS;
}

/* Its command line is added to `words`, which the caller frees. */
static const char **shrink_it(struct command *c, struct shrunk *shrunk)
{
    char(*text)[FAULT_WORD] = memory(NULL, SHRUNK_WORDS * sizeof *text);
    struct search base = { .argv = c->own, .count = c->seeds_near, .jobs = c->search.jobs, .limit_ns = c->search.limit_ns };
    const struct outcome *found = &c->search.failed[0];
    shrunk->outcome = *found;
    shrunk->outcome.output = copy(found->output);
    memcpy(shrunk->rates, c->search.rates, sizeof shrunk->rates);
    char *broken = shrink(shrunk, &base);
    if (broken)
        say_broken(broken);
    free(broken);
    unsigned count = shrunk_words(shrunk, text);
    const char **words = memory(NULL, (c->own_count + count + 1) * sizeof *words);
    memcpy(words, c->own, c->own_count * sizeof *words);
    for (unsigned i = 0; i < count; i++)
        words[c->own_count + i] = text[i];
    words[c->own_count + count] = NULL;
    printf("shrunk, in %u tries, to %.6f s and %" PRIu64 " messages: ", shrunk->tries,
        (double)shrunk->outcome.virtual_ns / 1e9, shrunk->outcome.messages);
    print_command(words, shrunk->outcome.seed);
    return words;
}

static int say_all(struct command *c)
{
    struct search *s = &c->search;
    struct shrunk shrunk = { .tries = 0 };
    const char **words = c->all;
    uint64_t seed = s->failed_count ? s->failed[0].seed : s->first;
    for (unsigned i = 0; i < s->failed_count; i++)
        print_failure(&s->failed[i]);
    if (s->failed_count) {
        printf("again: ");
        print_command(words, seed);
    }
    if (s->failed_count && c->shrink) {
        words = shrink_it(c, &shrunk);
        seed = shrunk.outcome.seed;
    }
    print_never(s);
    print_summary(s);
    int status = s->failed_count ? FAILED_STATUS : FINE_STATUS;
    if (c->trace && (s->failed_count || s->count == 1))
        status = write_trace(c, words, seed) ? BAD_STATUS : status;
    else if (c->trace)
        printf("trace: none, for no seed has failed\n");
    if (words != c->all) {
        free((char *)(uintptr_t)words[c->own_count]); /* all of the text is one piece */
        free(words);
    }
    free(shrunk.outcome.output);
    return status;
}

int main(int argc, char **argv)
{
    struct command c = { .seeds_near = SEEDS_NEAR,
        .search = { .first = 1, .count = SEEDS, .jobs = tri_os_cores(), .limit_ns = TR_SECONDS(LIMIT_S) } };
    read_command(&c, argc, argv);
    c.search.argv = c.all;
    c.search.jobs = c.search.jobs < JOBS_MAX ? c.search.jobs : JOBS_MAX;
    c.search.progress = process_terminal();
    search_run(&c.search);
    int status = c.search.broken ? say_broken(c.search.broken) : say_all(&c);
    search_free(&c.search);
    free(c.own);
    free(c.all);
    return status;
}
