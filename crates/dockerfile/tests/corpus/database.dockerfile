FROM debian:bookworm-slim
ENV VERSION=16 DATA=/var/lib/records
ENV PATH=$PATH:/opt/records/$VERSION/bin
RUN set -eu; \
	groupadd --system --gid 700 records; \
	useradd --system --gid records --uid 700 --home-dir "$DATA" records; \
	install -d -o records -g records -m 0700 "$DATA"

RUN mkdir /etc/records.d
VOLUME $DATA
COPY start.sh check.sh /usr/local/bin/
USER records
ENTRYPOINT ["start.sh"]
STOPSIGNAL SIGINT
EXPOSE 7000
CMD ["records", "--foreground"]
