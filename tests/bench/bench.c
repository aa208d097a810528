/*
 * troupe-bench [--json] WORKLOAD [N], with THREADS=workers in the environment: does a piece of work and prints
 *
 *     workload troupe ops seconds ops_per_s peak_rss_kb cpu=seconds [key=value …]
 *
 * or the same as one object of JSON, on a line.
 *
 * It exits with 0; 1 when the result was wrong; 2 when it was called wrongly; 3 when it has no such workload.
 */
#include "tests/bench/bench.h"

#include "tests/bench/resources.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const struct bench_workload *const workloads[] = { &bench_pingpong, &bench_ring, &bench_fanin, &bench_big,
    &bench_skynet, &bench_idle, &bench_timers, &bench_chameneos, &bench_sim, &bench_spawn, &bench_monitor, &bench_restart,
    &bench_echo, &bench_ask, &bench_block, &bench_post, &bench_sleeper, &bench_broadcast,
    /* Savina */
    &bench_counting, &bench_fjthrput, &bench_fjcreate, &bench_concdict, &bench_concsll, &bench_bndbuffer,
    &bench_philosophers, &bench_barber, &bench_cigsmok, &bench_logmap, &bench_banking, &bench_quicksort, &bench_radixsort,
    &bench_filterbank, &bench_sieve, &bench_uct, &bench_trapezoid, &bench_piprecision, &bench_recmatmul, &bench_nqueens,
    &bench_astar, &bench_sor, &bench_apsp, &bench_fib };

enum { WORKLOADS = sizeof workloads / sizeof workloads[0], WORKERS_MAX = 1000, DEFAULT_WORKERS = 2 };

/* What the root found out; it is printed when all is over. */
static struct {
    bool done;
    int64_t ops, ns, peak_kib;
    double cpu;
    char more[200];
} result;

int64_t bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_fail(const char *what)
{
    fprintf(stderr, "troupe-bench: %s\n", what);
    _Exit(EXIT_FAILURE);
}

void bench_unexpected(const tr_msg *m)
{
    if (tr_is(tr_dead_letter, m)) {
        const tr_dead_letter *letter = tr_body(tr_dead_letter, m);
        fprintf(stderr, "troupe-bench: a %s was not delivered: %s\n", letter->type->name, tr_strerror(letter->reason));
    } else if (tr_is(tr_failed, m)) {
        fprintf(stderr, "troupe-bench: a request has failed: %s\n", tr_strerror(tr_body(tr_failed, m)->reason));
    } else {
        fprintf(stderr, "troupe-bench: an unexpected %s\n", m->type->name);
    }
    _Exit(EXIT_FAILURE);
}

void bench_watch(tr_self *self)
{
    bench_check(tr_dead_letters(self) == 0, "no place for a subscriber of dead letters");
}

void bench_more(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result.more, sizeof result.more, format, arguments);
    va_end(arguments);
}

int bench_report(int64_t ops, int64_t ns)
{
    result.cpu = resources_cpu_seconds();
    result.ops = ops;
    result.ns = ns;
    result.peak_kib = resources_peak_rss_kib();
    result.done = true;
    return TR_STOP;
}

static double seconds(void)
{
    return (double)(result.ns ? result.ns : 1) * 1e-9;
}

static void print(const struct bench_workload *workload)
{
    double s = seconds();
    printf("%s troupe %lld %.6f %.0f %lld cpu=%.3f%s%s\n", workload->name, (long long)result.ops, s, (double)result.ops / s,
        (long long)result.peak_kib, result.cpu, result.more[0] ? " " : "", result.more);
}

static void print_json(const struct bench_workload *workload, int64_t workers)
{
    printf("{\"workload\": \"%s\", \"workers\": %lld, \"operations\": %lld, \"seconds\": %.9f, \"ns_per_op\": %.3f, "
           "\"peak_rss_kib\": %lld, \"cpu_seconds\": %.6f",
        workload->name, workload->run ? 1 : (long long)workers, (long long)result.ops, seconds(),
        seconds() * 1e9 / (double)(result.ops ? result.ops : 1), (long long)result.peak_kib, result.cpu);
    for (const char *pair = result.more; *pair;) {
        int key = (int)strcspn(pair, "="), value = (int)strcspn(pair + key + 1, " ");
        printf(", \"%.*s\": %.*s", key, pair, value, pair + key + 1);
        pair += key + 1 + value;
        pair += strspn(pair, " ");
    }
    printf("}\n");
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static const char usage[] = "usage: [THREADS=workers] troupe-bench [--json] WORKLOAD [N]\n"
                            "       troupe-bench --list\n";

static const struct bench_workload *find(const char *name)
{
    for (unsigned i = 0; i < WORKLOADS; i++)
        if (strcmp(name, workloads[i]->name) == 0)
            return workloads[i];
    return NULL;
}

/* A number from 1 to max, or 0 and the reason is printed. */
static int64_t number(const char *what, const char *text, int64_t max)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || end == text || *end || n < 1 || n > max) {
        fprintf(stderr, "troupe-bench: %s is a number from 1 to %lld, not \"%s\"\n", what, (long long)max, text);
        return 0;
    }
    return n;
}

static bool size_fits(const struct bench_workload *workload, int64_t n)
{
    int64_t rest = n;
    while (rest % 10 == 0)
        rest /= 10;
    if (workload->power_of_ten && rest != 1) {
        fprintf(stderr, "troupe-bench: %s: N is a power of ten\n", workload->name);
        return false;
    }
    if (workload->multiple && n > workload->multiple && n % workload->multiple) {
        fprintf(stderr, "troupe-bench: %s: N is less than %lld or a multiple of it\n", workload->name,
            (long long)workload->multiple);
        return false;
    }
    if (workload->max && n > workload->max) {
        fprintf(stderr, "troupe-bench: %s: N is at most %lld\n", workload->name, (long long)workload->max);
        return false;
    }
    return true;
}

static int list(void)
{
    for (unsigned i = 0; i < WORKLOADS; i++)
        printf("%-12s N = %lld\n", workloads[i]->name, (long long)workloads[i]->n);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *threads = getenv("THREADS");
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    argc -= json;
    argv += json;
    if (argc < 2 || argc > 3) {
        fputs(usage, stderr);
        return 2;
    }
    const struct bench_workload *workload = find(argv[1]);
    if (!workload) {
        fprintf(stderr, "troupe-bench: no workload \"%s\"; --list lists them\n", argv[1]);
        return 3;
    }
    int64_t n = argc == 3 ? number("N", argv[2], 1000000000) : workload->n;
    int64_t workers = threads ? number("THREADS", threads, WORKERS_MAX) : DEFAULT_WORKERS;
    if (!n || !workers || !size_fits(workload, n))
        return 2;
    int error = workload->run
        ? workload->run(n)
        : tr_run(&(tr_options){ .actor = workload->root, .arg = &n, .workers = (unsigned)workers, .seed = 42 });
    if (error || !result.done) {
        fprintf(stderr, "troupe-bench: %s has ended without a result: %s\n", workload->name, tr_strerror(error));
        return EXIT_FAILURE;
    }
    if (json)
        print_json(workload, workers);
    else
        print(workload);
    return EXIT_SUCCESS;
}
