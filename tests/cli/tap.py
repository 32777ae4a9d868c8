# SPDX-License-Identifier: BSD-3-Clause
"""TAP for tests in Python that are one list of assertions."""


class Tap:
    """Assertions by number; done() gives the plan, and 1 where one failed."""

    def __init__(self):
        self.count = self.failed = 0

    def check(self, good, what, note=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}")
        if not good:
            for line in str(note)[:3000].splitlines():
                print("# " + line)

    def skip(self, what, why):
        self.count += 1
        print(f"ok {self.count} - {what} # SKIP {why}")

    def done(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0
