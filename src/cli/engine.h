/* What scripts publish while a daemon runs: overrides in its engine, asked for through its control socket. */
#ifndef CLI_ENGINE_H
#define CLI_ENGINE_H

#include "adapters/loop.h"
#include "base/buf.h"
#include "script/script.h"

struct json;
struct engine;

/* path: the control socket. All borrowed. NULL (and no error: ERR_NONE) when no daemon answers there. */
struct engine *engine_open(struct loop *loop, const char *path, struct json *json, const char *by, struct err *err)
    MUST_CHECK;
void engine_close(struct engine *engine); /* cancels what is under way; NULL is fine */

/* Does the engine do that kind of operation? Others go to Graph directly. */
bool engine_does(enum script_operation_kind kind);
/* A graph_port's submit for those, with the engine as its context. */
void *engine_submit(
    struct engine *engine, const struct script_operation *operation, struct values *values, script_on_answer *on_answer,
    void *answer_context);
/* False: the request is not this engine's. */
bool engine_cancel(struct engine *engine, void *request);

/* {"presence":..., "hold":..., "by":...}, as PUT /v1/agents/{name}/override takes it. */
void engine_write_override(struct buf *to, const char *presence, int64_t hold_ms, const char *by);

#endif
