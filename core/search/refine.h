/* refine.h - a layout made better by moves that are measured, at no more bytes.
 *
 * The front chooses by what each linear does alone in the reference; about a layout other
 * moves are worth it.  A round measures moves of one linear to
 * the next format up or down, in the layout as it stands (those that the front's damages
 * find most worth a byte up, and least a byte down), takes the mean of that and of what the
 * front expects of the move (which alone chose the layout, and is less noisy), solves for the
 * best
 * exchange under those differences, whole and with fewer and fewer moves, measures these
 * candidates on other text, and stands on the best one that is lower beyond a standard
 * error of the paired difference.  It ends when none is.
 *
 * Engine thread; polls the sink.  A stop leaves choice as the last finished round made it.
 */
#ifndef BD_SEARCH_REFINE_H
#define BD_SEARCH_REFINE_H

#include "core/search/front.h"
#include "core/search/scan.h"

struct refine_input {
	const struct model *m;
	const struct variant_set *v; /* all variants that front has a damage for */
	/* Sizes, rules, damages in nats: which cells may be used, which moves are looked at first,
	 * and half of what a move counts. */
	const struct front_input *front;
	uint64_t budget;                       /* bytes; the layout must be within */
	const struct scan_text *moves, *judge; /* disjoint, but where there is too little */
	size_t rounds;                         /* 0: 3 */
	size_t moves_each;                     /* up, and down, a round; 0: 64 */
};

struct refine_result {
	double from, to;      /* KL on judge, nats a token: the layout given, and made of it */
	double gain, gain_se; /* from - to, and its paired error */
	size_t rounds, moves; /* rounds that made it better; linears that changed */
	size_t judged;        /* candidates that were measured; 0: there is nothing to move */
};

/* choice [linears] of the front's formats: the layout given becomes the refined one. */
BD_MUST_USE enum st refine(struct refine_result *r, uint8_t *choice, const struct refine_input *in,
	const struct sink *s, struct err *e);

#endif
