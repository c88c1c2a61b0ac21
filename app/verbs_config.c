/* verbs_config.c - init.lua and the command line, for the verbs that open the workbench. */
#include <stdio.h>
#include <string.h>

#include "app/panel/panel.h"
#include "app/tui/config.h"
#include "app/verbs.h"

void verb_config_notes(const struct config *c)
{
	for (size_t i = 0; i < c->n_notices; i++)
		verb_note("bitdial: %s", c->notice[i]);
}

void verb_config(struct config *c, const struct args *a, struct session_options *o)
{
	char tokens[24] = "";

	config_init(c);
	if (!a->no_config)
		config_load(c, NULL, panel_table);
	snprintf(tokens, sizeof tokens, "%llu", (unsigned long long)a->tokens);
	config_override(c, OPT_FORMATS, a->formats);
	config_override(c, OPT_MIX, a->mix);
	config_override(c, OPT_SCAN_TOKENS, a->tokens ? tokens : NULL);
	o->formats = a->formats ? a->formats : config_value(c, OPT_FORMATS);
	o->mix = config_value(c, OPT_MIX) && !strcmp(config_value(c, OPT_MIX), "channel");
	o->scan_tokens =
		config_value(c, OPT_SCAN_TOKENS) ? (size_t)opt_num(&c->opt, OPT_SCAN_TOKENS) : 0;
}
