/* shape.c - what a config.json says of a model whose weights may not be there. */
#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/io/config.h"

enum { MAX_CONFIG = 16 << 20 };

enum st checkpoint_config(struct hparams *hp, const char *path, struct err *e)
{
	char *file = fs_is_dir(path) ? xprintf("%s/config.json", path) : xstrdup(path),
	     *text = NULL;
	struct json j = { 0 };
	size_t n = 0;
	enum st st = fs_read(file, MAX_CONFIG, &text, &n, e);

	*hp = (struct hparams){ 0 };
	st = st ? st : json_parse(&j, ck_base(file), text, n, e);
	st = st ? st : config_read(hp, &j, e);
	st = st ? st : ck_check_hparams(hp, j.where, e);
	json_release(&j);
	big_free(text);
	xfree(file);
	return st;
}
