/* verbs_batch.c - a script without a screen. */
#include <string.h>

#include "app/tui/loop.h"
#include "app/verbs.h"
#include "core/base/log.h"
#include "core/work/run.h"

int verb_batch(const struct args *a)
{
	struct tui_options o = { .script = a->script,
		.argc = a->script_argc,
		.argv = a->script_argv,
		.json = a->json,
		.read_only = true }; /* of the screen's state and history */
	struct session_options so = { .formats = a->formats,
		.mix = a->mix && !strcmp(a->mix, "channel"),
		.scan_tokens = (size_t)a->tokens,
		.template = a->template,
		.read_only = a->read_only,
		.threads = (int)a->threads };
	struct session *s;
	struct err e;
	struct bus *b;
	int rc;

	if (!o.script) {
		verb_note("bitdial: --batch wants a script: bitdial --batch FILE.lua [ARGS]");
		return 2;
	}
	if (run_origin_script(o.script, &e)) {
		/* it cannot be read: running it says so */
	}
	verb_fault_signals();
	tui_block_signals();
	verb_log(a);
	b = bus_new();
	s = session_new(&so, b);
	o.sub = tui_subscribe(b);
	rc = tui_run(s, b, &o);
	session_free(s);
	bus_free(b);
	log_close();
	return rc;
}
