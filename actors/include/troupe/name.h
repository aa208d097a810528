/*
 * <troupe/name.h>: names for actors.
 *
 * A name stands for one actor of the system, from its registration until the actor ends or gives it up. An actor has at
 * most one name. It keeps it through restarts. Whom a name stands for can be sent to from that moment on. A look-up takes no
 * lock, and costs the same however many names there are.
 */
#ifndef TROUPE_NAME_H
#define TROUPE_NAME_H

#include <troupe/actor.h>

TR_BEGIN_C_

#define TR_NAME_MAX 63 /* bytes in a name; not empty */

/* Registers the running actor: 0, also when it has this name already; TR_EEXIST (somebody else has the name, or this actor
 * has another one); TR_EINVAL (empty or too long); TR_ENOMEM. In a handler. */
int tr_register(tr_self *self, const char *name);

/* Gives up the running actor's name, if it has one. In a handler. */
void tr_unregister(tr_self *self);

/* Whom a name stands for; TR_NOBODY when nobody has it. In a handler. */
tr_ref tr_whereis(tr_self *self, const char *name);

TR_END_C_

#endif
