/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of hellos. Constant data only; RX lcores ask it once a SYN-ACK and once a segment of a
 * connection.
 */
#include "hello.h"

#include <assert.h>
#include <stddef.h>

#define TEXT(text)                                                                                 \
	{ (const uint8_t *)(text), sizeof(text) - 1 }

static const struct hello http = TEXT("GET / HTTP/1.0\r\n\r\n");
static const struct hello nothing = {NULL, 0};

static_assert(sizeof("GET / HTTP/1.0\r\n\r\n") - 1 <= HELLO_MAX_BYTES);

/* Ascending. */
static const struct {
	uint16_t port;
	const struct hello *hello;
} rows[] = {
	{80, &http},
	{81, &http},
	{591, &http},
	{3000, &http},
	{5000, &http},
	{5985, &http},
	{7080, &http},
	{8000, &http},
	{8008, &http},
	{8080, &http},
	{8081, &http},
	{8088, &http},
	{8888, &http},
	{9080, &http},
	{9090, &http},
	{9200, &http},
};

struct hello hello_for(uint16_t port) {
	size_t low = 0, high = sizeof(rows) / sizeof(rows[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rows[middle].port == port)
			return *rows[middle].hello;
		if (rows[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return nothing;
}
