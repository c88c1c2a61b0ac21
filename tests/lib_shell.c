/* lib_shell.c - see lib_shell.h. */
#include "tests/lib_shell.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "tests/lib_base.h"

const char *shell_program_dir(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);

	cr_assert_gt(n, 0);
	path[n] = 0;
	*strrchr(path, '/') = 0;
	*strrchr(path, '/') = 0;
	return path;
}

static bool has(const char *name)
{
	char cmd[64];

	snprintf(cmd, sizeof cmd, "command -v %s >/dev/null 2>&1", name);
	return !system(cmd);
}

void shell_need(const char *shell)
{
	if (!has(shell))
		cr_skip_test("%s is not installed", shell);
}

char *shell_says(const char *shell, const char *script)
{
	char *path = xprintf("%s/script", tmp_dir()), *cmd, *out = xalloc(1 << 18);
	size_t n;
	FILE *p;

	tmp_write(path, script, strlen(script));
	cmd = xprintf("PATH='%s':\"$PATH\" BD_RUNS='%s/runs' XDG_DATA_HOME='%s/data' ROOT=\"$PWD\" "
		      "%s '%s' 2>&1",
		shell_program_dir(), tmp_dir(), tmp_dir(), shell, path);
	p = popen(cmd, "r");
	cr_assert(p);
	n = fread(out, 1, (1 << 18) - 1, p);
	out[n] = 0;
	cr_assert_eq(pclose(p), 0, "%s: %s", script, out);
	xfree(cmd);
	xfree(path);
	return out;
}
