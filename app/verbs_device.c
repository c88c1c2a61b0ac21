/* verbs_device.c - the device of a verb: which it is, and what begins again where it fails.
 *
 * A device that is lost is lost until its process ends, and one that is full may not be needed.  So
 * main.c begins once more in another process, which an environment variable tells where. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/verbs.h"
#include "core/work/device.h"
#include "kernels/backend.h"

static const char again_mark[] = "BITDIAL_AGAIN";
static char on_device[64];  /* what the model of verb_desk was to be on; "": there is none */
static enum st failed_with; /* what verb_fail said */
static bool told;           /* some of the result is on stdout */

void verb_told(void)
{
	told = true;
}

void verb_failed(enum st st)
{
	failed_with = st;
}

bool verb_is_again(void)
{
	return getenv(again_mark) != NULL;
}

const char *verb_again(void)
{
	bool failed = failed_with == ST_NOMEM || failed_with == ST_DEVICE;
	bool lost = device_lost() != NULL;

	if (!*on_device || told || !failed || verb_is_again())
		return NULL;
	if (!strcmp(on_device, "auto"))
		return lost || !backend_now()->host_memory ? "cpu" : NULL;
	return lost ? on_device : NULL;
}

bool verb_again_mark(void)
{
	const char *on = verb_again();

	if (!on || setenv(again_mark, on, 1))
		return false;
	verb_leave();
	return true;
}

static const char *asked(const struct args *a)
{
	const char *again = getenv(again_mark);

	if (a->device && strcmp(a->device, "auto") != 0)
		return a->device;
	return again && !strcmp(again, "cpu") ? "cpu" : "auto";
}

enum st verb_device(const struct args *a, struct err *e)
{
	const char *name = asked(a);
	struct err why = { 0 };

	if (!backend_use(name, &why))
		return ST_OK;
	/* Elsewhere it may be there: no wrong usage. */
	return err_set(e, why.st == ST_INVALID ? ST_UNSUPPORTED : why.st, "--device %s: %s", name,
		why.msg);
}

enum st verb_choose_device(const struct args *a, struct err *e)
{
	enum st st = verb_device(a, e);

	if (st)
		return st;
	snprintf(on_device, sizeof on_device, "%s", asked(a));
	if (!strcmp(on_device, "auto") && *backend_passed_over())
		verb_note("warning: %s; going on with %s", backend_passed_over(),
			backend_now()->name);
	return ST_OK;
}
