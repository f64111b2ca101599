/* SPDX-License-Identifier: Apache-2.0
 * Public: the set of loaded plugins.
 */
#pragma once
#include "base/kette-base.h"

G_BEGIN_DECLS

/**
 * KettePlugins:
 *
 * The operators and kernels that this process knows, from plugins opened with dlopen.
 */
typedef struct _KettePlugins KettePlugins;

/**
 * kette_plugins_get: (skip)
 * @error: return location
 *
 * The plugins of the search path, loaded at the first call: files given to
 * kette_plugins_add_file() before, `KETTE_PLUGIN_PATH`, the user's data directory
 * (`kette/plugins/0`), the installed directory. A file that is refused does not fail the
 * call: its reason is shown when one of its operators is missed.
 *
 * Returns: (transfer none) (nullable): the one set of the process
 */
KETTE_EXPORT KettePlugins *kette_plugins_get (GError **error);
/**
 * kette_plugins_add_file:
 * @file: path of a plugin
 * @trust: load it even if others may write it
 * @error: return location
 *
 * Loads one plugin. Its operators are there for all graphs resolved afterwards.
 *
 * Returns: %FALSE with `plugin` if it is refused
 */
KETTE_EXPORT gboolean kette_plugins_add_file (const char *file, gboolean trust,
                                              GError **error);
/**
 * kette_plugins_to_json: (skip)
 * @self: plugins
 *
 * Every operator with its versions, gradient, kernels, and every plugin with its file or the
 * reason why it was refused.
 *
 * Returns: (transfer full): a JSON object
 */
KETTE_EXPORT char *kette_plugins_to_json (KettePlugins *self);
/**
 * kette_plugins_to_text: (skip)
 * @self: plugins
 *
 * The same for reading: a line per operator, then the plugins.
 *
 * Returns: (transfer full): the text
 */
KETTE_EXPORT char *kette_plugins_to_text (KettePlugins *self);
/**
 * kette_plugins_devices_to_text: (skip)
 * @self: plugins
 *
 * A line per device that the plugins bring, or the reason why there is none of a kind.
 *
 * Returns: (transfer full): the text
 */
KETTE_EXPORT char *kette_plugins_devices_to_text (KettePlugins *self);
/**
 * kette_plugins_explain:
 * @self: plugins
 * @op: an operator, "Gemm" or "domain:Name"
 *
 * Its definition and which kernel wins on which device, and why.
 *
 * Returns: (transfer full): readable text
 */
KETTE_EXPORT char *kette_plugins_explain (KettePlugins *self, const char *op);
/**
 * kette_plugins_running: (skip)
 * @out: where the text goes
 * @size: of @out in bytes; 512 are enough
 *
 * What the calling thread is doing in a plugin at this moment:
 * `plugin "kette-x.so", node "n0" (Swish)`. May be called by the handler of a signal that a
 * crash raised.
 *
 * Returns: the length of the text; 0: no plugin is at work
 */
KETTE_EXPORT gsize kette_plugins_running (char *out, gsize size);

G_END_DECLS
