#!/bin/sh
# wine.sh PROGRAM…: Wine, started with addresses that are not drawn at random, and so all that it starts.
#
# Debian's wine64 sits at 0x7d000000, and Linux puts its heap up to 1 GiB behind it. Once in some 7,000 starts that is the
# page at 0x7ffe0000, where Wine has to put what all processes share: it gives up before the program has begun, and a
# CreateProcess in Wine fails with ERROR_INTERNAL_ERROR. Where personality(2) may not be called it is started as it is.
PATH=$PATH:/usr/lib/wine
wine=$(command -v wine64 || command -v wine)
setarch -R true 2>/dev/null && exec setarch -R "$wine" "$@"
exec "$wine" "$@"
