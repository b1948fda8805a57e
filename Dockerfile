# Two images of one source: `operator` (decides and writes; no trace engine) and `jobs` (reads, analyses, replays; no
# Kubernetes client). Wheels come from the lock by hash; no compiler is needed, and pip
# stays behind in the first stage.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/ requirements/

RUN python -m venv --without-pip /venv
ENV INSTALL="python -m pip --python /venv/bin/python install --require-hashes --only-binary :all: --requirement"

FROM build AS build-operator
RUN ${INSTALL} requirements/operator.txt

FROM build AS build-jobs
RUN ${INSTALL} requirements/jobs.txt

FROM ${BASE_IMAGE} AS final
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY LICENSE /licenses/LICENSE
WORKDIR /app
USER 65532:65532

FROM final AS operator
COPY --from=build-operator /venv /venv
COPY operator/ninefold/ ninefold/
CMD ["python", "-m", "ninefold.process"]

FROM final AS jobs
COPY --from=build-jobs /venv /venv
COPY operator/ninefold/ ninefold/
CMD ["python", "-m", "ninefold.jobs"]
