/*
 * What CPython's tests of its transports say, as scripts: the operations that are expected of a connection or a
 * listener, how each completes, and all that the owner hears of it. The comment on a test names those of CPython
 * (docs/conformance.md lists them).
 */
#include "tests/io/sim_support.h"

#include "io/op.h"
#include "sched/random.h"

static const int losses[] = { TR_ECONNRESET, TR_ECONNABORTED, TR_ETIMEDOUT, TR_EHOSTUNREACH, TR_ENETDOWN };
enum { LOSSES = sizeof losses / sizeof losses[0] };

static void write_text(tr_self *self, const char *text)
{
    tr_tcp_write_copy(self, run.connection, text, strlen(text));
}

static bool is_connected(const tr_msg *m)
{
    return tr_is(tr_tcp_connected, m);
}

/* A timer of the owner's, by its tag. */
static bool is_timer(const tr_msg *m, uint64_t tag)
{
    return tr_is(tr_timeout, m) && tr_body(tr_timeout, m)->tag == tag;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* test_proactor_events::loop_reading_data */
Test(sim_transports, what_is_received_becomes_data_and_more_is_received)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "first" },
        { "receive", .bytes = "second", .after_ns = TR_MS(5) },
        { "receive", .after_ns = TR_MS(5) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | data first | data@5 second | eof@10 | closed@10", .steps = steps);
}

/* test_proactor_events::loop_reading_no_data. A receive after the end would be named. */
Test(sim_transports, the_end_closes_the_connection_and_nothing_more_is_received)
{
    static const tr_sim_step steps[] = {
        { "receive", .result = 0 },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | eof | closed", .steps = steps);
}

static int answer_the_end(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_eof, m)) {
        write_text(self, "late");
        tr_after(self, TR_MS(7), 1);
    } else if (is_timer(m, 1)) {
        write_text(self, "later");
        tr_tcp_close(self, run.connection);
    }
    return TR_CONTINUE;
}

/* test_selector_events::read_ready_eof_keep_open */
Test(sim_transports, half_open_it_stays_for_writing_after_the_end)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "question" },
        { "receive", .after_ns = TR_MS(3) },
        { "send", .bytes = "late" },
        { "send", .bytes = "later" },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | data question | eof@3 | timeout@10 1 | closed@10", .steps = steps, .tcp.half_open = true,
        .heard = answer_the_end);
}

/* test_proactor_events::loop_reading_conn_reset_lost, loop_reading_aborted_is_fatal */
Test(sim_transports, an_error_while_receiving_is_the_reason_and_nothing_to_be_warned_of)
{
    capture_log(TR_LOG_WARNING);
    for (int i = 0; i < LOSSES; i++) {
        char story[100];
        const tr_sim_step steps[] = {
            { "receive", .bytes = "before" },
            { "receive", .result = losses[i], .after_ns = TR_MS(3) },
            { .operation = "reset" },
            { 0 },
        };
        snprintf(story, sizeof story, "connected | data before | closed@3 %s", tr_error_name(losses[i]));
        expect_story(story, .steps = steps);
    }
    cr_assert_eq(captured.used, 0, "%s", captured.text);
}

static int crash_on_data(tr_self *self, const tr_msg *m)
{
    (void)self;
    return tr_is(tr_tcp_data, m) ? TR_ECRASHED : TR_CONTINUE;
}

/* test_selector_events::data_received_error */
Test(sim_transports, an_owner_that_fails_on_data_has_its_connection_reset)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "bad" },
        { .operation = "reset" },
        { 0 },
    };
    capture_log(TR_LOG_ERROR);
    expect_story("connected | data bad", .steps = steps, .heard = crash_on_data, .sim.roots_may_fail = true);
    cr_assert_eq(run.ended, TR_ECRASHED);
}

enum { PIECES = 3000, PIECE = 7 };

static char much[PIECES * PIECE + 1], got[PIECES * PIECE + 1];
static size_t got_size;

static int gather_data(tr_self *self, const tr_msg *m)
{
    (void)self;
    if (is_connected(m))
        got_size = 0;
    if (tr_is(tr_tcp_data, m)) {
        const tr_buf *buf = tr_body(tr_tcp_data, m)->buf;
        cr_assert_leq(got_size + tr_buf_size(buf), sizeof got);
        got_size += tr_buf_read(buf, 0, got + got_size, sizeof got - got_size);
        run.used = strlen("connected"); /* how many there are does not matter, nor when */
        run.tale[run.used] = 0;
        run.begin = tr_now(self);
    }
    return TR_CONTINUE;
}

/* test_buffered_proto::buffered_proto_create_connection */
Test(sim_transports, thousands_of_pieces_arrive_in_order)
{
    static tr_sim_step steps[PIECES + 3];
    for (int i = 0; i < PIECES; i++) {
        char number[12];
        snprintf(number, sizeof number, "%07d", i);
        memcpy(much + (size_t)i * PIECE, number, PIECE);
        steps[i] = (tr_sim_step){ "receive", .bytes = much + (size_t)i * PIECE, .length = PIECE };
    }
    steps[PIECES].operation = "receive";
    steps[PIECES + 1].operation = "close";
    expect_story("connected | eof | closed", .steps = steps, .heard = gather_data);
    cr_assert_eq(got_size, sizeof got - 1);
    cr_assert_str_eq(got, much);
}

enum { BULK = 65536 }; /* as much as the window */

static int forget_the_first(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_data, m) && tr_now(self) - run.begin < TR_MS(1)) {
        run.used = strlen("connected");
        run.tale[run.used] = 0;
    }
    return TR_CONTINUE;
}

/* The first is read with one small buffer, to begin with. */
Test(sim_transports, what_comes_in_pieces_of_a_window_is_read_whole)
{
    static char bulk[BULK];
    const tr_sim_step steps[] = {
        { "receive", .bytes = bulk, .length = BULK },
        { "receive", .bytes = bulk, .length = BULK, .after_ns = TR_MS(1) },
        { "receive", .bytes = bulk, .length = BULK, .after_ns = TR_MS(1) },
        { "receive", .after_ns = TR_MS(1) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | data@1 of 65536 bytes | data@2 of 65536 bytes | eof@3 | closed@3", .steps = steps,
        .heard = forget_the_first);
}

static tr_buf *kept;

static int keep_all_for_long(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_data, m)) {
        kept = tr_buf_join(kept, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
        tr_after(self, TR_SECONDS(30), 1);
    } else if (is_timer(m, 1) || tr_is(tr_tcp_closed, m)) {
        tr_buf_unref(kept);
        kept = NULL;
    }
    run.used = strlen("connected");
    run.tale[run.used] = 0;
    return TR_CONTINUE;
}

Test(sim_transports, a_window_that_is_held_for_long_is_named_once)
{
    static char bulk[2 * BULK];
    const tr_sim_step steps[] = {
        { "receive", .bytes = bulk, .length = 2 * BULK },
        { .operation = "receive" },
        { .operation = "close" },
        { 0 },
    };
    capture_log(TR_LOG_WARNING);
    const struct play play = { .steps = steps, .heard = keep_all_for_long };
    cr_assert_eq(perform(7, &play), 0, "%s", run.result.what);
    cr_assert_eq(logged("nothing has been read from"), 1, "%s", captured.text);
}

/* test_selector_events::get_buffer_error: in Troupe a connection without memory for a buffer waits, and loses
 * nothing. */
Test(sim_transports, without_memory_for_a_buffer_it_is_received_later)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "hello" },
        { "receive", .after_ns = TR_MS(50) },
        { .operation = "close" },
        { 0 },
    };
    unsigned later = 0;
    struct play play = { .steps = steps };
    capture_log(TR_LOG_ERROR);
    cr_assert_eq(perform(7, &play), 0);
    uint64_t requests = run.result.requests;
    for (uint64_t i = 1; i <= requests; i++) {
        play.sim.fail_memory = i;
        if (perform(7, &play)) /* what cannot be made is refused, and ends: another story */
            continue;
        later += strstr(run.tale, "connected | data@10 hello") != NULL;
        forget_times();
        cr_assert_str_eq(run.tale, "connected | data hello | eof | closed");
    }
    cr_assert_geq(later, 1);
}

/* ---- pausing ----------------------------------------------------------------------------------------------------- */

static int pause_and_resume(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_data, m) && run.heard == 2) {
        tr_tcp_window(self, run.connection, 0);
        tr_tcp_window(self, run.connection, 0);
        tr_after(self, TR_MS(100), 1);
    } else if (is_timer(m, 1)) {
        tr_tcp_window(self, run.connection, 1000);
        tr_tcp_window(self, run.connection, 1000);
        tr_after(self, TR_MS(10), 2);
    } else if (is_timer(m, 2)) { /* pausing, directly followed by resuming */
        tr_tcp_window(self, run.connection, 0);
        tr_tcp_window(self, run.connection, 1000);
        write_text(self, "go on");
    }
    return TR_CONTINUE;
}

/* test_proactor_events::pause_resume_reading */
Test(sim_transports, paused_it_delivers_nothing_and_loses_nothing)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "one" },
        { "receive", .bytes = "two" },
        { "send", .bytes = "go on" },
        { "receive", .bytes = "three", .after_ns = TR_MS(10) },
        { "receive", .after_ns = TR_MS(1) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | data one | timeout@100 1 | data@100 two | timeout@110 2 | data@120 three | eof@121 | "
                 "closed@121",
        .steps = steps, .heard = pause_and_resume);
}

static int pause_when_connected(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        tr_tcp_window(self, run.connection, 0);
        tr_after(self, TR_MS(30), 1);
    } else if (is_timer(m, 1)) {
        tr_tcp_window(self, run.connection, 1000);
    }
    return TR_CONTINUE;
}

/* test_proactor_events::pause_reading_connection_made */
Test(sim_transports, paused_while_connected_is_handled_it_delivers_nothing_before_it_goes_on)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "early" },
        { .operation = "receive" },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | timeout@30 1 | data@30 early | eof@30 | closed@30", .steps = steps,
        .heard = pause_when_connected);
}

static int pause_at_the_moment(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        tr_after(self, TR_MS(5), 1);
    } else if (is_timer(m, 1)) {
        tr_tcp_window(self, run.connection, 0);
        tr_after(self, TR_MS(5), 2);
    } else if (is_timer(m, 2)) {
        tr_tcp_window(self, run.connection, 1000);
    }
    return TR_CONTINUE;
}

/* The cancel of a receive races with its completion: what overtook it is delivered (B24), at once or when it goes
 * on. */
Test(sim_transports, what_arrives_while_it_is_paused_is_not_lost)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "now", .after_ns = TR_MS(5) },
        { "receive", .after_ns = TR_MS(10) },
        { .operation = "close" },
        { 0 },
    };
    static const char *const stories[] = {
        "connected | timeout@5 1 | data@5 now | timeout@10 2 | eof@15 | closed@15", /* it was on its way */
        "connected | timeout@5 1 | data@5 now | timeout@10 2 | eof@20 | closed@20",
        "connected | timeout@5 1 | timeout@10 2 | data@10 now | eof@20 | closed@20",
    };
    const struct play play = { .steps = steps, .heard = pause_at_the_moment, .sim.faults.late_cancel = 500000 };
    unsigned seen[3] = { 0 }, i;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        cr_assert_eq(perform(seed, &play), 0, "%s", run.result.what);
        for (i = 0; i < 3 && strcmp(run.tale, stories[i]) != 0; i++)
            ;
        cr_assert_lt(i, 3, "seed %" PRIu64 ": %s", seed, run.tale);
        seen[i]++;
    }
    cr_assert(seen[0] && seen[1] && seen[2], "%u, %u, %u", seen[0], seen[1], seen[2]);
}

/* ---- handing over ------------------------------------------------------------------------------------------------ */

/* It notes what it hears in the same story. */
static int heir_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    tell(" | heir");
    note_message(self, m);
    return tr_is(tr_tcp_closed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor heir_actor = { TR_SPEC, .name = "heir", .receive = heir_receive };

static int hand_over_and_wait(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_data, m)) {
        tr_ref heir = tr_spawn(self, &heir_actor, NULL);
        tr_tcp_own(self, run.connection, heir);
        tr_monitor_set(self, heir);
    }
    return tr_is(tr_down, m) ? TR_STOP : TR_CONTINUE;
}

/* B12: what comes while the owner handles what came before, and hands over, is the heir's: under each seed, whether it has
 * arrived by then or not. */
Test(sim_transports, handed_over_in_a_handler_the_next_bytes_are_the_heirs)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "one" },
        { "receive", .bytes = "two" },
        { "receive", .bytes = "three", .after_ns = TR_MS(1) },
        { "receive", .after_ns = TR_MS(1) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | data one | heir | data two | heir | data@1 three | heir | eof@2 | heir | closed@2 | down@2",
        .steps = steps, .heard = hand_over_and_wait, .stays = true);
}

/* ---- closing, with something on its way ---------------------------------------------------------------------------- */

static unsigned untimely, closes;
static bool closed_it;

static int close_at_any_time(tr_self *self, const tr_msg *m)
{
    bool news = is_connected(m) || tr_is(tr_tcp_data, m) || tr_is(tr_tcp_eof, m) || tr_is(tr_tcp_writable, m);
    if (closed_it && news)
        untimely++;
    if (run.heard == 1)
        tr_every(self, TR_US(100), 1);
    if (is_timer(m, 1) && !closed_it && tr_random_below(self, 8) == 0) {
        closed_it = true;
        closes++;
        if (tr_random_below(self, 2))
            tr_tcp_close(self, run.connection);
        else
            tr_tcp_abort(self, run.connection);
    }
    run.used = 0; /* whatever its story is */
    return TR_CONTINUE;
}

static int connect_and_tick(tr_self *self)
{
    tr_every(self, TR_US(100), 1);
    return tr_tcp_connect(self, &run.connection, "10.0.0.9:80");
}

/* What waits in the mailbox of who closes is no more for him than a timer that he has cancelled. */
Test(sim_transports, nothing_is_heard_of_a_connection_after_it_was_closed_but_its_end)
{
    enum { MANY = 40, TRIES = 300 };
    static tr_sim_step steps[MANY + 4];
    steps[0] = (tr_sim_step){ "connect", .after_ns = TR_US(400) };
    for (int i = 1; i <= MANY; i++)
        steps[i] = (tr_sim_step){ "receive", .bytes = "more", .after_ns = TR_US(100) };
    steps[MANY + 1].operation = "receive";
    steps[MANY + 2].operation = "close";
    static const tr_sim_script scripts[] = { { "10.0.0.9:80", steps }, { 0 } };
    const struct play play = { .start = connect_and_tick, .heard = close_at_any_time, .sim.scripts = scripts };
    for (uint64_t seed = 1; seed <= TRIES; seed++) {
        closed_it = false;
        int error = perform(seed, &play); /* the script does not know of the abort */
        cr_assert(error == 0 || error == TR_EPROTO, "%s", run.result.what);
    }
    cr_assert_eq(untimely, 0, "%u of %u closes", untimely, closes);
    cr_assert_gt(closes, TRIES / 2);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int write_three(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "one");
        tr_after(self, TR_MS(5), 1);
    } else if (is_timer(m, 1)) {
        write_text(self, "two");
        write_text(self, "three");
        tr_tcp_flush(self, run.connection, TR_SECONDS(1));
        tr_tcp_ask(self, run.connection, TR_SECONDS(1));
    } else if (tr_is(tr_tcp_flushed, m)) {
        tr_tcp_close(self, run.connection);
    }
    return TR_CONTINUE;
}

/* test_proactor_events::write_more; test_selector_events::write_tryagain: all of it is still queued at 5 ms */
Test(sim_transports, what_is_written_while_a_send_is_in_flight_waits)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "one", .after_ns = TR_MS(20) },
        { "send", .bytes = "twothree", .after_ns = TR_MS(20) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | timeout@5 1 | info@5 11 queued | flushed@40 | closed@40", .steps = steps, .heard = write_three);
}

static int write_and_lose(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "sent");
        tr_tcp_flush(self, run.connection, TR_SECONDS(1));
    } else if (tr_is(tr_tcp_flushed, m)) {
        write_text(self, "lost");
    } else if (tr_is(tr_tcp_closed, m)) {
        for (int i = 0; i < 6; i++)
            cr_assert_eq(tr_tcp_write_copy(self, run.connection, "late", 4), TR_EDOWN);
        tr_after(self, TR_MS(10), 1);
    } else if (is_timer(m, 1)) {
        return TR_STOP;
    }
    return TR_CONTINUE;
}

/* test_proactor_events::loop_writing_err; test_selector_events::write_exception. A further send would be named. */
Test(sim_transports, a_send_that_fails_ends_the_connection_and_nothing_more_is_sent)
{
    for (int i = 0; i < LOSSES; i++) {
        char story[100];
        const tr_sim_step steps[] = {
            { "send", .bytes = "sent" },
            { "send", .bytes = "lost", .result = losses[i], .after_ns = TR_MS(2) },
            { .operation = "reset" },
            { 0 },
        };
        snprintf(story, sizeof story, "connected | flushed | closed@2 %s | timeout@12 1", tr_error_name(losses[i]));
        expect_story(story, .steps = steps, .heard = write_and_lose, .stays = true);
    }
}

static int write_and_close(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "in flight");
        tr_after(self, TR_MS(5), 1);
        tr_after(self, TR_MS(15), 2);
    } else if (is_timer(m, 1)) {
        tr_tcp_close(self, run.connection);
        tr_tcp_shutdown(self, run.connection);
    }
    return TR_CONTINUE;
}

/* test_proactor_events::loop_writing_closing, close_write_fut; test_selector_events::write_eof_after_close: the
 * shutdown does nothing, or it would be named. */
Test(sim_transports, closed_with_a_send_in_flight_it_says_closed_when_that_is_home)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "in flight", .after_ns = TR_MS(100) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | timeout@5 1 | timeout@15 2 | closed@100", .steps = steps, .heard = write_and_close);
}

static int write_much_and_close(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "abcdefghij");
        tr_after(self, TR_MS(5), 1);
    } else if (is_timer(m, 1)) {
        write_text(self, "klmno");
        tr_tcp_close(self, run.connection);
        write_text(self, "dropped");
    }
    return TR_CONTINUE;
}

/* test_proactor_events::close_buffer; test_selector_events::write_partial */
Test(sim_transports, closed_with_bytes_queued_it_says_closed_when_all_have_left)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "abcdefghij", .result = 3, .after_ns = TR_MS(10) },
        { "send", .bytes = "defghij", .result = 1, .after_ns = TR_MS(10) },
        { "send", .bytes = "efghij", .after_ns = TR_MS(10) },
        { "send", .bytes = "klmno", .result = 4, .after_ns = TR_MS(10) },
        { "send", .bytes = "o", .after_ns = TR_MS(10) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | timeout@5 1 | closed@50 1 dropped", .steps = steps, .heard = write_much_and_close);
}

static int close_twice(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        tr_tcp_close(self, run.connection);
        tr_tcp_close(self, run.connection);
        tr_after(self, TR_MS(10), 1);
    } else if (tr_is(tr_tcp_closed, m)) {
        cr_assert_eq(tr_tcp_close(self, run.connection), TR_EDOWN);
    }
    return is_timer(m, 1) ? TR_STOP : TR_CONTINUE;
}

/* test_proactor_events::close_protocol_connection_lost_once */
Test(sim_transports, two_closes_are_one_closed)
{
    static const tr_sim_step steps[] = { { .operation = "close" }, { 0 } };
    expect_story("connected | closed | timeout@10 1", .steps = steps, .heard = close_twice, .stays = true);
}

static int write_and_shut_down(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "last words");
        tr_tcp_shutdown(self, run.connection);
        tr_tcp_shutdown(self, run.connection);
        write_text(self, "dropped");
    }
    return TR_CONTINUE;
}

/* test_proactor_events::write_eof_buffer */
Test(sim_transports, it_is_shut_down_when_all_has_left_and_receiving_goes_on)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "last words", .result = 5, .after_ns = TR_MS(10) },
        { "send", .bytes = "words", .after_ns = TR_MS(10) },
        { .operation = "shutdown" },
        { "receive", .bytes = "answer", .after_ns = TR_MS(10) },
        { "receive", .after_ns = TR_MS(10) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | data@30 answer | eof@40 | closed@40 1 dropped", .steps = steps, .heard = write_and_shut_down);
}

static int write_ten(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        cr_assert_eq(tr_tcp_marks(self, run.connection, 4, TR_TCP_ZERO), 0);
        write_text(self, "0123456789");
    } else if (tr_is(tr_tcp_writable, m) && tr_body(tr_tcp_writable, m)->writable) {
        tr_tcp_close(self, run.connection);
    }
    return TR_CONTINUE;
}

/* test_proactor_events::pause_resume_writing */
Test(sim_transports, over_the_high_mark_it_is_not_writable_and_at_the_low_one_it_is_again)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "0123456789", .result = 9, .after_ns = TR_MS(5) },
        { "send", .bytes = "9", .after_ns = TR_MS(5) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | writable no, 10 | writable@10 again, 0 | closed@10", .steps = steps, .heard = write_ten);
}

static int write_ten_and_wait(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        tr_tcp_marks(self, run.connection, 4, TR_TCP_ZERO);
        write_text(self, "0123456789");
        tr_after(self, TR_MS(10), 1);
    } else if (is_timer(m, 1)) {
        tr_tcp_close(self, run.connection);
    }
    return TR_CONTINUE;
}

/* test_proactor_events::dont_pause_writing: nothing is said when it is taken at once, as by epoll; when the next
 * poll takes it, as that of io_uring, it is unwritable for a moment. */
Test(sim_transports, a_long_write_that_is_taken_at_once_does_not_stay_unwritable)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "0123456789" },
        { .operation = "close" },
        { 0 },
    };
    expect_either("connected | timeout@10 1 | closed@10",
        "connected | writable no, 10 | writable again, 0 | timeout@10 1 | closed@10", .steps = steps,
        .heard = write_ten_and_wait);
}

static int write_too_late(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "slow");
        tr_tcp_close(self, run.connection);
        for (int i = 0; i < 6; i++)
            write_text(self, "late");
        tr_after(self, TR_MS(999), 1);
        tr_after(self, TR_MS(1001), 2);
    } else if (tr_is(tr_timeout, m)) {
        write_text(self, "late");
    }
    return TR_CONTINUE;
}

/* test_selector_events::write_closing */
Test(sim_transports, a_write_after_the_close_is_dropped_with_a_warning_from_the_fifth_on_once_a_second)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "slow", .after_ns = TR_SECONDS(2) },
        { .operation = "close" },
        { 0 },
    };
    capture_log(TR_LOG_WARNING);
    expect_story("connected | timeout@999 1 | timeout@1001 2 | closed@2000 8 dropped", .steps = steps,
        .heard = write_too_late);
    cr_assert_eq(logged("is dropped"), 2 * SEEDS, "%s", captured.text);
    cr_assert_eq(logged("so far 5"), SEEDS);
    cr_assert_eq(logged("so far 8"), SEEDS);
}

/* Pieces of a chain, and how much of it each send takes. */
enum { CHAIN = 12, TAKES = 60 };

static char letters[CHAIN * (CHAIN + 1) / 2 + 1];

static int write_chain(tr_self *self, const tr_msg *m)
{
    tr_buf *chain = NULL;
    if (!is_connected(m))
        return TR_CONTINUE;
    for (size_t i = 1, at = 0; i <= CHAIN; at += i++)
        chain = tr_buf_join(chain, tr_buf_adopt(letters + at, i, NULL, NULL));
    tr_tcp_write(self, run.connection, chain);
    tr_tcp_close(self, run.connection);
    return TR_CONTINUE;
}

/* test_selector_events::writelines_sendmsg_partial */
Test(sim_transports, a_short_send_goes_on_at_the_right_byte_of_the_right_piece)
{
    struct tri_random chance = { 42 };
    for (size_t i = 0; i + 1 < sizeof letters; i++)
        letters[i] = (char)('A' + i % 57);
    for (int round = 0; round < 20; round++) {
        tr_sim_step steps[sizeof letters + 2];
        size_t at = 0, left, count = 0;
        for (; (left = sizeof letters - 1 - at) > 0; count++) {
            uint32_t take = 1 + tri_random_below(&chance, left < 15 ? (uint32_t)left : 15);
            steps[count] = (tr_sim_step){ "send", .bytes = letters + at, .length = left, .result = (int)take };
            at += take;
        }
        steps[count] = (tr_sim_step){ .operation = "close" };
        steps[count + 1] = (tr_sim_step){ 0 };
        expect_story("connected | closed", .steps = steps, .heard = write_chain);
    }
}

enum { LONG_CHAIN = 3 * TRI_SEND_PIECES + 1 };

static char pairs[2 * LONG_CHAIN];

static int write_long_chain(tr_self *self, const tr_msg *m)
{
    tr_buf *chain = NULL;
    if (!is_connected(m))
        return TR_CONTINUE;
    for (size_t i = 0; i < LONG_CHAIN; i++)
        chain = tr_buf_join(chain, tr_buf_adopt(pairs + 2 * i, 2, NULL, NULL));
    tr_tcp_write(self, run.connection, chain);
    tr_tcp_close(self, run.connection);
    return TR_CONTINUE;
}

/* B15: one operation after the other, each with as many pieces as it can have. */
Test(sim_transports, a_chain_of_many_pieces_is_sent_in_order)
{
    enum { ONE = 2 * TRI_SEND_PIECES };
    static const tr_sim_step steps[] = {
        { "send", .bytes = pairs, .length = ONE },
        { "send", .bytes = pairs + ONE, .length = ONE, .result = 5 },
        { "send", .bytes = pairs + ONE + 5, .length = ONE - 5 },
        { "send", .bytes = pairs + 2 * ONE, .length = ONE },
        { "send", .bytes = pairs + 3 * ONE, .length = 2 },
        { .operation = "close" },
        { 0 },
    };
    for (size_t i = 0; i < sizeof pairs; i++)
        pairs[i] = (char)(i * 7 + i / 251);
    expect_story("connected | closed", .steps = steps, .heard = write_long_chain);
}

static int abort_at_10(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "stuck");
        tr_tcp_flush(self, run.connection, TR_SECONDS(60));
        tr_after(self, TR_MS(10), 1);
    } else if (is_timer(m, 1)) {
        write_text(self, "more");
        tr_tcp_abort(self, run.connection);
    }
    return TR_CONTINUE;
}

/* B5 */
Test(sim_transports, an_abort_drops_what_is_in_flight_and_queued_and_resets)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "stuck", .never = true },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | timeout@10 1 | failed@10 TR_ECLOSED | closed@10", .steps = steps, .heard = abort_at_10);
}

static int write_twice_and_close(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "gone");
        tr_after(self, TR_MS(1), 1);
    } else if (is_timer(m, 1)) {
        write_text(self, "queued");
        tr_tcp_close(self, run.connection);
    }
    return TR_CONTINUE;
}

/* B6: a close that cannot send all says why. */
Test(sim_transports, a_send_that_fails_while_it_closes_is_the_reason)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "gone", .result = TR_EPIPE, .after_ns = TR_MS(5) },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | timeout@1 1 | closed@5 TR_EPIPE", .steps = steps, .heard = write_twice_and_close);
}

static int keep_and_write_later(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_data, m)) {
        tr_take(self, m); /* so the error that comes next waits */
        tr_after(self, TR_MS(5), 1);
    } else if (is_timer(m, 1)) {
        write_text(self, "into the void");
    }
    return TR_CONTINUE;
}

/* B6 */
Test(sim_transports, of_two_errors_the_first_is_the_reason)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "before" },
        { "receive", .result = TR_ETIMEDOUT, .after_ns = TR_MS(1) },
        { "send", .bytes = "into the void", .result = TR_EPIPE },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | data before | timeout@5 1 | closed@5 TR_ETIMEDOUT", .steps = steps,
        .heard = keep_and_write_later);
}

static int write_on_and_on(tr_self *self, const tr_msg *m)
{
    if (is_connected(m) || is_timer(m, 1)) {
        write_text(self, "again");
        tr_after(self, TR_MS(10), 1);
    }
    return TR_CONTINUE;
}

/* test_streams::drain_raises */
Test(sim_transports, writing_on_and_on_to_a_peer_that_is_gone_comes_to_an_end)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "again" },
        { "send", .bytes = "again" },
        { "send", .bytes = "again", .result = TR_EPIPE },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | timeout@10 1 | timeout@20 1 | closed@20 TR_EPIPE", .steps = steps, .heard = write_on_and_on);
}

static int hurry_up(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        tr_tcp_timeouts(self, run.connection, TR_SECONDS(100), 0);
        tr_tcp_timeouts(self, run.connection, TR_MS(50), 0);
    }
    return TR_CONTINUE;
}

Test(sim_transports, a_shorter_time_than_was_set_before_counts_from_now)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "alive", .after_ns = TR_MS(30) },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | data@30 alive | closed@86 TR_ETIMEDOUT", .steps = steps, .heard = hurry_up);
}

static int detach_and_go_on(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "slow");
        tr_tcp_detach(self, run.connection, TR_MS(100));
    } else if (tr_is(tr_failed, m)) {
        write_text(self, "goes on");
    }
    return TR_CONTINUE;
}

Test(sim_transports, a_detach_whose_time_is_over_is_as_if_it_had_not_been_asked_for)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "slow", .after_ns = TR_MS(300) },
        { "send", .bytes = "goes on" },
        { "receive", .bytes = "read on" },
        { .operation = "receive" },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | failed@100 TR_ETIMEDOUT | data@300 read on | eof@300 | closed@300", .steps = steps,
        .heard = detach_and_go_on);
}

static int detach_at_the_end(tr_self *self, const tr_msg *m)
{
    if (is_connected(m))
        write_text(self, "slow");
    if (tr_is(tr_tcp_eof, m))
        tr_tcp_detach(self, run.connection, TR_MS(100));
    return TR_CONTINUE;
}

/* The end closes it when nothing else does. */
Test(sim_transports, a_detach_in_the_handler_of_the_end_whose_time_is_over_is_followed_by_the_close)
{
    static const tr_sim_step steps[] = {
        { .operation = "receive" },
        { "send", .bytes = "slow", .after_ns = TR_MS(300) },
        { .operation = "close" },
        { 0 },
    };
    expect_story("connected | eof | failed@100 TR_ETIMEDOUT | closed@300", .steps = steps, .heard = detach_at_the_end);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* B27: it is counted from the last byte, and never early. */
Test(sim_transports, an_idle_connection_ends_when_its_time_is_over)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "alive", .after_ns = TR_MS(300) },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | data@300 alive | closed@810 TR_ETIMEDOUT", .steps = steps, .tcp.idle_ns = TR_MS(500));
}

/* A worker may have been held, or its process stopped: what it has not read yet may have come long ago. */
Test(sim_transports, an_idle_connection_is_looked_at_once_more_before_it_ends)
{
    static const tr_sim_step steps[] = {
        { "receive", .bytes = "alive", .after_ns = TR_MS(505) },
        { "receive", .bytes = "still", .after_ns = TR_MS(502) },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | data@505 alive | data@1007 still | closed@1517 TR_ETIMEDOUT", .steps = steps,
        .tcp.idle_ns = TR_MS(500));
}

static int write_abc(tr_self *self, const tr_msg *m)
{
    if (is_connected(m))
        write_text(self, "abc");
    return TR_CONTINUE;
}

Test(sim_transports, a_write_that_makes_no_progress_ends_the_connection)
{
    static const tr_sim_step steps[] = {
        { "send", .bytes = "abc", .never = true },
        { .operation = "reset" },
        { 0 },
    };
    expect_story("connected | closed@700 TR_ETIMEDOUT", .steps = steps, .heard = write_abc, .tcp.write_ns = TR_MS(700));
}

enum { SLOWLY = 384 << 10, AT_A_TIME = 32 << 10 };

static int write_much(tr_self *self, const tr_msg *m)
{
    static char bytes[SLOWLY];
    if (is_connected(m)) {
        tr_tcp_write_copy(self, run.connection, bytes, sizeof bytes);
        tr_tcp_close(self, run.connection);
    }
    return TR_CONTINUE;
}

/* The peer takes some all the time, though all of it takes long. */
Test(sim_transports, a_write_of_which_some_leaves_all_the_time_does_not_time_out)
{
    static tr_sim_step steps[SLOWLY / AT_A_TIME + 2];
    for (int i = 0; i < SLOWLY / AT_A_TIME; i++)
        steps[i] = (tr_sim_step){ "send", .result = AT_A_TIME, .after_ns = TR_MS(100) };
    steps[SLOWLY / AT_A_TIME].operation = "close";
    expect_story("connected | closed@1200", .steps = steps, .heard = write_much, .tcp.write_ns = TR_MS(500));
    expect_story("connected | closed@1200", .steps = steps, .heard = write_much, .tcp.idle_ns = TR_MS(500));
}

/* ---- connecting -------------------------------------------------------------------------------------------------- */

static tr_tcp_options wish;

static int start_to_connect(tr_self *self)
{
    cr_assert_eq(tr_tcp_connect_(self, &run.connection, &wish), 0);
    return TR_CONTINUE;
}

static int start_to_connect_and_write(tr_self *self)
{
    start_to_connect(self);
    write_text(self, "before ");
    write_text(self, "connected");
    tr_tcp_flush(self, run.connection, TR_SECONDS(10));
    return TR_CONTINUE;
}

static int close_when_flushed(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_flushed, m))
        tr_tcp_close(self, run.connection);
    return TR_CONTINUE;
}

/* B3: what is asked of an attempt waits, and is answered after the tr_tcp_connected. */
Test(sim_transports, what_is_written_to_an_attempt_is_sent_when_it_is_connected)
{
    static const tr_sim_step steps[] = {
        { "connect", .after_ns = TR_MS(30) },
        { "send", .bytes = "before connected", .after_ns = TR_MS(5) },
        { .operation = "close" },
        { 0 },
    };
    static const tr_sim_script scripts[] = { { "10.0.0.9:80", steps }, { 0 } };
    wish = (tr_tcp_options){ .address = "10.0.0.9:80" };
    expect_story("connected@30 | flushed@35 | closed@35", .start = start_to_connect_and_write, .heard = close_when_flushed,
        .sim.scripts = scripts);
}

/* B2: one failure, and nothing else. */
Test(sim_transports, an_attempt_that_fails_is_answered_by_its_failure_alone)
{
    static const int errors[] = { TR_ECONNREFUSED, TR_ENETUNREACH, TR_EHOSTUNREACH, TR_ETIMEDOUT, TR_ECONNRESET };
    wish = (tr_tcp_options){ .address = "10.0.0.9:80" };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        char story[100];
        const tr_sim_step steps[] = {
            { "connect", .result = errors[i], .after_ns = TR_MS(30) },
            { .operation = "close" },
            { 0 },
        };
        const tr_sim_script scripts[] = { { "10.0.0.9:80", steps }, { 0 } };
        snprintf(story, sizeof story, "failed@30 %s", tr_error_name(errors[i]));
        expect_story(story, .start = start_to_connect, .sim.scripts = scripts);
    }
}

/* B27: a timeout is exact. */
Test(sim_transports, an_attempt_without_an_answer_fails_when_its_time_is_over)
{
    static const tr_sim_step steps[] = { { "connect", .never = true }, { .operation = "close" }, { 0 } };
    static const tr_sim_script scripts[] = { { "10.0.0.9:80", steps }, { 0 } };
    wish = (tr_tcp_options){ .address = "10.0.0.9:80", .connect_ns = TR_MS(1500) };
    expect_story("failed@1500 TR_ETIMEDOUT", .start = start_to_connect, .sim.scripts = scripts);
    wish.connect_ns = 0;
    expect_story("failed@60000 TR_ETIMEDOUT", .start = start_to_connect, .sim.scripts = scripts);
}

static int start_to_connect_and_think_again(tr_self *self)
{
    tr_after(self, TR_MS(10), 1);
    return start_to_connect(self);
}

static int close_at_1(tr_self *self, const tr_msg *m)
{
    if (is_timer(m, 1))
        tr_tcp_close(self, run.connection);
    return TR_CONTINUE;
}

/* B2 */
Test(sim_transports, an_attempt_that_is_closed_fails_as_canceled)
{
    static const tr_sim_step steps[] = { { "connect", .never = true }, { .operation = "close" }, { 0 } };
    static const tr_sim_script scripts[] = { { "10.0.0.9:80", steps }, { 0 } };
    wish = (tr_tcp_options){ .address = "10.0.0.9:80" };
    expect_story("timeout@10 1 | failed@10 TR_ECANCELED", .start = start_to_connect_and_think_again, .heard = close_at_1,
        .sim.scripts = scripts);
}

static tr_tcp_connected ends;

static int close_and_note_ends(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        ends = *tr_body(tr_tcp_connected, m);
        tr_tcp_close(self, m->from);
    }
    return TR_CONTINUE;
}

static void expect_ends(const char *local, const char *remote)
{
    char text[TR_ADDRESS_TEXT];
    if (local)
        cr_assert_str_eq(tr_address_text(&ends.local, text), local);
    cr_assert_str_eq(tr_address_text(&ends.remote, text), remote);
}

/* test_base_events::create_connection_no_inet_pton, create_connection_ip_addr */
Test(sim_transports, literal_addresses_of_both_families_connect)
{
    static const tr_sim_step steps[] = { { .operation = "connect" }, { .operation = "close" }, { 0 } };
    static const char *const remotes[] = { "192.0.2.1:80", "[2001:db8::1]:443" };
    for (size_t i = 0; i < 2; i++) {
        const tr_sim_script scripts[] = { { remotes[i], steps }, { 0 } };
        wish = (tr_tcp_options){ .address = remotes[i] };
        expect_story("connected | closed", .start = start_to_connect, .heard = close_and_note_ends, .sim.scripts = scripts);
        expect_ends(NULL, remotes[i]);
    }
}

/* test_events::create_connection_local_addr */
Test(sim_transports, a_connection_comes_from_the_local_address_asked_for)
{
    static const tr_sim_step steps[] = { { .operation = "connect" }, { .operation = "close" }, { 0 } };
    static const tr_sim_script scripts[] = { { "192.0.2.1:80", steps }, { 0 } };
    wish = (tr_tcp_options){ .address = "192.0.2.1:80", .local = "10.0.0.1:4444" };
    expect_story("connected | closed", .start = start_to_connect, .heard = close_and_note_ends, .sim.scripts = scripts);
    expect_ends("10.0.0.1:4444", "192.0.2.1:80");
}

static int start_in_vain(tr_self *self)
{
    tr_ref none;
    cr_assert_eq(tr_tcp_listen(self, NULL, "10.0.0.1:4444"), 0);
    cr_assert_eq(tr_tcp_connect(self, &none, "192.0.2.1:80", .local = "10.0.0.1:4444"), TR_EADDRINUSE);
    cr_assert(tr_ref_is_nobody(none));
    cr_assert_eq(tr_tcp_listen(self, NULL, "10.0.0.1:4444"), TR_EADDRINUSE);
    cr_assert_eq(tr_tcp_listen(self, NULL, "10.0.0.77:4444"), TR_EADDRNOTAVAIL);
    cr_assert_eq(tr_tcp_connect(self, NULL, NULL), TR_EINVAL);
    cr_assert_eq(tr_tcp_connect(self, NULL, "no address"), TR_EINVAL);
    tr_after(self, TR_MS(5), 1);
    return TR_CONTINUE;
}

static int stop_at_1(tr_self *self, const tr_msg *m)
{
    (void)self;
    return is_timer(m, 1) ? TR_STOP : TR_CONTINUE;
}

/* test_events::create_connection_local_addr_in_use; test_base_events::create_connection_no_host_port_sock */
Test(sim_transports, an_address_that_is_taken_or_bad_is_refused_at_once_and_named)
{
    capture_log(TR_LOG_WARNING);
    expect_story("listening | timeout@5 1", .start = start_in_vain, .heard = stop_at_1);
    cr_assert_eq(logged("connect from \"10.0.0.1:4444\": address already in use"), SEEDS);
    cr_assert_eq(logged("\"no address\""), SEEDS);
}

/* ---- listening --------------------------------------------------------------------------------------------------- */

static const char *where;
static tr_tcp_listen_options manner;

static int start_to_listen(tr_self *self)
{
    tr_tcp_listen_options options = manner;
    options.addresses = where;
    cr_assert_eq(tr_tcp_listen_(self, &run.connection, &options), 0);
    return TR_CONTINUE;
}

static int session_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)state;
    if (tr_is(tr_tcp_data, m))
        tr_tcp_write(self, m->from, tr_buf_ref(tr_body(tr_tcp_data, m)->buf));
    return tr_is(tr_tcp_closed, m) || tr_is(tr_tcp_failed, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_actor session_actor = { TR_SPEC, .name = "session", .receive = session_receive };

static int serve(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_accepted, m))
        tr_monitor_set(self, tr_tcp_serve(self, m, &session_actor, NULL));
    return TR_CONTINUE;
}

/* Listens no more when one has come, and stays until it has gone. */
static int serve_one(tr_self *self, const tr_msg *m)
{
    serve(self, m);
    if (tr_is(tr_tcp_accepted, m))
        tr_tcp_close(self, run.connection);
    return tr_is(tr_down, m) ? TR_STOP : TR_CONTINUE;
}

static const tr_sim_step echo[] = {
    { "receive", .bytes = "ping" },
    { "send", .bytes = "ping" },
    { "receive", .after_ns = TR_MS(1) },
    { .operation = "close" },
    { 0 },
};

/* test_base_events::accept_connection_retry; B38: what is wrong with one connection does not touch the listener. */
Test(sim_transports, a_connection_that_cannot_be_accepted_does_not_touch_the_listener)
{
    static const tr_sim_step steps[] = {
        { "accept", .result = TR_ECONNABORTED },
        { "accept", .result = TR_EPROTO },
        { "accept", .result = TR_EAGAIN },
        { "accept", .result = TR_ENETDOWN, .after_ns = TR_MS(10) },
        { "accept", .result = TR_EPERM },
        { "accept", .accepted = echo, .after_ns = TR_MS(10) },
        { .operation = "close" },
        { 0 },
    };
    static const tr_sim_script scripts[] = { { "10.0.0.1:7", steps }, { 0 } };
    capture_log(TR_LOG_WARNING);
    where = "10.0.0.1:7";
    expect_story("listening | accepted@20 | closed@20 | down@21", .start = start_to_listen, .heard = serve_one,
        .stays = true, .sim.scripts = scripts);
    cr_assert_eq(captured.used, 0, "%s", captured.text);
}

/* B37: one report, one try each second, and it recovers by itself. */
Test(sim_transports, without_descriptors_or_memory_it_pauses_for_a_second_and_says_so_once)
{
    static const int errors[] = { TR_EMFILE, TR_ENFILE, TR_ENOBUFS, TR_ENOMEM };
    capture_log(TR_LOG_WARNING);
    where = "10.0.0.1:7";
    for (size_t i = 0; i < 4; i++) {
        char story[100];
        const tr_sim_step steps[] = {
            { "accept", .result = errors[i], .after_ns = TR_MS(3) },
            { "accept", .result = errors[i] },
            { "accept", .result = errors[(i + 1) % 4] },
            { "accept", .accepted = echo },
            { .operation = "close" },
            { 0 },
        };
        const tr_sim_script scripts[] = { { "10.0.0.1:7", steps }, { 0 } };
        snprintf(story, sizeof story, "listening | accept_paused@3 %s | accepted@3003 | closed@3003 | down@3004",
            tr_error_name(errors[i]));
        expect_story(story, .start = start_to_listen, .heard = serve_one, .stays = true, .sim.scripts = scripts);
    }
    cr_assert_eq(logged("no connection can be accepted"), 4 * SEEDS);
    cr_assert_eq(logged("connections are accepted again"), 4 * SEEDS);
}

/* Were there a timer for each, each would be tried with both, every half second. */
Test(sim_transports, sockets_of_a_listener_that_pause_one_after_the_other_are_tried_together_once_a_second)
{
    static const tr_sim_step first[] = {
        { "accept", .result = TR_EMFILE },
        { "accept", .result = TR_EMFILE },
        { "accept", .result = TR_EMFILE },
        { "accept", .accepted = echo },
        { .operation = "close" },
        { 0 },
    };
    static const tr_sim_step second[] = {
        { "accept", .result = TR_EMFILE, .after_ns = TR_MS(500) },
        { "accept", .result = TR_EMFILE },
        { "accept", .result = TR_EMFILE },
        { .operation = "close" },
        { 0 },
    };
    static const tr_sim_script scripts[] = { { "10.0.0.1:7", first }, { "10.0.0.1:8", second }, { 0 } };
    capture_log(TR_LOG_ERROR);
    where = "10.0.0.1:7,10.0.0.1:8";
    expect_story("listening | listening | accept_paused TR_EMFILE | accepted@3000 | closed@3000 | down@3001",
        .start = start_to_listen, .heard = serve_one, .stays = true, .sim.scripts = scripts);
}

Test(sim_transports, an_error_of_the_listening_socket_itself_ends_the_listener)
{
    static const tr_sim_step steps[] = {
        { "accept", .accepted = echo },
        { "accept", .result = TR_EINVAL, .after_ns = TR_MS(9) },
        { .operation = "close" },
        { 0 },
    };
    static const tr_sim_script scripts[] = { { "10.0.0.1:7", steps }, { 0 } };
    capture_log(TR_LOG_ERROR);
    where = "10.0.0.1:7";
    expect_story("listening | accepted | down@1 | closed@9 TR_EINVAL", .start = start_to_listen, .heard = serve,
        .sim.scripts = scripts);
    cr_assert_eq(logged("a listening socket failed"), SEEDS);
}

enum { CROWD = 300 };

static int serve_crowd(tr_self *self, const tr_msg *m)
{
    static unsigned accepted, down;
    if (tr_is(tr_tcp_listening, m))
        accepted = down = 0;
    accepted += tr_is(tr_tcp_accepted, m);
    down += tr_is(tr_down, m);
    run.used = 0; /* one line for all of them */
    tell("%u accepted, %u down", accepted, down);
    serve(self, m);
    if (tr_is(tr_tcp_accepted, m) && accepted == CROWD)
        tr_tcp_close(self, run.connection);
    return down == CROWD ? TR_STOP : TR_CONTINUE;
}

/* test_selector_events::accept_connection_multiple */
Test(sim_transports, many_at_once_are_all_accepted)
{
    static tr_sim_step steps[CROWD + 2];
    static const tr_sim_script scripts[] = { { "10.0.0.1:7", steps }, { 0 } };
    for (int i = 0; i < CROWD; i++)
        steps[i] = (tr_sim_step){ "accept", .accepted = echo };
    steps[CROWD].operation = "close";
    where = "10.0.0.1:7";
    expect_story("300 accepted, 300 down", .start = start_to_listen, .heard = serve_crowd, .stays = true,
        .sim.scripts = scripts);
}

/* B23: a connection that nobody takes is closed, that is logged, and the listener goes on. */
static int take_the_second(tr_self *self, const tr_msg *m)
{
    static tr_ref first;
    if (tr_is(tr_tcp_listening, m))
        first = TR_NOBODY;
    if (tr_is(tr_tcp_accepted, m) && tr_ref_is_nobody(first)) {
        first = m->from;
        return TR_CONTINUE;
    }
    return serve_one(self, m);
}

Test(sim_transports, a_connection_that_nobody_takes_is_closed_and_the_listener_goes_on)
{
    static const tr_sim_step nothing[] = { { .operation = "reset" }, { 0 } };
    static const tr_sim_step steps[] = {
        { "accept", .accepted = nothing },
        { "accept", .accepted = echo, .after_ns = TR_MS(5) },
        { .operation = "close" },
        { 0 },
    };
    static const tr_sim_script scripts[] = { { "10.0.0.1:7", steps }, { 0 } };
    capture_log(TR_LOG_WARNING);
    where = "10.0.0.1:7";
    expect_story("listening | accepted | accepted@5 | closed@5 | down@6", .start = start_to_listen,
        .heard = take_the_second, .stays = true, .sim.scripts = scripts);
    cr_assert_eq(logged("nobody took the connection"), SEEDS, "%s", captured.text);
}

static int end_when_listening(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_listening, m))
        tr_after(self, TR_MS(5), 1);
    return is_timer(m, 1) ? TR_STOP : TR_CONTINUE;
}

/* test_server::start_server_1 */
Test(sim_transports, a_listener_ends_with_its_owner_and_no_socket_stays)
{
    static const tr_sim_step steps[] = { { "accept", .never = true }, { .operation = "close" }, { 0 } };
    static const tr_sim_script scripts[] = { { "10.0.0.1:7", steps }, { 0 } };
    where = "10.0.0.1:7";
    expect_story("listening | timeout@5 1", .start = start_to_listen, .heard = end_when_listening, .sim.scripts = scripts);
}

/* ---- on the simulated network ------------------------------------------------------------------------------------ */

static int ask_both(tr_self *self, const tr_msg *m)
{
    static unsigned answers;
    char text[TR_ADDRESS_TEXT];
    if (tr_is(tr_tcp_listening, m)) {
        if (tr_body(tr_tcp_listening, m)->address.family == TR_IPV4) {
            answers = 0;
            return TR_CONTINUE;
        }
        snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)tr_body(tr_tcp_listening, m)->address.port);
        cr_assert_eq(tr_tcp_connect(self, NULL, text), 0);
        snprintf(text, sizeof text, "[::1]:%u", (unsigned)tr_body(tr_tcp_listening, m)->address.port);
        cr_assert_eq(tr_tcp_connect(self, NULL, text), 0);
    } else if (is_connected(m)) {
        tr_tcp_write_copy(self, m->from, "ping", 4);
    } else if (tr_is(tr_tcp_data, m)) {
        tr_tcp_close(self, m->from);
    } else if (tr_is(tr_tcp_closed, m) && ++answers == 2) {
        return TR_STOP;
    }
    return serve(self, m);
}

/* test_events::create_server_dual_stack */
Test(sim_transports, one_port_answers_on_both_families)
{
    const struct play play = { .start = start_to_listen, .heard = ask_both, .stays = true };
    where = "*:0";
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        unsigned answers = 0;
        cr_assert_eq(perform(seed, &play), 0, "%s", run.result.what);
        for (const char *at = run.tale; (at = strstr(at, "data ping")); at++)
            answers++;
        cr_assert_eq(answers, 2, "%s", run.tale);
    }
}

/* B37, as a system does it that has no descriptor left: a listener, and one connection. */
static int fill_up(tr_self *self, const tr_msg *m)
{
    if (tr_is(tr_tcp_listening, m)) {
        cr_assert_eq(tr_tcp_connect(self, NULL, "127.0.0.1:7"), 0);
    } else if (tr_is(tr_tcp_accept_paused, m)) {
        cr_assert_eq(tr_tcp_connect(self, NULL, "127.0.0.1:7"), TR_EMFILE);
        tr_after(self, TR_MS(2500), 1);
    } else if (is_connected(m)) {
        run.connection = m->from;
    } else if (is_timer(m, 1)) {
        tr_tcp_abort(self, run.connection);
    } else if (tr_is(tr_tcp_accepted, m)) {
        return TR_STOP;
    }
    return TR_CONTINUE;
}

Test(sim_transports, a_host_without_descriptors_accepts_again_within_a_second_when_it_has_one)
{
    capture_log(TR_LOG_ERROR);
    where = "127.0.0.1:7";
    expect_story("listening | accept_paused TR_EMFILE | connected | timeout@2500 1 | closed@2500 | accepted@3000",
        .start = start_to_listen, .heard = fill_up, .stays = true, .descriptors = 2);
}

/* ---- scripts that are not followed ------------------------------------------------------------------------------- */

static int write_hello(tr_self *self, const tr_msg *m)
{
    if (is_connected(m)) {
        write_text(self, "hello");
        tr_tcp_close(self, run.connection);
    }
    return TR_CONTINUE;
}

Test(sim_transports, a_send_of_something_else_is_named)
{
    static const tr_sim_step other[] = { { "send", .bytes = "hallo" }, { .operation = "close" }, { 0 } };
    static const tr_sim_step more[] = { { "send", .bytes = "hello, world" }, { .operation = "close" }, { 0 } };
    static const tr_sim_step less[] = { { "send", .bytes = "hell" }, { .operation = "close" }, { 0 } };
    expect_objection((&(struct play){ .steps = other, .heard = write_hello }), "script \"descriptor\", step 1 (send)",
        "\"hallo\" was to be sent, 5 bytes, but \"hello\" was, 5 bytes");
    expect_objection((&(struct play){ .steps = more, .heard = write_hello }), "step 1 (send)",
        "\"hello, world\" was to be sent, 12 bytes, but \"hello\" was, 5 bytes");
    expect_objection((&(struct play){ .steps = less, .heard = write_hello }), "step 2 (close)", "a send of 1 bytes came");
}

Test(sim_transports, bytes_that_do_not_end_with_a_zero_are_shown_up_to_their_end)
{
    char *bytes = malloc(3);
    cr_assert_not_null(bytes);
    memcpy(bytes, "abc", 3);
    const tr_sim_step steps[] = { { "send", .bytes = bytes, .length = 3 }, { .operation = "close" }, { 0 } };
    expect_objection((&(struct play){ .steps = steps, .heard = write_hello }), "\"abc\" was to be sent, 3 bytes");
    free(bytes);
}

Test(sim_transports, an_operation_without_a_step_is_named)
{
    static const tr_sim_step no_send[] = { { .operation = "close" }, { 0 } };
    static const tr_sim_step no_close[] = { { "send", .bytes = "hello" }, { "send", .bytes = "never written" }, { 0 } };
    static const tr_sim_step no_reset[] = { { "send", .bytes = "hello", .result = TR_EPIPE }, { .operation = "close" },
        { 0 } };
    static const tr_sim_step no_shutdown[] = { { "send", .bytes = "last words" }, { .operation = "close" }, { 0 } };
    static const tr_sim_step no_receive[] = { { .operation = "receive" }, { "receive", .bytes = "more" },
        { .operation = "close" }, { 0 } };
    expect_objection((&(struct play){ .steps = no_send, .heard = write_hello }), "script \"descriptor\", step 1 (close)",
        "a send of 5 bytes came");
    expect_objection((&(struct play){ .steps = no_close, .heard = write_hello }), "step 2 (send)", "it was closed");
    expect_objection((&(struct play){ .steps = no_reset, .heard = write_hello }), "step 2 (close)",
        "it was closed with a reset");
    expect_objection((&(struct play){ .steps = no_shutdown, .heard = write_and_shut_down }), "step 2 (close)",
        "a shutdown came");
    expect_objection((&(struct play){ .steps = no_receive, .tcp.half_open = true }), "step 2 (receive)",
        "it was closed with a reset");
}

Test(sim_transports, a_step_that_is_never_reached_is_named)
{
    static const tr_sim_step attempt[] = { { .operation = "connect" }, { 0 } };
    static const tr_sim_step open[] = { { "receive", .bytes = "hello" }, { "receive", .never = true },
        { "send", .bytes = "x" }, { .operation = "reset" }, { 0 } };
    static const tr_sim_script scripts[] = { { "10.0.0.9:80", attempt }, { 0 } };
    expect_objection((&(struct play){ .steps = open, .sim.run_ns = TR_SECONDS(1) }), "script \"descriptor\", step 3 (send)",
        "it was closed with a reset");
    where = "10.0.0.1:7";
    expect_objection((&(struct play){ .start = start_to_listen, .sim.run_ns = TR_SECONDS(1), .sim.scripts = scripts }),
        "script \"10.0.0.9:80\", step 1 (connect)", "it never came");
}

Test(sim_transports, a_bad_step_is_named_before_it_is_followed)
{
    static const tr_sim_step unknown[] = { { .operation = "connect" }, { .operation = "close" }, { .operation = "fly" },
        { 0 } };
    static const tr_sim_step late[] = { { .operation = "connect" }, { .operation = "connect" }, { 0 } };
    static const tr_sim_step no_connect[] = { { "send", .bytes = "x" }, { .operation = "close" }, { 0 } };
    static const tr_sim_step too_much[] = { { .operation = "connect" }, { "send", .bytes = "x", .result = 2 }, { 0 } };
    static const tr_sim_step nothing[] = { { .operation = "accept" }, { 0 } };
    static const struct {
        const tr_sim_step *steps;
        const char *where, *what;
    } bad[] = {
        { unknown, "step 3 (fly)", "there is no such operation" },
        { late, "step 2 (connect)", "a connect comes first" },
        { no_connect, "step 1 (send)", "a connect came" },
        { too_much, "step 2 (send)", "2 of 1 bytes cannot be taken" },
        { nothing, "step 1 (accept)", "the accepted connection has no steps" },
    };
    wish = (tr_tcp_options){ .address = "10.0.0.9:80" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const tr_sim_script scripts[] = { { "10.0.0.9:80", bad[i].steps }, { 0 } };
        expect_objection((&(struct play){ .start = start_to_connect, .sim.scripts = scripts }), "script \"10.0.0.9:80\"",
            bad[i].where, bad[i].what, "seed ");
    }
}

Test(sim_transports, a_script_without_an_address_or_steps_is_refused_by_name)
{
    static const tr_sim_step steps[] = { { .operation = "connect" }, { 0 } };
    static const tr_sim_script no_address[] = { { "somewhere", steps }, { 0 } };
    static const tr_sim_script no_steps[] = { { "10.0.0.9:80", NULL }, { 0 } };
    capture_log(TR_LOG_ERROR);
    cr_assert_eq(perform(1, &(struct play){ .start = start_to_connect, .sim.scripts = no_address }), TR_EINVAL);
    cr_assert_not_null(strstr(run.result.what, "\"somewhere\" is no address"));
    cr_assert_eq(perform(1, &(struct play){ .start = start_to_connect, .sim.scripts = no_steps }), TR_EINVAL);
    cr_assert_not_null(strstr(run.result.what, "\"10.0.0.9:80\" has no steps"));
}
