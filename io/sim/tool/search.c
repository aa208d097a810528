#include "io/sim/tool/search.h"

#include "io/sim/command.h"
#include "io/sim/tool/process.h"
#include "sched/os.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    OUTPUT_ROOM = 16384, /* of what a program writes during a seed, the first bytes */
    LINE_ROOM = 4096,
    CHUNK_MAX = 500,
    WORDS_MORE = 6,
    BAR = 30,
    TICK_MS = 100,
    USAGE = 2, /* the exit status of a wrong command line */
};

#define GRACE_NS TR_SECONDS(1) /* for processes that are not wanted any more */

const char *const kind_names[KINDS] = {
#define X(name, where) #name,
    TR_SIM_FAULTS(X)
#undef X
};

struct job {
    pthread_t thread;
    struct hunt *hunt;
    struct process process;
    bool alive;       /* there is a process; under the lock, as all up to here */
    bool unwanted;    /* what it does is of no use any more */
    bool late;        /* it was killed for that */
    uint64_t at;      /* the seed that is run, or would be next */
    int64_t since;    /* the last time that it said something */
    bool begun;       /* `at` is run */
    bool over, spoke; /* it has said all; it has said anything */
    char output[OUTPUT_ROOM];
    size_t output_length;
    char line[LINE_ROOM];
    size_t line_length;
};

/* A search that goes on. */
struct hunt {
    struct search *search;
    pthread_mutex_t lock;
    struct tri_condition changed;
    struct job *job;
    unsigned running;
    uint64_t next, end, chunk;
    uint64_t stop; /* seeds from here on do not matter */
    int64_t begin;
};

void *memory(void *old, size_t size)
{
    void *new = realloc(old, size);
    if (!new) {
        fprintf(stderr, "troupe-sim: no memory\n");
        exit(EXIT_FAILURE);
    }
    return new;
}

char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(memory(NULL, size), text, size);
}

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

/* Without numbers: those of actors and times are others with every seed. */
static bool texts_like(const char *a, const char *b)
{
    static const char digits[] = "0123456789";
    for (; *a && *b; a++, b++) {
        if (strchr(digits, *a) && strchr(digits, *b)) {
            a += strspn(a, digits) - 1;
            b += strspn(b, digits) - 1;
        } else if (*a != *b) {
            return false;
        }
    }
    return *a == *b;
}

bool outcome_like(const struct outcome *a, const struct outcome *b)
{
    if (a->ending != b->ending || a->error != b->error)
        return false;
    return a->ending == DIED || a->error == TR_EFAULT ? texts_like(a->what, b->what) : true;
}

/* Its process ends by itself when it next writes something, and is only killed when that takes too long: it may be in
 * the midst of a sanitizer's last look. */
static void give_up(struct job *job)
{
    if (job->alive && !job->unwanted)
        job->since = tri_os_now();
    job->unwanted = true;
}

/* Notes one, under the lock. What comes after the lowest is given up, unless all are wanted. */
static void note_failure(struct hunt *hunt, struct outcome *outcome)
{
    struct search *s = hunt->search;
    unsigned most = s->keep_going ? FAILED_MAX : 1, i = s->failed_count;
    if (s->like && !outcome_like(s->like, outcome))
        return;
    s->failures++;
    s->failed = memory(s->failed, (FAILED_MAX + 1) * sizeof *s->failed);
    for (; i > 0 && s->failed[i - 1].seed > outcome->seed; i--)
        s->failed[i] = s->failed[i - 1];
    s->failed[i] = *outcome;
    s->failed[i].output = copy(outcome->output);
    if (++s->failed_count > most)
        free(s->failed[--s->failed_count].output);
    if (s->keep_going)
        return;
    hunt->stop = s->failed[0].seed;
    for (unsigned j = 0; j < s->jobs; j++)
        if (hunt->job[j].at >= hunt->stop)
            give_up(&hunt->job[j]);
}

static void note_broken(struct hunt *hunt, const char *why, const char *output)
{
    struct search *s = hunt->search;
    size_t size = strlen(why) + strlen(output) + 2;
    hunt->stop = hunt->search->first;
    if (s->broken)
        return;
    s->broken = memory(NULL, size);
    snprintf(s->broken, size, "%s%s%s", why, *why && *output ? "\n" : "", output);
}

/* ---- what a program reports -------------------------------------------------------------------------------------- */

/* NAME=NUMBER,… or "-". */
static void read_faults(char *list, uint64_t numbers[KINDS])
{
    for (char *rest = list; rest && *rest;) {
        char *word = rest, *equals = strchr(word, '='), *comma = strchr(word, ',');
        rest = comma ? comma + 1 : NULL;
        size_t length = equals ? (size_t)(equals - word) : 0;
        for (unsigned i = 0; length && i < KINDS; i++)
            if (strlen(kind_names[i]) == length && memcmp(kind_names[i], word, length) == 0)
                numbers[i] = strtoull(equals + 1, NULL, 10);
    }
}

/* The seed that is run may be the first that has reached it. */
static void read_place(struct job *job, char *text)
{
    struct search *s = job->hunt->search;
    uint64_t reached = strtoull(text, &text, 10) ? job->at : NEVER;
    int line = (int)strtol(text, &text, 10);
    char *file = text + 1, *tab = *text ? strchr(file, '\t') : NULL;
    if (!tab)
        return;
    *tab = 0;
    for (struct place *p = s->places; p < s->places + s->place_count; p++)
        if (p->line == line && strcmp(p->file, file) == 0 && strcmp(p->text, tab + 1) == 0) {
            p->reached = reached < p->reached ? reached : p->reached;
            return;
        }
    s->places = memory(s->places, (s->place_count + 1) * sizeof *s->places);
    s->places[s->place_count++] = (struct place){ copy(tab + 1), copy(file), line, reached };
}

static void read_end(struct job *job, char *text)
{
    struct search *s = job->hunt->search;
    struct outcome outcome = { .output = job->output };
    char faults[800];
    uint64_t fired[KINDS] = { 0 };
    int length = 0;
    int read = sscanf(text, "%" SCNu64 " %d %" SCNx64 " %" SCNd64 " %" SCNu64 " %" SCNu64 " %799s %n", &outcome.seed,
        &outcome.error, &outcome.hash, &outcome.virtual_ns, &outcome.turns, &outcome.messages, faults, &length);
    if (read < 7 || !job->begun || outcome.seed != job->at)
        return;
    snprintf(outcome.what, sizeof outcome.what, "%s", text + length);
    read_faults(faults, fired);
    for (unsigned i = 0; i < KINDS; i++)
        if (fired[i] && outcome.seed < s->fired[i])
            s->fired[i] = outcome.seed;
    s->run++;
    if (outcome.error) {
        outcome.ending = FAILED;
        note_failure(job->hunt, &outcome);
    }
    job->begun = false;
    if (++job->at >= job->hunt->stop)
        give_up(job);
}

/* A report, under the lock. */
static void read_report(struct job *job, char *text)
{
    struct search *s = job->hunt->search;
    job->spoke = true;
    job->since = tri_os_now();
    if (strncmp(text, "begin ", 6) == 0) {
        job->at = strtoull(text + 6, NULL, 10);
        job->begun = true;
        job->output_length = 0;
        job->output[0] = 0;
    } else if (strncmp(text, "end ", 4) == 0) {
        read_end(job, text + 4);
    } else if (strncmp(text, "rates ", 6) == 0) {
        read_faults(text + 6, s->rates);
    } else if (strncmp(text, "sometimes ", 10) == 0) {
        read_place(job, text + 10);
    } else if (strcmp(text, "over") == 0) {
        job->over = true;
    }
}

static void keep_output(struct job *job, const char *bytes, size_t size)
{
    size_t room = sizeof job->output - 1 - job->output_length;
    size = size < room ? size : room;
    memcpy(job->output + job->output_length, bytes, size);
    job->output_length += size;
    job->output[job->output_length] = 0;
}

static void end_line(struct job *job)
{
    if (job->line_length && job->line[job->line_length - 1] == '\r')
        job->line_length--;
    job->line[job->line_length] = 0;
    char *report = strstr(job->line, "@sim ");
    keep_output(job, job->line, report ? (size_t)(report - job->line) : job->line_length);
    if (report)
        read_report(job, report + 5);
    else
        keep_output(job, "\n", 1);
    job->line_length = 0;
}

static void read_bytes(struct job *job, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && !job->unwanted; i++) {
        if (bytes[i] == '\n') {
            end_line(job);
            continue;
        }
        if (job->line_length == sizeof job->line - 1) {
            keep_output(job, job->line, job->line_length);
            job->line_length = 0;
        }
        job->line[job->line_length++] = bytes[i];
    }
}

/* ---- one process ------------------------------------------------------------------------------------------------- */

/* Starts the program for the seeds from job->at up to `end`. Under the lock. */
static int start(struct job *job, uint64_t end)
{
    struct search *s = job->hunt->search;
    char seed[24], seeds[24];
    const char *more[WORDS_MORE + 1] = { "--seed", seed, "--seeds", seeds, "--keep-going", "--report", NULL };
    size_t count = 0;
    while (s->argv[count])
        count++;
    const char **argv = memory(NULL, (count + WORDS_MORE + 1) * sizeof *argv);
    memcpy(argv, s->argv, count * sizeof *argv);
    memcpy(argv + count, more, sizeof more);
    snprintf(seed, sizeof seed, "%" PRIu64, job->at);
    snprintf(seeds, sizeof seeds, "%" PRIu64, end - job->at);
    int error = process_start(&job->process, argv);
    free(argv);
    job->alive = !error;
    job->begun = job->over = job->spoke = job->late = job->unwanted = false;
    job->output_length = job->line_length = 0;
    job->output[0] = 0;
    job->since = tri_os_now();
    return error;
}

/* It has ended, although it had not said all. Under the lock. */
static void note_death(struct job *job, int status, const char *how)
{
    struct hunt *hunt = job->hunt;
    char text[200];
    int64_t limit_s = hunt->search->limit_ns / 1000000000;
    struct outcome outcome = { .ending = job->late ? HUNG : DIED, .seed = job->at, .output = job->output };
    if (job->late && !job->begun) {
        snprintf(text, sizeof text, "the program says nothing for %" PRId64 " s, between two seeds", limit_s);
        note_broken(hunt, text, job->output);
    } else if (!job->begun && status == USAGE) {
        note_broken(hunt, "", job->output); /* it says why */
    } else if (!job->begun) {
        snprintf(text, sizeof text, "%s does not report%s: does its main call tr_sim_main?", hunt->search->argv[0],
            job->spoke ? " any more" : "");
        note_broken(hunt, text, job->output);
    } else {
        if (job->late)
            snprintf(outcome.what, sizeof outcome.what, "it did not end within %" PRId64 " s of real time, and was killed",
                limit_s);
        else if (status < 0)
            snprintf(outcome.what, sizeof outcome.what, "the program was %s", how);
        else
            snprintf(outcome.what, sizeof outcome.what, "the program ended, with exit status %d", status);
        hunt->search->run++;
        note_failure(hunt, &outcome);
        job->at++;
    }
}

/* Runs seeds from job->at on until `end`, or until the process ends; false when there is no more to do. Under the lock,
 * which it lets go of while it waits. */
static bool run_process(struct job *job, uint64_t end)
{
    struct hunt *hunt = job->hunt;
    char bytes[8192], how[120] = "", text[700];
    int error = start(job, end);
    if (error) {
        snprintf(text, sizeof text, "%s cannot be started: %s", hunt->search->argv[0], tr_strerror(error));
        note_broken(hunt, text, "");
        return false;
    }
    for (size_t got = 1; got > 0 && !job->unwanted;) {
        pthread_mutex_unlock(&hunt->lock);
        got = process_read(&job->process, bytes, sizeof bytes);
        pthread_mutex_lock(&hunt->lock);
        read_bytes(job, bytes, got);
    }
    if (job->line_length && !job->unwanted)
        end_line(job);
    pthread_mutex_unlock(&hunt->lock);
    process_close(&job->process);
    process_wait(&job->process);
    pthread_mutex_lock(&hunt->lock);
    job->alive = false;
    int status = process_end(&job->process, how, sizeof how);
    if (!job->over && !job->unwanted)
        note_death(job, status, how);
    return !job->unwanted && job->at < end && job->at < hunt->stop;
}

static void *work(void *arg)
{
    struct job *job = arg;
    struct hunt *hunt = job->hunt;
    pthread_mutex_lock(&hunt->lock);
    while (hunt->next < hunt->end && hunt->next < hunt->stop) {
        uint64_t end = hunt->end - hunt->next > hunt->chunk ? hunt->next + hunt->chunk : hunt->end;
        job->at = hunt->next;
        hunt->next = end;
        while (run_process(job, end))
            ;
    }
    hunt->running--;
    tri_condition_signal(&hunt->changed);
    pthread_mutex_unlock(&hunt->lock);
    return NULL;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static void kill_the_late(struct hunt *hunt)
{
    int64_t now = tri_os_now();
    for (unsigned i = 0; i < hunt->search->jobs; i++) {
        struct job *job = &hunt->job[i];
        if (job->alive && !job->late && now - job->since > (job->unwanted ? GRACE_NS : hunt->search->limit_ns)) {
            job->late = true;
            process_kill(&job->process);
        }
    }
}

static void draw(struct hunt *hunt)
{
    struct search *s = hunt->search;
    char bar[BAR + 1];
    double seconds = (double)(tri_os_now() - hunt->begin) / 1e9, rate = seconds > 0 ? (double)s->run / seconds : 0;
    for (int i = 0; i < BAR; i++)
        bar[i] = (double)s->run * BAR >= (double)s->count * (i + 1) ? '#' : '.';
    bar[BAR] = 0;
    fprintf(stderr, "\r[%s] %" PRIu64 "/%" PRIu64 " seeds, %.0f a second", bar, s->run, s->count, rate);
    if (s->failures)
        fprintf(stderr, ", %" PRIu64 " failed", s->failures);
    fprintf(stderr, " \b");
    fflush(stderr);
}

static void watch(struct hunt *hunt)
{
    while (hunt->running) {
        tri_condition_wait_until(&hunt->changed, &hunt->lock, tri_os_now() + TR_MS(TICK_MS));
        kill_the_late(hunt);
        if (hunt->search->progress)
            draw(hunt);
    }
    if (hunt->search->progress)
        fprintf(stderr, "\r%79s\r", "");
}

/* As in the source: compilers lay them out as they like. */
static int compare_places(const void *first, const void *second)
{
    const struct place *a = first, *b = second;
    int files = strcmp(a->file, b->file);
    return files ? files : (a->line > b->line) - (a->line < b->line);
}

/* Than the seed that has failed: how many there were is chance. */
static void forget_what_came_later(struct search *s)
{
    uint64_t last = s->failed_count ? s->failed[0].seed : NEVER;
    if (s->keep_going || last == NEVER)
        return;
    s->run = last - s->first + 1;
    for (unsigned i = 0; i < KINDS; i++)
        s->fired[i] = s->fired[i] <= last ? s->fired[i] : NEVER;
    for (unsigned i = 0; i < s->place_count; i++)
        s->places[i].reached = s->places[i].reached <= last ? s->places[i].reached : NEVER;
}

void search_run(struct search *s)
{
    struct hunt hunt = { .search = s,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .next = s->first,
        .end = s->first + s->count,
        .stop = UINT64_MAX,
        .begin = tri_os_now() };
    for (unsigned i = 0; i < KINDS; i++)
        s->fired[i] = NEVER;
    hunt.chunk = s->count / (8 * (uint64_t)s->jobs);
    hunt.chunk = hunt.chunk < 1 ? 1 : hunt.chunk > CHUNK_MAX ? CHUNK_MAX : hunt.chunk;
    hunt.job = memory(NULL, s->jobs * sizeof *hunt.job);
    memset(hunt.job, 0, s->jobs * sizeof *hunt.job);
    tri_condition_init(&hunt.changed);
    pthread_mutex_lock(&hunt.lock);
    for (unsigned i = 0; i < s->jobs; i++) {
        hunt.job[i].hunt = &hunt;
        if (tri_os_start_thread(&hunt.job[i].thread, work, &hunt.job[i]))
            break;
        hunt.running++;
    }
    unsigned started = hunt.running;
    if (!started)
        note_broken(&hunt, "no thread can be started", "");
    watch(&hunt);
    pthread_mutex_unlock(&hunt.lock);
    for (unsigned i = 0; i < started; i++)
        pthread_join(hunt.job[i].thread, NULL);
    tri_condition_destroy(&hunt.changed);
    pthread_mutex_destroy(&hunt.lock);
    free(hunt.job);
    s->taken_ns = tri_os_now() - hunt.begin;
    forget_what_came_later(s);
    if (s->place_count)
        qsort(s->places, s->place_count, sizeof *s->places, compare_places);
}

void search_free(struct search *s)
{
    for (unsigned i = 0; i < s->failed_count; i++)
        free(s->failed[i].output);
    for (unsigned i = 0; i < s->place_count; i++) {
        free(s->places[i].text);
        free(s->places[i].file);
    }
    free(s->failed);
    free(s->places);
    free(s->broken);
}
