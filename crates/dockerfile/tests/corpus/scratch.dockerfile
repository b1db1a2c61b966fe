FROM scratch
ADD rootfs.tar.xz /
LABEL maintainer="somebody <somebody@example.com>"
ENV LANG=C.UTF-8 LC_ALL=C.UTF-8
CMD ["/bin/sh"]
