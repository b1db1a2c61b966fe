#!/usr/bin/env -S docker build -t comments -f
# syntax = docker/dockerfile:1
# escape = \
# check = skip=JSONArgsRecommended;error=true

# What this is about.
#
# base is where everything begins
FROM alpine AS base

# LEVEL how much is said
ARG LEVEL=info

   # indented
RUN echo one \
    # within
# at the margin
    two "# no comment" \
 && true # a comment of the shell
	# after a tab
CMD exec top -b
