/* SPDX-License-Identifier: BSD-3-Clause */
#include "names.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* In place of the C library's: what is asked for, and how often. writers: lookups' threads */
static atomic_uint asked;

static struct addrinfo *answer(int family, unsigned host) {
	struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));

	cr_assert(info);
	info->ai_family = family;
	info->ai_addr = (struct sockaddr *)(info + 1);
	info->ai_addr->sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		info->ai_addrlen = sizeof(struct sockaddr_in);
		((struct sockaddr_in *)info->ai_addr)->sin_addr.s_addr
			= htonl(0xc6120000 + host); /* 198.18.0.0 */
	} else {
		static const uint8_t prefix[] = {0x20, 0x01, 0x0d, 0xb8};
		uint8_t *bytes = ((struct sockaddr_in6 *)info->ai_addr)->sin6_addr.s6_addr;

		info->ai_addrlen = sizeof(struct sockaddr_in6);
		memcpy(bytes, prefix, sizeof(prefix));
		bytes[15] = (uint8_t)host;
	}
	return info;
}

/* hostN.example has 198.18.0.N, then 198.18.0.N + 1, and 2001:db8::N; others are not there. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
	struct addrinfo **list) {
	const unsigned n = strncasecmp(host, "host", 4) ? 0 : (unsigned)atoi(host + 4);
	struct addrinfo **end = list;

	atomic_fetch_add(&asked, 1);
	*list = NULL;
	if (!n)
		return EAI_NONAME;
	for (unsigned i = 0; i < 2 && hints->ai_family != AF_INET6; i++) {
		*end = answer(AF_INET, n + i);
		end = &(*end)->ai_next;
	}
	if (hints->ai_family != AF_INET)
		*end = answer(AF_INET6, n);
	return 0;
}

void freeaddrinfo(struct addrinfo *list) {
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list);
		list = next;
	}
}

static const struct names_policy both = {.v4 = true, .v6 = true};

/* What @wanted (split at blanks), with what is known as @resolved, comes to; to be freed. */
static char *resolve(const char *resolved, const char *wanted, const struct names_policy *policy) {
	struct names *names;
	struct value_error why;
	struct dp_error err;
	char *text;

	cr_assert_eq(names_create(resolved, &names, &why), 0, "%s", why.why);
	for (size_t size; (size = strcspn(wanted, " ")); wanted += size, wanted += *wanted == ' ')
		cr_assert_eq(names_want(names, wanted, size), 0);
	cr_assert_eq(names_resolve(names, policy, &err), 0);
	text = names_text(names);
	cr_assert(text);
	names_destroy(names);
	return text;
}

static void expect(const char *resolved, const char *wanted, const struct names_policy *policy,
	unsigned lookups, const char *text) {
	char *got;

	atomic_store(&asked, 0);
	got = resolve(resolved, wanted, policy);
	cr_assert_str_eq(got, text);
	cr_assert_eq(atomic_load(&asked), lookups, "%s: %u", wanted, atomic_load(&asked));
	free(got);
}

Test(names, are_what_no_address_can_be) {
	static const char *const are[] = {"localhost", "a.b", "www.example.org", "www.example.org.",
		"1.2.3.x", "3com.example", "_sip.example", "x/32", "x/128", "a-b.c-d"};
	static const char *const are_not[] = {"", ".", "1.2.3.4", "1.2.3.4/24", "1.2.3.4-9",
		"198.18.0-3.1-99", "1.2.3.*", "2001:db8::1", "0xc6120001", "a..b", ".a", "-a",
		"a b", "*.example", "a/b/c"};
	static const char *const bad[] = {"x/129", "x/", "x/024", "x/y", "x/999999999999"};
	char long_label[80], *text = long_label;
	struct value_error why;
	unsigned bits;

	for (unsigned i = 0; i < sizeof(are) / sizeof(*are); i++)
		cr_assert_eq(names_is_one(are[i], strlen(are[i]), &bits, &why), 1, "%s", are[i]);
	for (unsigned i = 0; i < sizeof(are_not) / sizeof(*are_not) - 1; i++)
		cr_assert_eq(names_is_one(are_not[i], strlen(are_not[i]), &bits, &why), 0, "%s",
			are_not[i]);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(
			names_is_one(bad[i], strlen(bad[i]), &bits, &why), -EINVAL, "%s", bad[i]);
	memset(text, 'x', sizeof(long_label));
	cr_assert_eq(names_is_one(text, 63, &bits, &why), 1);
	cr_assert_eq(names_is_one(text, 64, &bits, &why), 0);
}

Test(names, stand_for_the_first_address_of_each_family_or_for_all) {
	const struct names_policy v4 = {.v4 = true}, v6 = {.v6 = true},
				  all = {.v4 = true, .v6 = true, .all = true};

	expect("", "host5.example", &both, 1,
		"198.18.0.5 host5.example, 2001:db8::5 host5.example");
	expect("", "host5.example", &v4, 1, "198.18.0.5 host5.example");
	expect("", "host5.example", &v6, 1, "2001:db8::5 host5.example");
	expect("", "host5.example", &all, 1,
		"198.18.0.5 host5.example, 198.18.0.6 host5.example, 2001:db8::5 host5.example");
	expect("", "host5.example/24 host5.example/64", &both, 2,
		"198.18.0.5 host5.example/24, 2001:db8::5 host5.example/64");
	expect("", "gone.example host5.example/24", &v6, 2, "- gone.example, - host5.example/24");
}

Test(names, are_looked_up_once_and_never_again) {
	expect("", "HOST5.example host5.EXAMPLE", &both, 1,
		"198.18.0.5 host5.example, 2001:db8::5 host5.example");
	expect("198.18.0.99 host5.example, - host6.example",
		"host5.example host6.example host7.example", &both, 1,
		"198.18.0.99 host5.example, - host6.example, 198.18.0.7 host7.example, 2001:db8::7 "
		"host7.example");
	/* What nobody wants any more goes. */
	expect("198.18.0.99 host5.example", "host7.example", &(struct names_policy){.v4 = true}, 1,
		"198.18.0.7 host7.example");
}

Test(names, come_back_from_their_text) {
	char wanted[4096] = "", *text, *again;

	for (unsigned i = 1; i <= 100; i++)
		sprintf(wanted + strlen(wanted), "%shost%u.example", i > 1 ? " " : "", i);
	text = resolve("", wanted, &both);
	atomic_store(&asked, 0);
	again = resolve(text, wanted, &both);
	cr_assert_str_eq(text, again);
	cr_assert_eq(atomic_load(&asked), 0);
	free(text);
	free(again);
}

Test(names, failures_are_counted_and_listed_as_far_as_there_is_room) {
	struct names *names;
	struct value_error why;
	struct dp_error err;
	char text[60];

	cr_assert_eq(names_create("", &names, &why), 0);
	cr_assert_eq(names_want(names, "a.example", 9), 0);
	cr_assert_eq(names_want(names, "host1.example", 13), 0);
	cr_assert_eq(names_want(names, "b.example", 9), 0);
	cr_assert_eq(names_resolve(names, &both, &err), 0);
	cr_assert_eq(names_count(names), 3);
	cr_assert_eq(names_failed(names), 2);
	names_list_failures(names, text, sizeof(text));
	cr_assert_str_eq(text, "2 more");
	names_destroy(names);
}
