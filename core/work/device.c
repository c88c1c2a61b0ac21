/* device.c - see device.h. */
#include "core/work/device.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "kernels/backend.h"
#include "kernels/pool.h"

enum { TEXT = 4096 };

/* The beginning of a table of the kernel, "" where there is none. */
static const char *table(const char *path, char text[TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, TEXT - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static uint64_t number(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

char *device_cpu_name(void)
{
	char text[TEXT], *at, *end;

	table("/proc/cpuinfo", text);
	at = strstr(text, "model name");
	at = at ? strchr(at, ':') : NULL;
	end = at ? strchr(at, '\n') : NULL;
	return end && end > at + 2 ? xstrndup(at + 2, (size_t)(end - at - 2)) : xstrdup("unknown");
}

uint64_t device_address_room(void)
{
	struct rlimit r;
	char text[TEXT];
	uint64_t pages, used;

	if (getrlimit(RLIMIT_AS, &r) || r.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	pages = strtoull(table("/proc/self/statm", text), NULL, 10);
	used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return used < r.rlim_cur ? r.rlim_cur - used : 0;
}

/* "cpu  user nice system idle iowait irq softirq steal ...": idle and iowait are rest. */
static void machine_ticks(uint64_t *busy, uint64_t *all)
{
	char text[TEXT], *at;

	table("/proc/stat", text);
	*busy = *all = 0;
	at = !strncmp(text, "cpu ", 4) ? text + 4 : NULL;
	for (int i = 0; at && i < 8; i++) {
		uint64_t n = strtoull(at, &at, 10);

		*all += n;
		*busy += i == 3 || i == 4 ? 0 : n;
	}
}

/* utime and stime are the 14th and 15th word; the second, the program's name, may hold blanks. */
static uint64_t own_ticks(void)
{
	char text[TEXT], *at;
	uint64_t user, system;

	table("/proc/self/stat", text);
	at = strrchr(text, ')');
	for (int i = 0; at && i < 12; i++)
		at = strchr(at + 1, ' ');
	if (!at)
		return 0;
	user = strtoull(at, &at, 10);
	system = strtoull(at, &at, 10);
	return user + system;
}

static void cpu(struct device_now *d)
{
	static char *name; /* it does not change; the first asker's thread finds it */
	char text[TEXT];
	const struct backend *best = backend_best();

	if (!name)
		name = device_cpu_name();
	snprintf(d->id, sizeof d->id, "cpu");
	d->here = backend_now()->host_memory;
	snprintf(d->name, sizeof d->name, "%s", name);
	snprintf(
		d->kernels, sizeof d->kernels, "%s %s", best->name, best->path ? best->path() : "");
	d->threads = pool_threads();
	d->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
	table("/proc/meminfo", text);
	d->total = number(text, "MemTotal:") * 1024;
	d->used = d->total - number(text, "MemAvailable:") * 1024;
}

/* One that this process has not opened tells at most how much memory it has. */
static void devices(struct snap_device *d)
{
	const struct backend *const *be = backends();

	for (size_t i = 0; be[i] && d->n < DEVICES; i++) {
		struct device_now *to = &d->at[d->n];
		struct backend_device is = { .total = 0 };

		if (be[i]->host_memory || !be[i]->info || !be[i]->score())
			continue;
		be[i]->info(&is);
		if (!is.total)
			continue;
		*to = (struct device_now){ .here = be[i] == backend_now(), .load = is.busy };
		snprintf(to->id, sizeof to->id, "%s", be[i]->name);
		snprintf(to->name, sizeof to->name, "%s", is.name);
		snprintf(to->kernels, sizeof to->kernels, "%s", is.kernels);
		to->total = is.total;
		to->asleep = !is.free && !isfinite(is.busy); /* a full one that is open is busy */
		to->used = is.total > is.free && !to->asleep ? is.total - is.free : 0;
		to->ours = is.ours;
		d->n++;
	}
}

const struct backend *device_lost(void)
{
	const struct backend *const *be = backends();

	for (size_t i = 0; be[i]; i++)
		if (be[i]->lost && be[i]->lost())
			return be[i];
	return NULL;
}

void device_title(const struct backend *be, char *out, size_t cap)
{
	struct backend_device is = { .total = 0 };

	if (be->info)
		be->info(&is);
	snprintf(out, cap, "%s%s%s", be->name, is.name[0] ? " " : "", is.name);
}

const char *device_computes(void)
{
	static _Thread_local char line[200];
	const struct backend *be = backend_now();
	struct backend_device is = { .total = 0 };

	if (be->host_memory || !be->info)
		return be->path ? be->path() : be->name;
	be->info(&is);
	snprintf(line, sizeof line, "%s %s, %s", be->name, is.name, is.kernels);
	return line;
}

uint64_t device_resident(void)
{
	char text[TEXT], *end;

	table("/proc/self/statm", text);
	end = strchr(text, ' ');
	return end ? strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

struct snap_device *device_sample(struct device_sampler *s)
{
	struct snap_device *d = snap_device_new();
	double now = clock_now(), took = now - s->at;
	uint64_t busy, all, ours = own_ticks();
	char text[TEXT], *end;

	d->n = 1;
	cpu(&d->at[0]);
	devices(d);
	machine_ticks(&busy, &all);
	d->at[0].load = d->process = (double)NAN;
	if (s->at > 0 && all > s->all) {
		d->at[0].load = (double)(busy - s->busy) / (double)(all - s->all);
		d->process = (double)(ours - s->ours) / (double)sysconf(_SC_CLK_TCK) / took;
	}
	*s = (struct device_sampler){ .at = now, .busy = busy, .all = all, .ours = ours };
	d->resident = device_resident();
	d->load_1min = strtod(table("/proc/loadavg", text), &end);
	if (end == text)
		d->load_1min = (double)NAN;
	d->available = mem_available();
	return d;
}
