#include "display.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BAR = 24 };

/* ---- the terminal ------------------------------------------------------------------------------------------------ */

bool display_is_live(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0;
}

bool display_speaks_utf8(void)
{
    const char *locale = getenv("LC_ALL");
    if (!locale || !*locale)
        locale = getenv("LC_CTYPE");
    if (!locale || !*locale)
        locale = getenv("LANG");
    return locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
}

const char *display_number(char text[DISPLAY_TEXT], uint64_t n)
{
    char plain[DISPLAY_TEXT];
    int length = snprintf(plain, sizeof plain, "%" PRIu64, n), to = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = plain[i];
    }
    text[to] = 0;
    return text;
}

/* ---- what is said ------------------------------------------------------------------------------------------------ */

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
    char rounds[DISPLAY_TEXT];
    unsigned killed = 0;
    int full = score->done >= 1 ? BAR : (int)(score->done * BAR);
    for (unsigned i = 0; i < VICTIMS; i++)
        killed += score->killed[i];
    display_number(rounds, score->tally[ECHO].rounds + score->tally[CHAT].rounds);
    if (!display_is_live()) {
        printf("  %4.1f s  %11s round trips  %3u killed\n", score->seconds, rounds, killed);
        fflush(stdout);
        return;
    }
    printf("\r  ");
    for (int i = 0; i < BAR; i++)
        printf("%s", display_speaks_utf8() ? i < full ? "\u2588" : "\u2591" : i < full ? "#" : ".");
    printf("  %4.1f s  %11s round trips  %3u killed ", score->seconds, rounds, killed);
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
