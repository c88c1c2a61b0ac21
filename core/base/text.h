/* text.h - UTF-8, and the one filter between strangers' bytes and a terminal.
 *
 * Model output, file names, tensor names, metadata, error strings of libraries:
 * all pass text_next (canvas) or text_clean (logs, plain output) before a person
 * sees them.  Rules: reliability.md 6.  Pure; any thread.
 */
#ifndef BD_BASE_TEXT_H
#define BD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode one code point strictly (no overlong, surrogate, > 10FFFF).  Returns the
 * bytes used, at least 1 when n > 0; *cp is 0xFFFD for a bad byte. */
size_t utf8_decode(const char *s, size_t n, uint32_t *cp);
size_t utf8_encode(uint32_t cp, char out[4]); /* bytes written; bad cp: that of FFFD */
/* Offset of the first byte that is not UTF-8, or n when all is well. */
size_t utf8_first_bad(const char *s, size_t n);
/* How many bytes at the end of s[0..n) begin a character that is not whole. */
size_t utf8_partial_tail(const char *s, size_t n);

/* One visible cell of untrusted text. */
struct text_cell {
	uint32_t ch[3]; /* base and at most two combining marks; 0 ends */
	int width;      /* 1 or 2 */
};

/* The next cell of s[*at..n), skipping what must not reach a terminal (C0, C1,
 * bidi controls, tags, noncharacters, ...).  Line feed and tab are returned as
 * cells with ch[0] of '\n' and '\t' and width 0 for the caller's layout.
 * false: no more. */
bool text_next(const char *s, size_t n, size_t *at, struct text_cell *cell);

/* Columns of s, sanitised, up to its first line feed. */
int text_width(const char *s, size_t n);

/* Sanitised copy for logs, pipes and files: keeps \n and \t, writes what was
 * removed as \xNN or \u{NNNN} when escape, else drops it.  NUL-terminated; at
 * most cap - 1 bytes; returns the length. */
size_t text_clean(char *out, size_t cap, const char *s, size_t n, bool escape);

/* Unicode classes for scanners and editing. */
bool uc_letter(uint32_t cp); /* L* */
bool uc_number(uint32_t cp); /* N* */
bool uc_space(uint32_t cp);  /* White_Space */

/* Edit distance with transpositions, for "did you mean". */
int text_distance(const char *a, const char *b);
/* The nearest of names (NULL-terminated) within a third of the length, or NULL. */
const char *text_suggest(const char *word, const char *const *names);
/* fnmatch with * and ? only, '.' not special. */
bool text_glob(const char *pattern, const char *s);
/* "1.5 GiB", "98.4 MB"-free: binary units, three digits. */
const char *text_bytes(uint64_t bytes, char out[16]);
/* "45 s", "36 min", "2.4 h": how long, in the unit that one would say. */
const char *text_seconds(double s, char out[16]);

#endif
