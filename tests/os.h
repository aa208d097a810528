/*
 * os.h: what tests ask of the operating system.
 *
 *     set_environment(name, value)     value NULL: takes it out
 *     never_dump_core()                this process
 *     capture_stderr()                 from now on standard error goes to a file …
 *     read_captured(text, size)        … and this is what is in it
 *     death_of(function, text, size)   runs it in a process of its own: the signal it died of, 0 when it did not die, and
 *                                      what it wrote to standard error; -1: there is nothing to look at here. To be called
 *                                      when no other thread runs, as the first thing of a test, or after others of its kind
 *     wait_for_the_end()               of the process
 *     sleep_for(ns)                    at least so long
 */
#ifndef TROUPE_TESTS_OS_H
#define TROUPE_TESTS_OS_H

#if defined(_WIN32)
#include "tests/os_windows.h"
#else
#include "tests/os_linux.h"
#endif

#endif
