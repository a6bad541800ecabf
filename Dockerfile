# syntax=docker/dockerfile:1.7
# The `candlewick` binary with Kafka over TLS and SASL and snapshots in buckets, as a user without rights.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# OpenSSL (for the feature) and librdkafka are built from source with the compiler, make and perl of this image.
# The target folder is a cache, not a layer: what is kept is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --package candlewick-pipelines --features kafka-tls,object-store \
    && install -D --mode=0755 target/release/candlewick /out/candlewick

FROM debian:bookworm-slim
# Certificate authorities for a schema registry, an Elasticsearch or brokers behind public certificates.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 candlewick \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/candlewick --shell /usr/sbin/nologin candlewick \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/candlewick
COPY --from=build /out/candlewick /usr/local/bin/candlewick
USER 10001:10001
WORKDIR /var/lib/candlewick
ENV CANDLEWICK_DATA_DIR=/var/lib/candlewick \
    CANDLEWICK_LISTEN=0.0.0.0:8080
VOLUME /var/lib/candlewick
EXPOSE 8080
# The binary asks itself over /health/live: there is no curl here, and none is needed.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["candlewick", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["candlewick"]
CMD ["run"]
