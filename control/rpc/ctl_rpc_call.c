/*
 * The protocol: a line to a call, arguments against the method's row, answers. Rules cited are
 * those of the JSON-RPC 2.0 specification. Control thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/ctl_rpc_internal.h"

static const char *const type_names[] = {
	[CTL_RPC_STRING] = "string",
	[CTL_RPC_BOOL] = "boolean",
	[CTL_RPC_INTEGER] = "integer",
};

static size_t n_params(const struct ctl_rpc_method *m)
{
	size_t n = 0;

	while (n < CTL_RPC_PARAMS && m->params[n].name)
		n++;
	return n;
}

/* ---- Answers */

void ctl_rpc_send_error(struct ctl_rpc_client *c, json_t *id, enum ctl_rpc_code code,
			const char *text, json_t *data)
{
	json_t *error = json_pack("{s:i, s:s}", "code", (int)code, "message", text);

	if (data)
		json_object_set_new(error, "data", data);
	ctl_rpc_send(c, json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", id, "error", error));
}

static void end_call(struct ctl_rpc_call *call)
{
	struct ctl_rpc_client *c = call->client;

	LIST_REMOVE(call, next);
	json_decref(call->id);
	json_decref(call->params);
	free(call);
	if (c)
		ctl_rpc_settle(c);
}

void ctl_rpc_reply(struct ctl_rpc_call *call, json_t *result)
{
	if (!result) {
		ctl_rpc_refuse(call, CTL_RPC_INTERNAL, NULL, "out of memory");
		return;
	}
	if (call->client && call->id)
		ctl_rpc_send(call->client, json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id",
						     call->id, "result", result));
	else
		json_decref(result);
	end_call(call);
}

void ctl_rpc_refuse(struct ctl_rpc_call *call, enum ctl_rpc_code code, json_t *data,
		    const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (call->client && call->id)
		ctl_rpc_send_error(call->client, call->id, code, text, data);
	else
		json_decref(data);
	end_call(call);
}

/* ---- Arguments */

const char *ctl_rpc_string(const struct ctl_rpc_call *call, const char *param)
{
	return json_string_value(json_object_get(call->params, param));
}

bool ctl_rpc_bool(const struct ctl_rpc_call *call, const char *param)
{
	return json_is_true(json_object_get(call->params, param));
}

long long ctl_rpc_integer(const struct ctl_rpc_call *call, const char *param, long long otherwise)
{
	const json_t *v = json_object_get(call->params, param);

	return v ? json_integer_value(v) : otherwise;
}

const char *ctl_rpc_who(const struct ctl_rpc_call *call)
{
	return call->who;
}

struct ctl_rpc *ctl_rpc_of(const struct ctl_rpc_call *call)
{
	return call->rpc;
}

static bool has_type(const json_t *v, enum ctl_rpc_type type)
{
	switch (type) {
	case CTL_RPC_STRING: return json_is_string(v);
	case CTL_RPC_BOOL: return json_is_boolean(v);
	default: return json_is_integer(v);
	}
}

static const struct ctl_rpc_param *find_param(const struct ctl_rpc_method *m, const char *name)
{
	for (size_t i = 0; i < n_params(m); i++) {
		if (strcmp(m->params[i].name, name) == 0)
			return &m->params[i];
	}
	return NULL;
}

/* By position (section 4.2) becomes by name. @return NULL when there are too many. */
static json_t *name_params(const struct ctl_rpc_method *m, const json_t *array)
{
	json_t *named = json_object();

	if (json_array_size(array) > n_params(m)) {
		json_decref(named);
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(array); i++)
		json_object_set(named, m->params[i].name, json_array_get(array, i));
	return named;
}

/* "pair: string, to: string (optional)" */
static void say_params(const struct ctl_rpc_method *m, char *out, size_t size)
{
	size_t n = 0;

	snprintf(out, size, "no parameters");
	for (size_t i = 0; i < n_params(m) && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s: %s%s", i ? ", " : "",
				      m->params[i].name, type_names[m->params[i].type],
				      m->params[i].required ? "" : " (optional)");
}

/* @return whether all is well; else what is not, in text. */
static bool check_params(const struct ctl_rpc_method *m, json_t *params, char *text, size_t size)
{
	const char *name;
	json_t *v;

	json_object_foreach(params, name, v)
	{
		const struct ctl_rpc_param *p = find_param(m, name);

		if (!p) {
			snprintf(text, size, "no parameter \"%.40s\"", name);
			return false;
		}
		if (!has_type(v, p->type)) {
			snprintf(text, size, "\"%s\" has to be a %s", name, type_names[p->type]);
			return false;
		}
	}
	for (size_t i = 0; i < n_params(m); i++) {
		if (m->params[i].required && !json_object_get(params, m->params[i].name)) {
			snprintf(text, size, "\"%s\" is missing", m->params[i].name);
			return false;
		}
	}
	return true;
}

/* @return the arguments as an object, owned by the caller, or NULL with the reason in text. */
static json_t *take_params(const struct ctl_rpc_method *m, json_t *params, char *text, size_t size)
{
	json_t *named;

	if (json_is_array(params))
		named = name_params(m, params);
	else
		named = params ? json_incref(params) : json_object();
	if (!named) {
		snprintf(text, size, "too many parameters");
		return NULL;
	}
	if (!check_params(m, named, text, size)) {
		json_decref(named);
		return NULL;
	}
	return named;
}

/* ---- Requests */

static const struct ctl_rpc_method *find_method(const struct ctl_rpc *rpc, const char *name)
{
	for (size_t i = 0; i < rpc->p.n_methods; i++) {
		if (strcmp(rpc->p.methods[i].name, name) == 0)
			return &rpc->p.methods[i];
	}
	return NULL;
}

/* Section 4: the form of a request. @return NULL, or what is wrong with it. */
static const char *check_request(const json_t *q)
{
	const char *version = json_string_value(json_object_get(q, "jsonrpc"));
	const json_t *id = json_object_get(q, "id"), *params = json_object_get(q, "params");

	if (json_is_array(q))
		return "batches are not served: send one request a line";
	if (!json_is_object(q))
		return "a request is an object";
	if (!version || strcmp(version, "2.0") != 0)
		return "\"jsonrpc\" has to be \"2.0\"";
	if (!json_is_string(json_object_get(q, "method")))
		return "\"method\" has to be a string";
	if (params && !json_is_object(params) && !json_is_array(params))
		return "\"params\" has to be an object or an array";
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "\"id\" has to be a string, a number or null";
	return NULL;
}

static void run(struct ctl_rpc_client *c, const struct ctl_rpc_method *m, json_t *id,
		json_t *params)
{
	struct ctl_rpc_call *call = calloc(1, sizeof(*call));

	if (!call) {
		json_decref(params);
		ctl_rpc_send_error(c, id, CTL_RPC_INTERNAL, "out of memory", NULL);
		return;
	}
	call->rpc = c->rpc;
	call->client = c;
	call->method = m;
	call->id = json_incref(id);
	call->params = params;
	memcpy(call->who, c->who, sizeof(call->who));
	LIST_INSERT_HEAD(&c->calls, call, next);
	m->fn(c->rpc->p.context, call);
}

static void refuse_params(struct ctl_rpc_client *c, const struct ctl_rpc_method *m, json_t *id,
			  const char *text)
{
	char all[1024], usage[384];

	say_params(m, usage, sizeof(usage));
	snprintf(all, sizeof(all), "%s: %s; %s takes %s", m->name, text, m->name, usage);
	if (id)
		ctl_rpc_send_error(c, id, CTL_RPC_PARAM, all, NULL);
}

static void take_request(struct ctl_rpc_client *c, const json_t *q)
{
	json_t *id = json_object_get(q, "id"), *params;
	const char *name = json_string_value(json_object_get(q, "method"));
	const struct ctl_rpc_method *m = find_method(c->rpc, name);
	char text[192];

	if (!m) {
		snprintf(text, sizeof(text), "no method \"%.80s\"; \"help\" lists them", name);
		if (id)
			ctl_rpc_send_error(c, id, CTL_RPC_NO_METHOD, text, NULL);
		return;
	}
	params = take_params(m, json_object_get(q, "params"), text, sizeof(text));
	if (params)
		run(c, m, id, params);
	else
		refuse_params(c, m, id, text);
}

void ctl_rpc_take(struct ctl_rpc_client *c, const char *line, size_t len)
{
	json_error_t e;
	json_t *q = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	const char *wrong;
	char text[256];

	if (!q) {
		snprintf(text, sizeof(text), "not JSON: %s (column %d)", e.text, e.column);
		ctl_rpc_send_error(c, NULL, CTL_RPC_PARSE, text, NULL);
		return;
	}
	wrong = check_request(q);
	if (wrong)
		ctl_rpc_send_error(c, NULL, CTL_RPC_INVALID, wrong, NULL);
	else
		take_request(c, q);
	json_decref(q);
}

/* ---- The table, described */

static json_t *describe_params(const struct ctl_rpc_method *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n_params(m); i++) {
		const struct ctl_rpc_param *p = &m->params[i];

		json_array_append_new(a, json_pack("{s:s, s:s, s:b, s:s}", "name", p->name, "type",
						   type_names[p->type], "required",
						   (int)p->required, "help", p->help));
	}
	return a;
}

json_t *ctl_rpc_describe(const struct ctl_rpc *rpc)
{
	json_t *a = json_array();

	for (size_t i = 0; i < rpc->p.n_methods; i++) {
		const struct ctl_rpc_method *m = &rpc->p.methods[i];

		json_array_append_new(a, json_pack("{s:s, s:s, s:o}", "name", m->name, "help",
						   m->help, "params", describe_params(m)));
	}
	return a;
}
