/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be asked of a running scan, as a line of the control socket or as a key.
 * docs/control.md has them all.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "value.h"

enum command_kind {
	COMMAND_STATUS,
	COMMAND_RATE, /* what it is; with a value: another one */
	COMMAND_PAUSE,
	COMMAND_RESUME,
	COMMAND_STOP,
	COMMAND_TOGGLE, /* pause or resume */
	COMMAND_KEYS, /* what the keys are */
};

struct command {
	enum command_kind kind;
	bool given; /* COMMAND_RATE: there is a value */
	double factor; /* of the rate as it is; 0: see @rate */
	struct value_rate rate;
};

/*
 * Read a line without its end: `status`, `rate`, `rate 50k`, `rate x1.5`, `pause`, `resume`, `stop`; blanks
 * around its words do not matter. 0, or -EINVAL with @err filled.
 */
int command_read(const char *line, struct command *command, struct value_error *err);

/* As with nmap any key is a question for the state that has no other meaning. */
struct command command_of_key(char key);

/* What the keys are, two lines for people. */
extern const char command_keys[];

enum {
	COMMAND_LINE_BYTES = 128, /* a longer line is none */
};

#endif
