/* What can be ordered while graphsim runs: at its plain port as POST /sim/NAME, and by a scenario. An order's value is
 *
 *   faults       a list of texts as --fault takes them; it replaces all, [] ends them
 *   retry_after  { after = "120s" }, what throttling faults ask for from now on
 *   users        { upn, id?, enabled?, licensed?, delete?, rename? }: adds, changes, deletes or renames somebody
 *   teams        { upn, availability, activity? }: what their Teams client shows; without availability it is closed
 *   preferred    { upn, availability, activity? }: their own choice; without availability it is taken back */
#ifndef STAND_IN_GRAPHSIM_ORDERS_H
#define STAND_IN_GRAPHSIM_ORDERS_H

#include "base/err.h"
#include "base/value.h"

struct graphsim;

bool orders_know(const char *name);
/* The name must be known. Fails with a text for whoever ordered, and then nothing has changed. */
bool orders_give(struct graphsim *graphsim, const char *name, const struct value *order, struct err *err) MUST_CHECK;

#endif
