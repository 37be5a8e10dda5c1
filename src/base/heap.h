/* Intrusive min-heap over an instant: the node is a member of the struct that waits. Every change is O(log n).
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
  int64_t at_ms;
  size_t place; /* 1-based; 0: in no heap */
};

/* Zeroed memory is an empty heap. */
struct heap {
  struct heap_node **nodes;
  size_t count, room;
};

void heap_release(struct heap *heap); /* the nodes stay their owners' */
/* Puts the node in, or moves it when it is in already. */
void heap_put(struct heap *heap, struct heap_node *node, int64_t at_ms);
void heap_remove(struct heap *heap, struct heap_node *node); /* fine on a node that is in no heap */
struct heap_node *heap_first(const struct heap *heap);       /* NULL when empty */

#endif
