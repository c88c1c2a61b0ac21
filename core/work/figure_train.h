/* figure_train.h - a training run as a figure: its curves, and a row a bucket of steps. */
#ifndef BD_WORK_FIGURE_TRAIN_H
#define BD_WORK_FIGURE_TRAIN_H

#include "core/work/figure.h"
#include "core/work/snap_train.h"

/* smooth: of the mean drawn over the loss, 0: none.  Of a dial: KL of what is held out at each
 * budget instead.  NULL: nothing was trained yet. */
struct figure *figure_train(const struct snap_train *t, double smooth, bool by_time, bool log);

#endif
