/* error_windows.h: from the error numbers of Windows to Troupe's. */
#ifndef TRI_ERROR_WINDOWS_H
#define TRI_ERROR_WINDOWS_H

#include <stdint.h>

/* Troupe's value for what GetLastError or WSAGetLastError answered; TR_EUNKNOWN for what the table does not name, the end
 * of a file included, which is no error. Any thread. */
int tri_error_from_win32(uint32_t code);

/* The same for the status of an operation that has completed; not by way of RtlNtStatusToDosError, which says 64 where
 * Winsock says 10054. Any thread. */
int tri_error_from_ntstatus(uint32_t status);

#endif
