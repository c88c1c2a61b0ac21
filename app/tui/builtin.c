/* builtin - the arrangements that are always there. */
#include "app/tui/tui.h"

/* Equal to layouts/: the program works with no share folder.  A test compares them. */
const char *const screen_builtin_name[] = { "search", "console", "chat", "runs", "jobs", NULL };
/* clang-format off */
const char *const screen_builtin[] = {
	"-- The Search screen.  Rows from the top: h is the height in lines, \"*\" takes what is left;\n"
	"-- \"panel:weight\" is a share of the width, the rest share what is left.  When lines run\n"
	"-- out, the row with the lowest drop leaves first.\n"
	"return {\n"
	"  name = \"search\", key = \"1\",\n"
	"  { h = 14, \"heatmap:0.68\", \"cell\" },\n"
	"  { h = 4,  \"slider\" },\n"
	"  { h = \"*\", \"front:0.68\", \"search\", drop = 2 },\n"
	"  { h = 3,  \"jobs\", drop = 1 },\n"
	"  narrow = {                                     -- used below 100 columns\n"
	"    { h = 12, \"heatmap:0.57\", \"cell\" },\n"
	"    { h = 4,  \"slider\" },\n"
	"    { h = \"*\", \"front\", drop = 1 },\n"
	"  },\n"
	"}\n",
	"-- The Search screen with the Lua console beside the panels it drives: [ and ] step to it.\n"
	"return {\n"
	"  name = \"console\", key = \"1\",\n"
	"  { h = 14, \"heatmap:0.68\", \"cell\" },\n"
	"  { h = 4,  \"slider\", drop = 2 },\n"
	"  { h = \"*\", \"console:0.62\", \"front\" },\n"
	"  { h = 3,  \"jobs\", drop = 1 },\n"
	"  narrow = {                                     -- used below 100 columns\n"
	"    { h = 9, \"heatmap:0.57\", \"cell\", drop = 2 },\n"
	"    { h = 3, \"slider\", drop = 1 },\n"
	"    { h = \"*\", \"console\" },\n"
	"  },\n"
	"}\n",
	"-- The Chat screen: the transcript with its input line, and the dial that answers it.\n"
	"return {\n"
	"  name = \"chat\", key = \"3\",\n"
	"  { h = \"*\", \"chat\" },\n"
	"  { h = 4,  \"slider\", drop = 2 },\n"
	"  { h = 3,  \"jobs\", drop = 1 },\n"
	"  narrow = {\n"
	"    { h = \"*\", \"chat\" },\n"
	"    { h = 4,  \"slider\", drop = 1 },\n"
	"  },\n"
	"}\n",
	"-- The Runs screen: the run folders there are, and below them the one under the cursor.\n"
	"return {\n"
	"  name = \"runs\", key = \"4\",\n"
	"  { h = \"*\", \"runs\" },\n"
	"  { h = 3,  \"jobs\", drop = 1 },\n"
	"  narrow = {\n"
	"    { h = \"*\", \"runs\" },\n"
	"  },\n"
	"}\n",
	"-- The Jobs screen: what it is doing, on what, and what went wrong.\n"
	"return {\n"
	"  name = \"jobs\", key = \"5\",\n"
	"  { h = 14, \"jobs:0.66\", \"device\" },\n"
	"  { h = \"*\", \"log\" },\n"
	"  narrow = {\n"
	"    { h = 8, \"jobs\" },\n"
	"    { h = 4, \"device\", drop = 1 },\n"
	"    { h = \"*\", \"log\", drop = 2 },\n"
	"  },\n"
	"}\n",
	NULL,
};
