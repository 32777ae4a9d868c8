#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# 10^7 forged frames and more, against scans of four types: `make forgery`.

exec "$(dirname "$0")/../lab/forgery.sh" 64 40000 2000000
