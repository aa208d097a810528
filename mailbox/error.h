/* error.h: from the system's error numbers to Troupe's. */
#ifndef TRI_ERROR_H
#define TRI_ERROR_H

#include <troupe/error.h>

/* Troupe's value for a positive errno; TR_EUNKNOWN for what the table does not name. Any thread. */
int tri_error_from_errno(int number);

#endif
