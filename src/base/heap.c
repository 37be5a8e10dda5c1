#include "base/heap.h"
#include "base/must.h"

enum { ROOM_FIRST = 64 };

static void set(struct heap *heap, size_t place, struct heap_node *node)
{
  heap->nodes[place - 1] = node;
  node->place = place;
}

static void rise(struct heap *heap, struct heap_node *node)
{
  size_t place = node->place;
  while (place > 1 && heap->nodes[place / 2 - 1]->at_ms > node->at_ms) {
    set(heap, place, heap->nodes[place / 2 - 1]);
    place /= 2;
  }
  set(heap, place, node);
}

static void sink(struct heap *heap, struct heap_node *node)
{
  size_t place = node->place;
  for (;;) {
    size_t child = place * 2;
    if (child > heap->count)
      break;
    if (child < heap->count && heap->nodes[child]->at_ms < heap->nodes[child - 1]->at_ms)
      child++;
    if (heap->nodes[child - 1]->at_ms >= node->at_ms)
      break;
    set(heap, place, heap->nodes[child - 1]);
    place = child;
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
