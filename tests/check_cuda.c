/* check_cuda.c - every operation of the CUDA backend against ref, on a machine with a device.
 *
 *	check_cuda [--so FILE] [--device cuda:0] [--grade small|large] [--repeat N] [--only TEXT]
 *	check_cuda --lose [--so FILE] [--device cuda:0]
 *
 * One line a check of lib_ops.h: its largest error as a share of what is allowed, where that was,
 * values compared, seconds; then what is said of a device that there is not.  FILE is
 * libbitdial-cuda.so above the folder of this program.  --lose makes a kernel write where nothing
 * is and sees that the backend says so, gives NaN, and is lost: the device is then of no more use
 * to the process.  Ends with 0 when all is well.
 */
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "kernels/pool.h"
#include "tests/lib_ops.h"

struct options {
	const char *so, *device, *only;
	bool small, lose;
	int repeat;
};

static int usage(void)
{
	fprintf(stderr, "check_cuda [--so FILE] [--device cuda:0] [--grade small|large] "
			"[--repeat N] [--only TEXT] [--lose]\n");
	return 2;
}

static bool options_of(struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--lose")) {
			o->lose = true;
			continue;
		}
		i++;
		if (!value)
			return false;
		if (!strcmp(argv[i - 1], "--so"))
			o->so = value;
		else if (!strcmp(argv[i - 1], "--device"))
			o->device = value;
		else if (!strcmp(argv[i - 1], "--only"))
			o->only = value;
		else if (!strcmp(argv[i - 1], "--repeat") && atoi(value) > 0)
			o->repeat = atoi(value);
		else if (!strcmp(argv[i - 1], "--grade") &&
			 (!strcmp(value, "small") || !strcmp(value, "large")))
			o->small = !strcmp(value, "small");
		else
			return false;
	}
	return true;
}

static int check_all(const struct backend *b, const struct options *o)
{
	struct op_run r = { .b = b, .large = !o->small, .repeats = o->repeat };
	double all = clock_now();
	int checks = 0, bad = 0;

	printf("%-26s %8s %12s %8s  worst at\n", "", "of 1", "values", "s");
	for (const struct op_check *c = op_checks; c->name; c++) {
		double began = clock_now();
		bool well;

		if (o->only && !strstr(c->name, o->only))
			continue;
		well = op_check_run(c, &r);
		checks++;
		bad += !well;
		printf("%-26s %8.3g %12llu %8.2f  %s\n", c->name, r.worst,
			(unsigned long long)r.compared, clock_now() - began, r.where);
		if (!well)
			printf("   FAILED: %s\n", r.failed);
		fflush(stdout);
		if (b->lost && b->lost()) {
			printf("   the device is lost: the checks that follow cannot be made\n");
			return 1;
		}
	}
	if (!checks)
		printf("no check is called %s\n", o->only);
	printf("%d checks, %d failed, %.1f s\n", checks, bad, clock_now() - all);
	return bad || !checks;
}

static int no_such_device(const struct options *o)
{
	char why[400] = "";
	const struct backend *b = op_open(o->so, "cuda:99", why, sizeof why);

	printf("cuda:99: %s\n", b ? "was opened" : why);
	return b || !why[0];
}

/* Whether the failure shows where it must. */
static int lose(const struct backend *b)
{
	enum { N = 1024 };
	uint32_t got[N] = { 0 };
	struct err e = { 0 };
	float *x = b->alloc(N * sizeof *x);
	size_t nan = 0;
	double lse = 0;
	int32_t best = 7;

	if (!x || !b->fault || backend_fault(b, &e)) {
		printf("FAILED before anything was wrong: %s\n", e.msg);
		return 1;
	}
	b->add((float *)(uintptr_t)4096, x, N); /* nothing is there */
	b->get(got, x, sizeof got);
	for (int i = 0; i < N; i++)
		nan += got[i] == 0xffffffff;
	b->row_stats(&lse, &best, x, 1, N);
	printf("a kernel wrote where nothing is: %s\n",
		backend_fault(b, &e) == ST_DEVICE ? e.msg : "and nothing was said");
	printf("results are %s, the device is %s, its score %d\n", nan == N ? "NaN" : "NOT NaN",
		b->lost() ? "lost" : "NOT lost", b->score());
	b->add(x, x, N); /* does nothing, and does not crash */
	b->free(x);
	return !(e.st == ST_DEVICE && e.msg[0] && nan == N && isnan(lse) && !best && b->lost() &&
		 !b->score());
}

int main(int argc, char **argv)
{
	struct options o = { .repeat = 100 };
	char self[PATH_MAX] = "", so[PATH_MAX + 40], why[400];
	struct backend_device d = { .name = "" };
	const struct backend *b;
	int bad;

	if (!options_of(&o, argc, argv))
		return usage();
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 1)
		return 1;
	snprintf(so, sizeof so, "%s/../libbitdial-cuda.so", dirname(self));
	o.so = o.so ? o.so : so;
	b = op_open(o.so, o.device, why, sizeof why);
	if (!b) {
		fprintf(stderr, "check_cuda: %s\n", why);
		return 1;
	}
	if (o.lose)
		return lose(b);
	if (b->info)
		b->info(&d);
	printf("%s: %s, %s; bitdial %s, %s grade, %d repeats\n", b->name, d.name, d.kernels,
		BD_VERSION, o.small ? "small" : "large", o.repeat);
	pool_start(0);
	bad = check_all(b, &o) + no_such_device(&o);
	pool_stop();
	printf("%s\n", bad ? "NOT all is well" : "all is well");
	return bad != 0;
}
