/* train_data.c - see train_data.h. */
#include "core/work/train_data.h"

#include "core/base/sha256.h"

enum st train_data_read(struct pack **out, char sha[65], const struct desk *d,
	const struct train_ask *a, const char *path, double held, size_t rows, size_t samples,
	const struct sink *s, struct err *e)
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
	struct dataset *data;
	enum st st = dataset_open(&data, path, rows, e);

	*out = NULL;
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
	enum { PIECE = 16 << 20 };
	const struct checkpoint *c = d->m->ck;
	struct sha256 sum;
	uint64_t at = 0;

	do {
		checkpoint_hash_step(c, &sum, &at, PIECE);
		sink_progress(s, (double)at, (double)c->file_bytes);
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped");
	} while (at < c->file_bytes);
	sha256_hex(&sum, sha);
	return checkpoint_unchanged(c, e);
}
