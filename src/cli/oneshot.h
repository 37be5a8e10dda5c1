/* A few requests about one person, sent directly under his account's token, gate and budget. */
#ifndef CLI_ONESHOT_H
#define CLI_ONESHOT_H

#include "cli/cli.h"
#include "graph/graph.h"

/* Looks the person up, sends the steps with his id, prints the answer: the exit code. */
int oneshot_run(struct cli *cli, const char *upn, const struct graph_operation *steps, size_t count, const char *verb)
    MUST_CHECK;

#endif
