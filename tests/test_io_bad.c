/* test_io_bad.c - GGUF and llama2.c files that lie, and paths that are no model: each is
 * refused with its own sentence.  The rows named CVE follow the public record of parsers
 * that trusted the same number.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/io/checkpoint.h"
#include "tests/lib_io.h"

TestSuite(io_bad, .fini = fx_clean);

static void refused(const char *path, const char *title, const char *sentence)
{
	struct checkpoint *c = NULL;
	struct err e = { 0 };
	enum st st = checkpoint_open(&c, path, &e);

	cr_expect(st != ST_OK, "%s: was opened", title);
	cr_expect_null(c, "%s", title);
	if (st)
		cr_expect_str_eq(e.msg, sentence, "%s: \"%s\"", title, e.msg);
	checkpoint_close(c);
}

/* ---- GGUF */

enum op {
	U32,      /* key = number */
	F32,      /* key = number */
	STR,      /* key = text */
	DROP,     /* no such key */
	TWICE,    /* the key again, at the end */
	RAW,      /* key = raw bytes of a type: text is "TYPE:HEX" */
	KEY_NAME, /* key is called text instead; number: its length, when not 0 */
	T_NAME,   /* tensor `key` is called text */
	T_TYPE,
	T_RANK,
	T_DIM0,
	T_DIM1,
	T_DIMS,
	T_OFFSET,
	T_DROP,
	T_TWICE,
	T_EXTRA, /* a tensor called text of number floats */
	SAID_KV,
	SAID_T,
	VERSION,
	MAGIC,
	CUT,     /* to number bytes */
	CUT_END, /* by number bytes */
	MORE     /* number bytes after the end */
};

struct row {
	const char *title;
	enum op op;
	const char *key;
	uint64_t number;
	const char *text, *sentence;
};

#define TINY "bad.gguf: "

static const struct row gguf[] = {
#include "tests/io_bad_gguf.def"
};

static void raw_from_text(struct gw *w, const char *key, const char *text)
{
	struct fx_buf b = { 0 };
	unsigned type, byte;
	int used;

	sscanf(text, "%u:%n", &type, &used);
	for (text += used; sscanf(text, "%2x", &byte) == 1; text += 2)
		fx_uint(&b, byte, 1);
	gw_raw(w, key, type, b.p, b.n);
	xfree(b.p);
}

static void extra(struct gw *w, const char *name, size_t floats)
{
	struct gw_tensor *t = &w->t[w->n_t++];

	*t = (struct gw_tensor){ .rank = 1, .ne = { floats } };
	snprintf(t->name, sizeof t->name, "%s", name);
	gw_place(w);
}

static struct gw_kv *key_of(struct gw *w, const char *key)
{
	for (size_t i = 0; i < w->n_kv; i++)
		if (strcmp(w->kv[i].key, key) == 0)
			return &w->kv[i];
	return NULL;
}

static void bend_tensor(struct gw *w, const struct row *r)
{
	struct gw_tensor *t = gw_find(w, r->key);

	switch (r->op) {
	case T_NAME:
		snprintf(t->name, sizeof t->name, "%s", r->text);
		break;
	case T_TYPE:
		t->type = (uint32_t)r->number;
		break;
	case T_RANK:
		t->rank = (uint32_t)r->number;
		break;
	case T_DIM0:
		t->ne[0] = r->number;
		break;
	case T_DIM1:
		t->ne[1] = r->number;
		break;
	case T_DIMS:
		t->ne[0] = t->ne[1] = r->number;
		break;
	case T_OFFSET:
		t->offset = r->number;
		break;
	case T_DROP:
		gw_drop_tensor(w, r->key);
		gw_place(w);
		break;
	default:
		w->t[w->n_t++] = *t;
		gw_place(w);
		break; /* T_TWICE */
	}
}

static void bend(struct gw *w, const struct row *r)
{
	struct gw_kv *kv = r->key ? key_of(w, r->key) : NULL;

	switch (r->op) {
	case U32:
		gw_u32(w, r->key, (uint32_t)r->number);
		break;
	case F32:
		gw_f32(w, r->key, strtof(r->text, NULL));
		break;
	case STR:
		gw_str(w, r->key, r->text);
		break;
	case DROP:
		gw_drop(w, r->key);
		break;
	case TWICE:
		w->kv[w->n_kv++] = *kv;
		break;
	case RAW:
		raw_from_text(w, r->key, r->text);
		break;
	case KEY_NAME:
		snprintf(kv->key, sizeof kv->key, "%s", r->text);
		kv->key_len = r->number ? r->number : strlen(r->text);
		break;
	case T_EXTRA:
		extra(w, r->text, r->number);
		break;
	case SAID_KV:
		w->said_kv = r->number;
		break;
	case SAID_T:
		w->said_t = r->number;
		break;
	case VERSION:
		w->version = (uint32_t)r->number;
		break;
	case MAGIC:
		memcpy(w->magic, r->text, 4);
		break;
	case CUT:
	case CUT_END:
	case MORE:
		break;
	default:
		bend_tensor(w, r);
		break;
	}
}

static void cut(struct fx_buf *b, const struct row *r)
{
	if (r->op == CUT)
		b->n = r->number;
	if (r->op == CUT_END)
		b->n -= r->number;
	if (r->op == MORE)
		fx_zero(b, r->number);
}

Test(io_bad, every_lying_gguf_is_refused_with_its_own_sentence)
{
	char *path = fx_path("bad.gguf");

	for (size_t i = 0; i < sizeof gguf / sizeof *gguf; i++) {
		struct gw w;
		struct fx_buf b = { 0 };

		gw_llama(&w, &fx_tiny, 2);
		bend(&w, &gguf[i]);
		gw_file(&w, &b);
		cut(&b, &gguf[i]);
		fx_write(path, &b);
		refused(path, gguf[i].title, gguf[i].sentence);
		xfree(b.p);
	}
	xfree(path);
}

/* CVE-2025-53630 and CVE-2026-27940: each size is honest, their sum is not; the last
 * offsets are what a reader that wraps would expect. */
Test(io_bad, sizes_whose_sum_wraps_are_refused)
{
	static const struct {
		uint64_t floats[5]; /* of matrices of 2^20 rows */
		const char *sentence;
	} all[] = {
		{ { 1ULL << 40, 1ULL << 40, 1ULL << 40, 1ULL << 40, 1 },
			TINY "the sizes of the tensors wrap at huge3" },
		{ { 1ULL << 40, 1ULL << 40, 1ULL << 40, (1ULL << 40) - 1, 1 },
			TINY "the sizes of the tensors wrap at huge4" },
		{ { 1ULL << 40, 1ULL << 40, 1ULL << 40, (1ULL << 40) - 2, 1 },
			TINY "tensor huge0 ends beyond the file of 7680 bytes: it is truncated" },
	};
	char *path = fx_path("bad.gguf");

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct gw w;
		struct fx_buf b = { 0 };

		gw_llama(&w, &fx_tiny, 2);
		for (size_t k = 0; k < 5; k++) {
			struct gw_tensor *t = &w.t[w.n_t++];

			*t = (struct gw_tensor){ .rank = 2, .ne = { all[i].floats[k], 1 << 20 } };
			snprintf(t->name, sizeof t->name, "huge%zu", k);
		}
		gw_place(&w);
		for (size_t k = w.n_t - 5; k < w.n_t; k++)
			w.t[k].bytes = 0;
		gw_file(&w, &b);
		fx_write(path, &b);
		refused(path, "sum", all[i].sentence);
		xfree(b.p);
	}
	xfree(path);
}

/* A truncation anywhere in the header must name where the parser stood. */
Test(io_bad, a_gguf_header_cut_anywhere_is_refused_with_its_offset)
{
	char *path = fx_path("cut.gguf");
	struct gw w;
	struct fx_buf b = { 0 };
	size_t whole, at;

	gw_llama(&w, &fx_tiny, 2);
	gw_file(&w, &b);
	whole = b.n;
	for (at = 8; at < 1024; at += 7) {
		struct checkpoint *c = NULL;
		struct err e = { 0 };

		b.n = at;
		fx_write(path, &b);
		cr_expect_eq(checkpoint_open(&c, path, &e), ST_FORMAT, "cut at %zu", at);
		cr_expect(strstr(e.msg, "at byte") || strstr(e.msg, "do not fit"), "cut at %zu: %s",
			at, e.msg);
	}
	cr_expect_lt(at, whole);
	xfree(path);
	xfree(b.p);
}

/* ---- llama2.c */

Test(io_bad, every_lying_llama2c_is_refused_with_its_own_sentence)
{
	static const struct {
		const char *title;
		size_t field; /* of the header; 7: none */
		int32_t value;
		long grow; /* bytes added or cut */
		const char *sentence;
	} all[] = {
		{ "empty", 7, 0, -1000000,
			"bad.bin: a llama2.c header has 28 bytes, the file has 0" },
		{ "cut inside the weights", 7, 0, -4,
			"bad.bin: the file ends at byte 38808, before the weights that its header "
			"announces" },
		{ "more than the weights", 7, 0, 4,
			"bad.bin: 4 bytes follow the weights that its header announces" },
		{ "negative dim", 0, -32, 0,
			"bad.bin: not a llama2.c checkpoint: dim is -32 in its header" },
		{ "no layers", 2, 0, 0,
			"bad.bin: not a llama2.c checkpoint: n_layers is 0 in its header" },
		{ "heads that do not divide", 3, 5, 0,
			"bad.bin: not a llama2.c checkpoint: 1 layers, hidden size 32, 5 heads" },
		{ "too many layers", 2, 2000000000, 0,
			"bad.bin: not a llama2.c checkpoint: 2000000000 layers, hidden size 32, 4 "
			"heads" },
		{ "a vocabulary that wraps", 5, INT32_MIN, 0,
			"bad.bin: the file ends at byte 38812, before the weights that its header "
			"announces" },
		{ "a head that is not there", 5, -8, 0,
			"bad.bin: the file ends at byte 38812, before the weights that its header "
			"announces" },
		{ "a context that is not there", 6, 2000000000, 0,
			"bad.bin: the file ends at byte 38812, before the weights that its header "
			"announces" },
		{ "version 1", 0, 0x616b3432, 0,
			"bad.bin: llama2.c version 64 is not read here; export it with --version "
			"0" },
		{ "key-value heads that do not divide", 4, 3, 2048,
			"bad.bin: 3 key-value heads do not divide the 4 heads" },
	};
	char *path = fx_path("bad.bin");

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct fx_buf b = { 0 };

		fx_llama2c(&b, &fx_tiny, 16, 0);
		if (all[i].field < 7)
			for (size_t k = 0; k < 4; k++)
				b.p[all[i].field * 4 + k] =
					(unsigned char)((uint32_t)all[i].value >> 8 * k);
		if (all[i].grow > 0)
			fx_zero(&b, (size_t)all[i].grow);
		else
			b.n = (size_t)-all[i].grow > b.n ? 0 : b.n - (size_t)-all[i].grow;
		fx_write(path, &b);
		refused(path, all[i].title, all[i].sentence);
		xfree(b.p);
	}
	xfree(path);
}

/* ---- paths */

#define KNOWN                                                                              \
	"known are a .gguf, a .safetensors, a llama2.c .bin, a Hugging Face folder and a " \
	"folder that bitdial exported"

Test(io_bad, what_is_no_model_is_refused_with_a_list_of_what_is_known)
{
	char *path = fx_path("pipe.gguf"), *sentence;

	cr_assert_eq(mkfifo(path, 0600), 0);
	refused(path, "a pipe", "pipe.gguf is neither a file nor a folder; " KNOWN);
	xfree(path);

	path = fx_path("notes.txt");
	fx_write_text(path, "notes");
	refused(path, "a text", "notes.txt is of no known form; " KNOWN);
	xfree(path);

	path = fx_path("empty");
	fx_write_text(path, "");
	refused(path, "an empty file", "empty is of no known form; " KNOWN);
	xfree(path);

	path = fx_path("pytorch_model.bin");
	fx_write_text(path, "PK\003\004 and so on");
	refused(path, "a torch archive", "pytorch_model.bin is of no known form; " KNOWN);
	xfree(path);

	path = fx_path("folder");
	cr_assert_eq(mkdir(path, 0700), 0);
	refused(path, "an empty folder",
		"folder folder has no config.json, so it is no model; " KNOWN);
	xfree(path);
	path = fx_path("folder/some.gguf");
	fx_write_text(path, "");
	xfree(path);
	path = fx_path("folder");
	refused(path, "a folder with a GGUF",
		"folder folder has no config.json; open some.gguf in it instead");
	xfree(path);

	path = fx_path("folder.gguf");
	cr_assert_eq(mkdir(path, 0700), 0);
	refused(path, "a folder called .gguf",
		"folder folder.gguf has no config.json, so it is no model; " KNOWN);
	xfree(path);

	path = fx_path("nothing.gguf");
	sentence = xprintf("cannot open %s: No such file or directory", path);
	refused(path, "nothing", sentence);
	xfree(sentence);
	xfree(path);
}
