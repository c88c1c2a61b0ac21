/* kv.c - keys and values of one sequence. */
#include "core/model/forward.h"

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"

static enum st no_room(size_t cap, size_t bytes, struct err *e)
{
	char need[16], have[16];

	return err_set(e, ST_NOMEM,
		"KV cache of %s for %zu tokens: %s available; use a shorter context",
		text_bytes(bytes, need), cap, text_bytes(mem_available(), have));
}

enum st kv_new(struct kv **out, const struct model *m, size_t cap, struct err *e)
{
	size_t bytes;
	struct kv *kv;

	if (!cap || !size_mul(&bytes, m->hp.layers * sizeof(float), cap) ||
		!size_mul(&bytes, bytes, m->hp.kv_heads * m->hp.head_dim) ||
		!size_mul(&bytes, bytes, 2))
		return err_set(e, ST_INVALID, "a KV cache of %zu tokens cannot be made", cap);
	if (m->be->host_memory && bytes > mem_available())
		return no_room(cap, bytes, e);
	kv = xalloc(sizeof *kv);
	kv->m = m;
	kv->cap = cap;
	kv->k = m->be->alloc(bytes / 2);
	kv->v = m->be->alloc(bytes / 2);
	if (!kv->k || !kv->v) {
		kv_free(kv);
		return no_room(cap, bytes, e);
	}
	*out = kv;
	return ST_OK;
}

void kv_free(struct kv *kv)
{
	if (!kv)
		return;
	if (kv->k)
		kv->m->be->free(kv->k);
	if (kv->v)
		kv->m->be->free(kv->v);
	xfree(kv);
}
