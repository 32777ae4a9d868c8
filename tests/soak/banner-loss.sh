#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Cells of 1,000 connections, as long as a host repeats itself: the figures of docs/architecture.md.

exec "$(dirname "$0")/../lab/banner-loss.sh" "${1:-20}" 1000 14 98
