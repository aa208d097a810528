#include "../criterion_tsan.h"
