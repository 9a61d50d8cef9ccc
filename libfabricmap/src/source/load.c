// SPDX-License-Identifier: MIT
/*
 * All sources together, and files and folders of which nobody says what they are.
 */
#include "source/source.h"

#include "base/base.h"
#include "base/read.h"
#include "source/common.h"
#include "source/tree.h"

#include <fcntl.h>
#include <stdarg.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	FILE_MAX_BYTES = 256 << 20,
	/* A capture is often packed with a folder or two around it. */
	WRAPPINGS_MAX = 4,
	JSON_DEPTH_MAX = 16,
};

/* ---- all sources ---- */

/* What KFD refuses costs the rest nothing. */
static int kfd_read(const char *root, struct topology **ret)
{
	_cleanup_(topology_builder_freep) struct topology_builder *builder = NULL;
	_cleanup_(freep) char *error = NULL;
	int r;

	r = source_kfd_read(root, ret, &error);
	if (r != -EEXIST && r != -E2BIG)
		return r;
	r = topology_builder_new(TOPOLOGY_SOURCE_PARTIAL, 0, &builder);
	if (r == 0)
		r = topology_builder_warn(builder, "unreadable kfd: %s: left out", error ?: "");
	return r < 0 ? r : topology_builder_finish(builder, ret);
}

/* A tree in which there is nothing of the fabric: another machine's, and no reason to warn. */
static int nothing_read(struct topology **ret)
{
	_cleanup_(topology_builder_freep) struct topology_builder *builder = NULL;
	int r;

	r = topology_builder_new(TOPOLOGY_SOURCE_PARTIAL, 0, &builder);
	return r < 0 ? r : topology_builder_finish(builder, ret);
}

static int read_all(const char *root, bool has_fabric, struct topology **ret)
{
	enum { FABRIC, KFD, PCI, NUMA, N };
	struct topology *parts[N] = { 0 }, *known = NULL;
	int r;

	r = has_fabric ? source_fabric_read(root, &parts[FABRIC]) : nothing_read(&parts[FABRIC]);
	if (r == 0)
		r = kfd_read(root, &parts[KFD]);
	if (r == 0)
		r = source_merge((const struct topology *const *)parts, 2, &known);
	if (r == 0)
		r = source_pci_read(root, known, &parts[PCI]);
	if (r == 0)
		r = source_numa_read(root, &parts[NUMA]);
	if (r == 0)
		r = source_merge((const struct topology *const *)parts, N, ret);
	topology_unref(known);
	for (size_t i = 0; i < N; i++)
		topology_unref(parts[i]);
	return r;
}

int source_read(const char *root, struct topology **ret)
{
	return read_all(root, true, ret);
}

/* ---- files ---- */

static void json_object_putp(struct json_object **object)
{
	json_object_put(*object);
}

static void json_tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

static int say(char **ret_error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int say(char **ret_error, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = vasprintf(ret_error, format, ap);
	va_end(ap);
	if (r >= 0)
		return 0;
	*ret_error = NULL;
	return -ENOMEM;
}

int source_load_json(const char *text, size_t length, struct topology **ret, char **ret_error)
{
	_cleanup_(json_object_putp) struct json_object *object = NULL;
	_cleanup_(json_tokener_freep) struct json_tokener *tokener = NULL;
	enum json_tokener_error error;
	int r;

	*ret_error = NULL;
	if (length > FILE_MAX_BYTES)
		return say(ret_error, "longer than %d MiB", FILE_MAX_BYTES >> 20) ?: -E2BIG;
	tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)length);
	error = json_tokener_get_error(tokener);
	if (error == json_tokener_continue)
		return say(ret_error, "JSON: ends too early") ?: -EBADMSG;
	if (error != json_tokener_success)
		return say(ret_error, "JSON: %s at byte %zu", json_tokener_error_desc(error), json_tokener_get_parse_end(tokener)) ?:
			       -EBADMSG;
	for (size_t i = json_tokener_get_parse_end(tokener); i < length; i++)
		if (!strchr(" \t\r\n", text[i]) || !text[i])
			return say(ret_error, "JSON: more after its end, at byte %zu", i) ?: -EBADMSG;
	r = topology_from_json_explain(object, ret, ret_error);
	return r;
}

/* An archive, or something compressed: captured trees are kept as such. */
static bool is_packed(const char *text, size_t length)
{
	static const struct {
		const char *magic;
		size_t length, at;
	} kinds[] = {
		{ "\xfd"
		  "7zXZ",
		  5, 0 },
		{ "\x1f\x8b", 2, 0 },
		{ "\x28\xb5\x2f\xfd", 4, 0 },
		{ "BZh", 3, 0 },
		{ "PK\x03\x04", 4, 0 },
		{ "ustar", 5, 257 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (length >= kinds[i].at + kinds[i].length &&
		    !memcmp(text + kinds[i].at, kinds[i].magic, kinds[i].length))
			return true;
	return false;
}

static int load_file(const char *path, struct topology **ret, char **ret_error)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	ssize_t length;
	size_t first;
	int r;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return say(ret_error, "%s", strerrordesc_np(-r)) ?: r;
	}
	if (!S_ISREG(st.st_mode))
		return say(ret_error, "neither a regular file nor a folder") ?: -EPROTONOSUPPORT;
	if (st.st_size > FILE_MAX_BYTES)
		return say(ret_error, "longer than %d MiB", FILE_MAX_BYTES >> 20) ?: -E2BIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	length = read_to_end(fd, text, (size_t)st.st_size);
	if (length < 0)
		return say(ret_error, "%s", tree_strerror((int)length)) ?: (int)length;
	text[length] = '\0';
	first = strspn(text, " \t\r\n");
	if ((size_t)length == first)
		return say(ret_error, "empty") ?: -EBADMSG;
	if (is_packed(text, (size_t)length))
		return say(ret_error, "an archive, or compressed: unpack it first") ?: -EPROTONOSUPPORT;
	if (text[first] == '<')
		return say(ret_error, "XML: only fabricctl and fabricd read that") ?: -EPROTONOSUPPORT;
	if (text[first] != '{')
		return say(ret_error, "neither JSON (fabric.topology/1) nor XML (NCCL, hwloc)") ?: -EPROTONOSUPPORT;
	return source_load_json(text, (size_t)length, ret, ret_error);
}

/* ---- folders ---- */

static bool has(int fd, const char *path)
{
	int folder = tree_open_folder(fd, path);

	closep(&folder);
	return folder >= 0;
}

static bool is_root(int fd)
{
	static const char *const signs[] = {
		"class/drm_fabric", "class/drm_fabric_unmanaged", "class/kfd", "devices/system/node", "bus/pci/devices",
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (has(fd, signs[i]))
			return true;
	return false;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

/* A folder of nodes: nothing but numbers, each with properties. */
static bool is_kfd_nodes(int fd)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	struct stat st;

	if (tree_list(fd, TOPOLOGY_DEVICES_MAX, &list) < 0 || list.n_names == 0)
		return false;
	for (size_t i = 0; i < list.n_names; i++) {
		_cleanup_(freep) char *path = NULL;

		if (!is_number(list.names[i]) || asprintf(&path, "%s/properties", list.names[i]) < 0)
			return false;
		if (fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

/* The only folder in a folder, which has no files; else -ENOENT. */
static int only_folder(int fd, char **ret)
{
	_cleanup_(tree_list_fini) struct tree_list folders = { 0 };
	int r;

	r = tree_list(fd, 2, &folders);
	if (r < 0 || folders.n_names != 1)
		return r == -ENOMEM ? r : -ENOENT;
	*ret = steal_ptr(&folders.names[0]);
	return 0;
}

static int load_nodes(const char *folder, struct topology **ret, char **ret_error)
{
	_cleanup_(freep) char *error = NULL;
	int r;

	r = source_kfd_read_nodes(folder, ret, &error);
	if (r == 0 || r == -ENOMEM)
		return r;
	return say(ret_error, "KFD: %s", error ?: tree_strerror(r)) ?: r;
}

static int load_folder(const char *path, unsigned int n_wrappings, struct topology **ret, char **ret_error)
{
	static const char *const nodes[] = { "nodes", "topology/nodes" };
	_cleanup_(freep) char *inner = NULL;
	_cleanup_(freep) char *name = NULL;
	_cleanup_(closep) int fd = -1;
	int r;

	fd = tree_open(path);
	if (fd < 0)
		return say(ret_error, "%s", tree_strerror(fd)) ?: fd;
	if (is_root(fd)) {
		r = read_all(path, has(fd, "class/drm_fabric"), ret);
		return r < 0 ? say(ret_error, "%s", tree_strerror(r)) ?: r : 0;
	}
	if (is_kfd_nodes(fd))
		return load_nodes(path, ret, ret_error);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (!has(fd, nodes[i]))
			continue;
		if (asprintf(&inner, "%s/%s", path, nodes[i]) < 0) {
			inner = NULL;
			return -ENOMEM;
		}
		return load_nodes(inner, ret, ret_error);
	}
	r = has(fd, "sys") ? 0 : only_folder(fd, &name);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || n_wrappings == 0 || (name && !has(fd, name)))
		return say(ret_error, "no tree that we know: neither sysfs, nor KFD's nodes") ?: -EPROTONOSUPPORT;
	if (asprintf(&inner, "%s/%s", path, name ?: "sys") < 0) {
		inner = NULL;
		return -ENOMEM;
	}
	return load_folder(inner, n_wrappings - 1, ret, ret_error);
}

int source_load(const char *path, struct topology **ret, char **ret_error)
{
	struct stat st;
	int r;

	*ret_error = NULL;
	if (stat(path, &st) < 0) {
		r = -errno;
		return say(ret_error, "%s", strerrordesc_np(-r)) ?: r;
	}
	if (S_ISDIR(st.st_mode))
		return load_folder(path, WRAPPINGS_MAX, ret, ret_error);
	return load_file(path, ret, ret_error);
}
