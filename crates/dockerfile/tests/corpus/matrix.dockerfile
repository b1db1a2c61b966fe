# Stages that are chosen by an argument, and copies between all kinds of sources.
ARG FLAVOUR=full

FROM alpine AS tools
RUN apk add --no-cache bash coreutils
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN echo a | tee /a

FROM tools AS slim
ENV KIND=slim

FROM tools AS full
ENV KIND=full
COPY --from=0 /a /from-number
COPY --from=tools /a /from-name
COPY --from=docker.io/library/busybox:1.36@sha256:3fbc632167424a6d997e74f52b878d7cc478225cffac6bc977eedfe51c7f4e79 /bin/busybox /bb

FROM ${FLAVOUR} AS final
CMD echo "$KIND"
