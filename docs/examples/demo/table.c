/* The table in which the demo ends. */
#include "display.h"

#include <stdio.h>

enum { WIDTH = 60, TEXT = DISPLAY_TEXT };

static const char *bytes(char *text, uint64_t n)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)n;
    unsigned unit = 0;
    for (; value >= 1000 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, TEXT, "%.*f %s", !unit || value >= 100 ? 0 : value >= 10 ? 1 : 2, value, units[unit]);
    return text;
}

static const char *milliseconds(char *text, double ms)
{
    snprintf(text, TEXT, "%.*f ms", ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : 3, ms);
    return text;
}

static void rule(void)
{
    printf("  ");
    for (int i = 0; i < WIDTH; i++)
        printf("%s", display_speaks_utf8() ? "\u2500" : "-");
    printf("\n");
}

static void row(const char *what, const char *echo, const char *chat)
{
    printf("  %-28s%16s%16s\n", what, echo, chat);
}

static void row_numbers(const char *what, uint64_t echo, uint64_t chat)
{
    char a[TEXT], b[TEXT];
    row(what, display_number(a, echo), display_number(b, chat));
}

static void row_number(const char *what, uint64_t n)
{
    char text[TEXT];
    row(what, "", display_number(text, n));
}

static void row_times(const char *what, const struct score *score, double share)
{
    char a[TEXT], b[TEXT];
    row(what, milliseconds(a, tally_percentile(&score->tally[ECHO], share)),
        milliseconds(b, tally_percentile(&score->tally[CHAT], share)));
}

/* Nothing is divided by 0 when the work had not even begun. */
static uint64_t per_second(const struct score *score, uint64_t n)
{
    return score->seconds > 0 ? (uint64_t)((double)n / score->seconds) : 0;
}

void display_result(const struct demo *demo, const struct score *score)
{
    char a[TEXT], b[TEXT];
    const struct tally *echo = &score->tally[ECHO], *chat = &score->tally[CHAT];
    uint64_t lost = score_lost(score);

    printf("%s", display_is_live() ? "\r\033[K" : "\n");
    row("", "echo", "chat");
    rule();
    row_numbers("clients", echo->clients, chat->clients);
    row_numbers("round trips", echo->rounds, chat->rounds);
    row_numbers("round trips per second", per_second(score, echo->rounds), per_second(score, chat->rounds));
    row_times("  latency p50", score, 0.5);
    row_times("  latency p99", score, 0.99);
    row_times("  latency p99.9", score, 0.999);
    row("lines heard", "", display_number(b, chat->lines));
    row("bytes verified", bytes(a, echo->bytes), bytes(b, chat->bytes));
    row_numbers("sessions killed", score->killed[ECHO_SESSION], score->killed[CHAT_SESSION]);
    row_numbers("clients that came back", echo->reconnects, chat->reconnects);
    row_numbers("services killed", score->killed[ECHO_DOOR], score->killed[CHAT_DOOR] + score->killed[ROOM]);
    row_numbers("lost", echo->lost, chat->lost);
    rule();
    row("port", "", demo->port);
    row_number("workers", demo->workers);
    row_number("messages per second", per_second(score, score->messages));
    row_number("restarts by the supervisor", score->restarts);
    if (lost == 0)
        printf("\n  Every byte was right, and nothing was lost.\n\n");
    else
        printf("\n  %s of the clients did not get what they should.\n\n", display_number(a, lost));
    fflush(stdout);
}
