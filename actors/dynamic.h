/* dynamic.h: requests to a supervisor: to start a child, to stop one. */
#ifndef TRI_DYNAMIC_H
#define TRI_DYNAMIC_H

#include "actors/child.h"

/* A message that is neither a report nor a timer. */
void tri_dynamic_asked(tr_self *self, struct tri_supervisor *me, const tr_msg *m);

#endif
