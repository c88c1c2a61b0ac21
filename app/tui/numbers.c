/* numbers - damages, durations and counts as people read them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/tui.h"

const char *num_kl(double v, char out[16])
{
	if (!isfinite(v)) {
		snprintf(out, 16, "?");
		return out;
	}
	if (fabs(v) >= 9.995)
		snprintf(out, 16, "%.1f", v);
	else if (fabs(v) >= 0.99995)
		snprintf(out, 16, "%.2f", v);
	else {
		char buf[16];

		snprintf(buf, sizeof buf, "%.4f", fabs(v));
		snprintf(out, 16, "%s%s", v < 0 ? "-" : "", buf + 1);
	}
	return out;
}

const char *num_time(double seconds, char out[16])
{
	unsigned s, m, h;

	if (!isfinite(seconds) || seconds < 0) {
		snprintf(out, 16, "?");
		return out;
	}
	s = seconds < 1e8 ? (unsigned)lround(seconds) : 100000000u;
	m = s / 60 % 60;
	h = s / 3600;
	if (s < 100)
		snprintf(out, 16, "%u s", s);
	else if (h < 1)
		snprintf(out, 16, "%u min %02u s", m, s % 60);
	else if (h < 100)
		snprintf(out, 16, "%u h %02u min", h % 100, m);
	else
		snprintf(out, 16, "%u days", h / 24);
	return out;
}

const char *num_count(uint64_t n, char out[16])
{
	static const char unit[] = " kMBT";
	double v = (double)n;
	int u = 0;

	while (v >= 999.5 && u < 4) {
		v /= 1000;
		u++;
	}
	if (!u)
		snprintf(out, 16, "%.0f", v);
	else
		snprintf(out, 16, "%.*f %c", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, unit[u]);
	return out;
}
