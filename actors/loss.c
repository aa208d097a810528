#include "actors/loss.h"

#include "actors/slot.h"
#include "sched/log.h"

#include <troupe/time.h>

#include <inttypes.h>
#include <stdio.h>

static struct tri_loss *find(struct tri_losses *losses, const tr_dead_letter *note)
{
    for (unsigned i = 0; i < losses->kinds; i++) {
        struct tri_loss *kind = &losses->kind[i];
        if (kind->type == note->type && tr_ref_eq(kind->from, note->from) && tr_ref_eq(kind->to, note->to))
            return kind;
    }
    if (losses->kinds == TRI_LOSS_KINDS)
        return NULL;
    struct tri_loss *kind = &losses->kind[losses->kinds++];
    *kind = (struct tri_loss){ .type = note->type, .from = note->from, .to = note->to };
    return kind;
}

/* The name of an actor's spec, if it is there, and its reference. */
static void name(tr_ref actor, char *text, size_t size)
{
    char ref[TR_REF_TEXT];
    const struct tri_slot *slot = tri_slot_find(actor);
    const tr_actor *spec = slot ? ck_pr_load_ptr(&slot->spec) : NULL;
    snprintf(text, size, "%.64s%s%s", spec && spec->name ? spec->name : "", spec ? " " : "", tr_ref_text(actor, ref));
}

void tri_loss_tell(struct tri_losses *losses, int64_t now)
{
    char text[960] = "", from[128], to[128];
    size_t used = 0;
    for (unsigned i = 0; i < losses->kinds && used < sizeof text; i++) {
        const struct tri_loss *kind = &losses->kind[i];
        name(kind->from, from, sizeof from);
        name(kind->to, to, sizeof to);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64 " %.64s from %s to %s", i ? ", " : "",
            kind->count, kind->type->name, from, to);
    }
    if (losses->others && used < sizeof text)
        snprintf(text + used, sizeof text - used, ", %" PRIu64 " others", losses->others);
    if (losses->kinds)
        tri_log(TR_LOG_WARNING, "mailbox full, dropped: %s", text);
    losses->told = now;
    losses->kinds = 0;
    losses->others = 0;
}

void tri_loss_count(struct tri_losses *losses, const tr_dead_letter *note, int64_t now)
{
    struct tri_loss *kind = find(losses, note);
    if (kind)
        kind->count++;
    else
        losses->others++;
    if (losses->told == 0 || now - losses->told >= TR_SECONDS(1))
        tri_loss_tell(losses, now);
}
