/*
 * litmus.h: small programs whose outcomes under C11 are known, so that the machine is known to be right.
 *
 * A thread's code: W, 2 store 1, 2 in the location that follows; R loads it; r loads it late; w stores there what was loaded
 * last; + adds 1; - is the thread's fence.
 */
#ifndef TESTS_MODEL_ORDERS_LITMUS_H
#define TESTS_MODEL_ORDERS_LITMUS_H

#include "tests/model/orders/machine.h"

struct litmus {
    const char *name;
    const char *thread[THREADS];
    enum fence fence[THREADS];
    const char *outcome; /* what the loads of all threads have read; and then x and y at the end, where that is asked for */
    bool allowed;
};

/* Ends with one that has no name. */
extern const struct litmus litmus_tests[];

/* NULL, or what is wrong with the machine. */
const char *litmus(const struct litmus *test);

#endif
