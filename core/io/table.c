/* table.c - the file formats that can be opened, in the order they are tried. */
#include "core/io/reader.h"

const struct io_format *const io_formats[] = {
	&io_gguf,
	&io_safetensors,
	&io_llama2c,
	&io_bitdial,
	&io_hf,
	NULL,
};
