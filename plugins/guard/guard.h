/* SPDX-License-Identifier: Apache-2.0
 *
 * guard: a device without hardware that is stricter than any. Its memory has an address that
 * the host can never touch and one, the alias, for its streams, which are threads with queues.
 * What its streams do is checked: who may touch which bytes, and who comes before whom.
 *
 * KETTE_GUARD holds words with commas between them:
 *   devices=N   how many there are (2; 0 to 8), asked once
 *   delay=US    before a part of the operations a stream waits up to that long
 *   reorder     streams let others go ahead at random, where no event says who is first
 *   lazy        nothing runs until somebody waits for it
 *   seed=N      of what is random
 *   oom=N       the N-th allocation from now on is refused
 *   fail=N      the N-th launch or copy from now on fails
 *   deaf=N      the N-th wait of a stream for an event from now on is forgotten: a fault to be found
 *   lost=N      the N-th copy from elsewhere to a device from now on is not made
 *   spill=N     the N-th launch from now on that writes does so beyond its value's end, too
 *   stale=N     the N-th launch from now on behind which a value is dead looks at it once more
 *   nocapture   nothing can be recorded
 *   shared      values share memory, as they do on other devices: faster, and finds less
 * It is looked at again whenever it has changed; then counting begins anew.
 */
#pragma once
#include "kette-device.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum
{
  MOST_DEVICES = 8,
  MOST_STREAMS = 96, /* at the same time, of all devices */
  MOST_LISTED  = 24, /* ranges of an operation without a list of its own */
  TEXT         = 400
};

typedef struct
{
  unsigned delay;
  bool reorder, lazy, no_capture, shared;
  uint64_t seed;
  long oom, fail, deaf, lost, spill, stale; /* counted down; 0: never */
} Knobs;

typedef struct
{
  uint32_t at[MOST_STREAMS];
} Clock;

typedef struct Stream Stream;
typedef struct Recording Recording;
typedef struct History History;

typedef struct
{
  int32_t index;
} Device;

typedef enum
{
  UNTOUCHED,
  TOUCHED_BEHIND, /* its end */
  TOUCHED_BEFORE, /* its beginning */
  TOUCHED_DEAD,   /* when nobody was to read it any more */
  TOUCHED_RELEASED
} Touched;

typedef struct Block Block;
struct Block
{
  Block *next; /* of a ruin: the next younger one */
  const Device *device;
  uint8_t *map;             /* of the address, and then of the alias */
  size_t pages;             /* bytes of either */
  uint8_t *address, *alias; /* of the content */
  size_t bytes;
  int holders;
  bool dead;   /* released: a ruin */
  bool closed; /* its content is dead */
  Touched touched;
  pthread_t toucher;
  History *history;
};

typedef enum
{
  OP_TASK,
  OP_COPY,
  OP_WAIT,
  OP_REPLAY
} OpKind;

/* What the host writes and a thread reads, each time: what is always needed comes first. */
typedef struct Op Op;
struct Op
{
  Op *next;
  OpKind kind;
  bool fails, is_lost, spills, lingers; /* on demand */
  const char *label;
  kt_task *task;
  void *arg;
  int32_t n_ranges;
  kt_range *ranges; /* NULL: listed */
  /* A copy: host addresses as they are, the device's as the host knows them. */
  void *to;
  const void *from;
  size_t bytes;
  Device *to_device, *from_device; /* NULL: the host */
  Stream *of;                      /* a wait: until OF has done SEQ operations */
  uint64_t seq;
  Recording *recording;
  kt_range listed[MOST_LISTED];
  Clock clock;
};

struct Stream
{
  Device *device;
  uint32_t id;
  bool taken;
  Knobs knobs; /* of the time when it was made */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake, progress;
  kt_status status; /* the first error since the last synchronize */
  char text[TEXT];
  /* The last error: operations SICK .. WELL are of no use, and who waits for them is not either. */
  uint64_t sick, well;
  kt_status last_status;
  uint64_t random;
  /* A queue without a lock, because every launch goes through it. The host's side: */
  char apart[64]; /* from what the other side writes */
  Op *last, *spare;
  uint64_t given, released; /* operations; released: what may run */
  Recording *capture;
  Clock clock;
  char apart_too[64];
  /* The thread's: what it did last, and what may be used again. */
  Op *done_last, *returned;
  uint64_t done;
  bool sleeping;
  uint64_t wanted; /* the first one that somebody waits for */
};

typedef struct
{
  Stream *stream; /* NULL: never recorded */
  uint64_t seq;
  Clock clock;
  uint64_t recorded; /* in the recording of that number; 0: in none */
} Event;

struct Recording
{
  uint64_t id;
  Recording *next; /* of those that are open */
  pthread_t owner;
  Stream *origin;
  Op *first, **last;
  size_t n;
  bool broken;
  char text[TEXT];
};

/* plugin.c */
kt_status guard_fail (kt_call *call, kt_status status, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
Knobs *guard_knobs (void); /* as the environment has them now */
extern Knobs guard_known;  /* as they were when somebody looked */
bool guard_count (long *counter);
extern const kt_host *guard_host;

/* memory.c */
kt_status guard_alloc (kt_call *call, void *device, size_t bytes, void **memory);
void guard_release (void *device, void *memory);
kt_status guard_alloc_pinned (kt_call *call, void *device, size_t bytes, void **memory);
void guard_release_pinned (void *device, void *memory);
bool guard_is_pinned (const void *memory, size_t bytes);
void *guard_alias (void *device, const void *memory);
/* Is the range within one live block of the device? The block is held until guard_drop, and open if
 * the range is written. Else NULL, with TEXT saying what is there instead. */
Block *guard_hold (const Device *device, const kt_range *range, char *text);
void guard_drop (Block *block);
void guard_hand_out (ptrdiff_t n); /* so much more, or less, is with the host */
kt_status guard_memory (kt_call *call, void *device, size_t *free_bytes,
                        size_t *all_bytes);

/* Behind LABEL's work on SELF, which used RANGES: false: it touched what it must not, told in TEXT. */
bool guard_inspect (const Stream *self, const kt_range *ranges, int32_t n,
                    const char *label, char *text);
/* The content of the range is dead. */
void guard_bury (const kt_range *range);
extern pthread_mutex_t guard_blocks;    /* of all blocks */
Block *guard_find (const void *memory); /* the block around it, dead or alive */

/* pages.c; but for guard_watch and guard_map with the lock of all blocks */
void guard_watch (void); /* faults are handled from now on */
bool guard_map (Block *b);
void guard_unmap (Block *b);
void guard_close (Block *b);
bool guard_open (Block *b);
void guard_poison (const Block *b, size_t offset, size_t bytes);
/* Was B touched as it must not be? Then TEXT says so of WHO, and B is as it was. LOOK: also at what
 * lies in front of it. */
bool guard_tell (Block *b, const char *who, bool look, char *text);
bool guard_any_touched (void);

/* race.c */
typedef enum
{
  TO_READ,
  TO_WRITE,
  TO_DIE
} Use;
/* Notes that LABEL with CLOCK on STREAM uses FIRST .. END - 1 of a block; false: that is a fault,
 * told in TEXT. */
bool guard_access (History **history, const Clock *clock, uint32_t stream,
                   const char *label, size_t first, size_t end, Use use, char *text);
void guard_history_free (History *history);
/* The same for ranges of a device's memory; for those that die, or for the others. */
bool guard_check (bool deaths, const kt_range *ranges, int32_t n, const Device *device,
                  uint32_t stream, const Clock *clock, const char *label, char *text);
History **guard_block_history (Block *block, const void *memory, size_t *offset);
void guard_merge (Clock *into, const Clock *from);
void guard_set_clock (Clock *clock, const Clock *from);
extern uint32_t guard_n_streams; /* that there ever were: clocks are 0 behind them */
extern Clock guard_host_clock;
extern pthread_mutex_t guard_clocks; /* of the host's clock and the streams' */

/* stream.c */
bool guard_is_stream (pthread_t thread);
kt_status guard_stream_new (kt_call *call, void *device, kt_stream **stream);
void guard_stream_free (kt_stream *stream);
kt_status guard_event_new (kt_call *call, void *device, kt_event **event);
void guard_event_free (kt_event *event);
kt_status guard_record (kt_call *call, kt_stream *stream, kt_event *event);
kt_status guard_wait (kt_call *call, kt_stream *stream, kt_event *event);
kt_status guard_wait_host (kt_call *call, kt_event *event);
kt_status guard_synchronize (kt_call *call, kt_stream *stream);
/* An operation to be filled in and given to the stream, or to what it records; NULL: failed. */
Op *guard_op (kt_call *call, Stream *stream, OpKind kind, const char *label);
void guard_give (Stream *stream, Op *op);
void guard_leave (const Recording *recording); /* no stream is part of it any more */
/* Waits until the stream has done SEQ operations; INTO, if any, fails with it. */
void guard_await (Stream *stream, uint64_t seq, Stream *into);

/* Keeps the first error. */
void guard_stream_failed (Stream *stream, kt_status status, const char *text);

/* work.c: what the streams' threads do */
void *guard_work (void *stream);
void guard_op_free (Op *op);
kt_status guard_copy (kt_call *call, kt_stream *stream, int32_t direction, void *to,
                      const void *from, size_t bytes, void *peer, const char *label);
kt_status guard_execute (kt_call *call, kt_stream *stream, kt_task *task, void *arg,
                         const kt_range *ranges, int32_t n, const char *label);

/* capture.c */
Recording *guard_recording (void); /* that this thread has open; NULL */
/* A call that its own recording does not allow a thread. */
kt_status guard_forbid (kt_call *call, const char *what);
void guard_record_op (Stream *stream, Op *op);
kt_status guard_capture_begin (kt_call *call, kt_stream *stream);
kt_status guard_capture_end (kt_call *call, kt_stream *stream, kt_recording **recording);
kt_status guard_replay (kt_call *call, kt_stream *stream, kt_recording *recording);
void guard_recording_free (kt_recording *recording);
