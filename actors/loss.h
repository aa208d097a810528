/*
 * loss.h: what full mailboxes have refused, for the log.
 *
 * A sender is told TR_EFULL and may ignore it; a person would then see nothing but a mailbox that was half full once. So the
 * first refusal is logged, and what follows once a second at the most, added up by type, sender and receiver; the rest when the
 * worker ends. Each worker counts for itself, so that refusing many costs no lock.
 */
#ifndef TRI_LOSS_H
#define TRI_LOSS_H

#include <troupe/dead_letter.h>

enum { TRI_LOSS_KINDS = 6 };

struct tri_losses {
    int64_t told;    /* when the last line was logged; 0: none was */
    uint64_t others; /* of more kinds than there is room for */
    unsigned kinds;
    struct tri_loss {
        const tr_type *type;
        tr_ref from, to;
        uint64_t count;
    } kind[TRI_LOSS_KINDS];
};

/* A full mailbox has refused a message. */
void tri_loss_count(struct tri_losses *losses, const tr_dead_letter *note, int64_t now);

/* Logs what has not been yet. */
void tri_loss_tell(struct tri_losses *losses, int64_t now);

#endif
