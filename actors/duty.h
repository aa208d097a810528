/*
 * duty.h: what passes between a child and its supervisor.
 *
 * For each start of a child its supervisor makes two reports, which the child sends back: that it is ready, and that it
 * has ended. So neither can be lost for want of memory. A child that ends and may be started again waits (RESTARTING) for
 * the supervisor's order: to start, with two new reports, or to end for good, with one. Each actor that a supervisor has
 * spawned reports once that it is gone, if there is memory for the orders; so a supervisor that was killed and started again
 * knows by their number whether the children of its former life have ended (tri_cold.children).
 */
#ifndef TRI_DUTY_H
#define TRI_DUTY_H

#include "actors/self.h"

struct tri_report {
    uint32_t child;       /* the supervisor's number for it */
    uint32_t life;        /* and for this start, */
    uint16_t incarnation; /* both in this incarnation of the supervisor's */
    bool gone;            /* ended for good; else it waits for an order */
    int reason;
};

/* What the report of an end says besides. */
struct tri_last_words {
    struct tri_report report;
    struct tri_fatal about;
    struct tri_wards wards;
};

extern const tr_type tri_started_type, tri_ended_type;

/* A report of one of the two types; NULL when there is no memory. */
tr_msg *tri_report_new(const tr_type *type, const struct tri_report *report);

/* A child that waits for its restart was asked to end in a way after which it is not started again: it tells its supervisor,
 * which will let it go. Without a body; `from` is the child. */
extern const tr_type tri_stay_away_type;

struct tri_stop_order {
    bool keep;     /* end, and wait for the order to start again */
    bool reported; /* if it has ended already it has said so */
    tr_msg *ended; /* the report of a child that has none because it waits; or NULL. It is consumed */
};

/* Answers false when there was no memory for the order: then the child is killed, and makes no use of `ended`. */
bool tri_order_stop(tr_self *self, tr_ref child, const struct tri_stop_order *order);
void tri_order_start(tr_self *self, tr_ref child, tr_msg *order);

/* An order to start again, which carries the two reports; NULL when there is no memory. It owns them. */
tr_msg *tri_order_start_new(tr_msg *started, tr_msg *ended);

#endif
