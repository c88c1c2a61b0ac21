/* task_forms.c - how published sets write their questions down, and how they are put to a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/eval/task.h"

static enum st lacks(const char *what, struct err *e)
{
	return err_set(e, ST_FORMAT, "expected %s", what);
}

static const char *text_of(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_IsObject(o) ? json_member(o, key) : NULL;

	return v && cJSON_IsString(v) ? v->valuestring : NULL;
}

/* Several texts at once; NULL in the list: one is missing. */
static bool texts_of(const cJSON *o, size_t n, const char *const *key, const char **out)
{
	for (size_t i = 0; i < n; i++)
		if (!(out[i] = text_of(o, key[i])))
			return false;
	return true;
}

static enum st add_option(struct task *t, struct task_item *it, const char *context,
	const char *option, struct err *e)
{
	if (it->n == TASK_OPTIONS)
		return err_set(e, ST_FORMAT, "more than %d options", TASK_OPTIONS);
	if (!*option)
		return err_set(e, ST_FORMAT, "option %zu is empty", it->n + 1);
	it->context[it->n] = context;
	it->option[it->n++] = task_text(t, "%s", option);
	return ST_OK;
}

static enum st two(struct task *t, const char *context, const char *a, const char *b, size_t answer,
	struct err *e)
{
	struct task_item *it = task_add(t);
	enum st st = add_option(t, it, context, a, e);

	if (!st)
		st = add_option(t, it, context, b, e);
	it->answer = answer;
	return st;
}

static enum st strings(
	struct task *t, struct task_item *it, const char *context, const cJSON *list, struct err *e)
{
	const cJSON *v;
	enum st st = ST_OK;

	if (!list || !cJSON_IsArray(list))
		return lacks("a list of options", e);
	cJSON_ArrayForEach(v, list)
	{
		if (!cJSON_IsString(v))
			return lacks("options that are strings", e);
		if ((st = add_option(t, it, context, v->valuestring, e)))
			return st;
	}
	return ST_OK;
}

/* The right one as a number from 0, or a letter from A. */
static enum st answer_at(struct task_item *it, const cJSON *v, struct err *e)
{
	double at = -1;

	if (v && cJSON_IsNumber(v))
		at = v->valuedouble;
	else if (v && cJSON_IsString(v) && v->valuestring[0] >= 'A' && v->valuestring[0] <= 'Z' &&
		 !v->valuestring[1])
		at = v->valuestring[0] - 'A';
	if (!(at >= 0 && at < (double)it->n) || at != (double)(size_t)at)
		return lacks("an answer among the options, as a number from 0 or a letter", e);
	it->answer = (size_t)at;
	return it->n >= 2 ? ST_OK : lacks("two options at least", e);
}

/* {"prompt": "The sky is", "options": ["blue", "green"], "answer": 0} */
static enum st ours(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	struct task_item *it = task_add(t);
	const char *prompt = text_of(o, f->key);
	enum st st;

	if (!prompt)
		return lacks("a prompt", e);
	st = strings(t, it, task_text(t, "%s", prompt), json_member(o, "options"), e);
	return st ? st : answer_at(it, json_member(o, "answer"), e);
}

/* By labels: the option whose label is the key. */
static enum st keyed(struct task_item *it, const char *const *label, const char *key, struct err *e)
{
	for (size_t i = 0; key && i < it->n; i++)
		if (!strcmp(label[i], key)) {
			it->answer = i;
			return ST_OK;
		}
	return lacks("an answerKey that is the label of an option", e);
}

/* {"question": {"stem":, "choices": [{"text":, "label":}]}, "answerKey":} */
static enum st arc(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const cJSON *q = json_member(o, "question"), *list, *v;
	const char *stem = text_of(q, "stem"), *label[TASK_OPTIONS], *context;
	struct task_item *it = task_add(t);
	enum st st;

	(void)f;
	list = stem ? json_member(q, "choices") : NULL;
	if (!list || !cJSON_IsArray(list))
		return lacks("a question with a stem and choices", e);
	context = task_text(t, "Question: %s\nAnswer:", stem);
	cJSON_ArrayForEach(v, list)
	{
		const char *key[] = { "text", "label" }, *got[2];

		if (!texts_of(v, 2, key, got))
			return lacks("choices with a text and a label", e);
		if ((st = add_option(t, it, context, got[0], e)))
			return st;
		label[it->n - 1] = got[1];
	}
	return keyed(it, label, text_of(o, "answerKey"), e);
}

/* {"question_stem":, "choices": {"text": [], "label": []}, "answerKey":} */
static enum st openbook(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const cJSON *c = json_member(o, "choices"), *labels, *v;
	const char *stem = text_of(o, f->key), *label[TASK_OPTIONS];
	struct task_item *it = task_add(t);
	size_t n = 0;
	enum st st;

	if (!stem || !c || !cJSON_IsObject(c))
		return lacks("a question_stem and choices", e);
	st = strings(t, it, task_text(t, "%s", stem), json_member(c, "text"), e);
	labels = json_member(c, "label");
	if (!st && (!labels || !cJSON_IsArray(labels)))
		st = lacks("labels of the choices", e);
	if (st)
		return st;
	cJSON_ArrayForEach(v, labels) if (n < it->n) label[n++] =
		cJSON_IsString(v) ? v->valuestring : "";
	return n == it->n ? keyed(it, label, text_of(o, "answerKey"), e)
			  : lacks("as many labels as options", e);
}

/* {"goal":, "sol1":, "sol2":}, the answers in a file beside. */
static enum st piqa(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const char *key[] = { f->key, "sol1", "sol2" }, *s[3];

	if (!texts_of(o, 3, key, s))
		return lacks("goal, sol1 and sol2", e);
	return two(t, task_text(t, "Question: %s\nAnswer:", s[0]), s[1], s[2], 0, e);
}

/* As the harness cleans these captions: "[header]" and the like are marks of where they were found.
 */
static const char *caption(struct task *t, const char *s)
{
	char *out = (char *)(uintptr_t)task_text(t, "%s ", s), *to = out;
	const char *from = out;

	while (*from == ' ')
		from++;
	while (*from) {
		const char *end = *from == '[' ? strchr(from, ']') : NULL;

		if (!strncmp(from, " [title]", 8)) {
			*to++ = '.';
			*to++ = ' ';
			from += 8;
		} else if (end) {
			from = end + 1;
		} else if (*from == ' ' && to > out && to[-1] == ' ') {
			from++;
		} else {
			*to++ = *from++;
		}
	}
	while (to > out && to[-1] == ' ')
		to--;
	*to = '\0';
	return out;
}

/* {"activity_label":, "ctx_a":, "ctx_b":, "endings": [], "label":} */
static enum st hellaswag(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const char *key[] = { "activity_label", "ctx_a", "ctx_b" }, *s[3], *context;
	struct task_item *it = task_add(t);
	const cJSON *list = json_member(o, f->key);
	char *b;
	enum st st;

	if (!texts_of(o, 3, key, s))
		return lacks("activity_label, ctx_a and ctx_b", e);
	b = (char *)(uintptr_t)task_text(t, "%s", s[2]);
	if (*b >= 'a' && *b <= 'z')
		*b = (char)(*b - 'a' + 'A');
	context = caption(t, task_text(t, "%s: %s %s", s[0], s[1], b));
	st = strings(t, it, context, list, e);
	for (size_t i = 0; !st && i < it->n; i++)
		it->option[i] = caption(t, it->option[i]);
	return st ? st : answer_at(it, json_member(o, "label"), e);
}

/* {"sentence": "... _ ...", "option1":, "option2":, "answer": "1"}: what follows is scored behind
 * each of the two (Trinh and Le 2018). */
static enum st winogrande(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const char *key[] = { "sentence", f->key, "option2", "answer" }, *s[4], *gap, *rest;
	struct task_item *it = task_add(t);

	if (!texts_of(o, 4, key, s) || !(gap = strchr(s[0], '_')))
		return lacks("a sentence with a _, option1, option2 and answer", e);
	rest = gap + 1;
	rest += strspn(rest, " ");
	if (!*rest || (strcmp(s[3], "1") && strcmp(s[3], "2")))
		return lacks("text behind the _, and an answer of 1 or 2", e);
	it->answer = s[3][0] == '2';
	it->glued = gap[1] != ' ';
	for (int i = 0; i < 2; i++) {
		const char *context = task_text(t, "%.*s%s", (int)(gap - s[0]), s[0], s[1 + i]);
		enum st st = add_option(t, it, context, rest, e);

		if (st)
			return st;
	}
	return ST_OK;
}

/* true, false, "true", "false", 0, 1 */
static enum st truth(const cJSON *v, size_t *is, struct err *e)
{
	if (v && (cJSON_IsBool(v) || cJSON_IsNumber(v)))
		*is = cJSON_IsTrue(v) || v->valuedouble == 1;
	else if (v && cJSON_IsString(v) &&
		 (!strcmp(v->valuestring, "true") || !strcmp(v->valuestring, "false")))
		*is = v->valuestring[0] == 't';
	else
		return lacks("a label of true or false", e);
	return ST_OK;
}

/* {"question":, "passage":, "label":} */
static enum st boolq(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const char *key[] = { f->key, "question" }, *s[2];
	const cJSON *v = json_member(o, "label");
	size_t yes;

	if (!texts_of(o, 2, key, s))
		return lacks("passage and question", e);
	if (truth(v ? v : json_member(o, "answer"), &yes, e))
		return ST_FORMAT;
	return two(t, task_text(t, "%s\nQuestion: %s?\nAnswer:", s[0], s[1]), "no", "yes", yes, e);
}

/* {"word":, "sentence1":, "sentence2":, "label":} */
static enum st wic(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const char *key[] = { "word", f->key, "sentence2" }, *s[3];
	size_t yes;

	if (!texts_of(o, 3, key, s))
		return lacks("word, sentence1 and sentence2", e);
	if (truth(json_member(o, "label"), &yes, e))
		return ST_FORMAT;
	return two(t,
		task_text(t,
			"Sentence 1: %s\nSentence 2: %s\nQuestion: Is the word '%s' used in the "
			"same way in the two sentences above?\nAnswer:",
			s[1], s[2], s[0]),
		"no", "yes", yes, e);
}

/* {"context":, "hypothesis":, "label": "e", "n" or "c"} */
static enum st anli(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	static const char *const said[] = { "True", "Neither", "False" };
	const char *key[] = { "context", f->key, "label" }, *s[3], *context;
	struct task_item *it = task_add(t);
	enum st st = ST_OK;

	if (!texts_of(o, 3, key, s) || strlen(s[2]) != 1 || !strchr("enc", s[2][0]))
		return lacks("context, hypothesis and a label of e, n or c", e);
	context = task_text(t, "%s\nQuestion: %s True, False, or Neither?\nAnswer:", s[0], s[1]);
	for (int i = 0; !st && i < 3; i++)
		st = add_option(t, it, context, said[i], e);
	it->answer = s[2][0] == 'e' ? 0 : s[2][0] == 'n' ? 1 : 2;
	return st;
}

/* {"article":, "questions": [], "options": [[]], "answers": []} */
static enum st race(struct task *t, const struct task_form *f, const cJSON *o, struct err *e)
{
	const char *article = text_of(o, f->key);
	const cJSON *q = json_member(o, "questions"), *a = json_member(o, "answers"),
		    *all = json_member(o, "options");

	if (!article || !cJSON_IsArray(q) || !cJSON_IsArray(a) || !cJSON_IsArray(all) ||
		cJSON_GetArraySize(q) != cJSON_GetArraySize(a) ||
		cJSON_GetArraySize(q) != cJSON_GetArraySize(all))
		return lacks("article, and as many questions as options and answers", e);
	for (int i = 0; i < cJSON_GetArraySize(q); i++) {
		const cJSON *one = cJSON_GetArrayItem(q, i);
		struct task_item *it = task_add(t);
		enum st st;

		if (!cJSON_IsString(one))
			return lacks("questions that are strings", e);
		st = strings(t, it,
			task_text(t, "Article: %s\n\nQuestion: %s\nAnswer:", article,
				one->valuestring),
			cJSON_GetArrayItem(all, i), e);
		if (!st)
			st = answer_at(it, cJSON_GetArrayItem(a, i), e);
		if (st)
			return st;
	}
	return ST_OK;
}

const struct task_form task_form_table[] = {
	{ "bitdial", "prompt", ours, NULL },
	{ "openbookqa", "question_stem", openbook, NULL },
	{ "piqa", "goal", piqa, "-labels.lst" },
	{ "hellaswag", "endings", hellaswag, NULL },
	{ "winogrande", "option1", winogrande, NULL },
	{ "boolq", "passage", boolq, NULL },
	{ "wic", "sentence1", wic, NULL },
	{ "anli", "hypothesis", anli, NULL },
	{ "race", "article", race, NULL },
	{ "arc", "answerKey", arc, NULL },
	{ 0 },
};
