/* What one of very many agents takes of memory: a limit that is to hold, counted by the allocator, not by a clock. */
#include "cases.h"
#include "crowd.h"

enum { AGENTS = 100000, BYTES_MOST = 512 };

static int64_t bytes_per_agent(size_t empty)
{
  return ((int64_t)crowd_heap() - (int64_t)empty) / AGENTS;
}

static void an_agent_takes_little_memory(void **state UNUSED)
{
  if (crowd_heap() == 0) {
    print_message("mallinfo2() tells nothing here, as under AddressSanitizer: nothing can be measured\n");
    skip();
  }
  crowd_init();
  crowd_start();
  size_t empty = crowd_heap();
  crowd_come_in(AGENTS);
  int64_t after_events = bytes_per_agent(empty);
  crowd_stop();
  crowd_start();
  int64_t after_start = bytes_per_agent(empty);
  assert_int_equal(store_agent_count(crowd.store), AGENTS);
  crowd_stop();
  crowd_release();
  if (after_events > BYTES_MOST || after_start > BYTES_MOST)
    fail_msg(
        "an agent takes %lld bytes after its event, %lld after a start; at most %d are allowed",
        (long long)after_events, (long long)after_start, BYTES_MOST);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(an_agent_takes_little_memory)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
