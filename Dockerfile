# The image holds the one executable and nothing else to run. Build: docker build -t causeway .
# Run, with a read-only root file system:
#   docker run --read-only --tmpfs /tmp -v causeway:/var/lib/causeway \
#     -v ./causeway.toml:/etc/causeway/causeway.toml:ro -p 127.0.0.1:9464:9464 causeway

FROM node:24.21.0-bookworm-slim AS build
# Versions of build tools follow the base image, which is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install --yes --no-install-recommends binutils xz-utils \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run package

# Debian slim and not distroless: PostgreSQL's initdb, which `causeway demo` starts, needs a shell and a user database.
FROM debian:bookworm-slim
RUN groupadd --gid 10001 causeway \
  && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /var/lib/causeway \
    --shell /usr/sbin/nologin causeway \
  && install --directory --owner=causeway --group=causeway --mode=0750 /var/lib/causeway
COPY --from=build /build/dist/causeway /usr/local/bin/causeway
COPY --from=build /build/dist/NOTICES.txt /build/dist/causeway.cdx.json /build/LICENSE /usr/local/share/causeway/
# What is freed goes back to the system: docs/operations.md, "Memory of the C library".
ENV MALLOC_MMAP_THRESHOLD_=131072 MALLOC_ARENA_MAX=2
USER 10001:10001
WORKDIR /var/lib/causeway
VOLUME ["/var/lib/causeway"]
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["causeway", "health"]
ENTRYPOINT ["causeway"]
CMD ["--role", "all", "--config", "/etc/causeway/causeway.toml"]
