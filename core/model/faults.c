/* faults.c - what went wrong on a model's backend, and whether it did since; see model.h. */
#include "core/model/fwd.h"
#include "core/model/model.h"

enum st model_fault(const struct model *m, struct err *e)
{
	struct err own;
	enum st st = backend_fault(m->be, &own);

	if (st) {
		m->faults->n++;
		m->faults->last = own;
		(void)err_set(e, st, "%s", own.msg);
	}
	return st;
}

unsigned model_failures(const struct model *m)
{
	(void)!model_fault(m, NULL); /* of what was stopped, and nobody waited for */
	return m->faults->n;
}

enum st model_failed_since(const struct model *m, unsigned failures, struct err *e)
{
	enum st st = model_fault(m, e);

	if (!st && failures != m->faults->n)
		st = err_set(e, ST_DEVICE, "%s", m->faults->last.msg);
	return st;
}
