FROM rust:1.80-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends pkg-config libssl-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' > src/main.rs && cargo build --release && rm -r src
COPY src src
# The date has to be newer than that of the stand-in.
RUN touch src/main.rs && cargo build --release

FROM debian:bookworm-slim
RUN set -eux; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates; \
    # nothing of the lists is needed later
    rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/service /usr/local/bin/
ENV RUST_LOG=info
EXPOSE 8080/tcp 9090/tcp
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/service"]
CMD ["--listen", "0.0.0.0:8080"]
