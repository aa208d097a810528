#include "display.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BAR = 24, WIDTH = 60, TEXT = 32 };

/* ---- times ------------------------------------------------------------------------------------------------------- */

/* From 64 us on the five bits below the leading one say which of 32 ranges of this power of two it is. */
void tally_time(struct tally *tally, uint32_t us)
{
    unsigned log = us < 64 ? 0 : 31 - (unsigned)__builtin_clz(us);
    tally->histogram[us < 64 ? us : 64 + (log - 6) * 32 + (us >> (log - 5) & 31)]++;
}

static double ms_of(unsigned place)
{
    if (place < 64)
        return place / 1000.0;
    unsigned log = (place - 64) / 32 + 6, part = (place - 64) % 32;
    return (double)(((uint64_t)1 << log) + ((uint64_t)(2 * part + 1) << (log - 6))) / 1000.0;
}

static double percentile(const struct tally *tally, double share)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++)
        all += tally->histogram[i];
    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++)
        if ((double)(seen += tally->histogram[i]) >= share * (double)all && seen)
            return ms_of(i);
    return 0;
}

/* ---- words and numbers ------------------------------------------------------------------------------------------- */

/* 1234567 is 1,234,567. */
static const char *number(char *text, uint64_t n)
{
    char plain[TEXT];
    int length = snprintf(plain, sizeof plain, "%" PRIu64, n), to = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = plain[i];
    }
    text[to] = 0;
    return text;
}

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

bool display_is_live(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0;
}

static bool speaks_utf8(void)
{
    const char *locale = getenv("LC_ALL");
    if (!locale || !*locale)
        locale = getenv("LC_CTYPE");
    if (!locale || !*locale)
        locale = getenv("LANG");
    return locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
}

static void rule(void)
{
    printf("  ");
    for (int i = 0; i < WIDTH; i++)
        printf("%s", speaks_utf8() ? "\u2500" : "-");
    printf("\n");
}

/* ---- while it works ---------------------------------------------------------------------------------------------- */

void display_opening(const struct demo *demo)
{
    unsigned chat = demo->connections / CHAT_SHARE;
    printf("\n  Troupe: %u TCP clients, %u of an echo service and %u in a chat.\n"
           "  They verify every byte, and now and then a part of the services is killed.\n\n",
        demo->connections, demo->connections - chat, chat);
    fflush(stdout);
}

void display_progress(const struct score *score)
{
    char rounds[TEXT];
    unsigned killed = 0;
    int full = score->done >= 1 ? BAR : (int)(score->done * BAR);
    for (unsigned i = 0; i < VICTIMS; i++)
        killed += score->killed[i];
    number(rounds, score->tally[ECHO].rounds + score->tally[CHAT].rounds);
    if (!display_is_live()) {
        printf("  %4.1f s  %11s round trips  %3u killed\n", score->seconds, rounds, killed);
        fflush(stdout);
        return;
    }
    printf("\r  ");
    for (int i = 0; i < BAR; i++)
        printf("%s", speaks_utf8() ? i < full ? "\u2588" : "\u2591" : i < full ? "#" : ".");
    printf("  %4.1f s  %11s round trips  %3u killed ", score->seconds, rounds, killed);
    fflush(stdout);
}

/* ---- in the end -------------------------------------------------------------------------------------------------- */

static void row(const char *what, const char *echo, const char *chat)
{
    printf("  %-28s%16s%16s\n", what, echo, chat);
}

static void row_numbers(const char *what, uint64_t echo, uint64_t chat)
{
    char a[TEXT], b[TEXT];
    row(what, number(a, echo), number(b, chat));
}

static void row_number(const char *what, uint64_t n)
{
    char text[TEXT];
    row(what, "", number(text, n));
}

static void row_times(const char *what, const struct score *score, double share)
{
    char a[TEXT], b[TEXT];
    row(what, milliseconds(a, percentile(&score->tally[ECHO], share)),
        milliseconds(b, percentile(&score->tally[CHAT], share)));
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
    uint64_t lost = echo->lost + chat->lost;

    printf("%s", display_is_live() ? "\r\033[K" : "\n");
    row("", "echo", "chat");
    rule();
    row_numbers("clients", echo->clients, chat->clients);
    row_numbers("round trips", echo->rounds, chat->rounds);
    row_numbers("round trips per second", per_second(score, echo->rounds), per_second(score, chat->rounds));
    row_times("  latency p50", score, 0.5);
    row_times("  latency p99", score, 0.99);
    row_times("  latency p99.9", score, 0.999);
    row("lines heard", "", number(b, chat->lines));
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
        printf("\n  %s of the clients did not get what they should.\n\n", number(a, lost));
    fflush(stdout);
}

void display_serving(const char *echo_address, const char *chat_address)
{
    char text[2][TR_ADDRESS_TEXT];
    snprintf(text[ECHO], TR_ADDRESS_TEXT, "%s", echo_address);
    snprintf(text[CHAT], TR_ADDRESS_TEXT, "%s", chat_address);
    for (int i = 0; i < SERVICES; i++)
        *strrchr(text[i], ':') = ' ';
    printf("  The services stay up, until Ctrl-C. From other terminals:\n\n"
           "    nc %-24s the chat\n    nc %-24s the echo\n\n",
        text[CHAT], text[ECHO]);
    fflush(stdout);
}

void display_interrupted(void)
{
    printf("%s  Interrupted: not everything was verified.\n", display_is_live() ? "\n" : "");
    fflush(stdout);
}
