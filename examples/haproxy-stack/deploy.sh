#!/bin/sh
# Deploy the stack: ./deploy.sh [further options of `zdd deploy`]. DOCKER_HOST, CONSUL_HTTP_ADDR and HAPROXY_SOCKET say where.
set -eu
cd "$(dirname "$0")"
exec "${PYTHON:-python3}" -m zdd deploy site --file compose.yml \
  --consul "${CONSUL_HTTP_ADDR:-127.0.0.1:8500}" --haproxy "${HAPROXY_SOCKET:-/run/haproxy/admin.sock}" "$@"
