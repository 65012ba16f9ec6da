# slaledger and Airflow in one image: every container of docker-compose.yml but PostgreSQL's runs it.
FROM python:3.11-slim-bookworm AS build

ENV UV_PYTHON_DOWNLOADS=never \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/slaledger
COPY requirements-uv.lock requirements.lock ./
RUN python -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements-uv.lock
RUN .venv/bin/uv pip install --no-cache --require-hashes -r requirements.lock
COPY . .
RUN .venv/bin/uv pip install --no-cache --no-deps --no-build-isolation -e .

FROM python:3.11-slim-bookworm

# Nobody's home but ours: dbt and Airflow write there, and nowhere else.
RUN useradd --uid 50000 --create-home slaledger \
    && install --directory --owner=50000 --mode=0700 /var/lib/slaledger
COPY --from=build --chown=50000 /opt/slaledger /opt/slaledger
USER 50000
WORKDIR /opt/slaledger
ENV PATH=/opt/slaledger/.venv/bin:$PATH \
    PYTHONPATH=/opt/slaledger \
    SLA_HOME=/var/lib/slaledger \
    AIRFLOW_HOME=/var/lib/slaledger/airflow \
    DO_NOT_TRACK=1 \
    SCARF_ANALYTICS=false \
    GX_ANALYTICS_ENABLED=false \
    DBT_SEND_ANONYMOUS_USAGE_STATS=false \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
VOLUME /var/lib/slaledger
CMD ["sla", "--help"]
