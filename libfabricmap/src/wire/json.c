// SPDX-License-Identifier: MIT
/*
 * Text to JSON, strictly. json-c builds the object; what it lets through that we do not want is found by one scan of
 * the text before (bytes, control characters, depth, numbers, how many members) and one walk of the object after.
 */
#include "wire/wire.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Length of the UTF-8 sequence at @s (RFC 3629: shortest form, no surrogates, up to U+10FFFF), 0 if it is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (length > n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static size_t digits(const unsigned char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

/*
 * Length of the number at @s by the grammar of RFC 8259, 0 if it is none, or an integer that is no int64. json-c
 * clamps what is below, takes "-01" and "1.", and differs in this from version to version.
 */
static size_t number_length(const unsigned char *s, size_t n)
{
	bool negative = s[0] == '-';
	size_t i = negative, n_digits = digits(s + i, n - i);
	uint64_t value = 0;

	if (!n_digits || (s[i] == '0' && n_digits > 1))
		return 0;
	i += n_digits;
	if (i == n || (s[i] != '.' && s[i] != 'e' && s[i] != 'E')) {
		/* 19 digits are below 2^64. */
		if (n_digits > 19)
			return 0;
		for (size_t j = i - n_digits; j < i; j++)
			value = value * 10 + (s[j] - '0');
		return value <= (uint64_t)INT64_MAX + negative ? i : 0;
	}
	if (s[i] == '.') {
		n_digits = digits(s + i + 1, n - i - 1);
		if (!n_digits)
			return 0;
		i += 1 + n_digits;
	}
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		i++;
		if (i < n && (s[i] == '+' || s[i] == '-'))
			i++;
		n_digits = digits(s + i, n - i);
		if (!n_digits)
			return 0;
		i += n_digits;
	}
	return i;
}

/* @ret_n_members: how many members the objects of the text have: every ':' outside a string is one. */
static int scan(const char *text, size_t n, size_t *ret_n_members)
{
	const unsigned char *s = (const unsigned char *)text;
	bool in_string = false;
	size_t n_members = 0, depth = 0, i = 0;

	while (i < n) {
		size_t length = utf8_length(s + i, n - i);

		if (!length || s[i] == '\0')
			return -EBADMSG;
		if (in_string) {
			if (s[i] < 0x20)
				return -EBADMSG;
			if (s[i] == '\\') {
				if (n - i >= 6 && !memcmp(s + i, "\\u0000", 6))
					return -EBADMSG;
				length = 2; /* the next one is escaped, whatever it is */
				if (i + 1 < n && s[i + 1] >= 0x80)
					return -EBADMSG;
			} else if (s[i] == '"') {
				in_string = false;
			}
		} else if (s[i] == '"') {
			in_string = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > WIRE_DEPTH_MAX)
				return -EBADMSG;
		} else if (s[i] == '}' || s[i] == ']') {
			if (depth-- == 0)
				return -EBADMSG;
		} else if (s[i] == ':') {
			n_members++;
		} else if (s[i] == '-' || (s[i] >= '0' && s[i] <= '9')) {
			length = number_length(s + i, n - i);
			if (!length)
				return -EBADMSG;
		} else if (s[i] < 0x20 && s[i] != '\t' && s[i] != '\n' && s[i] != '\r') {
			return -EBADMSG;
		}
		i += length;
	}
	*ret_n_members = n_members;
	return 0;
}

/* Bounded by WIRE_DEPTH_MAX. */
static int walk(struct json_object *object, size_t *n_members)
{
	size_t n;
	int r;

	switch (json_object_get_type(object)) {
	case json_type_double:
		return isfinite(json_object_get_double(object)) ? 0 : -EBADMSG;
	case json_type_array:
		n = json_object_array_length(object);
		for (size_t i = 0; i < n; i++) {
			r = walk(json_object_array_get_idx(object, i), n_members);
			if (r < 0)
				return r;
		}
		return 0;
	case json_type_object: {
		json_object_object_foreach(object, key, value) {
			(void)key;
			++*n_members;
			r = walk(value, n_members);
			if (r < 0)
				return r;
		}
		return 0;
	}
	default:
		return 0;
	}
}

int wire_json_parse(const char *text, size_t length_bytes, struct json_object **ret)
{
	struct json_tokener *tokener;
	struct json_object *object;
	size_t n_expected, n_members = 0;
	int r;

	if (length_bytes == 0 || length_bytes > WIRE_REPLY_MAX_BYTES)
		return -EBADMSG;
	r = scan(text, length_bytes, &n_expected);
	if (r < 0)
		return r;
	tokener = json_tokener_new_ex(WIRE_DEPTH_MAX + 1);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)length_bytes);
	r = json_tokener_get_error(tokener) == json_tokener_success ? 0 : -EBADMSG;
	if (!r && json_tokener_get_parse_end(tokener) != length_bytes)
		r = -EBADMSG;
	if (!r && !json_object_is_type(object, json_type_object))
		r = -EBADMSG;
	if (!r)
		r = walk(object, &n_members);
	/* Fewer in the object than in the text: some name was there twice. */
	if (!r && n_members != n_expected)
		r = -EBADMSG;
	json_tokener_free(tokener);
	if (r < 0) {
		json_object_put(object);
		return r;
	}
	*ret = object;
	return 0;
}
