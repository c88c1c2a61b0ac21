/* fingerprint.h - what a template is and how its text is recognised; private to
 * core/text.  Immutable tables; any thread. */
#ifndef BD_TEXT_FINGERPRINT_H
#define BD_TEXT_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>

struct template
{
	const char *name;
	const char *end; /* spelling of the token that ends an answer; NULL: eos */
	bool bos;        /* once, at the start */
	bool trim;       /* messages lose blanks at both ends */
	bool no_system;  /* a system message is left out (blocks) or refused (inst) */
	const char *open, *close;

	/* blocks: open role mid TEXT [eos] close */
	const char *mid;
	bool close_eos, last_eos; /* last_eos: eos at the end when no answer is asked for */
	bool own_system;          /* the text of the template may hold a default system message */
	bool dated;               /* Llama-3.1 */
	bool thoughts;            /* Qwen3: earlier reasoning is left out */

	/* inst: [bos] open [sys_open SYSTEM sys_close] TEXT close answer_open TEXT
	 * answer_close eos after_eos */
	bool inst, bos_each, sys_last, trim_answer;
	const char *sys_open, *sys_close, *answer_open, *answer_close, *after_eos;
};

/* The default system message inside a ChatML template, xfree'd by the caller; NULL:
 * it has none. */
char *fingerprint_system(const char *jinja, size_t *n);

#endif
