/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256 (FIPS 180-4) of what is read or written piece by piece. By OpenSSL. */
#ifndef CTL_DIGEST_H
#define CTL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum {
	DIGEST_BYTES = 32,
};

struct digest;

struct digest *digest_create(void); /* NULL: no memory */
void digest_destroy(struct digest *digest); /* NULL is fine */
void digest_add(struct digest *digest, const void *bytes, size_t n);

/* Of all that was added so far; more may follow. */
void digest_value(const struct digest *digest, uint8_t value[static DIGEST_BYTES]);

/* Of @n bytes, and of a whole file. 0 or a negative errno. */
void digest_of(const void *bytes, size_t n, uint8_t value[static DIGEST_BYTES]);
int digest_of_file(const char *path, uint8_t value[static DIGEST_BYTES]);

#endif
