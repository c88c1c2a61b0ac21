/* lib_text.c - vocabularies and golden lines for the suites of core/text. */
#include "tests/lib_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/io/gguf.h"

#define GOLDEN "tests/golden/"

void text_open_vocab(struct text_fixture *f, struct vocab *v)
{
	struct err e = { 0 };

	f->vocab = v;
	cr_assert_eq(tokenizer_new(&f->tok, v, &e), ST_OK, "%s", e.msg);
}

void text_open_hf(struct text_fixture *f, const char *dir)
{
	struct err e = { 0 };
	struct vocab *v;

	arena_init(&f->arena, 0);
	cr_assert_eq(vocab_from_hf(&v, &f->arena, dir, &e), ST_OK, "%s", e.msg);
	text_open_vocab(f, v);
}

void text_open_gguf(struct text_fixture *f, const char *path)
{
	struct err e = { 0 };
	struct vocab *v;

	arena_init(&f->arena, 0);
	cr_assert_eq(vocab_from_gguf(&v, &f->arena, path, &e), ST_OK, "%s", e.msg);
	text_open_vocab(f, v);
}

void text_close(struct text_fixture *f)
{
	tokenizer_free(f->tok);
	arena_release(&f->arena);
}

char *text_model(void)
{
	const char *own = getenv("BITDIAL_MODEL");
	char *data = fs_place(FS_DATA), *path;

	path = own && *own ? xstrdup(own)
			   : xprintf("%s/models/SmolLM2-135M-Instruct.Q4_1.gguf", data);
	xfree(data);
	if (fs_is_file(path))
		return path;
	xfree(path);
	return NULL;
}

char *text_data(const char *name)
{
	const char *root = getenv("BITDIAL_TEST_DATA");
	char *path = xprintf("%s/%s", root && *root ? root : "../shared/data", name);

	if (fs_is_file(path) || fs_is_dir(path))
		return path;
	xfree(path);
	return NULL;
}

size_t text_golden(const char *name, void (*fn)(const cJSON *line, void *arg), void *arg)
{
	char *path = xprintf(GOLDEN "%s", name), *s, *end;
	struct err e = { 0 };
	size_t n, lines = 0;

	cr_assert_eq(fs_read(path, (size_t)16 << 20, &s, &n, &e), ST_OK, "%s", e.msg);
	for (char *at = s; (end = strchr(at, '\n')); at = end + 1, lines++) {
		cJSON *j = cJSON_ParseWithLength(at, (size_t)(end - at));

		cr_assert_not_null(j, "%s: line %zu is not JSON", name, lines + 1);
		fn(j, arg);
		cJSON_Delete(j);
	}
	big_free(s);
	xfree(path);
	return lines;
}

const char *text_ids(const int32_t *id, size_t n)
{
	static char buf[4096];
	size_t k = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && k + 16 < sizeof buf; i++)
		k += (size_t)snprintf(buf + k, sizeof buf - k, i ? " %ld" : "%ld", (long)id[i]);
	return buf;
}

void text_expect_ids(const struct tok_ids *got, const cJSON *want, const char *text)
{
	size_t n = (size_t)cJSON_GetArraySize(want);
	int32_t *id = xarray(n ? n : 1, sizeof *id);
	const cJSON *it;
	size_t i = 0;
	bool same;

	cJSON_ArrayForEach(it, want) id[i++] = (int32_t)it->valuedouble;
	same = n == got->n && (!n || memcmp(id, got->id, n * sizeof *id) == 0);
	if (!same) {
		char *w = xstrdup(text_ids(id, n));

		cr_expect(same, "\"%s\"\n  want %s\n  got  %s", text, w, text_ids(got->id, got->n));
		xfree(w);
	}
	xfree(id);
}

char *text_decode(const struct tokenizer *t, const struct tok_ids *ids, size_t *n)
{
	size_t bytes = 1, len;
	char *s;

	for (size_t i = 0; i < ids->n; i++) {
		tokenizer_piece(t, ids->id[i], i == 0, &len);
		bytes += len;
	}
	s = xalloc(bytes);
	*n = 0;
	for (size_t i = 0; i < ids->n; i++) {
		const char *p = tokenizer_piece(t, ids->id[i], i == 0, &len);

		memcpy(s + *n, p, len);
		*n += len;
	}
	return s;
}

struct vocab *text_bytes_vocab(struct arena *a, const char *const *special)
{
	struct vocab *v = ARENA_NEW(a, struct vocab, 1);
	struct vocab_token *k;
	size_t n = 0;

	while (special[n])
		n++;
	k = arena_take(a, 256 + n, sizeof *k);
	for (int b = 0, next = 256; b < 256; b++) {
		bool same = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
		char text[4];
		size_t len = utf8_encode((uint32_t)(same ? b : next++), text);

		k[b].text = arena_strndup(a, text, len);
		k[b].len = (uint32_t)len;
	}
	for (size_t i = 0; i < n; i++) {
		k[256 + i].text = arena_strndup(a, special[i], strlen(special[i]));
		k[256 + i].len = (uint32_t)strlen(special[i]);
		k[256 + i].type = TOKEN_CONTROL;
	}
	*v = (struct vocab){
		.tokens = k, .n = 256 + n, .bos = -1, .eos = -1, .unk = -1, .pad = -1, .eot = -1
	};
	return v;
}
