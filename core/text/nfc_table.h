/* nfc_table.h - Unicode data for nfc.c; private to core/text.  Constant. */
#ifndef BD_TEXT_NFC_TABLE_H
#define BD_TEXT_NFC_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct nfc_decomp {
	uint32_t cp, a, b; /* b 0: a alone */
};

struct nfc_class {
	uint32_t first, last, ccc;
};

extern const struct nfc_decomp nfc_decomps[];
extern const size_t nfc_n_decomps;
extern const uint16_t nfc_pairs[];
extern const size_t nfc_n_pairs;
extern const struct nfc_class nfc_classes[];
extern const size_t nfc_n_classes;

#endif
