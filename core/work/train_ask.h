/* train_ask.h - what can be asked of a training run: one line of a table each.
 *
 * The Train screen's KEY=VALUE, Lua's options, and the `train` of a run.json (which is what a run
 * goes on by) are all read and written by this table.  Pure; any thread.
 */
#ifndef BD_WORK_TRAIN_ASK_H
#define BD_WORK_TRAIN_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, KIND, least, most, help); least and most of counts, which are 0 where they are left out.
 */
#define TRAIN_KEYS(X)                                                                              \
	X(data, WORD, 0, 0,                                                                        \
		"what to train on: Alpaca JSON, JSON lines, a text (a calibration: self, what the model writes)") \
	X(method, WORD, 0, 0, "one of the methods: rank, flips, lora ... (rank; a calibration: flips)") \
	X(steps, COUNT, 1, 1 << 30, "of the whole run (300; a calibration: 240)")                  \
	X(window, COUNT, 1, 1 << 20, "tokens of a window (256)")                                   \
	X(windows, COUNT, 1, 1 << 20, "of a step (4)")                                             \
	X(lr, NUMBER, 0, 0, "at its peak; else the method's")                                      \
	X(lr_s, NUMBER, 0, 0, "of scales and offsets; 0: they stay; else the method's")            \
	X(lr_gain, NUMBER, 0, 0, "of the norms' gains; 0: they stay; else the method's")           \
	X(budget, NUMBER, 0, 0, "rank: share of the codes that move a step, at first (0.0001)")    \
	X(rank, COUNT, 1, 1 << 20, "of adapters, of galore's projectors; else the method's")       \
	X(held, NUMBER, 0, 0, "share of the rows that is held out (0.05)")                         \
	X(held_every, COUNT, 1, 1 << 30,                                                           \
		"steps between two looks at it; else a twentieth of the run")                      \
	X(save_every, COUNT, 1, 1 << 30,                                                           \
		"steps between two checkpoints; else a tenth of the run, a calibration's at looks")   \
	X(patience, COUNT, 1, 1 << 30,                                                             \
		"looks without a better one at what is held out, before the run ends (off; a calibration: 5)") \
	X(seed, COUNT, 0, 1LL << 52, "of the order of the data and of all chance (0)")             \
	X(rows, COUNT, 1, 1LL << 40, "of the data, at most")                                       \
	X(samples, COUNT, 1, 1LL << 40, "sequences to train on, at most, evenly over the data")     \
	X(teacher, WORD, 0, 0, "a folder that bitdial teach made: it teaches as the reference does") \
	X(test, WORD, 0, 0, "another data file, measured once at the end: test.tsv of the run")    \
	X(text, WORD, 0, 0,                                                                        \
		"another text, measured once at the end, against the reference, too (a calibration without data learns from it)") \
	X(all, FLAG, 0, 0, "everything is learned, not the answers alone (false)")                 \
	X(dial, WORD, 0, 0, "formats that are trained at once, such as int2g64,int4g128")           \
	X(calibrate, FLAG, 0, 0, "what is left open is as a calibration of the dial has it (false)") \
	X(teach, FLAG, 0, 0, "the reference teaches: its probabilities of every token (false)")      \
	X(recompute, FLAG, 0, 0, "blocks are run twice, and less is kept (false)")                 \
	X(f32, FLAG, 0, 0, "products in 32 bits (false)")                                          \
	X(across, FLAG, 0, 0, "rank: one threshold for all matrices (false)")                      \
	X(lean, FLAG, 0, 0, "less state: scales stay, galore rounds by chance (false)")            \
	X(name, WORD, 0, 0, "what the run says of itself before all else")

#define TRAIN_ASK_WORD                                 const char *
#define TRAIN_ASK_COUNT                                uint64_t
#define TRAIN_ASK_NUMBER                               double
#define TRAIN_ASK_FLAG                                 bool
#define TRAIN_ASK_FIELD(name, kind, least, most, help) TRAIN_ASK_##kind name;

struct train_key;

/* What is left open: NULL, 0, NAN, false.  Words are borrowed. */
struct train_ask {
	TRAIN_KEYS(TRAIN_ASK_FIELD)
	const char *layout; /* as it was named, for who reads about the run; NULL: unknown */
	const char *resume; /* a run's id or path; NULL: a new one.  All else is then the run's */
};
void train_ask_init(struct train_ask *a);
/* What is the same for every method and was left open, filled in. */
void train_ask_fill(struct train_ask *a);
/* Without what is of one method: its rates and ranks are the method's own again. */
void train_ask_by_default(struct train_ask *a);
/* The first key that is said and goes with a new run: one that is resumed knows all but its steps;
 * NULL: none. */
const struct train_key *train_ask_of_new(const struct train_ask *a);
/* With words of its own. */
struct train_ask train_ask_copy(const struct train_ask *a);
void train_ask_release(struct train_ask *a); /* of a copy */

enum train_kind { TRAIN_WORD, TRAIN_COUNT, TRAIN_NUMBER, TRAIN_FLAG };

struct train_key {
	const char *name;
	enum train_kind kind;
	size_t at;           /* in struct train_ask: const char *, uint64_t, double, bool */
	int64_t least, most; /* of counts, where they are said */
	const char *help;
};
extern const struct train_key train_keys[]; /* the last one's name is NULL */

#endif
