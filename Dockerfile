# Tocsin as an image: one virtual environment, no compiler, no root, a root file system that may be read-only.
FROM python:3.11.14-slim-bookworm AS build

WORKDIR /src
COPY constraints.txt ./
RUN python -m venv /opt/tocsin \
    && /opt/tocsin/bin/pip install --no-cache-dir -c constraints.txt setuptools
COPY pyproject.toml README.md LICENSE ./
COPY tocsin tocsin
COPY models models
COPY alerts alerts
COPY drills drills
COPY streams streams
RUN /opt/tocsin/bin/pip install --no-cache-dir -c constraints.txt --no-build-isolation .

FROM python:3.11.14-slim-bookworm

COPY --from=build /opt/tocsin /opt/tocsin
# PYTHONSAFEPATH: a file in the working directory must not take the place of a package.
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["tocsin"]
CMD ["--help"]
