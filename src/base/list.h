/* Intrusive doubly linked list: the node is a member of the listed struct, a list is a node of its own (circular). A
 * node that is in no list points to itself or is zero. Nothing is allocated. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
  struct list_node *next, *prev;
};

/* The struct whose member `member` is *node. */
#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list_node *list)
{
  list->next = list->prev = list;
}

static inline bool list_empty(const struct list_node *list)
{
  return list->next == list;
}

static inline void list_add_tail(struct list_node *list, struct list_node *node)
{
  node->next = list;
  node->prev = list->prev;
  list->prev->next = node;
  list->prev = node;
}

/* Fine on a node that is in no list. */
static inline void list_remove(struct list_node *node)
{
  if (node->next != NULL) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
  }
  node->next = node->prev = NULL;
}

static inline struct list_node *list_first(const struct list_node *list)
{
  return list_empty(list) ? NULL : list->next;
}

#endif
