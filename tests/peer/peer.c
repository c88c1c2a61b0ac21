/* peer.c - what tests/peer/llama.sh asks of llama.cpp's own library.
 *
 *   peer f32 IN OUT     every tensor of IN in float32, by ggml's own dequantizer
 *   peer size REF IN    stored bits a weight of the blocks' matrices, and their types;
 *                       fails where anything else of IN differs from REF
 *   peer text MODEL IDS what the ids spell
 *   peer kl REF IDS WINDOW MODEL...
 *                       a line for each MODEL: tokens scored, mean NLL of REF and of MODEL,
 *                       KL(REF || MODEL) in nats a token, its standard error over windows,
 *                       share of equal first choices
 *
 * Windows as `bitdial eval` cuts them: consecutive, each from an empty context, tokens
 * 2 ... WINDOW scored, a last short one dropped.  Attention and its cache are in float32.
 * IDS holds decimal numbers with anything else between them.  No part of the product:
 * built by llama.sh against the pinned llama.cpp.
 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml.h"
#include "gguf.h"
#include "llama.h"

static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("peer: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void *need(size_t n)
{
	void *p = malloc(n);

	if (!p)
		die("no memory for %zu bytes", n);
	return p;
}

static void hush(enum ggml_log_level level, const char *text, void *arg)
{
	(void)arg;
	if (level == GGML_LOG_LEVEL_ERROR)
		fputs(text, stderr);
}

/* ---- files */

struct file {
	struct gguf_context *meta;
	struct ggml_context *data;
};

static struct file file_open(const char *path)
{
	struct file f = { NULL, NULL };

	f.meta = gguf_init_from_file(path, (struct gguf_init_params){ false, &f.data });
	if (!f.meta)
		die("%s is no GGUF file that can be read", path);
	return f;
}

static struct ggml_tensor *file_tensor(const struct file *f, int64_t i)
{
	return ggml_get_tensor(f->data, gguf_get_tensor_name(f->meta, i));
}

static void file_close(struct file *f)
{
	gguf_free(f->meta);
	ggml_free(f->data);
}

static void to_float(float *to, const struct ggml_tensor *t)
{
	const struct ggml_type_traits *tr = ggml_get_type_traits(t->type);
	int64_t n = ggml_nelements(t);

	if (t->type == GGML_TYPE_F32)
		memcpy(to, t->data, (size_t)n * sizeof *to);
	else if (tr->to_float)
		tr->to_float(t->data, to, n); /* rows are whole blocks */
	else
		die("%s: type %s cannot be dequantized", t->name, tr->type_name);
}

static void cmd_f32(const char *in, const char *out)
{
	struct file f = file_open(in);
	struct gguf_context *g = gguf_init_empty();
	struct ggml_context *c;
	struct ggml_tensor *t, *u;
	int64_t i, n = gguf_get_n_tensors(f.meta);
	size_t bytes = 0;

	for (i = 0; i < n; i++)
		bytes += (size_t)ggml_nelements(file_tensor(&f, i)) * sizeof(float) +
			 ggml_tensor_overhead() + 64;
	c = ggml_init((struct ggml_init_params){ .mem_size = bytes });
	if (!c)
		die("no memory for %zu bytes", bytes);
	gguf_set_kv(g, f.meta);
	gguf_set_val_u32(g, "general.file_type", LLAMA_FTYPE_ALL_F32);
	for (i = 0; i < n; i++) {
		t = file_tensor(&f, i);
		u = ggml_new_tensor(c, GGML_TYPE_F32, ggml_n_dims(t), t->ne);
		ggml_set_name(u, t->name);
		to_float(u->data, t);
		gguf_add_tensor(g, u);
	}
	if (!gguf_write_to_file(g, out, false))
		die("%s cannot be written", out);
	ggml_free(c);
	gguf_free(g);
	file_close(&f);
}

/* A matrix of a block: what the dial chooses formats for. */
static int is_linear(const struct ggml_tensor *t)
{
	return !strncmp(t->name, "blk.", 4) && ggml_n_dims(t) == 2;
}

static void must_equal(const struct ggml_tensor *t, const struct ggml_tensor *ref)
{
	size_t bytes;
	float *a, *b;

	if (!ref || !ggml_are_same_shape(t, ref))
		die("%s: not in the reference, or of another shape", t->name);
	bytes = (size_t)ggml_nelements(t) * sizeof *a;
	a = need(bytes);
	b = need(bytes);
	to_float(a, t);
	to_float(b, ref);
	if (memcmp(a, b, bytes))
		die("%s: differs from the reference, though it is no matrix of a block", t->name);
	free(a);
	free(b);
}

static void cmd_size(const char *ref, const char *in)
{
	struct file r = file_open(ref), f = file_open(in);
	size_t n[GGML_TYPE_COUNT] = { 0 }, bytes = 0;
	struct ggml_tensor *t;
	int64_t weights = 0;
	const char *sep = "";

	for (int64_t i = 0; i < gguf_get_n_tensors(f.meta); i++) {
		t = file_tensor(&f, i);
		if (!is_linear(t)) {
			must_equal(t, ggml_get_tensor(r.data, t->name));
			continue;
		}
		n[t->type]++;
		bytes += ggml_nbytes(t);
		weights += ggml_nelements(t);
	}
	if (!weights)
		die("%s: no matrices of blocks", in);
	printf("%.6f ", 8.0 * (double)bytes / (double)weights);
	for (int i = 0; i < GGML_TYPE_COUNT; i++)
		if (n[i]) {
			printf("%s%zu %s", sep, n[i], ggml_type_name((enum ggml_type)i));
			sep = ", ";
		}
	putchar('\n');
	file_close(&r);
	file_close(&f);
}

/* ---- ids */

static llama_token *ids_read(const char *path, size_t *n)
{
	FILE *f = fopen(path, "r");
	llama_token *id = NULL;
	size_t room = 0;
	long v = 0;
	int c, in = 0;

	if (!f)
		die("%s cannot be read", path);
	*n = 0;
	do {
		c = getc(f);
		if (isdigit(c)) {
			v = (in ? v * 10 : 0) + (c - '0');
			in = 1;
			if (v > 10000000)
				die("%s: %ld is no id", path, v);
		} else if (in) {
			if (*n == room) {
				room = room ? room * 2 : 4096;
				id = realloc(id, room * sizeof *id);
				if (!id)
					die("no memory for %zu ids", room);
			}
			id[(*n)++] = (llama_token)v;
			in = 0;
		}
	} while (c != EOF);
	fclose(f);
	return id;
}

static struct llama_model *model_open(const char *path, bool vocab_only)
{
	struct llama_model_params p = llama_model_default_params();
	struct llama_model *m;

	p.vocab_only = vocab_only;
	p.n_gpu_layers = 0;
	p.use_extra_bufts = false; /* its AMX path faults on some virtual machines */
	m = llama_model_load_from_file(path, p);
	if (!m)
		die("llama.cpp cannot load %s", path);
	return m;
}

static void cmd_text(const char *model, const char *ids)
{
	struct llama_model *m = model_open(model, true);
	size_t n, room;
	llama_token *id = ids_read(ids, &n);
	char *s;
	int32_t len;

	room = n * 32 + 64;
	s = need(room);
	len = llama_detokenize(
		llama_model_get_vocab(m), id, (int32_t)n, s, (int32_t)room, false, false);
	if (len < 0)
		die("%s: the text is longer than %zu bytes", ids, room);
	fwrite(s, 1, (size_t)len, stdout);
	free(s);
	free(id);
	llama_model_free(m);
}

/* ---- divergence */

struct side {
	struct llama_model *m;
	struct llama_context *c;
	double ref_nll, nll, kl, kl2; /* sums; of KL, of the windows' means */
	size_t windows, tokens, agree;
};

static void side_open(struct side *a, const char *path, size_t window)
{
	struct llama_context_params p = llama_context_default_params();
	const char *threads = getenv("JOBS");

	p.n_ctx = p.n_batch = p.n_ubatch = (uint32_t)window;
	p.n_threads = p.n_threads_batch = threads && atoi(threads) > 0 ? atoi(threads) : 2;
	p.type_k = p.type_v = GGML_TYPE_F32;
	p.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED; /* it keeps sums in half precision */
	p.no_perf = true;
	*a = (struct side){ .m = model_open(path, false) };
	a->c = llama_init_from_model(a->m, p);
	if (!a->c)
		die("%s: no context of %zu tokens", path, window);
}

static void side_close(struct side *a)
{
	llama_free(a->c);
	llama_model_free(a->m);
}

static void forward(struct side *a, llama_token *id, size_t window)
{
	struct llama_batch b = llama_batch_init((int32_t)window, 0, 1);

	b.n_tokens = (int32_t)window;
	for (int32_t i = 0; i < b.n_tokens; i++) {
		b.token[i] = id[i];
		b.pos[i] = i;
		b.n_seq_id[i] = 1;
		b.seq_id[i][0] = 0;
		b.logits[i] = 1;
	}
	llama_memory_clear(llama_get_memory(a->c), true);
	if (llama_decode(a->c, b))
		die("llama.cpp's forward pass failed");
	llama_batch_free(b);
}

static double log_sum_exp(const float *z, int n, int *top)
{
	double s = 0;

	*top = 0;
	for (int i = 1; i < n; i++)
		if (z[i] > z[*top])
			*top = i;
	for (int i = 0; i < n; i++)
		s += exp((double)z[i] - z[*top]);
	return z[*top] + log(s);
}

/* The reference's logits of a window are computed once for all models. */
static void compare(struct side *r, struct side *a, const llama_token *id, size_t window, int vocab)
{
	double kl = 0;

	for (size_t i = 0; i + 1 < window; i++) {
		const float *p = llama_get_logits_ith(r->c, (int32_t)i);
		const float *q = llama_get_logits_ith(a->c, (int32_t)i);
		int top_p, top_q;
		double lp = log_sum_exp(p, vocab, &top_p), lq = log_sum_exp(q, vocab, &top_q);

		a->ref_nll += lp - p[id[i + 1]];
		a->nll += lq - q[id[i + 1]];
		for (int k = 0; k < vocab; k++)
			kl += exp(p[k] - lp) * ((p[k] - lp) - (q[k] - lq));
		a->agree += top_p == top_q;
		a->tokens++;
	}
	kl /= (double)(window - 1);
	a->kl += kl;
	a->kl2 += kl * kl;
	a->windows++;
}

static void side_print(const struct side *a)
{
	double w = (double)a->windows, n = (double)a->tokens, mean = a->kl / w;
	double var = a->windows > 1 ? (a->kl2 - w * mean * mean) / (w - 1) : 0;

	printf("%zu %.9f %.9f %.9f %.9f %.6f\n", a->tokens, a->ref_nll / n, a->nll / n, mean,
		sqrt(fmax(var, 0) / w), (double)a->agree / n);
}

static void cmd_kl(const char *ref, const char *ids, size_t window, char **model, int n_model)
{
	struct side r, *a = need((size_t)n_model * sizeof *a);
	size_t n;
	llama_token *id = ids_read(ids, &n);
	int vocab, m;

	if (window < 2 || n < window)
		die("%s: %zu ids are less than a window of %zu", ids, n, window);
	side_open(&r, ref, window);
	for (m = 0; m < n_model; m++)
		side_open(&a[m], model[m], window);
	vocab = llama_vocab_n_tokens(llama_model_get_vocab(r.m));
	for (size_t i = 0; i < n; i++)
		if (id[i] >= vocab)
			die("%s: id %d is none of the %d of %s", ids, (int)id[i], vocab, ref);
	for (size_t at = 0; at + window <= n; at += window) {
		forward(&r, id + at, window);
		for (m = 0; m < n_model; m++) {
			forward(&a[m], id + at, window);
			compare(&r, &a[m], id + at, window, vocab);
		}
	}
	for (m = 0; m < n_model; m++) {
		side_print(&a[m]);
		side_close(&a[m]);
	}
	side_close(&r);
	free(a);
	free(id);
}

int main(int argc, char **argv)
{
	llama_log_set(hush, NULL);
	if (argc == 4 && !strcmp(argv[1], "f32"))
		cmd_f32(argv[2], argv[3]);
	else if (argc == 4 && !strcmp(argv[1], "size"))
		cmd_size(argv[2], argv[3]);
	else if (argc == 4 && !strcmp(argv[1], "text"))
		cmd_text(argv[2], argv[3]);
	else if (argc >= 6 && !strcmp(argv[1], "kl"))
		cmd_kl(argv[2], argv[3], (size_t)strtoul(argv[4], NULL, 10), argv + 5, argc - 5);
	else
		die("f32 IN OUT | size REF IN | text MODEL IDS | kl REF IDS WINDOW MODEL...");
	return 0;
}
