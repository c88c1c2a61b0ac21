/* config.h - config.json of a Hugging Face folder, or of our own, as hyperparameters.
 *
 * What the program does not compute is refused by name rather than passed over.
 * Private to core/io.
 */
#ifndef BD_IO_CONFIG_H
#define BD_IO_CONFIG_H

#include "core/base/json.h"
#include "core/io/reader.h"

BD_MUST_USE enum st config_read(struct hparams *hp, const struct json *j, struct err *e);
/* Whether the file says in so many words that the head is not the embedding. */
bool config_says_untied(const struct json *j);
/* Whether it has our own section, which config_read_own reads into hp and the list of
 * stored matrices of c. */
bool config_is_own(const struct json *j);
BD_MUST_USE enum st config_read_own(struct checkpoint *c, const struct json *j, struct err *e);

#endif
