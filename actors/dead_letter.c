#include "actors/self.h"

#include <troupe/dead_letter.h>

int tr_dead_letters(tr_self *self)
{
    tri_check_self(self, "tr_dead_letters");
    uint64_t *subscribers = self->system->subscribers;
    for (unsigned i = 0; i < TRI_SUBSCRIBERS_MAX; i++)
        if (ck_pr_load_64(&subscribers[i]) == self->me.bits)
            return 0;
    for (unsigned i = 0; i < TRI_SUBSCRIBERS_MAX; i++) {
        uint64_t there = ck_pr_load_64(&subscribers[i]);
        bool free = there == 0 || !tr_alive((tr_ref){ there });
        if (free && ck_pr_cas_64(&subscribers[i], there, self->me.bits))
            return 0;
    }
    return TR_ELIMIT;
}
