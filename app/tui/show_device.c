/* show_device - what computes here, as lines: the Device panel in words. */
#include <math.h>
#include <stdio.h>

#include "app/tui/devices.h"
#include "app/tui/show.h"
#include "app/tui/tui.h"
#include "core/base/text.h"

static void say_device(struct tui *t, const struct snap_device *d, const struct device_now *o)
{
	bool cpu = o->cores > 0;
	uint64_t ours = cpu ? d->resident : o->ours;
	char use[64] = "", memory[64] = "", own[48] = "", a[16], b[16];

	if (isfinite(o->load))
		snprintf(use, sizeof use, "; %.0f percent %s", 100 * o->load,
			cpu ? "of its cores at work" : "busy");
	if (o->asleep)
		snprintf(memory, sizeof memory, "; memory %s; not in use by bitdial",
			text_bytes(o->total, b));
	else if (o->total)
		snprintf(memory, sizeof memory, "; memory %s of %s used", text_bytes(o->used, a),
			text_bytes(o->total, b));
	if (ours)
		snprintf(own, sizeof own, "%s %s of it by bitdial", o->total ? "," : ";",
			text_bytes(ours, a));
	list_add(t, o->here ? ROLE_STRONG : ROLE_TEXT, "device %s: %s, %s%s%s%s%s", o->id, o->name,
		o->kernels, o->here && t->model ? "; the model is here" : "", use, memory, own);
}

enum st show_device(struct tui *t, const char *arg, struct err *e)
{
	struct snap_device *d = device_sample(&t->sampler_of);
	char why[DEVICES_LIST];

	(void)arg, (void)e;
	for (size_t i = 0; i < d->n; i++)
		say_device(t, d, &d->at[i]);
	if (d->n == 1 && t->model && !t->o->no_devices && *devices_none(why))
		list_add(t, ROLE_TEXT, "no other device: %s", why);
	else if (d->n > 1)
		list_add(t, ROLE_TEXT, "the command device NAME moves the model");
	snap_unref(&d->snap);
	return ST_OK;
}
