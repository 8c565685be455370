FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/korad
WORKDIR /src
COPY requirements.lock ./
RUN /opt/korad/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY korad korad
# The build backend is in the lock too, hence no isolation: nothing comes in without a hash.
RUN /opt/korad/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/korad korad \
 && install -d -m 0700 -o korad -g korad /var/lib/korad
COPY --from=build /opt/korad /opt/korad
ENV PATH=/opt/korad/bin:$PATH KORAD_STATE_DIR=/var/lib/korad PYTHONUNBUFFERED=1
USER korad
WORKDIR /var/lib/korad
VOLUME /var/lib/korad
EXPOSE 8084
# The slim image has no curl; a proxy in the environment is not for this address. The port may be named
# in korad.toml, in the environment or on the command line: the server tells which it has.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", \
  "import json, os, urllib.request as u; port = json.load(open(os.environ['KORAD_STATE_DIR'] + '/listening.json'))['port']; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{port}/livez', timeout=2)"]
CMD ["korad", "serve", "--host", "0.0.0.0"]
