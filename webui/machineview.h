/* machineview - listeners, certificates, disk, resolver and process as values for the overview
 * and the page "machine". */
#ifndef WEBUI_MACHINEVIEW_H
#define WEBUI_MACHINEVIEW_H

#include "webui/page.h"

/* Sets listeners, disk, resolver, memory, sessions, started, loaded of page.view. */
void machineview_fill(struct page *p, const struct health *h);

#endif
