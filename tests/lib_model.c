/* lib_model.c - see lib_model.h. */
#include "tests/lib_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/rng.h"

struct checkpoint *lib_demo_checkpoint(uint64_t seed)
{
	char dir[] = "/tmp/bitdial-model-XXXXXX", *path;
	struct checkpoint *ck = NULL;
	struct err e = { 0 };
	enum st st;

	cr_assert(mkdtemp(dir));
	path = xprintf("%s/demo.gguf", dir);
	st = model_demo_write(path, seed, &e);
	if (!st)
		st = checkpoint_open(&ck, path, &e);
	cr_assert_eq(fs_remove_tree(dir, NULL), ST_OK); /* the map outlives the name */
	xfree(path);
	cr_assert_eq(st, ST_OK, "%s", e.msg);
	return ck;
}

struct model *lib_demo(const char *backend, uint64_t seed)
{
	struct checkpoint *ck = lib_demo_checkpoint(seed);
	struct model *m = NULL;
	struct err e = { 0 };

	cr_assert(backend_find(backend), "no backend %s", backend);
	cr_assert_eq(model_load(&m, ck, backend_find(backend), NULL, &e), ST_OK, "%s", e.msg);
	return m;
}

struct model *lib_real(const char *backend)
{
	char *place = fs_place(FS_DATA);
	char *path = xprintf("%s/models/SmolLM2-135M-Instruct.Q4_1.gguf", place);
	struct checkpoint *ck = NULL;
	struct model *m = NULL;
	struct err e = { 0 };

	if (!fs_is_file(path)) {
		fprintf(stderr, "skipped: the default model is not installed (make model)\n");
	} else {
		cr_assert_eq(checkpoint_open(&ck, path, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(
			model_load(&m, ck, backend_find(backend), NULL, &e), ST_OK, "%s", e.msg);
	}
	xfree(path);
	xfree(place);
	return m;
}

char *lib_data(const char *name)
{
	const char *root = getenv("BITDIAL_TEST_DATA");
	char *path = xprintf("%s/%s", root ? root : "../shared/data", name);

	if (fs_is_file(path) || fs_is_dir(path))
		return path;
	fprintf(stderr, "skipped: no reference data at %s (set BITDIAL_TEST_DATA)\n", path);
	xfree(path);
	return NULL;
}

static bool poll_count(const struct sink *s)
{
	struct lib_stop *c = s->self;

	return ++c->polls == c->stop_at;
}

void lib_stop_init(struct lib_stop *s, unsigned long at)
{
	*s = (struct lib_stop){ .stop_at = at };
	s->sink.poll = poll_count;
	s->sink.self = s;
}

double lib_distance(const float *a, const float *b, size_t n)
{
	double most = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		double d = fabs((double)a[i] - b[i]);

		if (!(d <= most))
			most = d; /* NaN stays, too */
	}
	return most;
}

int32_t *lib_ids(size_t n, size_t vocab, uint64_t seed)
{
	int32_t *id = xarray(n, sizeof *id);
	struct rng r;
	size_t i;

	rng_seed(&r, seed);
	for (i = 0; i < n; i++)
		id[i] = (int32_t)rng_below(&r, (uint32_t)vocab);
	return id;
}
