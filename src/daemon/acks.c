/* Two lists: those that wait for a commit to begin, and those that wait for its end. They are apart so that an answer
 * which is accepted while a commit is under way is not taken for a part of it. */
#include "daemon/acks.h"
#include "base/list.h"
#include "base/must.h"

struct acks {
  struct list_node waiting, sealed; /* of struct ack */
};

struct ack {
  struct list_node link;
  acks_on_settled *on_settled;
  void *context;
};

struct acks *acks_new(void)
{
  struct acks *acks = must_alloc(sizeof *acks);
  list_init(&acks->waiting);
  list_init(&acks->sealed);
  return acks;
}

static struct ack *take_first(struct list_node *list)
{
  struct ack *ack = LIST_ENTRY(list_first(list), struct ack, link);
  list_remove(&ack->link);
  return ack;
}

void acks_free(struct acks *acks)
{
  if (acks == NULL)
    return;
  while (!list_empty(&acks->waiting))
    free(take_first(&acks->waiting));
  while (!list_empty(&acks->sealed))
    free(take_first(&acks->sealed));
  free(acks);
}

void *acks_add(struct acks *acks, acks_on_settled *on_settled, void *context)
{
  struct ack *ack = must_alloc(sizeof *ack);
  *ack = (struct ack){.on_settled = on_settled, .context = context};
  list_add_tail(&acks->waiting, &ack->link);
  return ack;
}

static bool cancel_in(struct list_node *list, const void *wanted)
{
  for (struct list_node *node = list->next; node != list; node = node->next) {
    struct ack *ack = LIST_ENTRY(node, struct ack, link);
    if (ack != wanted)
      continue;
    list_remove(&ack->link);
    free(ack);
    return true;
  }
  return false;
}

bool acks_cancel(struct acks *acks, const void *ack)
{
  return cancel_in(&acks->waiting, ack) || cancel_in(&acks->sealed, ack);
}

void acks_seal(struct acks *acks)
{
  while (!list_empty(&acks->waiting))
    list_add_tail(&acks->sealed, &take_first(&acks->waiting)->link);
}

/* One at a time, from the front: a callback may cancel another one. */
static void settle(struct list_node *list, bool durable)
{
  while (!list_empty(list)) {
    struct ack *first = take_first(list), ack = *first;
    free(first);
    ack.on_settled(ack.context, durable);
  }
}

void acks_saved(struct acks *acks)
{
  settle(&acks->sealed, true);
}

void acks_failed(struct acks *acks)
{
  acks_seal(acks);
  settle(&acks->sealed, false);
}
