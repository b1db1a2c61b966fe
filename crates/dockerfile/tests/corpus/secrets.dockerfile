# syntax=docker/dockerfile:1.7-labs
FROM alpine:3.20 AS fetch
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc,required=true \
    --mount=type=secret,id=api,env=API,mode=0400 \
    --mount=type=ssh \
    --network=default \
    ./fetch.sh
RUN --mount=type=bind,source=.,target=/ctx,ro --mount=type=tmpfs,target=/tmp,size=64m make -C /ctx
RUN --mount=from=busybox,source=/bin,target=/tools,ro /tools/sh -c true
RUN --security=sandbox --network=none id
ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://example.com/a.tar.gz /opt/
ADD --keep-git-dir=true https://github.com/moby/buildkit.git#v0.13.0 /buildkit
ADD --unpack=true ["local.tar", "/with blank/"]
COPY --link --parents --exclude=*.md --exclude=**/*.txt src/./a src/b /dst/
