# One image for every process; the command says which. Built twice over: packages and the compiled engine are
# made where a compiler is, and only what they made goes into the image that runs.
ARG PYTHON_IMAGE=python:3.12.12-slim-trixie

FROM ${PYTHON_IMAGE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/opt/cache
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY infra/docker/requirements.lock infra/docker/
RUN pip install --require-hashes --requirement infra/docker/requirements.lock
COPY exchange exchange
COPY matching_engine matching_engine
COPY services services
# Fails here, and not at the start of the engine, when the engine cannot be compiled. Half a minute; a builder that
# emulates another processor takes twenty times as long, and is told so: --build-arg COMPILE_DEADLINE_S=3600.
ARG COMPILE_DEADLINE_S=600
RUN EXCHANGE_ENGINE_BUILD=compiled python -m matching_engine.build --deadline-s ${COMPILE_DEADLINE_S}

FROM ${PYTHON_IMAGE}
# The numbers are fixed, so that volumes keep their owner from one image to the next.
RUN groupadd --gid 10001 exchange \
    && useradd --uid 10001 --gid exchange --no-create-home --home-dir /nonexistent exchange \
    && install --directory --owner=exchange --group=exchange --mode=0700 \
       /var/lib/exchange /var/lib/exchange/data /var/lib/exchange/secrets
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/opt/cache \
    EXCHANGE_HOST=0.0.0.0 \
    EXCHANGE_PORT=8080 \
    EXCHANGE_DATA_DIR=/var/lib/exchange/data \
    EXCHANGE_SECRET_KEY_FILE=/var/lib/exchange/secrets/data.key
COPY --from=build /opt/venv /opt/venv
# Code is loaded from this cache only if it belongs to the user who runs it (matching_engine/build.py).
COPY --from=build --chown=exchange:exchange /opt/cache /opt/cache
WORKDIR /app
COPY --from=build /app /app
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=6 \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=2); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
