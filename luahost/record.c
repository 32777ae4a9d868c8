/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results as they come through the ring, and the parts of sequences that a lane holds. Runs in a
 * lane; what is read here comes from the control core and is trusted, but for its lengths.
 */
#include "lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Copy @n bytes from *@at into memory of their own, with a NUL behind them. */
static void *take(const uint8_t **at, size_t n) {
	char *copy = malloc(n + 1);

	if (!copy)
		return NULL;
	memcpy(copy, *at, n);
	copy[n] = '\0';
	*at += n;
	return copy;
}

static size_t banner_bytes(const struct wire_record *wire) {
	return wire->banner_bytes == UINT32_MAX ? 0 : wire->banner_bytes;
}

int record_read(struct record *record, const uint8_t *bytes, size_t n) {
	const uint8_t *at = bytes + sizeof(record->wire);
	size_t service;

	*record = (struct record){0};
	if (n < sizeof(record->wire))
		return -EPROTO;
	memcpy(&record->wire, bytes, sizeof(record->wire));
	service = record->wire.flags & WIRE_HAS_SERVICE ? sizeof(struct wire_service) : 0;
	if (n - sizeof(record->wire)
		!= service + banner_bytes(&record->wire) + record->wire.plugins_bytes)
		return -EPROTO;
	if (service && !(record->service = take(&at, service)))
		goto clear;
	if (record->wire.banner_bytes != UINT32_MAX
		&& !(record->banner = take(&at, banner_bytes(&record->wire))))
		goto clear;
	if (record->wire.plugins_bytes
		&& !(record->plugins = take(&at, record->wire.plugins_bytes)))
		goto clear;
	return 0;

clear:
	record_clear(record);
	return -ENOMEM;
}

void record_clear(struct record *record) {
	free(record->service);
	free(record->banner);
	free(record->plugins);
	record->service = NULL;
	record->banner = record->plugins = NULL;
}

/* ---- Sequences ---- */

static void clear_page(struct page *page) {
	if (page->record)
		for (unsigned i = 0; i < page->rows; i++)
			record_clear(&page->record[i]);
	page->rows = 0;
}

void seq_clear(struct lane *lane) {
	for (unsigned i = 0; i < NB_PAGES; i++) {
		clear_page(&lane->page[i]);
		free(lane->page[i].target);
		free(lane->page[i].record);
		lane->page[i].target = NULL;
		lane->page[i].record = NULL;
	}
}

const struct page *seq_find(const struct lane *lane, bool targets, uint64_t row) {
	for (unsigned i = 0; i < NB_PAGES; i++) {
		const struct page *page = &lane->page[i];

		if (page->rows && page->targets == targets && row >= page->first
			&& row - page->first < page->rows)
			return page;
	}
	return NULL;
}

static void take_targets(struct page *page, const uint8_t *bytes, size_t n, unsigned rows) {
	if (!page->target)
		page->target = malloc(PAGE_ROWS * sizeof(*page->target));
	if (!page->target || rows > PAGE_ROWS || n != rows * sizeof(*page->target))
		lane_die(LH_MEMORY);
	memcpy(page->target, bytes, n);
	page->rows = rows;
}

static void take_records(struct page *page, const uint8_t *bytes, size_t n, unsigned rows) {
	if (!page->record)
		page->record = calloc(PAGE_ROWS, sizeof(*page->record));
	if (!page->record || rows > PAGE_ROWS)
		lane_die(LH_MEMORY);
	for (unsigned i = 0; i < rows; i++) {
		uint32_t length;

		memcpy(&length, bytes, sizeof(length));
		if (n < sizeof(length) || length > n - sizeof(length)
			|| record_read(&page->record[i], bytes + sizeof(length), length))
			lane_die(LH_MEMORY);
		bytes += sizeof(length) + length;
		n -= sizeof(length) + length;
		page->rows = i + 1;
	}
}

/* A page that came takes the place of the older one. */
void seq_take(struct lane *lane, const uint8_t *bytes, size_t n) {
	struct page *page = &lane->page[lane->next_page];
	struct wire_page wire;

	memcpy(&wire, bytes, sizeof(wire));
	lane->next_page = (lane->next_page + 1) % NB_PAGES;
	clear_page(page);
	page->first = wire.first;
	page->targets = wire.targets;
	if (wire.targets)
		take_targets(page, bytes + sizeof(wire), n - sizeof(wire), wire.rows);
	else
		take_records(page, bytes + sizeof(wire), n - sizeof(wire), wire.rows);
}
