#include "score.h"

/* ---- times ------------------------------------------------------------------------------------------------------- */

/* From 64 us on the five bits below the leading one say which of 32 ranges of this power of two it is. */
static void count_time(struct tally *tally, uint32_t us)
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

double tally_percentile(const struct tally *tally, double share)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++)
        all += tally->histogram[i];
    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++)
        if ((double)(seen += tally->histogram[i]) >= share * (double)all && seen)
            return ms_of(i);
    return 0;
}

/* ---- the score --------------------------------------------------------------------------------------------------- */

void score_begin(tr_self *self, struct score *score)
{
    tr_system_stats(self, &score->before);
    score->began = tr_now(self);
}

void score_report(struct score *score, const struct report *report)
{
    struct tally *tally = &score->tally[report->service];
    tally->rounds += report->rounds;
    tally->lines += report->lines;
    tally->bytes += report->bytes;
    tally->reconnects += report->reconnects;
    for (unsigned i = 0; i < report->rounds; i++)
        count_time(tally, report->us[i]);
}

void score_update(tr_self *self, struct score *score, const struct demo *demo)
{
    tr_stats now;
    tr_system_stats(self, &now);
    score->messages = now.delivered - score->before.delivered;
    score->restarts = now.restarted - score->before.restarted;
    score->seconds = (double)(tr_now(self) - score->began) / 1e9;
    double rounds = (double)(score->tally[ECHO].rounds + score->tally[CHAT].rounds) / (double)demo->rounds;
    double time = score->seconds / demo->seconds;
    score->done = rounds < time ? rounds : time;
}

uint64_t score_lost(const struct score *score)
{
    return score->tally[ECHO].lost + score->tally[CHAT].lost;
}
