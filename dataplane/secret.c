/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory for secrets. Any thread; owns nothing. */
#include <dp/secret.h>

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

void *dp_secret_alloc(size_t bytes) {
	void *memory
		= mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* Both are older than all else that is needed: without them there is no such memory. */
	if (madvise(memory, bytes, MADV_DONTDUMP) == 0
		&& madvise(memory, bytes, MADV_WIPEONFORK) == 0)
		return memory;
	munmap(memory, bytes);
	return NULL;
}

void dp_secret_free(void *memory, size_t bytes) {
	if (!memory)
		return;
	explicit_bzero(memory, bytes);
	munmap(memory, bytes);
}

void dp_secret_hide_stack(void) {
	pthread_attr_t attr;
	void *stack;
	size_t bytes;

	if (pthread_getattr_np(pthread_self(), &attr))
		return;
	if (pthread_attr_getstack(&attr, &stack, &bytes) == 0)
		madvise(stack, bytes, MADV_DONTDUMP);
	pthread_attr_destroy(&attr);
}
