/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-256 by OpenSSL. Any thread; a digest belongs to one at a time. */
#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	READ_BYTES = 64 << 10,
};

/* OpenSSL fails here for want of memory only, and a digest that is wrong must not be written. */
static void must(int ok) {
	if (ok != 1)
		abort();
}

struct digest *digest_create(void) {
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(context);
		return NULL;
	}
	return (struct digest *)context;
}

void digest_destroy(struct digest *digest) {
	EVP_MD_CTX_free((EVP_MD_CTX *)digest);
}

void digest_add(struct digest *digest, const void *bytes, size_t n) {
	must(EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes, n));
}

void digest_value(const struct digest *digest, uint8_t value[static DIGEST_BYTES]) {
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	must(copy && EVP_MD_CTX_copy_ex(copy, (const EVP_MD_CTX *)digest));
	must(EVP_DigestFinal_ex(copy, value, NULL));
	EVP_MD_CTX_free(copy);
}

void digest_of(const void *bytes, size_t n, uint8_t value[static DIGEST_BYTES]) {
	must(EVP_Digest(bytes, n, value, NULL, EVP_sha256(), NULL));
}

int digest_of_file(const char *path, uint8_t value[static DIGEST_BYTES]) {
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -errno : 0;
	struct digest *digest = rc ? NULL : digest_create();
	char *block = malloc(READ_BYTES);

	if (!rc && (!digest || !block))
		rc = -ENOMEM;
	while (!rc) {
		ssize_t n = read(fd, block, READ_BYTES);

		if (n == 0)
			break;
		if (n > 0)
			digest_add(digest, block, (size_t)n);
		else if (errno != EINTR)
			rc = -errno;
	}
	if (!rc)
		digest_value(digest, value);
	free(block);
	digest_destroy(digest);
	if (fd >= 0)
		close(fd);
	return rc;
}
