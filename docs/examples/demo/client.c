#include "demo.h"

TR_DEFINE(client_ready);
TR_DEFINE(client_start);
TR_DEFINE(client_finish);
TR_DEFINE(client_report);

enum { REPORT_MS = 100 };

/* ---- reports ----------------------------------------------------------------------------------------------------- */

void report_send(tr_self *self, tr_ref director, struct report *report)
{
    tr_send(self, director, client_report, .report = *report);
    *report = (struct report){ .service = report->service };
}

void report_round(tr_self *self, tr_ref director, struct report *report, int64_t began)
{
    int64_t now = tr_now(self), us = (now - began) / 1000;
    if (report->rounds == 0)
        report->since = now;
    report->us[report->rounds++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    if (report->rounds == REPORT_ROUNDS || now - report->since > TR_MS(REPORT_MS))
        report_send(self, director, report);
}

/* ---- what is sent, and so has to come back ----------------------------------------------------------------------- */

enum { TABLE = 1 << 20, LARGEST = 64 << 10, LONGEST = 100 };

static char table[TABLE + LARGEST];
static char text[TABLE + LONGEST];

/* A well-known generator (SplitMix64): one number of a sequence. */
static uint64_t mix(uint64_t seed)
{
    seed += 0x9e3779b97f4a7c15;
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111eb;
    return seed ^ seed >> 31;
}

void pattern_init(void)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz .,;-abcdefghijklmnopqrstuvwxyz ABCDEF";
    for (size_t i = 0; i < sizeof table; i++)
        table[i] = (char)mix(i);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = letters[mix(i) % (sizeof letters - 1)];
}

/* Mostly 16 bytes to a kilobyte, and now and then up to 64 KiB. */
const char *pattern_bytes(unsigned number, unsigned round, size_t *size)
{
    uint64_t random = mix((uint64_t)number << 32 | round);
    *size = random % 200 ? 16 + (random >> 32) % 1009 : 1024 + (random >> 32) % (LARGEST - 1024);
    return table + random % TABLE;
}

const char *pattern_text(unsigned number, unsigned round, int *size)
{
    uint64_t random = mix((uint64_t)number << 32 | round);
    *size = (int)(10 + (random >> 32) % (LONGEST - 10));
    return text + random % TABLE;
}
