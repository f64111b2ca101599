/* SPDX-License-Identifier: Apache-2.0
 * Where the nodes of a plan are executed: what the user wants, which devices a plan uses, copies
 * of constants and states on devices. A unit (op/devices.h) is one device; plans number theirs
 * from 1 on, 0 is the host.
 */
#pragma once
#include "op/devices.h"

enum
{
  KETTE_MOST_UNITS      = 15, /* of a plan */
  KETTE_MOST_RULES      = 1024,
  KETTE_MOST_RULE_BYTES = 1024 /* of each */
};

typedef struct _KetteChoice KetteChoice;

typedef struct
{
  const char *pattern; /* glob over a node's name, its origin's and its operator */
  uint32_t unit;
} KettePlaceRule;

/* What is wanted: of a session, read by its plans. */
typedef struct
{
  KetteUnit *units[KETTE_MOST_UNITS + 1]; /* [0] is NULL: the host */
  uint32_t n_units;                       /* without the host */
  uint32_t base;                          /* where nodes go that no rule names */
  gboolean automatic;                     /* they go where it costs least */
  KettePlaceRule *rules;                  /* the first one that fits counts */
  size_t n_rules;
  int32_t precision;   /* KT_ROUND_*: what is wished of devices that have it */
  size_t n_fetched;    /* outputs that somebody looks at; SIZE_MAX: all */
  char *text;          /* of the rules */
  KetteChoice *choice; /* with automatic: what was chosen before; NULL: nothing */
} KettePlaces;

/* Why a node is where it is: KetteNode.why. */
enum
{
  KETTE_WHY_DEVICE,    /* the device that was asked for */
  KETTE_WHY_RULE,      /* a rule names it */
  KETTE_WHY_COST,      /* it costs least there */
  KETTE_WHY_COPY,      /* a copy */
  KETTE_WHY_NO_KERNEL, /* no kernel there for its types */
  KETTE_WHY_REFUSED,   /* the kernels there refused it: KetteNode.because */
  KETTE_WHY_KIND,      /* texts, sequences and the like are the host's */
  KETTE_WHY_BRANCH,    /* it has graphs of its own */
  KETTE_WHY_SIZE,      /* only computing its result tells how large that is */
  KETTE_WHY_LATER      /* behind such a one: it is placed at the run */
};

/* DEVICE: "cpu", "guard:1", "auto" or NULL; RULES: "PATTERN=DEVICE", ends with NULL, or NULL.
 * *out NULL: everything is the host's. */
gboolean _kette_places_new (const char *device, const char *const *rules,
                            KettePlaces **out, GError **error);
void _kette_places_free (KettePlaces *places);
/* Is NODE, or what it comes from, one that RULE means? */
gboolean _kette_place_fits (const KettePlaceRule *rule, const KetteNode *node);
/* The number that P has, or now gets, for a device. */
gboolean _kette_places_unit (KettePlaces *places, const char *device, uint32_t *out,
                             GError **error);
/* choice.c: lets TEXT say where nodes go that cost alone would decide on. */
gboolean _kette_places_choose (KettePlaces *places, const char *text, GError **error);
gboolean _kette_places_chosen (const KettePlaces *places, const KetteNode *node,
                               uint32_t *unit);
/* TEXT as one line of metadata, with \ and line ends escaped, without the end; what is behind
 * it. TO has room for twice the text. */
char *_kette_line_write (char *to, const char *text);
/* The line at *AT as it was before, in its place; *AT: behind it. *COMPLETE: it ended with a line
 * end, not with the text. FALSE: no such escape. */
gboolean _kette_line_read (char **at, gboolean *complete);
const char *_kette_choice_text (const KetteChoice *choice); /* NULL for NULL */
void _kette_choice_free (KetteChoice *choice);
/* Where NODE is wanted, as far as that is said; 0: the host, or nowhere in particular. */
uint32_t _kette_places_wanted (const KettePlaces *places, const KetteNode *node);
/* precision.c: at least one of the devices of PLACES (NULL: the host's processor alone) must
 * have PRECISION, KT_ROUND_*; on those that have it kernels get to know of it. */
gboolean _kette_places_set_precision (KettePlaces *places, int32_t precision,
                                      GError **error);
/* What kernels on UNIT (NULL: the host) may round to. */
int32_t _kette_places_precision (const KettePlaces *places, const KetteUnit *unit);

/* resident.c: the content of a tensor (constant, parameter, state) on a device, shared by all
 * plans of the process that read it there. */
typedef struct _KetteResident KetteResident;
/* Memory is there afterwards, not yet the content. */
KetteResident *_kette_resident_acquire (KetteTensor *tensor, KetteUnit *unit,
                                        GError **error);
/* The last one to release writes back what only the device has. */
void _kette_resident_release (KetteResident *self);
void *_kette_resident_memory (const KetteResident *self);
/* Copies to the device what it does not have. Waits. */
gboolean _kette_resident_update (KetteResident *self, GError **error);
/* The device's content is the newest from now on. */
void _kette_resident_written (KetteResident *self);
/* The host's memory of TENSOR is up to date afterwards; or has the newest content. */
gboolean _kette_tensor_update (KetteTensor *tensor, GError **error);
void _kette_tensor_written (KetteTensor *tensor);
/* Tensors whose content in the host's memory is old, in the whole process. Read by everybody
 * who is about to read a parameter: 0 says that there is nothing to do. */
extern gint _kette_stale_tensors;
/* How many tensors have copies at all. */
extern gint _kette_resident_tensors;
/* All of them are up to date afterwards. */
gboolean _kette_residents_write_back (GError **error);
