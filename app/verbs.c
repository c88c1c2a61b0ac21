/* verbs.c - the table of verbs. */
#include "app/verbs.h"

#define COMMON " threads device template read-only runs log-level demo"

const struct verb verb_table[] = {
	{ "open", "[MODEL]", "the workbench: heatmap, dial, chat",
		"text formats mix tokens layout once size plain tour show-cursor headless keys dump color ascii no-mouse "
		"no-sync arrange screen stats json seed temp sandbox sandbox-seconds sandbox-memory "
		"sandbox-weak no-config default-config" COMMON, 1, verb_open, false },
	{ "scan", "MODEL", "measure the damage of every linear in every format",
		"text tokens formats mix quantizer dry-run anyway json events fresh" COMMON, 1, verb_scan, true },
	{ "search", "MODEL --bpw X", "the best layout at a budget",
		"bpw formats mix text tokens guard refine o dry-run anyway json events fresh" COMMON, 1, verb_search, true },
	{ "eval", "MODEL --text FILE", "perplexity, and with a layout its KL from the reference; "
		"--task FILE: questions",
		"text task layout limit window quantizer formats mix tokens json events" COMMON, 1, verb_eval, true },
	{ "tokens", "MODEL --text FILE", "the ids of a text", "text limit json" COMMON, 1, verb_tokens, false },
	{ "logits", "MODEL --prompt S", "the largest next-token logits after a raw text",
		"prompt top layout quantizer formats json" COMMON, 1, verb_logits, false },
	{ "chat", "MODEL --prompt S", "one answer, with the chat template",
		"prompt system layout quantizer formats seed temp max-tokens head kv precision stats json" COMMON,
		1, verb_chat, false },
	{ "layout", "show L", "what a layout file says; cut RUN --layout L -o DIR: a model out of a run with --dial",
		"json layout o" COMMON, 2, verb_layout, false },
	{ "export", "MODEL --layout L -o DIR", "write the quantized model as a folder",
		"layout quantizer formats o dry-run json events" COMMON, 1, verb_export, true },
	{ "train", "MODEL --layout L --data FILE", "fine-tune the packed weights of a layout, or adapters, on rows of a file",
		"data layout dial method steps window windows lr lr-s lr-gain budget rank held held-every save-every patience seed all teach teacher samples recompute f32 across lean test "
		"resume rows quantizer formats dry-run json events" COMMON, 1, verb_train, true },
	{ "calibrate", "MODEL", "teach every format of the dial by the model itself, for the budgets below 4 bits",
		"dial layout text data teacher samples method steps window windows lr lr-s lr-gain held held-every save-every patience seed recompute f32 "
		"resume rows formats dry-run json events" COMMON, 1, verb_calibrate, true },
	{ "teach", "MODEL --data FILE -o DIR", "keep what the model says of a data file, for calibrate --teacher",
		"data text window held samples rows top o dry-run json" COMMON, 1, verb_teach, false },
	{ "runs", "[FILTER...]", "what was done: kind:search bpw<4 tag:good since:2d; also show, diff, tag, "
		"note, trash, restore RUN",
		"sort json runs", 8, verb_runs, false },
	{ "watch", "RUN", "follow a run, also of another process, until it ends", "runs", 1, verb_watch, false },
	{ "rerun", "RUN", "what made a run, once more; says what is different now", "anyway device runs", 1,
		verb_rerun, false },
	{ "batch", "FILE.lua [ARGS]", "run a Lua script without a screen; also --batch FILE.lua",
		"fresh formats mix tokens template json events demo read-only runs log-level threads device sandbox sandbox-seconds "
		"sandbox-memory sandbox-weak no-config", 0, verb_batch, true },
	{ "doctor", "", "what was found: machine, kernels, paths, cache",
		"json colors clear-cache threads", 0, verb_doctor, false },
	{ "help", "[VERB]", "this list, or the options of a verb; help lua [MODULE]: what scripts can do",
		"roff options", 2, verb_help, false },
	{ 0 },
};
