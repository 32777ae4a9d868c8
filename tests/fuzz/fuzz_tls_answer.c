/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a TLS server says first. The lowest bit of the first byte allows SSL 2.0, the next one says what
 * the rest is: bytes as they came, or the fields of a ServerHello that is written here, cut into
 * records as the input likes, and has to be read back.
 *
 * Of bytes as they came: what was made of the first few of them does not change when more come.
 */
#include "fuzz.h"
#include "tls_hello.h"

enum {
	HEADER_BYTES = 3,
	LONGEST = 4096,

	ALLOWS_SSL2 = 1,
	IS_WRITTEN = 2,
};

struct input {
	const uint8_t *at;
	size_t left;
};

struct output {
	uint8_t bytes[2 * LONGEST];
	size_t n;
};

static uint16_t take(struct input *input, unsigned bytes) {
	uint16_t value = 0;

	for (unsigned i = 0; i < bytes; i++) {
		value = (uint16_t)(value << 8 | (input->left ? *input->at : 0));
		if (input->left) {
			input->at++;
			input->left--;
		}
	}
	return value;
}

static void put(struct output *out, uint32_t value, unsigned bytes) {
	while (bytes--)
		out->bytes[out->n++] = (uint8_t)(value >> 8 * bytes);
}

/* --- bytes as they came ----------------------------------------------------------------------- */

static void check_answer(const struct tls_answer *answer, const uint8_t *scratch, size_t n) {
	const uint8_t *list = answer->extensions;
	struct tls_extension extension;
	size_t left = answer->extensions_bytes;

	FUZZ_ASSERT(answer->has_hello || answer->has_alert);
	if (answer->alpn)
		FUZZ_ASSERT(answer->alpn >= scratch
			&& answer->alpn + answer->alpn_bytes <= scratch + n);
	if (!list)
		return;
	FUZZ_ASSERT(list >= scratch && list + left <= scratch + n);
	while (tls_extension_next(&list, &left, &extension))
		FUZZ_ASSERT(extension.body >= scratch
			&& extension.body + extension.bytes <= scratch + n);
	FUZZ_ASSERT(left == 0);
}

/* Parse a copy that ends where the bytes do. */
static enum tls_answer_state parse(
	const uint8_t *bytes, size_t n, bool ssl2, struct tls_answer *answer) {
	uint8_t *copy = malloc(n), *scratch = malloc(n);
	enum tls_answer_state state;

	FUZZ_ASSERT(n == 0 || (copy && scratch));
	if (n)
		memcpy(copy, bytes, n);
	state = tls_answer_parse(copy, n, ssl2, scratch, answer);
	FUZZ_ASSERT(memchr(answer->why, '\0', sizeof(answer->why)));
	FUZZ_ASSERT((state == TLS_ANSWER_OTHER) == (answer->why[0] != '\0'));
	if (state == TLS_ANSWER_DONE)
		check_answer(answer, scratch, n);
	answer->alpn = answer->extensions = NULL; /* they go with the copy */
	free(copy);
	free(scratch);
	return state;
}

static void check_bytes(const uint8_t *bytes, size_t n, size_t cut, bool ssl2) {
	struct tls_answer part, all;
	const enum tls_answer_state first = parse(bytes, cut, ssl2, &part),
				    second = parse(bytes, n, ssl2, &all);

	if (first == TLS_ANSWER_MORE)
		return;
	FUZZ_ASSERT(first == second && part.has_hello == all.has_hello);
	FUZZ_ASSERT(part.version == all.version && part.cipher == all.cipher);
	FUZZ_ASSERT(part.group == all.group && part.alpn_bytes == all.alpn_bytes);
	FUZZ_ASSERT(
		part.has_alert == all.has_alert && part.alert_description == all.alert_description);
}

/* --- a ServerHello of our own ----------------------------------------------------------------- */

struct wanted {
	uint16_t version, cipher, group;
	uint8_t compression, alpn_bytes;
};

static void put_extensions(struct output *hello, struct input *input, struct wanted *wanted) {
	const size_t length_at = hello->n;
	const uint8_t which = (uint8_t)take(input, 1);

	put(hello, 0, 2);
	if (which & 1) {
		wanted->version = take(input, 2);
		put(hello, 43, 2);
		put(hello, 2, 2);
		put(hello, wanted->version, 2);
	}
	if (which & 2) {
		const uint8_t key = (uint8_t)take(input, 1);

		wanted->group = take(input, 2);
		put(hello, 51, 2);
		put(hello, 4u + key, 2);
		put(hello, wanted->group, 2);
		put(hello, key, 2);
		for (unsigned i = 0; i < key; i++)
			put(hello, take(input, 1), 1);
	}
	if (which & 4) {
		wanted->alpn_bytes = (uint8_t)(take(input, 1) % 255 + 1);
		put(hello, 16, 2);
		put(hello, wanted->alpn_bytes + 3u, 2);
		put(hello, wanted->alpn_bytes + 1u, 2);
		put(hello, wanted->alpn_bytes, 1);
		for (unsigned i = 0; i < wanted->alpn_bytes; i++)
			put(hello, take(input, 1), 1);
	}
	if (which & 8) {
		const uint8_t bytes = (uint8_t)take(input, 1);

		put(hello, 0xff01, 2); /* RFC 5746; its body is not looked at */
		put(hello, bytes, 2);
		for (unsigned i = 0; i < bytes; i++)
			put(hello, take(input, 1), 1);
	}
	hello->bytes[length_at] = (uint8_t)((hello->n - length_at - 2) >> 8);
	hello->bytes[length_at + 1] = (uint8_t)(hello->n - length_at - 2);
}

/* RFC 8446 4.1.3, RFC 5246 7.4.1.3 */
static void put_hello(struct output *hello, struct input *input, struct wanted *wanted) {
	const uint8_t session = (uint8_t)(take(input, 1) % 33);

	wanted->version = (uint16_t)(0x0300 | (take(input, 1) & 3));
	wanted->cipher = take(input, 2);
	wanted->compression = (uint8_t)take(input, 1);
	put(hello, 2, 1);
	put(hello, 0, 3);
	put(hello, wanted->version, 2);
	for (unsigned i = 0; i < 32; i++)
		put(hello, take(input, 1) | 1, 1); /* no retry's, which has even bytes */
	put(hello, session, 1);
	for (unsigned i = 0; i < session; i++)
		put(hello, take(input, 1), 1);
	put(hello, wanted->cipher, 2);
	put(hello, wanted->compression, 1);
	if (take(input, 1) & 1)
		put_extensions(hello, input, wanted);
	hello->bytes[2] = (uint8_t)((hello->n - 4) >> 8);
	hello->bytes[3] = (uint8_t)(hello->n - 4);
}

static void check_written(struct input *input) {
	static struct output hello, records;
	struct wanted wanted = {0};
	struct tls_answer answer;
	size_t at = 0;

	hello.n = records.n = 0;
	put_hello(&hello, input, &wanted);
	while (at < hello.n) {
		size_t n = take(input, 1) % 64 + 1u;

		n = n < hello.n - at && records.n < LONGEST ? n : hello.n - at;
		put(&records, 22, 1);
		put(&records, 0x0303, 2);
		put(&records, (uint32_t)n, 2);
		memcpy(records.bytes + records.n, hello.bytes + at, n);
		records.n += n;
		at += n;
	}
	for (size_t n = records.n - 1; n > records.n - 5; n--)
		FUZZ_ASSERT(parse(records.bytes, n, false, &answer) == TLS_ANSWER_MORE);
	FUZZ_ASSERT(parse(records.bytes, records.n, false, &answer) == TLS_ANSWER_DONE);
	FUZZ_ASSERT(answer.has_hello && !answer.has_alert && !answer.hello_retry);
	FUZZ_ASSERT(answer.version == wanted.version && answer.cipher == wanted.cipher);
	FUZZ_ASSERT(answer.compression == wanted.compression && answer.group == wanted.group);
	FUZZ_ASSERT(answer.alpn_bytes == wanted.alpn_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input input = {data + HEADER_BYTES, size - HEADER_BYTES};
	size_t cut;

	if (size < HEADER_BYTES || size > LONGEST)
		return 0;
	if (data[0] & IS_WRITTEN) {
		check_written(&input);
		return 0;
	}
	cut = (size_t)(data[1] | data[2] << 8) % (input.left + 1);
	check_bytes(input.at, input.left, cut, data[0] & ALLOWS_SSL2);
	return 0;
}
