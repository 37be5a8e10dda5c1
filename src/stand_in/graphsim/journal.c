/* A ring of pointers to entries, each in one piece of memory with its texts behind it. Entry number N, counted from 1,
 * lies at (N - 1) % JOURNAL_MAX, so the newest replaces the oldest and a reader who asks for what came after N needs no
 * position of its own, and notices by the numbers what it has missed.
 *
 * The trap: the texts have no names in memory. write_entry() gives them those of its list, in the order in which
 * journal_add() has put them. */
#include "stand_in/graphsim/journal.h"
#include "adapters/json.h"

#include <string.h>

enum { PATH_MAX_SHOWN = 600, AGENT_MAX_SHOWN = 160 };

struct journal_entry {
  int64_t at_ms;
  int status; /* 0: there was no answer */
  const char *operation, *fault;
  /* Texts, one after the other in `text`, each with its NUL. */
  char text[];
};

static void put(struct buf *to, const char *text, size_t room)
{
  char shown[PATH_MAX_SHOWN];
  visit_printable(shown, room < sizeof shown ? room : sizeof shown, text == NULL ? "" : text);
  must(buf_add(to, shown, strlen(shown) + 1));
}

void journal_add(struct journal *journal, const struct visit *visit)
{
  if (journal->ring == NULL)
    journal->ring = must_alloc(JOURNAL_MAX * sizeof(struct journal_entry *));
  /* Copied, and cut to what a log needs: the visit and its call are gone when the request is answered. */
  struct buf texts, path;
  buf_init(&texts, 8192);
  buf_init(&path, 64 * 1024);
  const struct tenant_call *call = visit->call;
  char note[VISIT_NOTE_SIZE];
  visit_note(visit, note);
  buf_addf(&path, "%s%s%s", call->path, *call->query == '\0' ? "" : "?", call->query);
  put(&texts, call->method, 16);
  put(&texts, buf_text(&path), PATH_MAX_SHOWN);
  put(&texts, visit->user, sizeof visit->user);
  put(&texts, note, sizeof note);
  put(&texts, visit->client_request_id, sizeof visit->client_request_id);
  put(&texts, call->user_agent, AGENT_MAX_SHOWN);
  struct journal_entry *entry = must_alloc(sizeof *entry + texts.length);
  entry->at_ms = visit->now;
  entry->status = visit->fate == FATE_ANSWER ? visit->status : 0;
  /* Not copied: names of operations and faults are constants. */
  entry->operation = visit->operation;
  entry->fault = visit->fault;
  memcpy(entry->text, texts.bytes, texts.length);
  buf_release(&texts);
  buf_release(&path);
  struct journal_entry **place = &journal->ring[journal->last % JOURNAL_MAX];
  free(*place);
  *place = entry;
  journal->last++;
}

static void write_text(struct buf *to, const char *name, const char *text)
{
  buf_addf(to, ",\"%s\":", name);
  json_write_string(to, text, strlen(text));
}

static void write_entry(struct buf *to, int64_t number, const struct journal_entry *entry)
{
  static const char *const names[] = {"method", "path", "user", "body", "client_request_id", "user_agent"};
  buf_addf(to, "{\"n\":%lld,\"time_ms\":%lld,\"status\":%d", (long long)number, (long long)entry->at_ms, entry->status);
  write_text(to, "operation", entry->operation);
  write_text(to, "fault", entry->fault);
  const char *text = entry->text;
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    write_text(to, names[i], text);
    text += strlen(text) + 1;
  }
  buf_add_str(to, "}");
}

void journal_write(const struct journal *journal, int64_t after, struct buf *to)
{
  int64_t number = after < 0 ? 0 : after;
  /* What has been replaced is left out. */
  if (number < journal->last - JOURNAL_MAX)
    number = journal->last - JOURNAL_MAX;
  buf_addf(to, "{\"last\":%lld,\"entries\":[", (long long)journal->last);
  for (bool first = true; number < journal->last; first = false) {
    buf_add_str(to, first ? "\n" : ",\n");
    number++;
    write_entry(to, number, journal->ring[(number - 1) % JOURNAL_MAX]);
  }
  buf_add_str(to, "]}\n");
}

void journal_release(struct journal *journal)
{
  for (size_t i = 0; journal->ring != NULL && i < JOURNAL_MAX; i++)
    free(journal->ring[i]);
  free(journal->ring);
  *journal = (struct journal){0};
}
