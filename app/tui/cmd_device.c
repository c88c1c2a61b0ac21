/* cmd_device - the command `device`: where the model is, and where it is to go. */
#include <stdio.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/devices.h"
#include "app/tui/tui.h"
#include "kernels/backend.h"

void devices_each(void (*found)(void *arg, const char *name, const char *what), void *arg)
{
	const struct backend *const *b;

	(void)backend_devices(); /* looks, once */
	found(arg, "cpu", "the processor");
	for (b = backends(); *b; b++) {
		struct backend_device now = { 0 };

		if ((*b)->host_memory || !(*b)->score())
			continue;
		if ((*b)->info)
			(*b)->info(&now);
		found(arg, (*b)->name, now.name);
	}
}

struct list_of {
	char *text; /* [DEVICES_LIST] */
	const char *name;
	bool known; /* name is one of them */
	size_t n;
};

static void add_name(void *arg, const char *name, const char *what)
{
	struct list_of *l = arg;
	size_t at = strlen(l->text);
	bool says = l->n > 0 && *what; /* what the first is goes without saying */

	snprintf(l->text + at, DEVICES_LIST - at, "%s%s%s%s%s", l->n ? ", " : "", name,
		says ? " (" : "", says ? what : "", says ? ")" : "");
	l->n++;
	l->known |= l->name && !strcmp(name, l->name);
}

const char *devices_none(char out[DEVICES_LIST])
{
	snprintf(out, DEVICES_LIST, "%s", backend_devices());
	for (const struct backend *const *b = backends(); *b; b++) {
		if ((*b)->host_memory)
			continue;
		if (!(*b)->lost || !(*b)->lost()) {
			*out = 0;
			break;
		}
		snprintf(out, DEVICES_LIST, "%s is lost to this process", (*b)->name);
	}
	return out;
}

static bool list_all(char out[DEVICES_LIST], const char *name)
{
	struct list_of l = { .text = out, .name = name };
	char why[DEVICES_LIST];
	size_t at;

	*out = 0;
	devices_each(add_name, &l);
	at = strlen(out);
	if (l.n == 1 && *devices_none(why))
		snprintf(out + at, DEVICES_LIST - at, ", and no other: %s", why);
	return l.known;
}

const char *devices_list(char out[DEVICES_LIST])
{
	(void)list_all(out, NULL);
	return out;
}

enum st devices_check(const char *name, struct err *e)
{
	char all[DEVICES_LIST], why[DEVICES_LIST];

	if (!strcmp(name, "cpu") || !strcmp(name, "auto") || list_all(all, name))
		return ST_OK;
	/* Who names a right one wants to know why it is not there; a line is soon full. */
	if (!strncmp(name, "cuda:", 5) && *devices_none(why))
		return err_set(e, ST_INVALID, "no device \"%s\": %s", name, why);
	return err_set(e, ST_INVALID, "no device \"%s\"; there is %s", name, all);
}

static void say_where(struct tui *t)
{
	char all[DEVICES_LIST];

	tui_notice(t, LOG_INFO, "%s %s; there is %s",
		t->model ? "the model is on" : "models are opened on", session_device_now(t->s),
		devices_list(all));
}

enum st cmd_device(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st;

	(void)rest;
	if (argc < 2) {
		say_where(t);
		return ST_OK;
	}
	if (argc > 2)
		return err_set(e, ST_INVALID, "device: expected one name, got \"%s\" too", argv[2]);
	st = devices_check(argv[1], e);
	if (!st && t->model && !strcmp(argv[1], session_device_now(t->s))) {
		tui_notice(t, LOG_INFO, "the model is on %s already", argv[1]);
		return ST_OK;
	}
	return st ? st : session_device(t->s, argv[1], e);
}
