/* devices.h - which devices there are, by name, for who types or lists them.
 *
 * The first call looks for them (backend_devices: a second at most, where there is a driver); a
 * model that was opened without --device cpu has looked already.
 */
#ifndef BD_APP_TUI_DEVICES_H
#define BD_APP_TUI_DEVICES_H

#include <stddef.h>

#include "core/base/err.h"

/* Each that can be used, the processor first: its name, and what it is ("NVIDIA H200"). */
void devices_each(void (*found)(void *arg, const char *name, const char *what), void *arg);
/* "cpu, cuda:0 (NVIDIA H200)", or "cpu, and no other: " and why. */
enum { DEVICES_LIST = 400 };
const char *devices_list(char out[DEVICES_LIST]);
/* Why there is none but the processor: never was, or is lost; "": there is one. */
const char *devices_none(char out[DEVICES_LIST]);
/* ST_INVALID, and what there is, where `name` is none of these, nor "auto". */
BD_MUST_USE enum st devices_check(const char *name, struct err *e);

#endif
