/* train_data.c - see train_data.h. */
#include "core/work/train_data.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/work/cache.h"
#include "core/work/calibrate.h"

static enum st fits(const struct desk *d, size_t window, struct err *e)
{
	size_t ctx = d->m->hp.ctx;

	if (!d->tok)
		return err_set(e, ST_INVALID, "%s", d->tok_err.msg);
	if (ctx && window > ctx)
		return err_set(e, ST_INVALID,
			"a window of %zu tokens is longer than the model's context of %zu: set a "
			"shorter one",
			window, ctx);
	return ST_OK;
}

/* xfree. */
static enum st file_of(char **file, struct desk *d, const struct train_ask *a, const char *path,
	const struct sink *s, struct err *e)
{
	if (!strcmp(path, calibrate_self))
		return calibrate_text(file, d, a->window, s, e);
	*file = xstrdup(path);
	return ST_OK;
}

enum st train_data_read(struct pack **out, char sha[65], struct desk *d, const struct train_ask *a,
	const char *path, double held, size_t rows, size_t samples, const struct sink *s,
	struct err *e)
{
	const struct vocab *v = d->m->ck->vocab;
	const struct pack_how how = { .tok = d->tok,
		.template = d->template,
		.jinja = v ? v->chat_template : NULL,
		.window = a->window,
		.all = a->all || a->teach || a->teacher,
		.held = held,
		.samples = samples,
		.seed = a->seed };
	struct dataset *data = NULL;
	char *file = NULL;
	enum st st = fits(d, a->window, e);

	*out = NULL;
	if (!st)
		st = file_of(&file, d, a, path, s, e);
	if (!st)
		st = dataset_open(&data, file, rows, e);
	xfree(file);
	if (st)
		return st;
	st = pack_read(out, data, &how, s, e);
	if (!st)
		st = dataset_sha256(data, sha, s, e);
	if (st) {
		pack_free(*out);
		*out = NULL;
	}
	dataset_close(data);
	return st;
}

enum st train_data_model(char sha[65], const struct desk *d, const struct sink *s, struct err *e)
{
	const char *known = cache_sha(d->cache);

	if (!*known)
		return cache_hash(sha, d->m->ck, s, e);
	memcpy(sha, known, 65);
	return ST_OK;
}
