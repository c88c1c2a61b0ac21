/* fingerprint.c - the table of templates, and which one a model's own text is.
 *
 * The text is never run.  It is brought to a common spelling (blanks outside strings
 * and comments dropped, one kind of quote, x['y'] as x.y) and must then hold the very
 * expressions that write the turns, and none that would write something else.
 */
#include "core/text/fingerprint.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/text/template.h"

/* clang-format off */
static const struct template chatml = { .name = "chatml", .end = "<|im_end|>",
	.open = "<|im_start|>", .mid = "\n", .close = "<|im_end|>\n", .own_system = true };
static const struct template chatml_thoughts = { .name = "chatml", .end = "<|im_end|>",
	.open = "<|im_start|>", .mid = "\n", .close = "<|im_end|>\n", .thoughts = true };
static const struct template llama3 = { .name = "llama3", .end = "<|eot_id|>", .bos = true,
	.trim = true, .open = "<|start_header_id|>", .mid = "<|end_header_id|>\n\n",
	.close = "<|eot_id|>" };
static const struct template llama31 = { .name = "llama3", .end = "<|eot_id|>", .bos = true,
	.trim = true, .open = "<|start_header_id|>", .mid = "<|end_header_id|>\n\n",
	.close = "<|eot_id|>", .dated = true };
static const struct template llama2 = { .name = "llama2", .inst = true, .bos_each = true,
	.trim = true, .open = "[INST] ", .close = " [/INST]", .sys_open = "<<SYS>>\n",
	.sys_close = "\n<</SYS>>\n\n", .answer_open = " ", .answer_close = " ", .after_eos = "" };
/* Mistral's documentation puts a system message before the first user message. */
static const struct template mistral = { .name = "mistral", .inst = true, .bos = true,
	.open = "[INST] ", .close = " [/INST]", .sys_open = "", .sys_close = "\n\n",
	.answer_open = "", .answer_close = "", .after_eos = "" };
static const struct template mistral_v1 = { .name = "mistral", .inst = true, .bos = true,
	.no_system = true, .open = "[INST] ", .close = " [/INST]", .sys_open = "", .sys_close = "",
	.answer_open = "", .answer_close = "", .after_eos = "" };
static const struct template mistral_v1_space = { .name = "mistral", .inst = true, .bos = true,
	.no_system = true, .open = "[INST] ", .close = " [/INST]", .sys_open = "", .sys_close = "",
	.answer_open = "", .answer_close = "", .after_eos = " " };
static const struct template mistral_v2 = { .name = "mistral", .inst = true, .bos = true,
	.open = " [INST] ", .close = " [/INST]", .sys_open = "", .sys_close = "\n\n",
	.answer_open = " ", .answer_close = "", .after_eos = "" };
static const struct template mistral_v3 = { .name = "mistral", .inst = true, .bos = true,
	.open = "[INST] ", .close = "[/INST]", .sys_open = "", .sys_close = "\n\n", .sys_last = true,
	.trim_answer = true, .answer_open = " ", .answer_close = "", .after_eos = "" };
static const struct template phi3 = { .name = "phi3", .end = "<|end|>", .open = "<|",
	.mid = "|>\n", .close = "<|end|>\n", .last_eos = true };
static const struct template phi3_first = { .name = "phi3", .end = "<|end|>", .bos = true,
	.no_system = true, .open = "<|", .mid = "|>\n", .close = "<|end|>\n" };
static const struct template phi3_medium = { .name = "phi3", .end = "<|end|>",
	.no_system = true, .open = "<|", .mid = "|>\n", .close = "<|end|>\n" };
static const struct template phi3_small = { .name = "phi3", .end = "<|end|>", .bos = true,
	.open = "<|", .mid = "|>\n", .close = "<|end|>\n", .last_eos = true };
static const struct template zephyr = { .name = "zephyr", .open = "<|", .mid = "|>\n",
	.close_eos = true, .close = "\n" };

static const struct template *const named[] = { &chatml, &llama2, &llama3, &mistral, &phi3,
	&zephyr };
static const char *const names[] = { "chatml", "llama2", "llama3", "mistral", "phi3", "zephyr",
	NULL };

static const struct print {
	const struct template *t;
	const char *all[3], *none[6]; /* fragments in the common spelling */
} prints[] = {
	{ &chatml, { "'<|im_start|>'+message.role+'", "<|im_end|>" },
		{ "<|im_sep|>", "strftime", "## Metadata", "</think>", "|trim+'<|im_end|>" } },
	{ &chatml_thoughts, { "'<|im_start|>'+message.role+'", "<|im_end|>", "reasoning_content" },
		{ "<|im_sep|>", "strftime", "## Metadata", "/no_think" } },
	{ &llama31, { "'<|start_header_id|>'+message.role+'<|end_header_id|>\\n\\n'+message.content|trim+'<|eot_id|>'",
		"Cutting Knowledge Date: December 2023\\n", "26 Jul 2024" }, { NULL } },
	{ &llama3, { "'<|start_header_id|>'+message.role+'<|end_header_id|>\\n\\n'+message.content|trim+'<|eot_id|>'",
		"bos_token" }, { "Cutting Knowledge", "Today Date", "strftime" } },
	{ &llama2, { "'<<SYS>>\\n'+system_message+'\\n<</SYS>>\\n\\n'",
		"bos_token+'[INST] '+content.strip()+' [/INST]'", "' '+content.strip()+' '+eos_token" },
		{ NULL } },
	{ &mistral_v3, { "'[INST] '+system_message+'\\n\\n'+message.content+'[/INST]'",
		"loop.lastandsystem_messageisdefined", "' '+message.content|trim+eos_token" },
		{ "<<SYS>>", "[SYSTEM_PROMPT]" } },
	{ &mistral_v2, { "' [INST] '+system_message+'\\n\\n'+message.content+' [/INST]'",
		"loop.firstandsystem_messageisdefined", "' '+message.content+eos_token" },
		{ "<<SYS>>", "[SYSTEM_PROMPT]" } },
	{ &mistral_v1_space, { "'[INST] '+message.content+' [/INST]'", "message.content+eos_token+' '" },
		{ "<<SYS>>", "[SYSTEM_PROMPT]", "system_message" } },
	{ &mistral_v1, { "'[INST] '+message.content+' [/INST]'", "message.content+eos_token}}" },
		{ "<<SYS>>", "[SYSTEM_PROMPT]", "system_message" } },
	{ &phi3, { "'<|system|>\\n'+message.content+'<|end|>\\n'",
		"'<|user|>\\n'+message.content+'<|end|>\\n'",
		"'<|assistant|>\\n'+message.content+'<|end|>\\n'" }, { "bos_token" } },
	{ &phi3_first, { "bos_token",
		"'<|user|>'+'\\n'+message.content+'<|end|>'+'\\n'+'<|assistant|>'+'\\n'" },
		{ "<|system|>" } },
	{ &phi3_medium, { "'<|user|>'+'\\n'+message.content+'<|end|>'+'\\n'+'<|assistant|>'+'\\n'" },
		{ "<|system|>", "bos_token" } },
	{ &phi3_small, { "bos_token", "'<|'+message.role+'|>'+'\\n'+message.content+'<|end|>\\n'",
		"{{eos_token}}" }, { NULL } },
	{ &zephyr, { "'<|user|>\\n'+message.content+eos_token",
		"'<|system|>\\n'+message.content+eos_token",
		"'<|assistant|>\\n'+message.content+eos_token" }, { "<|end|>", "bos_token" } },
};
/* clang-format on */

const struct template *template_named(const char *name)
{
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		if (name && strcmp(named[i]->name, name) == 0)
			return named[i];
	return NULL;
}

const char *const *template_names(void)
{
	return names;
}

/* ---- the common spelling */

struct spelling {
	const char *s;
	char *out;
	size_t n;
};

static void put(struct spelling *p, char c)
{
	p->out[p->n++] = c;
}

/* A string that begins with this quote; returns what stands behind it. */
static const char *string(struct spelling *p, const char *s)
{
	char quote = *s++;

	put(p, '\'');
	while (*s && *s != quote) {
		if (*s == '\\' && s[1]) {
			put(p, *s++);
			put(p, *s++);
		} else if (*s == '\n') { /* a line end in the string itself */
			put(p, '\\');
			put(p, 'n');
			s++;
		} else {
			put(p, *s++);
		}
	}
	put(p, '\'');
	return *s ? s + 1 : s;
}

/* x['y'] has just been written up to ']': becomes x.y. */
static void subscript(struct spelling *p)
{
	size_t i = p->n;

	if (i < 2 || p->out[i - 1] != '\'')
		return;
	for (i -= 2; i > 0 && p->out[i] != '\''; i--) {
		char c = p->out[i];

		if (!(c == '_' || (c >= 'a' && c <= 'z')))
			return;
	}
	if (i < 2 || p->out[i - 1] != '[')
		return;
	p->out[i - 1] = '.';
	memmove(p->out + i, p->out + i + 1, p->n - i - 2);
	p->n -= 2;
}

static const char *code(struct spelling *p, const char *s)
{
	while (*s) {
		if (s[1] == '}' && (*s == '}' || *s == '%')) {
			if (p->n && p->out[p->n - 1] == '-')
				p->n--;
			put(p, *s);
			put(p, '}');
			return s + 2;
		}
		if (*s == '\'' || *s == '"') {
			s = string(p, s);
			continue;
		}
		if (*s == ']') {
			size_t before = p->n;

			subscript(p);
			if (p->n != before) {
				s++;
				continue;
			}
		}
		if (!strchr(" \t\r\n", *s))
			put(p, *s);
		s++;
	}
	return s;
}

/* xfree'd by the caller; never more than twice as long as s. */
static char *common(const char *s)
{
	size_t n = strlen(s);
	struct spelling p = { .out = big_array(n + 1, 2, "chat template", NULL) };

	if (!p.out)
		return NULL;
	while (*s) {
		if (s[0] == '{' && s[1] == '#') {
			const char *end = strstr(s, "#}");

			s = end ? end + 2 : s + strlen(s);
		} else if (s[0] == '{' && (s[1] == '{' || s[1] == '%')) {
			put(&p, *s++);
			put(&p, *s++);
			s += *s == '-' || *s == '+';
			s = code(&p, s);
		} else {
			put(&p, *s++);
		}
	}
	p.out[p.n] = '\0';
	return p.out;
}

static bool is_print(const struct print *f, const char *text)
{
	for (size_t i = 0; i < sizeof f->all / sizeof *f->all && f->all[i]; i++)
		if (!strstr(text, f->all[i]))
			return false;
	for (size_t i = 0; i < sizeof f->none / sizeof *f->none && f->none[i]; i++)
		if (strstr(text, f->none[i]))
			return false;
	return true;
}

enum st template_recognise(const struct template **out, const char *jinja, struct err *e)
{
	char start[64], *text = common(jinja);
	size_t n = strlen(jinja);

	*out = NULL;
	if (!text)
		return err_set(e, ST_NOMEM, "chat template: no memory for its %zu bytes", n);
	for (size_t i = 0; i < sizeof prints / sizeof *prints && !*out; i++)
		if (is_print(&prints[i], text))
			*out = prints[i].t;
	big_free(text);
	if (*out)
		return ST_OK;
	n = text_clean(start, 41, jinja, n < 40 ? n : 40, false);
	for (size_t i = 0; i < n; i++)
		if (start[i] == '\n' || start[i] == '\t')
			start[i] = ' ';
	return err_set(e, ST_UNSUPPORTED,
		"the model's chat template is none of those known here; it begins \"%s\"; name one "
		"with "
		"--template chatml, llama2, llama3, mistral, phi3 or zephyr",
		start);
}

/* ---- the default system message */

/* One character of a Jinja string, its escapes undone. */
static const char *plain(const char *s, char *out)
{
	if (*s != '\\' || !s[1]) {
		*out = *s;
		return s + 1;
	}
	*out = s[1] == 'n' ? '\n' : s[1] == 't' ? '\t' : s[1];
	return s + 2;
}

char *fingerprint_system(const char *jinja, size_t *n)
{
	static const char head[] = "<|im_start|>system", tail[] = "<|im_end|>";
	const char *s = jinja;

	while ((s = strstr(s, head))) {
		const char *end, *stop;
		char *out;

		s += sizeof head - 1;
		if (*s == '\n')
			s++;
		else if (s[0] == '\\' && s[1] == 'n')
			s += 2;
		else
			continue;
		end = strstr(s, tail);
		if (!end)
			return NULL;
		/* a string that ends before the mark is put together from other parts */
		stop = strpbrk(s, "{}");
		if (*s == '\'' || *s == '"' || end == s || (stop && stop < end))
			continue;
		out = xalloc((size_t)(end - s) + 1);
		for (*n = 0; s < end; (*n)++)
			s = plain(s, out + *n);
		return out;
	}
	return NULL;
}
