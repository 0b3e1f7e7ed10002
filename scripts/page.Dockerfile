# Builds a page where the host has no Node of its own; scripts/setup_page.py takes /page/dist out of it.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
# apt-get has been seen to wait for ever for an answer that had come. Nothing of this image is kept but what it builds.
# hadolint ignore=DL3009
RUN (timeout 120 apt-get update || apt-get update) \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends nodejs npm ca-certificates
# What the host trusts beyond the public authorities: a mirror or a proxy may be signed by one of its own.
COPY host-ca.pem /
ENV NODE_EXTRA_CA_CERTS=/host-ca.pem
WORKDIR /page
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build
