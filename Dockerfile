# The worker, and every other program of the repository, without development tools.
# glibc only: Temporal's native core is not built for Alpine.
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY src src
COPY scripts scripts
# A worker starts in half a second from a bundle, in four without.
RUN node --import tsx src/workers/bundle.ts /app/workflow-bundle.js
RUN node scripts/setup/programs.mjs /app/programs

FROM node:20.20.2-bookworm-slim
ENV NODE_ENV=production \
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED=true \
    ANNEAL_HOME=/var/lib/anneal \
    ANNEAL_WORKFLOW_BUNDLE=/app/workflow-bundle.js
# For `setup local`, which makes an environment of it in the home; the worker converts and trains with that.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3 python3-venv \
  && rm --recursive --force /var/lib/apt/lists/*
RUN mkdir --parents /var/lib/anneal && chown node:node /var/lib/anneal
WORKDIR /app
COPY --from=build /app ./
COPY recipes recipes
COPY prices prices
COPY images images
COPY training training
USER node
# Run with --init (compose does), so that signals and orphans are handled; and stop with a grace of a minute.
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["programs/worker.mjs"]
