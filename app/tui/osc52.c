/* osc52 - base64 (RFC 4648) between the two ends of OSC 52. */
#include "app/tui/osc52.h"

#include <string.h>

#include "core/base/alloc.h"

char *osc52(const char *text)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char begin[] = "\033]52;c;";
	const unsigned char *s = (const unsigned char *)text;
	size_t n = strlen(text);
	char *out = xalloc(sizeof begin + n / 3 * 4 + 6), *to = out + sizeof begin - 1;

	memcpy(out, begin, sizeof begin - 1);
	for (size_t i = 0; i < n; i += 3) {
		unsigned b = i + 1 < n ? s[i + 1] : 0, c = i + 2 < n ? s[i + 2] : 0;
		unsigned v = (unsigned)s[i] << 16 | b << 8 | c;

		*to++ = digit[v >> 18];
		*to++ = digit[v >> 12 & 63];
		*to++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digit[v & 63] : '=';
	}
	*to = '\a';
	return out;
}
