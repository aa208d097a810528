/*
 * orders.h: the fences of Troupe that the models stand for, and what they are now.
 *
 * A site is a line of the product. Its order is what the fence that is written there promises on every machine: see
 * fences in orders.c. The models ask for it by order(), and a test lets one after the other promise less.
 */
#ifndef TESTS_MODEL_ORDERS_ORDERS_H
#define TESTS_MODEL_ORDERS_ORDERS_H

#include "tests/model/orders/machine.h"

enum site {
#define SITE(name, ...) name,
#include "tests/model/orders/sites.h"
#undef SITE
    SITES
};

extern enum fence orders[SITES];

static inline enum fence order(enum site site)
{
    return orders[site];
}

/* A model, and the sites that it has. */
struct scenario {
    const struct model *model;
    bool by_night;
};

/* Ends with one that has no model. */
extern const struct scenario mailbox_scenarios[], run_ring_scenarios[], promise_scenarios[], owner_scenarios[],
    lent_scenarios[], name_scenarios[], park_scenarios[];

#endif
