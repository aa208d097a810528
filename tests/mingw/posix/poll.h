#include "posix_sockets.h"
