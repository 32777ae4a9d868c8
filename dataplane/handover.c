/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools of buffers under ThreadSanitizer: the ring that holds them otherwise, with a mark at each buffer
 * that goes in and that comes out. Runs on whichever thread frees or allocates; owns nothing. Empty in
 * other builds.
 */
#include "core.h"
#include "handover.h"

#ifdef __SANITIZE_THREAD__

/* Frozen before the first pool is made. */
static const struct rte_mempool_ops *ring_ops;

static int make(struct rte_mempool *pool) {
	return ring_ops->alloc(pool);
}

static void drop(struct rte_mempool *pool) {
	ring_ops->free(pool);
}

static unsigned count_free(const struct rte_mempool *pool) {
	return ring_ops->get_count(pool);
}

static int put(struct rte_mempool *pool, void *const *object, unsigned n) {
	handover_give_all((struct rte_mbuf *const *)object, n);
	return ring_ops->enqueue(pool, object, n);
}

static int get(struct rte_mempool *pool, void **object, unsigned n) {
	int rc = ring_ops->dequeue(pool, object, n);

	if (rc == 0)
		handover_take_all((struct rte_mbuf *const *)object, n);
	return rc;
}

static const struct rte_mempool_ops marked_ops = {
	.name = "marked",
	.alloc = make,
	.free = drop,
	.enqueue = put,
	.dequeue = get,
	.get_count = count_free,
};

RTE_INIT(register_marked_ops) {
	rte_mempool_register_ops(&marked_ops);
}

const char *handover_pool_ops(const char *name) {
	for (unsigned i = 0; i < rte_mempool_ops_table.num_ops; i++)
		if (!strcmp(rte_mempool_ops_table.ops[i].name, name))
			ring_ops = &rte_mempool_ops_table.ops[i];
	return ring_ops ? marked_ops.name : name;
}

#endif
