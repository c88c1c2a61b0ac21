/* hf_shape.c - which tokenizer a tokenizer.json describes: normalizer, pre_tokenizer,
 * post_processor and the configuration beside it.  What we cannot do exactly is refused
 * by name; nothing is guessed.
 */
#include "core/text/hf.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"

#define CONFIG_MAX ((size_t)16 << 20)
#define SPACE      "\xe2\x96\x81" /* U+2581 */
#define GPT2_TAIL  "| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define TAIL       "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define ANY_CASE   "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"

const struct hf_regex hf_regexes[] = {
	{ PRE_LLAMA3, ANY_CASE "|\\p{N}{1,3}" TAIL },
	{ PRE_QWEN2, ANY_CASE "|\\p{N}" TAIL },
	{ PRE_GPT2, "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+" GPT2_TAIL },
	{ PRE_GPT2, "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+" GPT2_TAIL },
};
const size_t hf_n_regexes = sizeof hf_regexes / sizeof *hf_regexes;

/* ---- looking into small documents */

static const char *str(const cJSON *o, const char *key)
{
	const cJSON *m = cJSON_IsObject(o) ? json_member(o, key) : NULL;

	return cJSON_IsString(m) ? m->valuestring : NULL;
}

static bool is_type(const cJSON *o, const char *type)
{
	const char *s = str(o, "type");

	return s && strcmp(s, type) == 0;
}

/* What the file calls it, for a refusal. */
static const char *type_of(const cJSON *o)
{
	const char *s = str(o, "type");

	return s ? s : "without a type";
}

static bool flag(const cJSON *o, const char *key, bool absent)
{
	const cJSON *m = json_member(o, key);

	return m && !cJSON_IsNull(m) ? cJSON_IsTrue(m) : absent;
}

static const cJSON *list(const cJSON *o, const char *key)
{
	const cJSON *m = json_member(o, key);

	return cJSON_IsArray(m) ? m : NULL;
}

static bool is_nothing(const cJSON *o)
{
	return !o || cJSON_IsNull(o);
}

static enum st parse(struct json *j, struct hf_slice s, struct err *e)
{
	*j = (struct json){ .where = HF_FILE };
	return s.n ? json_parse(j, HF_FILE, s.s, s.n, e) : ST_OK;
}

/* ---- normalizer */

struct norm {
	bool nfc, prepend, replace;
};

static enum st one_normalizer(struct norm *f, const cJSON *o, struct err *e)
{
	const char *with = str(o, "content"), *what = str(o, "prepend");
	const cJSON *pattern = cJSON_IsObject(o) ? json_member(o, "pattern") : NULL;
	const char *from = str(pattern, "String");

	if (is_type(o, "NFC") && !f->prepend && !f->replace)
		f->nfc = true;
	else if (is_type(o, "Prepend") && what && strcmp(what, SPACE) == 0 && !f->replace)
		f->prepend = true;
	else if (is_type(o, "Replace") && from && with && strcmp(from, " ") == 0 &&
		 strcmp(with, SPACE) == 0)
		f->replace = true;
	else
		return err_set(e, ST_UNSUPPORTED,
			HF_FILE
			": .normalizer: \"%s\" is not known here in this form (known: none, NFC, "
			"Prepend and Replace of spaces by U+2581)",
			type_of(o));
	return ST_OK;
}

static enum st read_normalizer(struct norm *f, const cJSON *o, struct err *e)
{
	const cJSON *all, *it;

	if (is_nothing(o))
		return ST_OK;
	all = is_type(o, "Sequence") ? list(o, "normalizers") : NULL;
	if (!all)
		return one_normalizer(f, o, e);
	cJSON_ArrayForEach(it, all)
	{
		enum st st = one_normalizer(f, it, e);

		if (st)
			return st;
	}
	return ST_OK;
}

/* ---- pre_tokenizer */

struct pre {
	bool byte_level, regex, split, digits, metaspace;
	enum vocab_pre split_pre;
};

static enum st read_split(struct pre *p, const cJSON *o, struct err *e)
{
	const cJSON *pattern = json_member(o, "pattern");
	const char *regex = str(pattern, "Regex"), *literal = str(pattern, "String");
	const char *behavior = str(o, "behavior");

	for (size_t i = 0; regex && i < hf_n_regexes; i++) {
		if (strcmp(regex, hf_regexes[i].pattern) != 0)
			continue;
		if (!behavior || strcmp(behavior, "Isolated") != 0 || flag(o, "invert", false))
			break;
		p->split = true;
		p->split_pre = hf_regexes[i].pre;
		return ST_OK;
	}
	return err_set(e, ST_UNSUPPORTED,
		HF_FILE ": .pre_tokenizer: no scanner here for Split by %s \"%.60s\", %s",
		regex ? "Regex" : "String",
		regex     ? regex
		: literal ? literal
			  : "?",
		behavior ? behavior : "?");
}

static enum st read_metaspace(struct vocab *v, struct pre *p, const cJSON *o, struct err *e)
{
	const char *r = str(o, "replacement"), *scheme = str(o, "prepend_scheme");

	if (!r || strcmp(r, SPACE) != 0 || flag(o, "split", true))
		return err_set(e, ST_UNSUPPORTED,
			HF_FILE ": .pre_tokenizer: Metaspace is known here only with U+2581 and "
				"\"split\": false");
	if (!scheme)
		scheme = flag(o, "add_prefix_space", true) ? "always" : "never";
	if (strcmp(scheme, "first") != 0 && strcmp(scheme, "never") != 0)
		return err_set(e, ST_UNSUPPORTED,
			HF_FILE
			": .pre_tokenizer: Metaspace with prepend_scheme \"%s\" is not known "
			"here (known: first, never)",
			scheme);
	p->metaspace = true;
	v->add_space_prefix = v->prefix_first = strcmp(scheme, "first") == 0;
	return ST_OK;
}

static enum st one_pre(struct vocab *v, struct pre *p, const cJSON *o, struct err *e)
{
	if (is_type(o, "ByteLevel") && !p->byte_level) {
		p->byte_level = true;
		p->regex = flag(o, "use_regex", true);
		if (flag(o, "add_prefix_space", true))
			return err_set(e, ST_UNSUPPORTED,
				HF_FILE
				": .pre_tokenizer: ByteLevel with add_prefix_space is not known "
				"here");
		return ST_OK;
	}
	if (is_type(o, "Digits") && flag(o, "individual_digits", false) && !p->split &&
		!p->byte_level) {
		p->digits = true;
		return ST_OK;
	}
	if (is_type(o, "Split") && !p->split && !p->digits && !p->byte_level)
		return read_split(p, o, e);
	if (is_type(o, "Metaspace") && !p->byte_level && !p->metaspace)
		return read_metaspace(v, p, o, e);
	return err_set(e, ST_UNSUPPORTED,
		HF_FILE
		": .pre_tokenizer: \"%s\" is not known here in this place (known: ByteLevel; "
		"Split, ByteLevel; Digits, ByteLevel; Metaspace)",
		type_of(o));
}

static enum st read_pre(struct vocab *v, struct pre *p, const cJSON *o, struct err *e)
{
	const cJSON *all, *it;

	if (is_nothing(o))
		return ST_OK;
	all = is_type(o, "Sequence") ? list(o, "pretokenizers") : NULL;
	if (!all)
		return one_pre(v, p, o, e);
	cJSON_ArrayForEach(it, all)
	{
		enum st st = one_pre(v, p, it, e);

		if (st)
			return st;
	}
	return ST_OK;
}

static enum st decide(struct vocab *v, const struct norm *f, const struct pre *p, struct err *e)
{
	v->nfc = f->nfc;
	if (p->byte_level && !p->metaspace && !f->prepend && !f->replace) {
		v->model = VOCAB_BPE;
		if (p->split == p->regex && p->split)
			return err_set(e, ST_UNSUPPORTED,
				HF_FILE
				": .pre_tokenizer: Split before ByteLevel with use_regex is not "
				"known here");
		if (p->digits && !p->regex)
			return err_set(e, ST_UNSUPPORTED,
				HF_FILE
				": .pre_tokenizer: Digits before ByteLevel without use_regex is "
				"not known here");
		v->pre = p->split    ? p->split_pre
			 : p->digits ? PRE_SMOLLM
			 : p->regex  ? PRE_GPT2
				     : PRE_NONE;
		return ST_OK;
	}
	if (p->byte_level || p->split || p->digits || f->nfc || !(f->replace || p->metaspace) ||
		(p->metaspace && f->prepend))
		return err_set(e, ST_UNSUPPORTED,
			HF_FILE
			": normalizer and pre_tokenizer are neither byte-level BPE (ByteLevel) nor "
			"that of SentencePiece (Replace of spaces by U+2581, or Metaspace)");
	v->model = VOCAB_SPM;
	v->spm_rank = true;
	v->pre = PRE_NONE;
	if (!p->metaspace)
		v->add_space_prefix = f->prepend;
	return ST_OK;
}

enum st hf_shape(
	struct vocab *v, struct hf_slice normalizer, struct hf_slice pre_tokenizer, struct err *e)
{
	struct norm f = { 0 };
	struct pre p = { 0 };
	struct json j;
	enum st st = parse(&j, normalizer, e);

	if (!st)
		st = read_normalizer(&f, j.root, e);
	json_release(&j);
	if (st)
		return st;
	st = parse(&j, pre_tokenizer, e);
	if (!st)
		st = read_pre(v, &p, j.root, e);
	json_release(&j);
	return st ? st : decide(v, &f, &p, e);
}

/* ---- post_processor */

/* TemplateProcessing's "single": at most one token before the text and one after it. */
static enum st read_single(
	struct vocab *v, const cJSON *single, const struct strmap *text_id, struct err *e)
{
	const cJSON *it;
	bool seen = false;

	cJSON_ArrayForEach(it, single)
	{
		const cJSON *special = cJSON_IsObject(it) ? json_member(it, "SpecialToken") : NULL;
		const char *text = str(special, "id");
		bool *add = seen ? &v->add_eos : &v->add_bos;
		int32_t id;

		if (!text) {
			seen = true;
			continue;
		}
		id = strmap_get(text_id, text, strlen(text));
		if (id < 0)
			return err_set(e, ST_FORMAT,
				HF_FILE ": .post_processor: \"%.60s\" is not in the vocabulary",
				text);
		if (*add)
			return err_set(e, ST_UNSUPPORTED,
				HF_FILE
				": .post_processor: more than one token on one side of the text is "
				"not known here");
		*add = true;
		*(seen ? &v->eos : &v->bos) = id;
	}
	return ST_OK;
}

static enum st one_post(
	struct vocab *v, const cJSON *o, const struct strmap *text_id, struct err *e)
{
	const cJSON *single = cJSON_IsObject(o) ? list(o, "single") : NULL;

	if (is_type(o, "ByteLevel"))
		return ST_OK;
	if (is_type(o, "TemplateProcessing") && single)
		return read_single(v, single, text_id, e);
	return err_set(e, ST_UNSUPPORTED,
		HF_FILE ": .post_processor: \"%s\" is not known here (known: none, ByteLevel, "
			"TemplateProcessing)",
		type_of(o));
}

enum st hf_post(struct vocab *v, struct hf_slice post, const struct strmap *text_id, struct err *e)
{
	const cJSON *all, *it;
	struct json j;
	enum st st = parse(&j, post, e);

	if (!st && !is_nothing(j.root)) {
		all = is_type(j.root, "Sequence") ? list(j.root, "processors") : NULL;
		if (!all)
			st = one_post(v, j.root, text_id, e);
		cJSON_ArrayForEach(it, all)
		{
			st = one_post(v, it, text_id, e);
			if (st)
				break;
		}
	}
	json_release(&j);
	return st;
}

/* ---- the files beside it */

static char *path_in(const char *dir, const char *name)
{
	return xprintf("%s/%s", dir, name);
}

static void read_special(
	const cJSON *root, const char *key, const struct strmap *text_id, int32_t *id)
{
	const cJSON *m = json_member(root, key);
	const char *s = cJSON_IsString(m) ? m->valuestring : str(m, "content");

	if (s && *id < 0)
		*id = strmap_get(text_id, s, strlen(s));
}

/* A string, or a list of {name, template} of which "default" counts. */
static const char *template_of(const cJSON *root)
{
	const cJSON *m = json_member(root, "chat_template"), *it;

	if (cJSON_IsString(m))
		return m->valuestring;
	if (cJSON_IsArray(m))
		cJSON_ArrayForEach(it, m)
		{
			const char *name = str(it, "name");

			if (name && strcmp(name, "default") == 0)
				return str(it, "template");
		}
	return NULL;
}

/* Classes whose add_bos_token and add_eos_token outrank the post_processor. */
static bool config_decides(const cJSON *root)
{
	const char *class = str(root, "tokenizer_class");

	return class && (strstr(class, "Llama") || strstr(class, "Gemma"));
}

static enum st config_file(struct vocab *v, struct arena *a, const char *dir, const char *name,
	const struct strmap *text_id, struct err *e)
{
	char *path = path_in(dir, name);
	struct json j = { 0 };
	const char *jinja;
	enum st st = ST_OK;

	if (!fs_is_file(path))
		goto out;
	st = json_load(&j, path, CONFIG_MAX, e);
	if (st)
		goto out;
	if (!cJSON_IsObject(j.root)) {
		st = err_set(e, ST_FORMAT, "%s: expected an object", name);
		goto out;
	}
	read_special(j.root, "bos_token", text_id, &v->bos);
	read_special(j.root, "eos_token", text_id, &v->eos);
	read_special(j.root, "unk_token", text_id, &v->unk);
	read_special(j.root, "pad_token", text_id, &v->pad);
	if (config_decides(j.root)) {
		v->add_bos = flag(j.root, "add_bos_token", v->add_bos);
		v->add_eos = flag(j.root, "add_eos_token", v->add_eos);
	}
	jinja = template_of(j.root);
	if (jinja && !v->chat_template)
		v->chat_template = arena_strndup(a, jinja, strlen(jinja));
out:
	json_release(&j);
	xfree(path);
	return st;
}

static enum st jinja_file(struct vocab *v, struct arena *a, const char *dir, struct err *e)
{
	char *path = path_in(dir, "chat_template.jinja"), *s = NULL;
	enum st st = ST_OK;
	size_t n;

	if (fs_is_file(path)) {
		st = fs_read(path, CONFIG_MAX, &s, &n, e);
		if (!st)
			v->chat_template = arena_strndup(a, s, n);
		big_free(s);
	}
	xfree(path);
	return st;
}

enum st hf_config(struct vocab *v, struct arena *a, const char *dir, const struct strmap *text_id,
	struct err *e)
{
	static const char *const ends[] = { "<|im_end|>", "<|eot_id|>", "<|end|>" };
	enum st st = jinja_file(v, a, dir, e);

	if (!st)
		st = config_file(v, a, dir, "tokenizer_config.json", text_id, e);
	if (!st)
		st = config_file(v, a, dir, "special_tokens_map.json", text_id, e);
	for (size_t i = 0; !st && v->eot < 0 && i < sizeof ends / sizeof *ends; i++) {
		int32_t id = strmap_get(text_id, ends[i], strlen(ends[i]));

		if (id >= 0 && id != v->eos && v->tokens[id].type == TOKEN_CONTROL)
			v->eot = id;
	}
	return st;
}
