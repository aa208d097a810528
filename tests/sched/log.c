/* Logging: levels, the sink, what a line says. */
#include "sched/log.h"

#include "mailbox/panic.h"
#include "tests/os.h"
#include "tests/sched/cast.h"

#include <string.h>

static struct {
    unsigned int lines, inside;
    tr_log_record last;
    char text[2000], actor[200];
} seen;

static void see(void *arg, const tr_log_record *record)
{
    cr_assert_eq(arg, &seen);
    cr_assert_eq(ck_pr_fas_uint(&seen.inside, 1), 0, "two threads in the sink");
    seen.last = *record;
    snprintf(seen.text, sizeof seen.text, "%s", record->text);
    snprintf(seen.actor, sizeof seen.actor, "%s", record->actor);
    ck_pr_store_uint(&seen.lines, seen.lines + 1);
    ck_pr_store_uint(&seen.inside, 0);
}

/* ---- levels ----------------------------------------------------------------------------------------------------------- */

static void log_one_of_each(void)
{
    seen.lines = 0;
    for (unsigned level = TR_LOG_ERROR; level <= TR_LOG_DEBUG; level++)
        tr_log(NULL, (enum tr_log_level)level, "%u", level);
}

Test(log, lines_up_to_the_level_are_logged)
{
    tr_log_to(see, &seen);
    for (unsigned level = TR_LOG_ERROR; level <= TR_LOG_DEBUG; level++) {
        tr_log_level((enum tr_log_level)level);
        log_one_of_each();
        cr_assert_eq(seen.lines, level + 1);
        cr_assert_eq(seen.last.level, level);
    }
}

Test(log, the_environment_chooses_the_level)
{
    set_environment("TROUPE_LOG", "info");
    tr_log_to(see, &seen);
    log_one_of_each();
    cr_assert_eq(seen.lines, TR_LOG_INFO + 1);
}

Test(log, the_program_has_the_last_word_about_the_level)
{
    set_environment("TROUPE_LOG", "debug");
    tr_log_to(see, &seen);
    tr_log_level(TR_LOG_ERROR);
    log_one_of_each();
    cr_assert_eq(seen.lines, TR_LOG_ERROR + 1);
}

Test(log, without_a_wish_warnings_and_errors_are_logged)
{
    set_environment("TROUPE_LOG", NULL);
    tr_log_to(see, &seen);
    log_one_of_each();
    cr_assert_eq(seen.lines, TR_LOG_WARNING + 1);
}

Test(log, a_wish_that_is_no_level_changes_nothing)
{
    set_environment("TROUPE_LOG", "everything");
    tr_log_to(see, &seen);
    log_one_of_each();
    cr_assert_eq(seen.lines, TR_LOG_WARNING + 1);
}

/* ---- what a record says ------------------------------------------------------------------------------------------------ */

Test(log, a_record_has_level_time_worker_actor_and_text)
{
    tr_log_to(see, &seen);
    int64_t before = tri_clock_wall();
    tri_log(TR_LOG_ERROR, "%d of %s", 3, "four");
    int64_t after = tri_clock_wall();
    cr_assert_str_eq(seen.text, "3 of four");
    cr_assert_str_eq(seen.actor, "");
    cr_assert_eq(seen.last.worker, -1, "a foreign thread");
    cr_assert_geq(seen.last.wall_ns, before);
    cr_assert_leq(seen.last.wall_ns, after);
}

static const char *somebody(char *actor, size_t size)
{
    snprintf(actor, size, "session <0.17.3>");
    return "work";
}

static void log_in_turn(struct tri_worker *worker, struct player *player)
{
    (void)worker;
    (void)player;
    tr_log(NULL, TR_LOG_ERROR, "in a turn");
}

Test(log, a_line_of_a_worker_carries_its_index_and_the_actor)
{
    static struct player player;
    tri_who = somebody;
    tr_log_to(see, &seen);
    open_sched(3);
    for (unsigned i = 0; i < 3; i++) {
        cast_player(&player, i, log_in_turn);
        schedule(&player);
        wait_until(ck_pr_load_uint(&player.ended));
        cr_assert_eq(seen.last.worker, (int)i);
        cr_assert_str_eq(seen.actor, "session <0.17.3>");
    }
    close_sched();
}

Test(log, a_thousand_bytes_of_a_line_are_kept)
{
    char text[3000];
    tr_log_to(see, &seen);
    for (size_t size = 998; size < 2500; size = size < 1003 ? size + 1 : size * 2) {
        memset(text, 'x', size);
        text[size] = 0;
        tr_log(NULL, TR_LOG_ERROR, "%s", text);
        cr_assert_eq(strlen(seen.text), size < 1000 ? size : 1000);
    }
}

/* ---- the sink ---------------------------------------------------------------------------------------------------------- */

enum { LINES = 5000 };

static void *log_often(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < LINES; i++)
        tr_log(NULL, TR_LOG_ERROR, "line %u", i);
    return NULL;
}

Test(log, one_thread_at_a_time_is_in_the_sink)
{
    pthread_t thread[4];
    tr_log_to(see, &seen);
    for (unsigned i = 0; i < 4; i++)
        thread[i] = start_thread(log_often, NULL);
    for (unsigned i = 0; i < 4; i++)
        join_thread(thread[i]);
    cr_assert_eq(seen.lines, 4 * LINES);
}

static const char *captured_text(void)
{
    static char text[4096];
    read_captured(text, sizeof text);
    return text;
}

/* The line without its time, which must look like one. */
static const char *without_time(const char *line)
{
    int read = 0;
    unsigned year, month, day, hour, minute, second, ms;
    cr_assert_eq(sscanf(line, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ%n", &year, &month, &day, &hour, &minute, &second, &ms, &read),
        7, "%s", line);
    cr_assert_eq(read, 24, "%s", line);
    cr_assert_geq(year, 2024);
    return line + read;
}

Test(log, the_default_sink_writes_a_line_to_standard_error)
{
    capture_stderr();
    tr_log_level(TR_LOG_INFO);
    tr_log(NULL, TR_LOG_INFO, "listening on port %d", 7000);
    cr_assert_str_eq(without_time(captured_text()), " troupe info: listening on port 7000\n");
}

Test(log, the_default_sink_names_worker_and_actor)
{
    static struct player player;
    capture_stderr();
    tri_who = somebody;
    open_sched(2);
    cast_player(&player, 1, log_in_turn);
    schedule(&player);
    wait_until(ck_pr_load_uint(&player.ended));
    close_sched();
    cr_assert_str_eq(without_time(captured_text()), " troupe error worker 1 actor session <0.17.3>: in a turn\n");
}

Test(log, the_default_sink_can_be_had_back)
{
    capture_stderr();
    tr_log_to(see, &seen);
    tr_log(NULL, TR_LOG_ERROR, "to the program");
    tr_log_to(NULL, NULL);
    tr_log(NULL, TR_LOG_ERROR, "to standard error");
    cr_assert_eq(seen.lines, 1);
    cr_assert_str_eq(without_time(captured_text()), " troupe error: to standard error\n");
}
