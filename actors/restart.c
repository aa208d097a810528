#include "actors/restart.h"

bool tri_history_note(struct tri_history *history, int64_t now, int64_t period)
{
    history->any = true;
    history->last = now;
    if (history->size == 0)
        return true;
    if (history->count == history->size && now - history->moments[history->next] < period)
        return false;
    history->moments[history->next] = now;
    history->next = (history->next + 1) % history->size;
    history->count += history->count < history->size;
    return true;
}

int64_t tri_restart_delay(tr_self *self, const tr_supervisor *table, uint32_t n)
{
    int64_t delay = tri_either(table->backoff_ns, 0, TR_MS(20)), most = tri_either(table->backoff_max_ns, 0, TR_SECONDS(5));
    if (n < 2)
        return 0;
    for (; n > 2 && delay < most; n--)
        delay *= 2;
    delay = delay < most ? delay : most;
    uint32_t tenth = delay / 10 < UINT32_MAX / 2 ? (uint32_t)(delay / 10) : UINT32_MAX / 2;
    return delay - tenth + (int64_t)tr_random_below(self, 2 * tenth + 1);
}
