/* SPDX-License-Identifier: Apache-2.0
 * The stages of a picture, each a plain structure that the next one reads:
 *
 *   scope    which graph, which loss, what has a gradient            scope.c
 *   view     boxes and edges, parameters at their consumer           view.c, notation.c
 *   devices  where a plan executes them, and what it copies          survey.c, devices.c
 *   layout   columns with places, routes between them                columns.c, row.c, layout.c
 *   scene    rectangles, paths and runs of text, colours by role     scene.c, route.c
 *   writers  svg.c; dot.c writes the view without any places
 *
 * Lengths are points (1/72 in) on a slide 960 wide; y grows downwards. The number of boxes
 * has a limit, checked while they are made, so GLib's containers may hold what follows.
 */
#pragma once
#include "draw/draw.h"
#include "draw/text.h"
#include "graph/graph-private.h"

#define KETTE_DRAW_BOXES 300      /* by default     */
#define KETTE_DRAW_BOXES_MAX 2000 /* with any option */
#define KETTE_DRAW_EDGES_MAX 20000
#define KETTE_DRAW_ATTACHED 4 /* parameters drawn as boxes at one operator */

/* scope.c -------------------------------------------------------------------------------- */
typedef struct
{
  KetteGraph *graph;  /* a copy, sorted, with types as far as they are known */
  KetteValue *loss;   /* NULL: none */
  guint8 *needed;     /* per node: to be drawn */
  guint8 *active;     /* per value: it has a gradient */
  gboolean gradients; /* of LOSS are drawn */
  gboolean pale;      /* the forward edges are background (view "backward") */
  gboolean step;      /* GRAPH is the model's own training step */
  KetteValue **wrt;   /* whose gradients are wanted */
  size_t n_wrt;
} KetteScope;

gboolean _kette_scope_init (KetteScope *scope, KetteGraph *graph,
                            const KetteDrawOptions *options, GError **error);
void _kette_scope_clear (KetteScope *scope);
/* Does a gradient flow through NODE to its input I? */
gboolean _kette_scope_flows (const KetteNode *node, int32_t i);

/* loss.c: what the option `loss` says, on scope->graph: a value of the graph, or a loss that
 * kette train knows, whose nodes are added behind the first output; NULL: the only scalar
 * output. */
gboolean _kette_scope_find_loss (KetteScope *scope, const char *name, GError **error);
/* The only output that is a scalar of floats, or NULL. */
KetteValue *_kette_scope_scalar_output (const KetteGraph *graph);
gboolean _kette_scope_is_float (const KetteValue *v);

/* view.c --------------------------------------------------------------------------------- */
/* Copies between devices that one edge or box shows. */
typedef struct
{
  guint n;            /* 0: none, or they are shown at another edge */
  gboolean elsewhere; /* a copy that another edge shows comes along here, too */
  gsize bytes, each;  /* of all; of one, 0: they differ */
  char *text;         /* "31360 bytes, cpu to guard:0", or NULL */
} KetteDrawCopy;

typedef enum
{
  KETTE_BOX_OP,
  KETTE_BOX_MISSING, /* an operator that no plugin provides */
  KETTE_BOX_DATA,
  KETTE_BOX_PARAMETER,
  KETTE_BOX_LOSS
} KetteBoxKind;

typedef struct
{
  KetteBoxKind kind;
  const KetteNode *node;    /* the operator; NULL: input or parameter */
  const KetteNode *product; /* the MatMul whose bias NODE adds, or NULL */
  const KetteValue *value;  /* what it stands for; NULL: an operator without outputs */
  const KetteValue *weight, *bias; /* of a linear operator, or NULL */
  gint home;                       /* the box it stands above or below, or -1 */
  guint layer;                     /* 1, 2, ... in a chain of layers; 0: none */
  gboolean linear, gradient, is_output, is_target;
  char *id, *title;
  char *symbol;     /* markup, or NULL: HEAD is printed */
  char *head;       /* operator or name */
  char *word;       /* "weight", "Sigmoid", ... or NULL */
  char *formula;    /* markup or NULL */
  GPtrArray *notes; /* lines of text: name, small constants */
  char *shape;      /* "f32[2x3]" with a real cross, or "" */
  char *derivative; /* markup of dE/d symbol, or NULL */
  /* With devices: bits by number in view->devices of what the value and what the gradient are
   * computed by, or where a parameter lies; the words instead of them; results copied to the
   * host, to where its own gradient is computed, and between the nodes that it stands for. */
  guint32 units, back_units;
  gboolean strip, fallback;
  const char *unplaced;
  KetteDrawCopy fetch, saved, inside;
} KetteBox;

typedef struct
{
  guint from, to;
  gboolean backward; /* a gradient flows back along it */
  KetteDrawCopy copy, back_copy;
} KetteEdge;

#define KETTE_DRAW_UNITS 16 /* of a plan, the host included */
#define KETTE_DRAW_COLOURS 6

/* The devices of a picture, numbered as in its plan: 0 is the host. */
typedef struct
{
  char *names[KETTE_DRAW_UNITS];
  guint colours[KETTE_DRAW_UNITS]; /* below KETTE_DRAW_COLOURS */
  guint n_units;
  guint32 used;                           /* bits */
  guint n_in, n_out, n_between, n_hidden; /* copies; hidden: at no edge */
  gsize bytes;                            /* that all of them copy */
  gint64 batch; /* what open dims are taken for; 0: there are none */
} KetteDrawDevices;

typedef struct
{
  const KetteScope *scope;
  GArray *boxes; /* of KetteBox  */
  GArray *edges; /* of KetteEdge */
  guint limit;
  gboolean chain; /* columns have one predecessor and one successor at most */
  guint n_layers; /* of a chain; 0: names instead of symbols */
  char *title;
  KetteDrawDevices *devices; /* NULL: not wanted */
} KetteView;

#define KETTE_BOX(view, i) (&g_array_index ((view)->boxes, KetteBox, (i)))
#define KETTE_EDGE(view, i) (&g_array_index ((view)->edges, KetteEdge, (i)))

gboolean _kette_view_init (KetteView *view, const KetteScope *scope,
                           const KetteDrawOptions *options, GError **error);
void _kette_view_clear (KetteView *view);

/* survey.c: the plan of what VIEW shows, as options->device and options->place want it. ------- */
typedef struct
{
  struct _KetteSession *session;
  const struct _KettePlan *plan; /* the session's */
} KetteSurvey;

gboolean _kette_survey_init (KetteSurvey *survey, const KetteScope *scope,
                             KetteGraph *graph, const KetteDrawOptions *options,
                             GError **error);
void _kette_survey_clear (KetteSurvey *survey);

/* devices.c: fills view->devices, and what boxes and edges have of them. BATCH: see there. */
gboolean _kette_view_add_devices (KetteView *view, const struct _KettePlan *plan,
                                  gint64 batch, GError **error);
void _kette_devices_free (KetteDrawDevices *devices);
/* "cpu, guard:0"; g_free. */
char *_kette_devices_list (const KetteDrawDevices *devices, guint32 units);
/* "31.4 kB", "2 copies, 80 B", "" where another edge says it; g_free. */
char *_kette_copy_label (const KetteDrawCopy *copy);
/* "copies: 1 in, 1 out, 31.4 kB"; g_free. */
char *_kette_devices_summary (const KetteDrawDevices *devices);

/* fold.c --------------------------------------------------------------------------------- */
/* The MatMul that Add NODE gives its bias, and that bias; FALSE: none. */
gboolean _kette_fold_bias (const KetteNode *node, const KetteUses *uses,
                           const KetteNode **product, const KetteValue **bias);
/* Is V a parameter or constant: given by the file or by a node Constant? */
gboolean _kette_fold_is_constant (const KetteValue *v);
/* The content of a constant that is text in its consumer's box, "[1, -1]"; NULL: V is drawn
 * as a box. */
char *_kette_fold_text (const KetteValue *v, const KetteNode *consumer);

/* notation.c ----------------------------------------------------------------------------- */
/* Symbols, formulas, words and texts of all boxes. */
void _kette_notation (KetteView *view);
/* "f32[10x784]" with a real cross; "" if nothing is known. With TYPE FALSE "10x784". */
char *_kette_notation_shape (const KetteValue *v, gboolean type);

/* "Layer L - 1" or "Layer 4". */
char *_kette_notation_layer (guint layer, guint n);

/* layout.c ------------------------------------------------------------------------------- */
typedef struct
{
  double x, y;
} KettePoint;

/* An operator with what hangs on it. The edges of the main line enter and leave at Y, the
 * middle of the value row. */
typedef struct
{
  guint box;             /* the operator, or the input if it stands alone */
  GArray *above, *below; /* guint, outwards */
  double up, down;       /* extent from Y */
  double side; /* room left and right of the boxes for edges of outer parameters */
  double x, y; /* left border of the boxes; main line */
  guint row;
} KetteDrawColumn;

typedef struct
{
  guint edge;     /* in view->edges */
  GArray *points; /* KettePoint: a chain of cubic curves from box border to box border */
  GArray *back;   /* of the gradient, from the later box to the earlier; NULL: none */
} KetteRoute;

typedef struct
{
  double x, y, width, height;
  guint layer, row;
  gboolean continued; /* the layer began in an earlier row */
} KettePanel;

typedef struct
{
  const KetteView *view;
  GArray *columns;                 /* KetteDrawColumn, in view order  */
  GArray *routes;                  /* KetteRoute between columns  */
  GArray *panels;                  /* KettePanel                  */
  double box_width, width, height; /* of all columns and panels, from (0, 0) */
  gboolean brief;                  /* gradient rows without shape, to fit a slide */
} KetteLayout;

#define KETTE_COLUMN(layout, i) (&g_array_index ((layout)->columns, KetteDrawColumn, (i)))

/* ENGINE: "auto", "row", "dot". */
gboolean _kette_layout_init (KetteLayout *layout, const KetteView *view,
                             const char *engine, GError **error);
void _kette_layout_clear (KetteLayout *layout);

/* columns.c: makes the columns and measures them. */
void _kette_layout_columns (KetteLayout *layout);
/* Extents of a box above and below the middle of its value row. */
double _kette_box_up (const KetteBox *box);
double _kette_box_down (const KetteBox *box);
/* row.c */
void _kette_layout_row (KetteLayout *layout);
/* renderer.c: by the program kette-render. */
gboolean _kette_layout_dot (KetteLayout *layout, GError **error);
/* route.c: makes POINTS, corners of a line, a chain of curves with round corners. */
GArray *_kette_route_line (const KettePoint *corners, guint n, double radius);
GArray *_kette_route_reverse (const GArray *points, double dy);
/* Takes LENGTH points off the end (its last piece is straight there). */
void _kette_route_shorten (GArray *points, double length);

/* scene.c -------------------------------------------------------------------------------- */
typedef enum
{
  KETTE_ROLE_NONE,
  KETTE_ROLE_INK,
  KETTE_ROLE_PAGE,
  KETTE_ROLE_MUTED,
  KETTE_ROLE_VALUE,
  KETTE_ROLE_VALUE_FILL,
  KETTE_ROLE_GRADIENT,
  KETTE_ROLE_GRADIENT_FILL,
  KETTE_ROLE_PARAMETER,
  KETTE_ROLE_PARAMETER_FILL,
  KETTE_ROLE_DATA,
  KETTE_ROLE_DATA_FILL,
  KETTE_ROLE_LOSS,
  KETTE_ROLE_LOSS_FILL,
  KETTE_ROLE_OP,
  KETTE_ROLE_PANEL,
  KETTE_ROLE_PANEL_FILL,
  KETTE_ROLE_FUTURE,
  KETTE_ROLE_ALERT,
  KETTE_ROLE_DEVICE, /* and the following: the strip, the border, the head of a box */
  KETTE_ROLE_DEVICE_LINE = KETTE_ROLE_DEVICE + KETTE_DRAW_COLOURS,
  KETTE_ROLE_DEVICE_FILL = KETTE_ROLE_DEVICE_LINE + KETTE_DRAW_COLOURS,
  KETTE_N_ROLES          = KETTE_ROLE_DEVICE_FILL + KETTE_DRAW_COLOURS
} KetteRole;

typedef enum
{
  KETTE_PRIM_OPEN, /* a group: id, title, class in TEXT */
  KETTE_PRIM_CLOSE,
  KETTE_PRIM_RECT,
  KETTE_PRIM_PATH,
  KETTE_PRIM_TEXT
} KettePrimType;

typedef struct
{
  KettePrimType type;
  KetteRole fill, stroke;
  double x, y, width, height, radius; /* TEXT: start of the baseline and measured width */
  double line, size;
  gboolean dashed, closed;
  KetteFont font;
  char *text, *id, *title;
  GArray *points; /* PATH: a chain of cubic curves */
} KettePrim;

typedef struct
{
  GArray *prims;  /* KettePrim, in the order of painting */
  GArray *labels; /* of copies, while the scene is made; NULL without devices */
  double width, height;
  char *title, *desc;
} KetteScene;

#define KETTE_PRIM(scene, i) (&g_array_index ((scene)->prims, KettePrim, (i)))

void _kette_scene_init (KetteScene *scene, const KetteLayout *layout);
void _kette_scene_clear (KetteScene *scene);
/* paint.c: the parts of a scene. */
void _kette_paint_box (KetteScene *scene, const KetteLayout *layout, const KetteBox *box,
                       double x, double y);
void _kette_paint_edges (KetteScene *scene, const KetteLayout *layout, double dx,
                         double dy);
void _kette_paint_legend (KetteScene *scene, const KetteLayout *layout, double x,
                          double y);
double _kette_paint_legend_width (const KetteLayout *layout);
/* The width without being cut. */
double _kette_box_need (const KetteLayout *layout, const KetteBox *box);
/* prim.c: appends one primitive each. */
KettePrim *_kette_prim_open (KetteScene *scene, const char *class_, const char *id,
                             const char *title);
void _kette_prim_close (KetteScene *scene);
KettePrim *_kette_prim_rect (KetteScene *scene, double x, double y, double width,
                             double height, double radius);
KettePrim *_kette_prim_cell (KetteScene *scene, double x, double y, double width,
                             double height, double top, double bottom);
/* Its corners' radii: top left, top right, bottom right, bottom left. */
KettePrim *_kette_prim_cell4 (KetteScene *scene, double x, double y, double width,
                              double height, const double radii[4]);
KettePrim *_kette_prim_path (KetteScene *scene, GArray *points);
KettePrim *_kette_prim_text (KetteScene *scene, double x, double y, KetteFont font,
                             double size, KetteRole role, const char *text);
void _kette_prim_markup (KetteScene *scene, double x, double y, double size,
                         KetteRole role, const char *markup);

/* writers ---------------------------------------------------------------------------------*/
char *_kette_svg_write (const KetteScene *scene);
char *_kette_dot_write (const KetteView *view);
