/* SPDX-License-Identifier: BSD-3-Clause */
/* What tls.c and tls_info.c share of a connection. */
#ifndef LH_TLS_STATE_H
#define LH_TLS_STATE_H

#include "tls.h"

#include <openssl/ssl.h>

struct tls_context {
	SSL_CTX *ctx;
	/* Text on its way into a VM: owned here, so that a raised error leaks nothing. */
	BIO *scratch;
};

struct tls {
	SSL *ssl;
	BIO *network; /* our end of the pair; the SSL owns the other one */
	struct tls_context *context;
	bool owns_context;
	bool done; /* the handshake */
	enum tls_result end; /* TLS_CLOSED or TLS_FAILED once it came to that, else TLS_OK */
	const char *error; /* constant text, never NULL */
};

#endif
