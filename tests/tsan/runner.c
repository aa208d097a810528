#define CRITERION_TSAN_RUNNER
#include "criterion_tsan.h"
