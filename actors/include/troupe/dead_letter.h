/*
 * <troupe/dead_letter.h>: the stream of messages that could not be delivered.
 *
 * A message becomes a dead letter when its receiver is down, its mailbox refuses it, or a newer one replaces it. What it
 * owned is released; what remains is this note, for whoever subscribed. Notes that do not fit into a subscriber's mailbox
 * are dropped and only counted (a dead letter about a dead letter is never made).
 */
#ifndef TROUPE_DEAD_LETTER_H
#define TROUPE_DEAD_LETTER_H

#include <troupe/actor.h>

TR_BEGIN_C_

TR_MESSAGE(tr_dead_letter,
    int reason;          /* TR_EDOWN, TR_EFULL, TR_EREPLACED, TR_ENOMEM, TR_EMSGSIZE, TR_ESHUTDOWN */
    tr_ref from, to;
    const tr_type *type; /* of the message */
);

/* Has a tr_dead_letter sent to the running actor for each dead letter of the system, until it ends: 0, or TR_ELIMIT (8
 * subscribers). Subscribing twice is subscribing once. In a handler. */
int tr_dead_letters(tr_self *self);

TR_END_C_

#endif
