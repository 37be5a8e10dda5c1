/* Bytes that never change and are the same for many: equal ones are kept once, and counted. Two that are equal are one
 * pointer, so comparing pointers compares contents.
 *
 * There is one pool per process, as there is one heap: what it does shows in nothing but memory. It goes with its last
 * entry. */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include "base/must.h"

#include <stddef.h>

/* Whoever gets one releases it. Aligned for 64-bit integers. */
const void *shared_bytes(const void *bytes, size_t length) MUST_CHECK;
const char *shared_text(const char *text) MUST_CHECK;
void shared_release(const void *bytes); /* NULL is fine */

/* *text becomes `with`; what it was is released. */
void shared_replace(const char **text, const char *with);

#endif
