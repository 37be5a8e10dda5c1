#!/bin/bash
# libcurl 7.88.1 (Debian 12) waits for the name server in the middle of an event loop, beyond every timeout.
#
# Names are resolved in a thread, so that nothing waits; but a transfer that ends before that thread, by a timeout or
# by curl_multi_remove_handle(), joins it. With a name server that takes 3 s, a connect timeout of 500 ms comes after
# 3 s, and one call of curl_multi_perform() takes the 2.5 s between; a transfer that is removed after 200 ms takes 2.8
# s to remove. (By default libc asks each server that does not answer twice, for 5 s.) CURLOPT_NOSIGNAL changes
# nothing. With CURLOPT_QUICK_EXIT (since 7.87, documented for programs that are about to exit) the thread is left to
# itself: 500 ms, and 0 ms.
#
# For us: src/adapters/http_client.c is where QUICK_EXIT has to be set; without it a dead name server holds the whole
# loop.
set -euo pipefail
# shellcheck source=findings/trial.sh
. "$(dirname "$0")/trial.sh"

need_package libcurl4-openssl-dev 7.88.1
compile resolve libcurl <<'C'
#include <curl/curl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* Instead of libc's: a name server that takes 3 s to say "try again". libcurl calls this one. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
  (void)node, (void)service, (void)hints, (void)found;
  nanosleep(&(struct timespec){.tv_sec = 3}, NULL);
  return EAI_AGAIN;
}

static double now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void trial(const char *name, bool remove, long quick)
{
  CURLM *multi = curl_multi_init();
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, "http://name.invalid/");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 500L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, quick);
  curl_multi_add_handle(multi, easy);
  double begin = now_ms(), longest = 0;
  int running = 1, left;
  while (running > 0 && !(remove && now_ms() > begin + 200)) {
    double call = now_ms();
    curl_multi_perform(multi, &running);
    if (now_ms() - call > longest)
      longest = now_ms() - call;
    if (running > 0)
      curl_multi_poll(multi, NULL, 0, 20, NULL);
  }
  double call = now_ms();
  const CURLMsg *message = curl_multi_info_read(multi, &left);
  if (message != NULL)
    printf("%s, result %d after|%.0f\n%s, longest curl_multi_perform()|%.0f\n", name, (int)message->data.result,
        call - begin, name, longest);
  curl_multi_remove_handle(multi, easy);
  if (remove)
    printf("%s, curl_multi_remove_handle()|%.0f\n", name, now_ms() - call);
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
}

int main(void)
{
  curl_global_init(CURL_GLOBAL_DEFAULT);
  trial("timeout", false, 0);
  trial("removed", true, 0);
  trial("timeout, QUICK_EXIT", false, 1);
  trial("removed, QUICK_EXIT", true, 1);
  return 0;
}
C
timeout 30 "$work/resolve" >"$work/seen"

# near STATED SEEN: the stated figure when it is no more than 150 ms off
near() {
  (($2 >= $1 - 150 && $2 <= $1 + 150)) && echo "about $1 ms" || echo "$2 ms"
}
while IFS='|' read -r what stated; do
  seen=$(value "$what" "$work/seen")
  check "$what" "about $stated ms" "$(near "$stated" "${seen:-99999}")"
done <<'END'
timeout, result 28 after|3000
timeout, longest curl_multi_perform()|2500
removed, curl_multi_remove_handle()|2800
timeout, QUICK_EXIT, result 28 after|500
timeout, QUICK_EXIT, longest curl_multi_perform()|0
removed, QUICK_EXIT, curl_multi_remove_handle()|0
END
conclude
