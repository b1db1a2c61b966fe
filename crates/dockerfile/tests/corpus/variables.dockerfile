ARG REGISTRY=docker.io/library IMAGE=busybox
ARG BASE=${REGISTRY}/${IMAGE}:${TAG:-latest}
FROM ${BASE} AS base
ARG A=1 B=${A}2 C
ENV P=/usr/local/lib/app.tar.gz EMPTY=
ENV CUT=${P#*/} ALL=${P##*/} TAIL=${P%.*} HEAD=${P%%.*} ONE=${P/l/L} EVERY=${P//l/L} \
    DEFAULT=${EMPTY:-x} KEPT=${EMPTY-x} SET=${P:+yes} ANY=${EMPTY+yes} NESTED=${EMPTY:-${B:-y}} \
    NEEDED="${A:?A has to be given}" RAW='$P' QUOTED="$P" ESCAPED=\$P
WORKDIR ${P%/*}
EXPOSE ${A}-${B}/tcp
LABEL "with blank"=$A plain="a \
b"
USER ${A}:${B}
VOLUME ${P} /data
STOPSIGNAL ${A}5
