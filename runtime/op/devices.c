/* SPDX-License-Identifier: Apache-2.0
 * The kinds of devices that plugins registered, and the devices that were opened. Both live
 * until the process ends.
 */
#include "op/devices.h"
#include "base/text.h"
#include <string.h>

enum
{
  MOST_KINDS = 16, /* each is a plugin's */
  MOST_UNITS = 64  /* of a kind */
};

static KetteDeviceKind kinds[MOST_KINDS];
static size_t n_kinds;
static GMutex lock; /* of probing and opening; kinds are added while plugins are loaded */

void
_kette_call_init (KetteCall *call)
{
  call->failure.status  = KT_OK;
  call->failure.text[0] = '\0';
  call->context         = (KetteContext){ .failure = &call->failure };
  call->call.context    = &call->context;
}

gboolean
_kette_call_check (KetteCall *call, const KetteUnit *unit, kt_status status,
                   const KetteNode *node, GError **error)
{
  KetteFailure told = call->failure;

  if (G_LIKELY (status == KT_OK && told.status == KT_OK))
    return TRUE;
  if (!*told.text)
    g_strlcpy (told.text,
               status == KT_E_NOMEM ? "memory was refused" : "the device failed",
               sizeof told.text);
  if (status == KT_OK)
    status = told.status;
  if (status != KT_E_NOMEM && status != KT_E_VALUE && status != KT_E_CANCELLED)
    status = KT_E_DEVICE;
  g_snprintf (call->failure.text, sizeof call->failure.text, "%s: %s", unit->name,
              told.text);
  call->failure.status = status;
  (void) _kette_failure_to_error (&call->failure, status, node, error);
  _kette_call_init (call);
  return FALSE;
}

static gboolean
is_complete (const kt_device *d)
{
  const gboolean records
      = d->capture_begin && d->capture_end && d->replay && d->recording_free,
      none = !d->capture_begin && !d->capture_end && !d->replay && !d->recording_free;

  return d->name && *d->name && d->probe && d->open && d->alloc && d->release
         && d->stream_new && d->stream_free && d->event_new && d->event_free && d->copy
         && d->record && d->wait && d->wait_host && d->synchronize
         && (!d->execute || d->alias) && (!d->alloc_pinned == !d->release_pinned)
         && (records || none);
}

kt_status
_kette_devices_add (kt_reg *reg, const kt_device *given)
{
  kt_device d = { 0 };

  memcpy (&d, given, MIN (given->struct_size, sizeof d));
  if (!is_complete (&d))
    return _kette_reg_refuse (reg, "the device \"%s\" lacks a name or a function",
                              d.name ? d.name : "");
  if (strcmp (d.name, "cpu") == 0 || strcmp (d.name, "auto") == 0
      || strpbrk (d.name, ":=, ") || strlen (d.name) > 32)
    return _kette_reg_refuse (reg, "\"%s\" is no name for a device", d.name);
  for (size_t i = 0; i < n_kinds; i++)
    if (strcmp (kinds[i].device.name, d.name) == 0)
      return reg->again && kinds[i].plugin == reg->file
                 ? KT_OK
                 : _kette_reg_refuse (reg, "there is a device \"%s\" already", d.name);
  if (n_kinds == MOST_KINDS)
    return _kette_reg_refuse (reg, "the device \"%s\" is one kind too many", d.name);
  kinds[n_kinds].device = d;
  kinds[n_kinds].plugin = reg->file;
  kinds[n_kinds].n      = -1;
  n_kinds++;
  return KT_OK;
}

const KetteDeviceKind *
_kette_device_kind_nth (size_t i)
{
  return i < n_kinds ? &kinds[i] : NULL;
}

static void
probe (KetteDeviceKind *kind)
{
  KetteCall call;
  int32_t n = 0;

  if (kind->n >= 0)
    return;
  _kette_call_init (&call);
  (void) kind->device.probe (_kette_host (), &call.call, kind->device.user, &n);
  kind->n = CLAMP (n, 0, MOST_UNITS);
  g_strlcpy (kind->reason, *call.failure.text ? call.failure.text : "there is none",
             sizeof kind->reason);
}

int32_t
_kette_device_kind_count (const KetteDeviceKind *kind)
{
  g_mutex_lock (&lock);
  probe (&kinds[kind - kinds]);
  g_mutex_unlock (&lock);
  return kind->n;
}

static KetteDeviceKind *
kind_of (const char *name, size_t n)
{
  for (size_t i = 0; i < n_kinds; i++)
    if (strlen (kinds[i].device.name) == n && memcmp (kinds[i].device.name, name, n) == 0)
      return &kinds[i];
  return NULL;
}

static KetteUnit *
open_unit (KetteDeviceKind *kind, int32_t index, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteUnit *unit;
  KetteCall call;

  if (!kind->units
      && !(kind->units
           = _kette_alloc (account, (size_t) kind->n, sizeof *kind->units, error)))
    return NULL;
  if (kind->units[index])
    return kind->units[index];
  if (!(unit = _kette_alloc (account, 1, sizeof *unit, error)))
    return NULL;
  unit->kind   = kind;
  unit->device = &kind->device;
  unit->index  = index;
  g_snprintf (unit->name, sizeof unit->name, "%s:%d", kind->device.name, index);
  _kette_call_init (&call);
  const kt_status status = kind->device.open (_kette_host (), &call.call,
                                              kind->device.user, index, &unit->handle);
  if (!_kette_call_check (&call, unit, status, NULL, error))
    {
      _kette_free (unit);
      return NULL;
    }
  return kind->units[index] = unit;
}

static gboolean
no_kind (const char *text, GError **error)
{
  g_autoptr (GString) names = g_string_new ("cpu");

  for (size_t i = 0; i < n_kinds; i++)
    g_string_append_printf (names, ", %s", kinds[i].device.name);
  return _kette_fail (error, KETTE_ERROR_DEVICE, NULL,
                      "no plugin brings a device %s; there are %s", KETTE_QUOTE (text),
                      names->str);
}

gboolean
_kette_unit_get (const char *text, KetteUnit **unit, GError **error)
{
  const size_t n = strcspn (text, ":");
  char *end      = NULL;
  gint64 index   = 0;

  *unit = NULL;
  if (strcmp (text, "cpu") == 0)
    return TRUE;
  KetteDeviceKind *kind = kind_of (text, n);
  if (!kind)
    return no_kind (text, error);
  if (text[n])
    index = g_ascii_isdigit (text[n + 1]) ? g_ascii_strtoll (text + n + 1, &end, 10) : -1;
  if (index < 0 || (end && *end))
    return _kette_fail (error, KETTE_ERROR_DEVICE, NULL,
                        "%s is no device: it must be NAME or NAME:NUMBER",
                        KETTE_QUOTE (text));
  g_mutex_lock (&lock);
  probe (kind);
  if (kind->n == 0)
    (void) _kette_fail (error, KETTE_ERROR_DEVICE, NULL, "%s cannot be used: %s",
                        kind->device.name, kind->reason);
  else if (index >= kind->n)
    (void) _kette_fail (error, KETTE_ERROR_DEVICE, NULL, "there is no %s, %s has %d",
                        KETTE_QUOTE (text), kind->device.name, kind->n);
  else
    *unit = open_unit (kind, (int32_t) index, error);
  g_mutex_unlock (&lock);
  return *unit != NULL;
}

static void
describe_unit (const KetteUnit *unit, GString *out)
{
  const kt_device *d = unit->device;
  char text[256]     = "";
  KetteCall call;

  _kette_call_init (&call);
  if (d->describe)
    (void) d->describe (&call.call, unit->handle, text, sizeof text);
  g_string_append_printf (out, "%-10s %.200s\n", unit->name, text);
}

char *
kette_plugins_devices_to_text (KettePlugins *self)
{
  GString *out = g_string_new ("cpu        this machine's processor\n");

  (void) self;
  for (size_t i = 0; i < n_kinds; i++)
    {
      const int32_t n = _kette_device_kind_count (&kinds[i]);

      if (n == 0)
        g_string_append_printf (out, "%-10s none: %s\n", kinds[i].device.name,
                                kinds[i].reason);
      for (int32_t k = 0; k < n; k++)
        {
          g_autoptr (GError) error = NULL;
          g_autofree char *name    = g_strdup_printf ("%s:%d", kinds[i].device.name, k);
          KetteUnit *unit;
          if (_kette_unit_get (name, &unit, &error))
            describe_unit (unit, out);
          else
            g_string_append_printf (out, "%-10s %s\n", name, error->message);
        }
    }
  return g_string_free (out, FALSE);
}
