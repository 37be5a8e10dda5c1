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
    rise(heap, last);
    sink(heap, last);
  }
  if (heap->room > ROOM_FIRST && heap->count < heap->room / 4) /* a wave is over: its memory goes back */
    set_room(heap, heap->room / 2);
}

struct heap_node *heap_first(const struct heap *heap)
{
  return heap->count == 0 ? NULL : heap->nodes[0];
}
