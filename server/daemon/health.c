/* health - figures of the process and its listeners, for dashboard, metrics and status. */
#include "daemon/daemon_priv.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int64_t rss_read(void)
{
	long long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lld %lld", &pages, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

void health_read(const struct gateway *g, struct health *out)
{
	struct daemon *d = g->daemon;
	struct statvfs fs;

	memset(out, 0, sizeof(*out));
	if (statvfs(store_data_dir(g->store), &fs) == 0) {
		out->disk_free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
		out->disk_total_bytes = (int64_t)fs.f_blocks * (int64_t)fs.f_frsize;
	}
	out->rss_bytes = rss_read();
	if (d == NULL)
		return;
	out->stopping = d->stopping != 0;
	out->sessions_open = session_registry_count(d->registry);
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->listener_count && i < HEALTH_LISTENERS_MAX; i++)
		listener_health(d->listeners[i], &out->listeners[out->listener_count++]);
	memcpy(out->config_problem, d->config_problem, sizeof(out->config_problem));
	out->config_loaded_s = d->config_loaded_s;
	out->resolver = d->resolver;
	pthread_mutex_unlock(&d->lock);
}

void health_resolver_set(struct gateway *g, enum health_state state, const char *text)
{
	struct daemon *d = g->daemon;

	if (d == NULL)
		return;
	pthread_mutex_lock(&d->lock);
	d->resolver.state = state;
	d->resolver.at_s = clock_unix_s();
	snprintf(d->resolver.text, sizeof(d->resolver.text), "%s", text);
	pthread_mutex_unlock(&d->lock);
}
