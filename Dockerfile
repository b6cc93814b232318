# MCP Hub's image: one static binary and the certificates it trusts, nothing else.
#
#   docker build -t mcphub .
#
# Whoever publishes it says more of it, by the arguments VERSION, REVISION (git rev-parse HEAD), CREATED (date -u +%FT%TZ)
# and SOURCE (the repository's URL), and by --label io.modelcontextprotocol.server.name=… for MCP's registry.
FROM golang:1.26-alpine AS build
WORKDIR /src
ARG GOPROXY
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /mcphub ./cmd/mcphub

FROM scratch
ARG VERSION
ARG REVISION
ARG CREATED
ARG SOURCE
LABEL org.opencontainers.image.title="MCP Hub" \
      org.opencontainers.image.description="One container in front of many MCP servers" \
      org.opencontainers.image.vendor="The MCP Hub authors" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.url="$SOURCE" \
      org.opencontainers.image.documentation="${SOURCE:+$SOURCE#readme}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /mcphub /mcphub
ENV MCPHUB_HOST=0.0.0.0
EXPOSE 7070
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=6s --start-period=5s CMD ["/mcphub", "healthcheck"]
ENTRYPOINT ["/mcphub"]
