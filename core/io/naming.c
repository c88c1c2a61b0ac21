/* naming.c - see naming.h. */
#include "core/io/naming.h"

#include <stdio.h>
#include <string.h>

/* Columns as enum naming. */
static const char *const whole[][NAMING_COUNT] = {
	{ "embed", "model.embed_tokens.weight", "token_embd.weight" },
	{ "norm", "model.norm.weight", "output_norm.weight" },
	{ "head", "lm_head.weight", "output.weight" },
};

static const char *const layer_prefix[NAMING_COUNT] = { "layers.", "model.layers.", "blk." };

static const char *const part[][NAMING_COUNT] = {
	{ "attn_norm", "input_layernorm.weight", "attn_norm.weight" },
	{ "q", "self_attn.q_proj.weight", "attn_q.weight" },
	{ "k", "self_attn.k_proj.weight", "attn_k.weight" },
	{ "v", "self_attn.v_proj.weight", "attn_v.weight" },
	{ "o", "self_attn.o_proj.weight", "attn_output.weight" },
	{ "mlp_norm", "post_attention_layernorm.weight", "ffn_norm.weight" },
	{ "gate", "mlp.gate_proj.weight", "ffn_gate.weight" },
	{ "up", "mlp.up_proj.weight", "ffn_up.weight" },
	{ "down", "mlp.down_proj.weight", "ffn_down.weight" },
};

enum { WHOLES = sizeof whole / sizeof *whole, PARTS = sizeof part / sizeof *part };

static bool same(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(s, word, n) == 0;
}

/* "PREFIX<digits>.": the digits' place and length; the rest begins after the dot. */
static bool split_layer(enum naming by, const char *s, size_t n, size_t *digits, size_t *rest)
{
	size_t at = strlen(layer_prefix[by]);

	if (n < at || memcmp(s, layer_prefix[by], at) != 0)
		return false;
	*digits = at;
	while (at < n && s[at] >= '0' && s[at] <= '9')
		at++;
	if (at == *digits || at - *digits > 4 || at == n || s[at] != '.')
		return false;
	if (s[*digits] == '0' && at - *digits > 1)
		return false;
	*rest = at + 1;
	return true;
}

static bool translate(
	enum naming from, enum naming to, const char *s, size_t n, char out[NAMING_MAX])
{
	size_t digits, rest;

	for (size_t i = 0; i < WHOLES; i++) {
		if (same(s, n, whole[i][from])) {
			snprintf(out, NAMING_MAX, "%s", whole[i][to]);
			return true;
		}
	}
	if (!split_layer(from, s, n, &digits, &rest))
		return false;
	for (size_t i = 0; i < PARTS; i++) {
		if (same(s + rest, n - rest, part[i][from])) {
			snprintf(out, NAMING_MAX, "%s%.*s.%s", layer_prefix[to],
				(int)(rest - 1 - digits), s + digits, part[i][to]);
			return true;
		}
	}
	return false;
}

bool naming_ours(enum naming from, const char *s, size_t n, char out[NAMING_MAX])
{
	return translate(from, NAMING_OURS, s, n, out);
}

const char *naming_theirs(enum naming to, const char *ours, char out[NAMING_MAX])
{
	if (!translate(NAMING_OURS, to, ours, strlen(ours), out))
		snprintf(out, NAMING_MAX, "%s", ours);
	return out;
}
