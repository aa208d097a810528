/* signals_windows.h: what Windows calls when the console wants the process to end; for signals_windows.c, and tests, which
 * cannot make Windows do it. */
#ifndef TRI_SIGNALS_WINDOWS_H
#define TRI_SIGNALS_WINDOWS_H

#include "io/net.h"

BOOL WINAPI tri_console_event(DWORD event);

#endif
