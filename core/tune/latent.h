/* latent.h - a float master and the grids it is rounded to.
 *
 * W = s round((w - o) / s), held within the codes, is what runs; the gradient G of W goes straight
 * through the rounding to the master w where it is within the grid, and is 0 beyond its ends
 * (Bengio, Leonard and Courville 2013).  That of the scale is G (q - (w - o) / s) within, G (q - Q / 2)
 * beyond, that of the centre o + s Q / 2 is G beyond (Esser et al., Learned Step Size Quantization, 2020).
 * One master has a grid for each format: struct tuned of `stats` (optim.h), whose codes are made
 * anew from the master.  Engine thread; uses the pool inside.
 */
#ifndef BD_TUNE_LATENT_H
#define BD_TUNE_LATENT_H

#include "core/tune/optim.h"

/* Weights of the master [rows][cols] whose code in the grid is not the nearest one go to that code:
 * it was chosen for others' sake (gptq), and what runs at first is what was stored. */
void latent_start(struct tuned *grid, float *master);
/* Codes of the master [rows][cols], nearest by the grid's scales and offsets; counts what changed
 * (those that ever changed: latent_step tells them).  scratch: of optim_plan(stats). */
void latent_round(struct tuned *grid, const float *master, const struct tune_options *o,
	void *scratch, struct tune_counts *c);
/* A step of scales and offsets; grad, that of W under the codes that ran, becomes that of the
 * master.  False: it was no number, and nothing was touched. */
bool latent_step(struct tuned *grid, const float *master, float *grad, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c);

#endif
