# Two images of one source: `operator` (decides and writes; no trace engine) and `jobs` (reads, analyses, replays; no
# Kubernetes client). Wheels come from the lock by hash; nothing is compiled, and neither pip's cache nor uv is left.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/ requirements/

FROM build AS build-operator
RUN python -m venv /venv && /venv/bin/pip install --require-hashes --only-binary :all: -r requirements/operator.txt

FROM build AS build-jobs
RUN python -m venv /venv && /venv/bin/pip install --require-hashes --only-binary :all: -r requirements/jobs.txt

FROM ${BASE_IMAGE} AS final
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY LICENSE /licenses/LICENSE
WORKDIR /app
USER 65532:65532

FROM final AS operator
COPY --from=build-operator /venv /venv
COPY operator/ninefold/ ninefold/
CMD ["python", "-m", "ninefold.controllers"]

FROM final AS jobs
COPY --from=build-jobs /venv /venv
COPY operator/ninefold/ ninefold/
CMD ["python", "-m", "ninefold.jobs"]
