/* verbs_batch.c - a script without a screen. */
#include <string.h>

#include "app/tui/config.h"
#include "app/lua/sandbox.h"
#include "app/tui/loop.h"
#include "app/verbs.h"
#include "core/base/log.h"
#include "core/work/run.h"

int verb_sandbox(
	const struct args *a, struct sandbox_options *o, const struct sandbox_options **out)
{
	enum { MOST_MIB = 1 << 20, MOST_SECONDS = 86400 };

	*out = NULL;
	*o = (struct sandbox_options){ .seconds = a->sandbox_seconds,
		.memory = (size_t)a->sandbox_mib << 20,
		.weak = a->sandbox_weak };
	if (!a->sandbox && (a->sandbox_seconds > 0 || a->sandbox_mib || a->sandbox_weak)) {
		verb_note("bitdial: --sandbox-seconds, -memory and -weak go with --sandbox");
		return 2;
	}
	if (a->sandbox_seconds > MOST_SECONDS || a->sandbox_mib > MOST_MIB) {
		verb_note("bitdial: --sandbox: at most %d s and %d MiB", MOST_SECONDS, MOST_MIB);
		return 2;
	}
	if (a->sandbox)
		*out = o;
	return 0;
}

int verb_batch(const struct args *a)
{
	struct tui_options o = { .script = a->script,
		.argc = a->script_argc,
		.argv = a->script_argv,
		.json = a->json || a->events,
		.demo = { verb_demo_model, a->read_only, a->demo },
		.anew = a->fresh,
		.read_only = true }; /* of the screen's state and history */
	struct session_options so = { .formats = a->formats,
		.mix = a->mix && !strcmp(a->mix, "channel"),
		.scan_tokens = (size_t)a->tokens,
		.template = a->template,
		.read_only = a->read_only,
		.anew = a->fresh,
		.no_offers = true,
		.device = a->device,
		.threads = (int)a->threads };
	struct sampler_options sampler = sampler_default;
	struct config config;
	struct sandbox_options sandbox;
	struct session *s;
	struct err e = { 0 };
	struct bus *b;
	int rc;

	if (verb_sandbox(a, &sandbox, &o.sandbox))
		return 2;
	if (!o.script) {
		verb_note("bitdial: --batch wants a script: bitdial --batch FILE.lua [ARGS]");
		return 2;
	}
	if (a->device && verb_device(a, &e))
		return verb_fail(&e);
	if (run_origin_script(o.script, &e)) {
		/* it cannot be read: running it says so */
	}
	verb_fault_signals();
	tui_block_signals();
	verb_log(a);
	verb_config(&config, a, &so);
	o.config = &config;
	b = bus_new();
	s = session_new(&so, b);
	config_session(&config, s);
	config_sampler(&config, &sampler);
	session_chat_sampler(s, &sampler);
	o.sampler = &sampler;
	verb_config_notes(&config); /* no screen shows them */
	o.sub = tui_subscribe(b);
	rc = tui_run(s, b, &o);
	session_free(s);
	bus_free(b);
	config_release(&config);
	log_close();
	return rc;
}
