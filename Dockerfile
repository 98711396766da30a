# The image of "make image" for those who have Docker: the same files, user and entry point. The digest of "make image"
# is reproducible, this one's is not.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETARCH
ARG VERSION=devel
ARG REVISION=
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -trimpath \
      -ldflags "-s -w -X github.com/deskfleet/deskfleet/internal/version.version=$VERSION -X github.com/deskfleet/deskfleet/internal/version.commit=$REVISION" \
      -o /root-fs/deskfleet . \
 && mkdir -p /root-fs/etc /root-fs/tmp \
 && chmod 1777 /root-fs/tmp \
 && printf 'root:x:0:0:root:/:/none\nnonroot:x:65532:65532:nonroot:/:/none\n' > /root-fs/etc/passwd \
 && printf 'root:x:0:\nnonroot:x:65532:\n' > /root-fs/etc/group

FROM scratch
ARG VERSION=devel
ARG REVISION=
LABEL org.opencontainers.image.title=deskfleet \
      org.opencontainers.image.description="Customer-service desks on Kubernetes" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.source=https://github.com/deskfleet/deskfleet \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
COPY --from=build /root-fs /
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/deskfleet"]
