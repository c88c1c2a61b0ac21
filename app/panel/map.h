/* map.h - what the heatmap and the cell panel both know of cells: how bad, which rank,
 * which of them a filter keeps.
 *
 * Pure functions over snapshots; UI thread.
 */
#ifndef BD_APP_PANEL_MAP_H
#define BD_APP_PANEL_MAP_H

#include <stdbool.h>

#include "core/work/snap.h"

enum { MAP_KINDS = 7, MAP_FILTER = 64 };
extern const char *const map_kind[MAP_KINDS]; /* "q" ... "down" */

/* Snapshots of one model; map and answer may be NULL. */
struct map_of {
	const struct snap_model *model;
	const struct snap_map *map;
	const struct snap_answer *answer;
};

struct map_scale {
	size_t format; /* the probe: the smallest format */
	bool nats;     /* false: first scores */
	double lo, hi; /* what levels 0 and 7 begin at */
};

bool map_known(const struct map_cell *c);   /* its value says something */
bool map_in_nats(const struct map_cell *c); /* not a first score */

/* Only scored, on a map in nats: its level is what the score suggests. */
bool map_is_estimate(const struct map_scale *s, const struct map_cell *c);
/* That, or measured on a variant of before: drawn dim. */
bool map_is_guess(const struct map_scale *s, const struct map_cell *c);

/* The scale over all cells of the probe format. */
struct map_scale map_scale_of(const struct snap_model *m, const struct snap_map *map);
/* 0 ... 7, -1: not known, or not on this scale. */
int map_cell_level(const struct map_scale *s, const struct map_cell *c);
int map_level(const struct map_scale *s, const struct snap_map *map, size_t linear);
/* Where level l begins. */
double map_threshold(const struct map_scale *s, int l);
/* 1: the most damage a byte at the probe format; 0: not known. */
size_t map_rank(
	const struct snap_model *m, const struct snap_map *map, size_t probe, size_t linear);

bool map_is_calibrated(const char *quantizer);     /* it looked at data; the others did not */
bool map_is_trained(const char *quantizer);        /* a run of the dial made it (desk_dial.c) */
const char *map_name(size_t linear, char out[32]); /* "layers.3.v" */

/* The character of the model's k-th format on the map, and what these mean, in w columns. */
char map_letter(const struct snap_model *m, size_t k);
const char *map_signs(const struct snap_model *m, int w, char *out, size_t cap);

/* From the mark A to the layout now. */
struct map_change {
	size_t up, down; /* linears with more bits, with fewer */
	double kl;       /* now less there; NAN: not known */
	bool measured;   /* kl: both are; else both are predicted */
	int64_t bytes;
};
/* false: there is no mark. */
bool map_change_of(const struct snap_answer *a, struct map_change *c);
/* 1, -1: this linear has more bits than at the mark, fewer; 0: the same, or no mark. */
int map_direction(const struct snap_answer *a, size_t linear);

/* The map of one of several texts alone, from 1, as *out with the cells of m; m itself for 0, and
 * where there is no such text. */
const struct snap_map *map_on(const struct snap_map *m, size_t source, struct snap_map *out);
/* A text by number from 1 or name; "all": 0; none: -1. */
int map_source_named(const struct snap_map *m, const char *name);

/* A filter is words.  Names of kinds keep these rows; of the others all must hold: a glob
 * over names, bits=2, bits=k, kl>0.01, kl<0.01, pinned. */
size_t map_kinds(const char *filter, size_t out[MAP_KINDS]); /* the rows it keeps */
bool map_matches(const char *filter, const struct map_of *of, size_t linear);

#endif
