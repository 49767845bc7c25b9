#include "base/version.h"

const char version_text[] = MOX_VERSION;
