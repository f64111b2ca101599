/* SPDX-License-Identifier: Apache-2.0
 * Public: export marker, error domain, element types.
 */
#pragma once
#include <gio/gio.h>
#include <glib-object.h>

G_BEGIN_DECLS

#define KETTE_EXPORT __attribute__ ((visibility ("default")))

/**
 * KETTE_ERROR:
 *
 * The domain of every #GError that Kette sets. The text has the form
 * `FILE: CODE: WHERE: WHAT`, one line of at most 1,024 bytes.
 */
#define KETTE_ERROR (kette_error_quark ())
KETTE_EXPORT GQuark kette_error_quark (void);

/**
 * KetteErrorCode:
 * @KETTE_ERROR_FORMAT: the bytes are no ONNX message, or a header field is outside its domain
 * @KETTE_ERROR_GRAPH: names, edges, cycles, arity, functions, training bindings
 * @KETTE_ERROR_UNSUPPORTED: an operator, domain, version, type or feature that nothing provides
 * @KETTE_ERROR_ATTR: an attribute is missing, unknown, twice, of the wrong kind or range
 * @KETTE_ERROR_TENSOR: type, dims and data of a stored tensor do not agree
 * @KETTE_ERROR_TYPE: element types do not agree
 * @KETTE_ERROR_SHAPE: ranks or dims do not fit
 * @KETTE_ERROR_VALUE: the content of an input is out of range
 * @KETTE_ERROR_IO: the system refused to open, read, write or sync
 * @KETTE_ERROR_PATH: external data at a place that is not allowed
 * @KETTE_ERROR_LIMIT: a limit was passed
 * @KETTE_ERROR_MEMORY: memory was refused
 * @KETTE_ERROR_TIMEOUT: the time limit was passed
 * @KETTE_ERROR_CANCEL: cancelled by the caller or a signal
 * @KETTE_ERROR_PLUGIN: a plugin cannot be loaded, is refused or breaks its contract
 * @KETTE_ERROR_DEVICE: a device or its driver fails
 * @KETTE_ERROR_INTERNAL: a mistake in Kette
 */
typedef enum
{
  KETTE_ERROR_FORMAT,
  KETTE_ERROR_GRAPH,
  KETTE_ERROR_UNSUPPORTED,
  KETTE_ERROR_ATTR,
  KETTE_ERROR_TENSOR,
  KETTE_ERROR_TYPE,
  KETTE_ERROR_SHAPE,
  KETTE_ERROR_VALUE,
  KETTE_ERROR_IO,
  KETTE_ERROR_PATH,
  KETTE_ERROR_LIMIT,
  KETTE_ERROR_MEMORY,
  KETTE_ERROR_TIMEOUT,
  KETTE_ERROR_CANCEL,
  KETTE_ERROR_PLUGIN,
  KETTE_ERROR_DEVICE,
  KETTE_ERROR_INTERNAL
} KetteErrorCode;

/**
 * kette_error_get_file:
 * @error: an error of Kette
 *
 * Returns: (transfer none) (nullable): the file as the caller named it
 */
KETTE_EXPORT const char *kette_error_get_file (const GError *error);
/**
 * kette_error_get_where:
 * @error: an error of Kette
 *
 * Returns: (transfer none) (nullable): the place, as it stands in the text:
 *   `node "if0" (If), then_branch, node "n1" (Add)`
 */
KETTE_EXPORT const char *kette_error_get_where (const GError *error);
/**
 * kette_error_get_what:
 * @error: an error of Kette
 *
 * Returns: (transfer none) (nullable): what is there and what was needed
 */
KETTE_EXPORT const char *kette_error_get_what (const GError *error);
/**
 * kette_error_get_errno:
 * @error: an error of Kette
 *
 * Returns: the system's reason; 0: there is none
 */
KETTE_EXPORT int kette_error_get_errno (const GError *error);
/**
 * kette_error_get_byte:
 * @error: an error of Kette
 *
 * Returns: offset of the fault in the file; -1: the place is told in another way
 */
KETTE_EXPORT gint64 kette_error_get_byte (const GError *error);
/**
 * kette_error_dup_node:
 * @error: an error of Kette
 *
 * Returns: (transfer full) (nullable): the innermost node's name as the text has it (at most
 *   80 characters, escaped), or `#12` where it has no name
 */
KETTE_EXPORT char *kette_error_dup_node (const GError *error);
/**
 * kette_error_dup_operator:
 * @error: an error of Kette
 *
 * Returns: (transfer full) (nullable): the innermost node's operator
 */
KETTE_EXPORT char *kette_error_dup_operator (const GError *error);
/**
 * kette_error_dup_value:
 * @error: an error of Kette
 *
 * Returns: (transfer full) (nullable): the initializer, input or output that is meant
 */
KETTE_EXPORT char *kette_error_dup_value (const GError *error);

/**
 * KetteFaultFunc:
 * @fault: what is wrong and where
 * @user: the caller's
 *
 * Receives one of several faults.
 */
typedef void (*KetteFaultFunc) (const GError *fault, gpointer user);

G_END_DECLS
