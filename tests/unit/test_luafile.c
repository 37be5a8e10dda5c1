/* luafile/: what is read from a disk, and generations: loading, taking over, rolling back. */
#include "cases.h"

#include "base/must.h"
#include "base/str.h"
#include "luafile/generations.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *path_of(const char *name)
{
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void write_file(const char *name, const char *bytes, size_t length)
{
  FILE *file = fopen(path_of(name), "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
}

/* ---- reading */

static void only_regular_files_are_read(void **state UNUSED)
{
  static const char *const others[] = {"fifo", "folder", "nothing", "/dev/zero"};
  assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
  assert_int_equal(mkdir(path_of("folder"), 0700), 0);
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    const char *path = *others[i] == '/' ? others[i] : path_of(others[i]);
    struct err err = ERR_INIT;
    struct buf bytes;
    buf_init(&bytes, 100);
    assert_false(luafile_read(path, &bytes, "shorten it", &err)); /* and does not wait */
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "cannot be read"));
    assert_true(str_starts(err.text, path));
    buf_release(&bytes);
  }
  assert_int_equal(unlink(path_of("fifo")), 0);
  assert_int_equal(rmdir(path_of("folder")), 0);
}

static void a_limit_holds(void **state UNUSED)
{
  char bytes[4 * 1024 + 1];
  memset(bytes, 'a', sizeof bytes);
  for (size_t more = 0; more < 2; more++) {
    struct err err = ERR_INIT;
    struct buf read;
    buf_init(&read, 4 * 1024);
    write_file("large", bytes, 4 * 1024 + more);
    assert_int_equal(luafile_read(path_of("large"), &read, "shorten it", &err), more == 0);
    assert_true(more == 0 ? read.length == 4 * 1024 : strstr(err.text, "larger than 4 KiB; shorten it") != NULL);
    buf_release(&read);
  }
  assert_int_equal(unlink(path_of("large")), 0);
}

static void text_is_checked(void **state UNUSED)
{
  static const struct {
    const char *text, *error; /* NULL: it is fine */
  } table[] = {
      {"", NULL},
      {"a\n\xC3\xA4\n", NULL},
      {"a\nb\n\xE4", "x.lua:3: not UTF-8 text; save it"},
      {"\xE4\n", "x.lua:1: not UTF-8 text; save it"}};
  for (size_t i = 0; i < COUNT_OF(table); i++) {
    struct err err = ERR_INIT;
    bool ok = luafile_check_text(table[i].text, strlen(table[i].text), "x.lua", "save it", &err);
    assert_int_equal(ok, table[i].error == NULL);
    assert_string_equal(err.text, table[i].error == NULL ? "" : table[i].error);
  }
  const char *text = "\xEF\xBB\xBFx";
  size_t length = strlen(text);
  luafile_skip_mark(&text, &length);
  assert_string_equal(text, "x");
  assert_int_equal(length, 1);
  luafile_skip_mark(&text, &length);
  assert_int_equal(length, 1);
}

/* ---- generations, over items that are numbers: 100 times the generation and the index */

static struct {
  int alive;
  size_t fails_at; /* the index whose load fails; SIZE_MAX: none */
} host;

static void *load(
    void *context, size_t index, uint32_t generation, luafile_on_file *on_file, void *file_context, struct err *err)
{
  assert_ptr_equal(context, &host);
  char path[32];
  snprintf(path, sizeof path, "file%zu", index);
  on_file(file_context, path);
  if (index == host.fails_at) {
    err_set(err, ERR_CONFIG, "file%zu:1: wrong", index);
    return NULL;
  }
  int *item = must_alloc(sizeof *item);
  *item = (int)(100 * generation + index);
  host.alive++;
  return item;
}

static void release(void *item)
{
  host.alive -= item != NULL;
  free(item);
}

static const char *file_at(const void *item, size_t index)
{
  return item != NULL && index == 0 ? "running" : NULL;
}

static const struct generations_kind numbers = {load, release, file_at};

static void assert_items(void *const *items, int first)
{
  for (int i = 0; i < 2; i++)
    assert_int_equal(*(int *)items[i], first + i);
}

static void a_generation_replaces_the_one_before(void **state UNUSED)
{
  struct err err = ERR_INIT;
  void *running[2], *fresh[2];
  const char *paths[8];
  host.alive = 0;
  host.fails_at = SIZE_MAX;
  struct generations *generations = generations_new(&numbers, &host);
  generations_reset(generations, 2, 0);
  assert_true(generations_load(generations, running, &err)); /* as a start does */
  generations_reset(generations, 2, 1);
  assert_items(running, 100);
  assert_null(generations_before(generations));
  assert_int_equal(generations_next(generations), 2);

  assert_true(generations_load(generations, fresh, &err));
  assert_items(fresh, 200);
  generations_take(generations, running, fresh);
  assert_items(running, 200);
  assert_items(generations_before(generations), 100);
  assert_int_equal(generations_next(generations), 3);
  assert_int_equal(host.alive, 4);

  generations_swap(generations, running);
  assert_items(running, 100);
  assert_items(generations_before(generations), 200);
  generations_swap(generations, running);
  assert_items(running, 200);

  host.fails_at = 1; /* the first is loaded by then, and goes again */
  assert_false(generations_load(generations, fresh, &err));
  assert_string_equal(err.text, "file1:1: wrong");
  assert_int_equal(host.alive, 4);
  assert_int_equal(generations_next(generations), 3);
  assert_int_equal(generations_files(generations, running, paths, 8), 4); /* those that run, and those that failed */
  assert_string_equal(paths[3], "file1");
  assert_int_equal(generations_files(generations, running, paths, 3), 3);

  host.fails_at = SIZE_MAX;
  assert_true(generations_load(generations, fresh, &err));
  generations_drop(generations, fresh); /* a dry run */
  assert_int_equal(generations_files(generations, running, paths, 8), 2);
  assert_items(running, 200);
  assert_int_equal(host.alive, 4);
  release(running[0]);
  release(running[1]);
  generations_free(generations);
  assert_int_equal(host.alive, 0);
}

static void reloads_are_counted(void **state UNUSED)
{
  struct generations *generations = generations_new(&numbers, &host);
  struct values values = {0};
  struct err err = ERR_INIT;
  generations_reset(generations, 1, 1);
  generations_note(generations, NULL, 1000);
  err_set(&err, ERR_CONFIG, "wrong");
  generations_note(generations, &err, 2000);
  struct value *view = generations_view(generations, &values);
  assert_int_equal(value_get_number(view, "reloads", 0), 1);
  assert_int_equal(value_get_number(view, "failures", 0), 1);
  assert_string_equal(value_get_text(view, "last_failure", ""), "wrong");
  assert_string_equal(value_get_text(view, "last_failure_at", ""), "1970-01-01T00:00:02.000Z");
  generations_note(generations, NULL, 3000); /* what was wrong is over */
  assert_string_equal(value_get_text(generations_view(generations, &values), "last_failure", "x"), "");
  assert_int_equal(generations_reloads(generations), 2);
  assert_int_equal(generations_failures(generations), 1);
  values_release(&values);
  generations_free(generations);
}

static int make_folder(void **state UNUSED)
{
  snprintf(folder, sizeof folder, "/tmp/test_luafile.XXXXXX");
  return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state UNUSED)
{
  return rmdir(folder);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_regular_files_are_read),
      cmocka_unit_test(a_limit_holds),
      cmocka_unit_test(text_is_checked),
      cmocka_unit_test(a_generation_replaces_the_one_before),
      cmocka_unit_test(reloads_are_counted),
  };
  return cases_run(argc, argv, tests, make_folder, remove_folder);
}
