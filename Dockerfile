# Piecewise as an image: runs as nobody in particular, on a file system that it cannot change.
# A release names it by digest (python:3.12-slim@sha256:…): `make digests` prints those of today.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE} AS libraries
COPY requirements-run.lock .
RUN python -m venv /opt/libraries \
 && /opt/libraries/bin/pip install --no-cache-dir --require-hashes -r requirements-run.lock

FROM ${PYTHON_IMAGE}
# /data is for a volume that holds a SQLite file: a new volume takes over whose the folder is.
RUN useradd --system --uid 10001 --no-create-home piecewise && install -d -o 10001 /data
COPY --from=libraries /opt/libraries /opt/libraries
COPY bot /opt/piecewise/bot
COPY handlers /opt/piecewise/handlers
COPY storage /opt/piecewise/storage
COPY manifest.yml .env.example pyproject.toml /opt/piecewise/
# Nothing can be written there later: so our bytecode is made now, as pip made that of the libraries.
RUN /opt/libraries/bin/python -m compileall -q /opt/piecewise
ENV PATH=/opt/libraries/bin:$PATH \
    PYTHONPATH=/opt/piecewise \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    PIECEWISE_HOST=0.0.0.0 \
    PIECEWISE_LOG_FORMAT=json
USER 10001
WORKDIR /tmp
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:3000/readyz', timeout=4)"]
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
