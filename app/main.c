/* main.c - bitdial: where the bits of a language model belong. */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/events.h"
#include "app/lua/sandbox.h"
#include "app/tui/loop.h"
#include "app/verbs.h"
#include "core/base/log.h"
#include "core/work/run.h"

/* A closed one of the three would be the next file that is opened: output would end up in
 * the log or in the journal of cells.  Read-only, so that writing still fails. */
static void hold_standard_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0)
			return;
}

/* OpenBLAS asks for 128 MiB at its start and, refused, asks for ever; it does with 195 MiB, and
 * not with 214.  Below about 90 the loader cannot even map it, and says so by itself. */
static bool has_address_space(void)
{
	enum { LEAST_MIB = 256 };
	struct rlimit r;

	if (getrlimit(RLIMIT_AS, &r) || r.rlim_cur >= (rlim_t)LEAST_MIB << 20)
		return true;
	fprintf(stderr, "bitdial: ulimit -v leaves %llu MiB of address space; %d are the least\n",
		(unsigned long long)(r.rlim_cur >> 20), LEAST_MIB);
	return false;
}

/* --help and --version anywhere before a "--" win over everything else. */
static int asked_about(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--version")) {
			printf("bitdial %s\n", BD_VERSION);
			return 1;
		}
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			args_help(args_is_verb(argv[1]) ? argv[1] : NULL, true);
			return 1;
		}
	}
	return 0;
}

/* With --events the verb is a job, between the lines that say so. */
static int run(const struct verb *v, struct args *a)
{
	struct json_out o;
	int rc;

	if (!a->events)
		return v->run(a);
	a->json = true; /* its result is a line, too */
	events_start();
	event_begin(&o, verb_is_again() ? "job.again" : "job.began");
	json_put_str(&o, "kind", v->name);
	event_end(&o);
	rc = v->run(a);
	if (rc == 1 && verb_again())
		return rc; /* it has not ended */
	event_begin(&o, "job.ended");
	json_put_str(&o, "status", rc ? rc > 128 ? "cancelled" : "failed" : "ok");
	json_put_i64(&o, "exit", rc);
	event_end(&o);
	return rc;
}

/* A device that is lost is lost to this process only, and one that is full may not be needed, so
 * what failed there begins again in another: once, and a scan goes on from its journal.  rc where
 * that is not so. */
static int begin_again(int rc, char **argv)
{
	const char *on = rc == 1 ? verb_again() : NULL;

	if (!on || !verb_again_mark())
		return rc;
	verb_take_back();
	fprintf(stderr, "bitdial: beginning again, with %s\n",
		strcmp(on, "cpu") ? "another process" : "the processor");
	fflush(NULL);
	execv("/proc/self/exe", argv);
	return rc;
}

int main(int argc, char **argv)
{
	struct args a;
	int rc;

	if (argc == 2 && !strcmp(argv[1], SANDBOX_CHILD))
		return sandbox_child(); /* no one's command: this program starts itself so */
	hold_standard_files();
	setlocale(LC_CTYPE, ""); /* never LC_NUMERIC: numbers in files have a point */
	if (asked_about(argc, argv))
		return verb_flush(0);
	rc = args_parse(&a, argc, argv);
	if (rc)
		return rc;
	if (!has_address_space())
		_exit(1); /* its threads cannot be ended, either */
	if (a.log_level && !log_levels(a.log_level)) {
		fprintf(stderr, "bitdial: --log-level: expected debug or info,bus=trace\n");
		return 2;
	}
	if (a.runs)
		runs_dir_set(a.runs);
	run_origin_set(argc, argv);
	for (const struct verb *v = verb_table; v->name; v++)
		if (!strcmp(v->name, a.verb))
			return verb_flush(begin_again(run(v, &a), argv));
	return 2;
}
