/* chat_how.c - the words that say how answers are computed: for :set and for the verb. */
#include <stdlib.h>
#include <string.h>

#include "core/work/chat.h"

static enum st set_ctx(struct chat_how *how, const char *value, struct err *e)
{
	char *end;
	double v = strtod(value, &end);

	if (end == value || *end || !(v >= 64 && v <= 1 << 20))
		return err_set(e, ST_INVALID,
			"ctx %s: expected a number from 64 to 1048576", value);
	how->ctx = (size_t)v;
	return ST_OK;
}

static enum st set_kv(struct chat_how *how, const char *value, struct err *e)
{
	if (strcmp(value, "float") && strcmp(value, "int8"))
		return err_set(e, ST_INVALID, "kv %s: expected float or int8", value);
	how->kv = strcmp(value, "int8") ? KV_F32 : KV_INT8;
	return ST_OK;
}

static enum st set_head(struct chat_how *how, const char *value, struct err *e)
{
	struct format f;
	struct err why;
	enum st st = format_parse(&f, value, &why);

	if (st) { /* what is wrong with it comes after a colon */
		const char *colon = strstr(why.msg, ": ");

		return err_set(e, st, "head %.40s: %s%s", value,
			why.msg[0] == '"' ? "not a format, " : "", colon ? colon + 2 : why.msg);
	}
	if (format_is_mix(f))
		st = err_set(e, ST_INVALID, "head %s: a head has one format", value);
	if (!st)
		format_name(f, how->head);
	return st;
}

static enum st set_precision(struct chat_how *how, const char *value, struct err *e)
{
	if (strcmp(value, "fast") && strcmp(value, "exact"))
		return err_set(e, ST_INVALID, "precision %s: expected fast or exact", value);
	how->exact = !strcmp(value, "exact");
	return ST_OK;
}

static const struct word {
	const char *name;
	enum st (*set)(struct chat_how *how, const char *value, struct err *e);
} words[] = { { "ctx", set_ctx }, { "kv", set_kv }, { "head", set_head },
	{ "precision", set_precision } };

bool chat_how_set(
	struct chat_how *how, const char *name, const char *value, enum st *st, struct err *e)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i].name, name)) {
			*st = words[i].set(how, value, e);
			return true;
		}
	return false;
}
