/* A heap of four children per node in one array, ordered by an instant. Each node knows its place in the array, so one
 * that is somewhere in the middle is moved or removed without a search; that holds because set() alone puts a node into
 * a place. rise() and sink() carry a node along and write it once, where it stays. Nodes of the same instant have no
 * order among each other: whoever needs one must put it into the instant. */
#include "base/heap.h"
#include "base/must.h"

enum {
  ROOM_FIRST = 64,
  ARITY = 4, /* half as deep as a binary one, and a node's children are looked at side by side */
};

static void set(struct heap *heap, size_t place, struct heap_node *node)
{
  heap->nodes[place - 1] = node;
  node->place = place;
}

static void rise(struct heap *heap, struct heap_node *node)
{
  size_t place = node->place;
  while (place > 1) {
    size_t parent = (place - 2) / ARITY + 1;
    if (heap->nodes[parent - 1]->at_ms <= node->at_ms)
      break;
    set(heap, place, heap->nodes[parent - 1]);
    place = parent;
  }
  set(heap, place, node);
}

static void sink(struct heap *heap, struct heap_node *node)
{
  size_t place = node->place;
  for (;;) {
    size_t first = (place - 1) * ARITY + 2, least = place;
    int64_t least_ms = node->at_ms;
    for (size_t child = first; child < first + ARITY && child <= heap->count; child++)
      if (heap->nodes[child - 1]->at_ms < least_ms) {
        least = child;
        least_ms = heap->nodes[child - 1]->at_ms;
      }
    if (least == place)
      break;
    set(heap, place, heap->nodes[least - 1]);
    place = least;
  }
  set(heap, place, node);
}

void heap_release(struct heap *heap)
{
  for (size_t i = 0; i < heap->count; i++)
    heap->nodes[i]->place = 0;
  free(heap->nodes);
  *heap = (struct heap){0};
}

static void set_room(struct heap *heap, size_t room)
{
  heap->room = room;
  heap->nodes = must_realloc(heap->nodes, room * sizeof(struct heap_node *));
}

void heap_put(struct heap *heap, struct heap_node *node, int64_t at_ms)
{
  if (node->place == 0) {
    if (heap->count == heap->room)
      set_room(heap, heap->room == 0 ? ROOM_FIRST : heap->room * 2);
    set(heap, ++heap->count, node);
  }
  node->at_ms = at_ms;
  /* The instant may have moved either way; one of the two finds nothing to do. */
  rise(heap, node);
  sink(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
  if (node->place == 0)
    return;
  struct heap_node *last = heap->nodes[heap->count - 1];
  size_t place = node->place;
  heap->count--;
  node->place = 0;
  if (last != node) {
    set(heap, place, last);
    /* The last node comes from another branch, so it may belong above the gap as well as below. */
    rise(heap, last);
    sink(heap, last);
  }
  /* Halved only at a quarter, so that a count which swings around a bound does not allocate each time. */
  if (heap->room > ROOM_FIRST && heap->count < heap->room / 4) /* a wave is over: its memory goes back */
    set_room(heap, heap->room / 2);
}

struct heap_node *heap_first(const struct heap *heap)
{
  return heap->count == 0 ? NULL : heap->nodes[0];
}
