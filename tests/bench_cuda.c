/* bench_cuda.c - the device benchmark: products beside cuBLAS in one run, what
 * stands between the products, whole tokens of random models, the way back.
 *
 *	bench_cuda [--so FILE] [--out DIR] [--shapes small] [--only products|layer|tokens|back]
 *
 * FILE is libbitdial-cuda.so above the folder of this program; DIR gets a copy of the report,
 * DATE-DEVICE-COMMIT.md.  Ends with 0 when every result was right; what misses a target is said,
 * and no failure.  The method is in bench_cuda.h.
 */
#include "tests/bench_cuda.h"

#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "kernels/pool.h"
#include "tests/lib_ops.h"

int bench_missed, bench_targets, bench_met;

static FILE *report;
static const double sample_seconds = 0.01; /* a start costs some tens of microseconds */
/* Clocks of a device that was idle rise while it works. */
static const double warm_seconds = 0.15;

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	if (!report)
		return;
	va_start(ap, fmt);
	vfprintf(report, fmt, ap);
	va_end(ap);
	fflush(report);
}

void stop(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "bench_cuda: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

/* ---- timing */

static double once(struct act a, size_t replays)
{
	double began = clock_now();

	a.run(a.arg, replays);
	return clock_now() - began;
}

static size_t replays_of(struct act a)
{
	double t;

	once(a, 1); /* makes its graph */
	t = once(a, 2) / 2;
	return t < sample_seconds ? (size_t)(sample_seconds / t) + 1 : 1;
}

static void warm_up(const struct act *acts, const size_t *replays, size_t n)
{
	double began = clock_now();

	while (clock_now() - began < warm_seconds)
		for (size_t i = 0; i < n; i++)
			once(acts[i], replays[i]);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct timed sum_up(double v[SAMPLES])
{
	qsort(v, SAMPLES, sizeof *v, by_value);
	return (struct timed){ v[SAMPLES / 2], v[0], v[SAMPLES - 1] };
}

void bench_turns(struct timed *t, const struct act *acts, size_t n)
{
	enum { MOST = 4 };
	size_t replays[MOST];
	double v[MOST][SAMPLES];

	if (n > MOST)
		stop("%zu acts by turns", n);
	for (size_t i = 0; i < n; i++)
		replays[i] = replays_of(acts[i]);
	warm_up(acts, replays, n);
	for (int s = 0; s < SAMPLES; s++)
		for (size_t i = 0; i < n; i++)
			v[i][s] = once(acts[i], replays[i]) / (double)(replays[i] * CALLS);
	for (size_t i = 0; i < n; i++)
		t[i] = sum_up(v[i]);
}

struct timed bench_one(struct act a, size_t calls)
{
	size_t replays = replays_of(a);
	double v[SAMPLES];

	warm_up(&a, &replays, 1);
	for (int s = 0; s < SAMPLES; s++)
		v[s] = once(a, replays) / (double)(replays * calls);
	return sum_up(v);
}

/* ---- where, when, and who else */

/* What a command prints, lines joined by "; "; "" where it cannot be run. */
static void told(const char *command, char *out, size_t size)
{
	FILE *f = popen(command, "r");
	size_t n = 0;
	int c;

	while (f && (c = fgetc(f)) != EOF && n + 3 < size)
		if (c == '\n') {
			out[n++] = ';';
			out[n++] = ' ';
		} else {
			out[n++] = (char)c;
		}
	while (n && (out[n - 1] == ' ' || out[n - 1] == ';'))
		n--;
	out[n] = 0;
	if (f)
		(void)pclose(f);
}

static void say_others(const char *when)
{
	char load[400], apps[400];

	told("nvidia-smi --query-gpu=driver_version,clocks.sm,clocks.mem,utilization.gpu,memory.used,"
	     "temperature.gpu,power.draw --format=csv,noheader 2>/dev/null",
		load, sizeof load);
	told("nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader 2>/dev/null", apps,
		sizeof apps);
	if (!load[0])
		say("- %s: nvidia-smi does not answer: whether others use the device is not known\n",
			when);
	else
		say("- %s: driver, SM and memory clock, use, memory, temperature, power: %s\n", when,
			load);
	if (apps[0])
		say("- %s: **processes on the device: %s**%s\n", when, apps,
			when[0] == 'b' ? ": figures may be too low"
				       : " (this benchmark's own may be one of them)");
}

static void open_report(const char *dir, const char *device)
{
	char path[PATH_MAX], name[80], date[16];
	time_t now = time(NULL);
	struct tm day;
	size_t n = 0;

	for (; device[n] && n + 1 < sizeof name; n++)
		name[n] = isalnum((unsigned char)device[n])
				  ? (char)tolower((unsigned char)device[n])
				  : '-';
	name[n] = 0;
	gmtime_r(&now, &day);
	strftime(date, sizeof date, "%Y-%m-%d", &day);
	snprintf(path, sizeof path, "%s/%s-%s-%s.md", dir, date, name, BD_VERSION);
	report = fopen(path, "w");
	if (!report)
		stop("%s cannot be written", path);
	printf("report: %s\n", path);
}

static void head(const struct backend *b, const struct bench_options *o)
{
	struct backend_device d = { .name = "" };
	char cublas[60], date[40];
	time_t now = time(NULL);
	struct tm day;

	b->info(&d);
	gmtime_r(&now, &day);
	strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &day);
	say("# bitdial on %s\n\n- date: %s\n- device: %s (%s), %.1f GiB\n- commit: %s\n- peer: %s\n",
		d.name, date, d.name, d.kernels, (double)d.total / 0x1p30, BD_VERSION,
		peer_version(cublas));
	say_others("before");
	say("- read rate measured now: %.0f GB/s\n", o->wall * 1e-9);
	say("- method: weights rotate through copies of more than 3 x L2 and 256 MB, random values; %d "
	    "calls are one graph, replayed back to back for %.0f ms a sample, after %.0f ms that do not "
	    "count; wall clock from idle to idle; median of %d samples by turns with the peer, +- half "
	    "their range\n",
		(int)CALLS, sample_seconds * 1e3, warm_seconds * 1e3, (int)SAMPLES);
	if (o->small)
		say("- **shapes of nothing: that the program runs, not how fast**\n");
}

/* At the clocks that the rest is measured at. */
static double read_rate(const struct backend *b)
{
	double began = clock_now(), best = 0;

	do
		best = fmax(best, b->read_rate());
	while (clock_now() - began < 2 * warm_seconds);
	return best;
}

static bool wanted(const char *only, const char *part)
{
	return !only || !strcmp(only, part);
}

int main(int argc, char **argv)
{
	const char *so = NULL, *out = NULL, *only = NULL;
	char self[PATH_MAX] = "", beside[PATH_MAX + 40], why[400];
	struct bench_options o = { .small = false };
	struct backend_device d = { .name = "" };
	const struct backend *b;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && !strcmp(argv[i], "--so"))
			so = argv[i + 1];
		else if (i + 1 < argc && !strcmp(argv[i], "--out"))
			out = argv[i + 1];
		else if (i + 1 < argc && !strcmp(argv[i], "--only"))
			only = argv[i + 1];
		else if (i + 1 < argc && !strcmp(argv[i], "--shapes"))
			o.small = !strcmp(argv[i + 1], "small");
		else
			stop("expected --so FILE, --out DIR, --only PART or --shapes small");
	}
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 1)
		return 1;
	snprintf(beside, sizeof beside, "%s/../libbitdial-cuda.so", dirname(self));
	b = op_open(so ? so : beside, NULL, why, sizeof why);
	if (!b)
		stop("%s", why);
	b->info(&d);
	if (out)
		open_report(out, d.name);
	pool_start(0);
	o.wall = read_rate(b);
	head(b, &o);
	if (wanted(only, "products"))
		bench_products(b, &o);
	if (wanted(only, "layer"))
		bench_layer(b, &o);
	if (wanted(only, "tokens"))
		bench_tokens(b, &o);
	if (wanted(only, "back"))
		bench_back(b, &o);
	say("\n");
	say_others("after");
	say("- %d of %d targets met; %s\n", bench_met, bench_targets,
		bench_missed ? "**some results were WRONG**" : "all results right by the check in fp64");
	pool_stop();
	return bench_missed != 0;
}
