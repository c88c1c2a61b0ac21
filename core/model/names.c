/* names.c - what the linears of a model are called. */
#include "core/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const linear_kind_name[LINEAR_KINDS] = { "q", "k", "v", "o", "gate", "up", "down" };

enum moment_site linear_site(enum linear_kind k)
{
	static const enum moment_site site[LINEAR_KINDS] = {
		[LINEAR_Q] = SITE_ATTN,
		[LINEAR_K] = SITE_ATTN,
		[LINEAR_V] = SITE_ATTN,
		[LINEAR_O] = SITE_O,
		[LINEAR_GATE] = SITE_MLP,
		[LINEAR_UP] = SITE_MLP,
		[LINEAR_DOWN] = SITE_DOWN,
	};

	return site[k];
}

const char *linear_name(size_t index, char out[32])
{
	snprintf(out, 32, "layers.%zu.%s", index / LINEAR_KINDS,
		linear_kind_name[index % LINEAR_KINDS]);
	return out;
}

long linear_index(const char *name, size_t n_linears)
{
	static const char prefix[] = "layers.";
	const char *p = name + strlen(prefix);
	unsigned long layer = 0;
	int k;

	if (strncmp(name, prefix, strlen(prefix)) != 0 || *p < '0' || *p > '9')
		return -1;
	if (p[0] == '0' && p[1] != '.') /* one spelling a linear */
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		layer = layer * 10 + (unsigned long)(*p - '0');
		if (layer >= n_linears)
			return -1;
	}
	if (*p++ != '.')
		return -1;
	for (k = 0; k < LINEAR_KINDS; k++)
		if (!strcmp(p, linear_kind_name[k]))
			break;
	if (k == LINEAR_KINDS || layer * LINEAR_KINDS + (unsigned long)k >= n_linears)
		return -1;
	return (long)(layer * LINEAR_KINDS + (unsigned long)k);
}
